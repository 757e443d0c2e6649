"""Whole verifications: which levels hold, which keys are paired, and that names and orders do not matter."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import networkx
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

import archspec
from archspec.verification.sharing import scramble
from archspec.verification.verdict import Keys, key_map
from tests.networks import test_families_of_torchvision
from tests.support.equivalence import spec
from tests.support.networks import MODULES, OURS, RESIDUAL, Residual, changed, verdict
from tests.support.reference import torchvision_model, torchvision_models


def wanted_map(names: dict[str, str]) -> dict[str, str]:
    """Our keys to those of the handwritten network, by construction."""
    keys = [key for key in Residual().state_dict() if key]
    found = {}
    for key in keys:
        module, _, tensor = key.partition(".")
        found[f"{OURS[module]}.{tensor}"] = f"{names[module]}.{tensor}"
    return found


def test_the_network_by_hand() -> None:
    found = verdict(Residual())
    assert found.levels == {"keys": False, "graph": True, "outputs": True}
    assert found.holds()
    assert not found.holds("keys")
    assert found.key_map == wanted_map({name: name for name in MODULES})
    assert found.outputs is not None
    assert list(found.outputs.gaps) == ["in eval mode", "in training", "of gradients", "of statistics"]
    assert all(gap.largest == 0 for gap in found.outputs.gaps.values())
    assert [d.code for d in found.diagnostics] == ["E908"]


@given(st.permutations(MODULES), st.permutations([f"m{number}" for number in range(len(MODULES))]))
@settings(max_examples=25)
def test_names_and_orders_change_nothing(order: list[str], chosen: list[str]) -> None:
    names = dict(zip(MODULES, chosen, strict=True))
    found = verdict(Residual(names, order), levels=("graph",))
    assert found.graph.held
    assert found.key_map == wanted_map(names)


@given(st.permutations(MODULES), st.sampled_from([name for name in MODULES if name.startswith("bn")]))
@settings(max_examples=10)
def test_names_and_orders_hide_no_difference(order: list[str], mutated: str) -> None:
    reference = Residual(order=order)
    reference.part(mutated).eps = 1e-3
    found = verdict(reference, levels=("graph",))
    assert not found.graph.held
    assert found.graph.difference is not None
    assert f"in {OURS[mutated]}" in found.graph.difference.notes


def test_equal_keys_of_different_layers() -> None:
    """The state dict would load without an error, into the wrong layers: `keys` must not hold."""
    swapped = {**OURS, "conv2": OURS["conv3"], "conv3": OURS["conv2"]}

    class Nested(Residual):
        def __init__(self) -> None:
            super().__init__()
            for name in MODULES:
                *scopes, last = swapped[name].split(".")
                owner: nn.Module = self
                for scope in scopes:
                    if not hasattr(owner, scope):
                        owner.add_module(scope, nn.Module())
                    owner = owner.get_submodule(scope)
                module = self._modules.pop(name)
                owner.add_module(last, module)
            self.names = swapped

    found = verdict(Nested(), levels=("keys", "graph"))
    assert found.graph.held
    assert not found.keys.missing
    assert not found.keys.extra
    assert sorted(found.keys.crossed) == ["layer1.0.conv1.weight", "layer1.0.conv2.weight"]
    assert not found.keys.held
    assert found.key_map["layer1.0.conv1.weight"] == "layer1.0.conv2.weight"


def test_a_key_map_moves_weights() -> None:
    """The reference's weights, loaded with the key map, give the reference's results."""
    reference = Residual().eval()
    scramble(reference, 3)
    found = verdict(reference, levels=("graph",))
    given_weights = reference.state_dict()
    model = archspec.build(spec(RESIDUAL), weights={key: given_weights[other] for key, other in found.key_map.items()})
    x = torch.randn(2, 3, 16, 16)
    assert torch.equal(model.eval()(x), reference(x))


def test_the_given_network_is_not_changed() -> None:
    reference = Residual().eval()
    before = {key: tensor.clone() for key, tensor in reference.state_dict().items()}
    state = torch.random.get_rng_state()
    verdict(reference)
    assert not reference.training
    assert all(torch.equal(tensor, before[key]) for key, tensor in reference.state_dict().items())
    assert all(parameter.grad is None and not parameter.is_meta for parameter in reference.parameters())
    assert torch.equal(torch.random.get_rng_state(), state)


@pytest.mark.parametrize("flat", [True, False])
def test_a_graph_module_as_the_reference(flat: bool) -> None:
    found = verdict(archspec.build(spec(RESIDUAL), flat=flat))
    assert found.levels == {"keys": True, "graph": True, "outputs": True}


def test_a_network_that_cannot_be_copied() -> None:
    class Stubborn(Residual):
        def __deepcopy__(self, memo: object) -> None:
            raise RuntimeError("mine")

    with pytest.raises(archspec.SpecError, match=r"`Stubborn` cannot be copied: RuntimeError: mine"):
        verdict(Stubborn())


def test_with_gradients_disabled() -> None:
    with torch.no_grad():
        assert verdict(Residual()).holds()


def test_another_dtype() -> None:
    assert verdict(Residual().double()).holds()


def test_a_factory_and_a_seed() -> None:
    one, two = (verdict(Residual, seed=seed).as_data() for seed in (1, 1))  # type: ignore[arg-type]
    assert one == two
    assert one["reference"] == "Residual"


def test_a_verdict_as_data_is_json() -> None:
    found = verdict(Residual())
    data = json.loads(json.dumps(found.as_data()))
    assert data["levels"] == {"identical keys": False, "isomorphic graph": True, "equal outputs": True}
    nothing = {"largest": 0.0, "relative": 0.0, "at": None, "index": None, "native": None, "float64": None}
    assert data["outputs"]["eval"] == nothing
    written = json.loads(json.dumps(key_map(found, archspec=archspec.__version__)))
    assert written["hash"] == archspec.compile(spec(RESIDUAL)).fingerprint
    assert written["keys"] == wanted_map({name: name for name in MODULES})


def test_a_verdict_as_text_and_html() -> None:
    same, other = verdict(Residual()), verdict(changed(lambda m: setattr(m.part("bn3"), "eps", 1e-3)))
    assert repr(same) == "<Verdict tested against Residual: keys no, graph yes, outputs yes>"
    assert repr(other) == "<Verdict tested against Residual: keys no, graph no, outputs ->"
    first, *levels, keys, graph = str(other).splitlines()
    assert first == "tested against Residual, on 2x3x16x16"
    assert [line[:20].split() for line in levels] == [
        ["identical", "keys", "no"],
        ["isomorphic", "graph", "no"],
        ["equal", "outputs", "-"],
    ]
    assert "error[E908]" in keys
    assert "error[E906]" in graph
    html = replace(other, reference="<b>")._repr_html_()
    assert ElementTree.fromstring(f"<p>{html}</p>").findtext(".//caption") == "tested against <b>, on 2x3x16x16"


def test_keys_are_counted_in_words() -> None:
    """Of 8 and 10 keys, 6 have the same name, and 2 of these have different shapes."""
    names = "abcdefgh"
    keys = Keys(1, 1, 8, False, tuple("wxyz"), tuple("gh"), dict.fromkeys("ab", ((1,), (2,))))
    assert keys.reference_count == 10
    assert keys.difference == "6 in both (2 of another shape), 2 only here, 4 only in the reference"
    alone = Keys(1, 1, 8, False, tuple("wxyz"), tuple(names))
    assert (alone.reference_count, alone.difference) == (4, "none in both, 8 only here, 4 only in the reference")


# -- what cannot be traced ---------------------------------------------------------------------------------------------


class Asking(Residual):
    """It computes the same, but branches on a value, so that fx cannot trace it."""

    def second(self, x: Tensor) -> Tensor:
        return super().second(x if x.sum() < float("inf") else -x)


class Shaped(Residual):
    """fx cannot trace it, but the meta device can run it."""

    def second(self, x: Tensor) -> Tensor:
        return super().second(x if x.shape[1] == 8 else -x)


@pytest.mark.parametrize("reference", [Asking, Shaped])
def test_a_reference_that_cannot_be_traced(reference: type[Residual]) -> None:
    found = verdict(reference(order=list(reversed(MODULES))))
    assert found.levels == {"keys": False, "graph": False, "outputs": True}
    assert found.graph.by_order
    assert "control flow" in found.graph.untraceable
    assert found.key_map == wanted_map({name: name for name in MODULES})
    assert [d.code for d in found.diagnostics] == ["E908", "E907"]
    assert '`levels=["outputs"]` can compare what both compute' in found.diagnostics[1].help
    assert '`levels=["keys"]`' in found.diagnostics[1].help


def test_another_order_of_execution_pairs_nothing() -> None:
    class Other(Asking):
        def second(self, x: Tensor) -> Tensor:
            if x.sum() == float("inf"):
                return x
            shortcut = self.part("norm")(self.part("project")(x))
            y = torch.relu(self.part("bn4")(self.part("conv4")(x)))
            return torch.relu(self.part("bn5")(self.part("conv5")(y)) + shortcut)

    found = verdict(Other())
    assert not found.graph.by_order
    assert not found.key_map
    assert found.outputs is not None
    assert not found.outputs.held
    assert "which weights belong together" in found.outputs.reason


# -- families ----------------------------------------------------------------------------------------------------------


def mobilenet() -> nn.Module:
    settings_of_blocks = [[1, 16, 1, 1], [6, 24, 2, 2], [6, 32, 3, 2]]
    return torchvision_models().MobileNetV2(num_classes=7, inverted_residual_setting=settings_of_blocks)


FAMILIES: dict[str, tuple[str, Callable[[], nn.Module]]] = {
    "mobilenet": (test_families_of_torchvision.MOBILENET, mobilenet),
}


@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_of_torchvision(family: str) -> None:
    text, make = FAMILIES[family]
    found = verdict(make(), text)
    assert found.levels == {"keys": True, "graph": True, "outputs": True}
    assert found.outputs is not None
    assert all(gap.largest == 0 for gap in found.outputs.gaps.values())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("resnet18", {}),
        ("shufflenet_v2_x0_5", {}),
        ("densenet121", {}),
        ("mobilenet_v3_small", {}),
        ("regnet_y_400mf", {}),
        ("efficientnet_b0", {}),
        ("squeezenet1_1", {}),
        ("googlenet", {"aux_logits": False, "init_weights": False, "transform_input": True}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_network_of_torchvision(name: str, options: dict[str, Any]) -> None:
    found = archspec.verify(name, torchvision_model(name, **options), input=(3, 96, 96))
    assert found.levels == {"keys": True, "graph": True, "outputs": True}
    assert found.outputs is not None
    assert found.outputs.eval is not None
    assert found.outputs.eval.largest == 0


@pytest.mark.slow
def test_convnext_differs_in_rounding_alone() -> None:
    found = archspec.verify("convnext_tiny", "torchvision:convnext_tiny", input=(3, 64, 64))
    assert found.holds("graph", "outputs")
    assert found.outputs is not None
    assert found.outputs.eval is not None
    assert found.outputs.eval.relative <= 1e-6


def test_the_form_is_a_graph_of_networkx() -> None:
    from archspec.emit.fx import emit
    from archspec.tracing.canonicalize import canonicalize
    from archspec.tracing.trace import trace

    model = emit(archspec.compile(spec(RESIDUAL)), flat=True)
    form = canonicalize(trace(model, torch.empty(2, 3, 16, 16, device="meta")), frozenset(model.state_dict()))
    graph = form.to_networkx(range(len(form.steps)))
    assert networkx.is_directed_acyclic_graph(graph)
    last = len(form.steps) - 1
    assert set(networkx.ancestors(graph, last)) == set(range(last))


@pytest.mark.parametrize(
    ("change", "line"),
    [("act: silu", 4), ("stages: {block: bottleneck}", 4), ("norm: {type: batch, eps: 0.1}", 4)],
)
def test_a_variant_is_at_fault_at_its_own_line(change: str, line: int, tmp_path: Path) -> None:
    """Where it differs from the reference of its base, and not in the base."""
    path = tmp_path / "variant.yaml"
    path.write_text(f"archspec: 1\nname: variant\nextends: resnet20_cifar\n{change}\n", encoding="utf-8")
    verdict = archspec.verify(path, lambda: archspec.build("resnet20_cifar"), levels=["graph"])
    (found,) = [each for each in verdict.diagnostics if each.code == "E906"]
    assert (str(found.span and found.span.source.path), found.span and found.span.line) == (str(path), line)
