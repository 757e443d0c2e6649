"""Networks whose graphs differ: weights are paired by order, and the first difference is named at its own place."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from tests.support.networks import MODULES, OURS, RESIDUAL, Residual, verdict
from tests.verification.unusual import SMALL, around


class ShortcutFirst(Residual):
    """The second block runs its shortcut first, and the first block adds in another order."""

    def first(self, x: Tensor) -> Tensor:
        y = torch.relu(self.part("bn2")(self.part("conv2")(x)))
        return torch.relu(x + self.part("bn3")(self.part("conv3")(y)))

    def second(self, x: Tensor) -> Tensor:
        shortcut = self.part("norm")(self.part("project")(x))
        y = torch.relu(self.part("bn4")(self.part("conv4")(x)))
        return torch.relu(shortcut + self.part("bn5")(self.part("conv5")(y)))


class Twice(Residual):
    """ReLU of ReLU: another graph, and the same results."""

    def stem(self, x: Tensor) -> Tensor:
        return super().stem(x).relu()


class TwiceAndFirst(ShortcutFirst, Twice):
    pass


class AtTheEnd(ShortcutFirst):
    def head(self, x: Tensor) -> Tensor:
        return super().head(x.relu())


class Tanh(Residual):
    def stem(self, x: Tensor) -> Tensor:
        return torch.tanh(self.part("bn1")(self.part("conv1")(x)))


OTHER = RESIDUAL.replace("block: basic", "block: reversed").replace(
    "stem:",
    """blocks:
      reversed:
        first: shortcut
        residual:
          - layer: {out: channels, kernel: 3, stride: stride}
          - layer: {out: channels, kernel: 3}
    stem:""",
)
"""The same network; the shortcut of each block runs first."""

TEXTS = {"ours runs the residual first": RESIDUAL, "ours runs the shortcut first": OTHER}


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("reference", [Twice, TwiceAndFirst, AtTheEnd])
def test_the_same_results_with_another_graph(reference: type[Residual], text: str) -> None:
    found = verdict(reference(), TEXTS[text])
    assert found.levels == {"keys": False, "graph": False, "outputs": True}
    assert found.graph.by_order
    assert found.outputs is not None
    assert all(gap.largest == 0 or name == "of gradients" for name, gap in found.outputs.gaps.items())
    assert found.key_map["layer2.0.downsample.0.weight"] == "project.weight"
    assert {key.rpartition(".")[0]: other.partition(".")[0] for key, other in found.key_map.items()} == {
        key: name for name, key in OURS.items()
    }
    assert "weights paired by the order of execution" in str(found)
    (graph,) = [fault for fault in found.diagnostics if fault.code == "E906"]
    assert graph.notes[-1] == "the weights are paired in the order of execution, and the outputs are equal"


def test_other_results_with_another_graph_prove_nothing() -> None:
    """The pairs may be wrong, so that the outputs are neither equal nor different."""
    found = verdict(Tanh())
    assert repr(found).endswith("keys no, graph no, outputs ->")
    assert not found.key_map
    assert not found.graph.by_order
    assert [fault.code for fault in found.diagnostics] == ["E908", "E906"]
    assert found.outputs is not None
    assert "in the order of execution, they differ by " in found.outputs.reason
    assert "of the largest value in eval mode" in found.outputs.reason


def test_equal_keys_go_before_the_order() -> None:
    found = verdict(around(lambda y: y * 2), SMALL)
    assert found.keys.same
    assert not found.graph.by_order
    assert found.outputs is not None
    assert not found.outputs.held
    assert any(
        "paired by their keys, and the outputs are different" in note
        for fault in found.diagnostics
        for note in fault.notes
    )


# -- where two networks differ -----------------------------------------------------------------------------------------

CHANGES: dict[str, Callable[[nn.Module], None]] = {
    "eps": lambda m: setattr(m, "eps", 1e-3),
    "momentum": lambda m: setattr(m, "momentum", 0.3),
    "dilation": lambda m: (setattr(m, "dilation", (2, 2)), setattr(m, "padding", (2, 2))),  # type: ignore[func-returns-value]
    "mode": lambda m: setattr(m, "padding_mode", "reflect"),
}


def changes_of(name: str) -> list[str]:
    return ["eps", "momentum"] if name.startswith(("bn", "norm")) else ["mode", "dilation"]


PLACES = [name for name in MODULES if name not in ("project", "fc")]


@given(
    st.lists(st.sampled_from(PLACES), min_size=1, max_size=3, unique=True),
    st.sampled_from([Residual, ShortcutFirst]),
    st.sampled_from(sorted(TEXTS)),
    st.data(),
)
@settings(max_examples=40)
def test_the_first_difference_is_at_one_place(
    names: list[str], kind: type[Residual], text: str, data: st.DataObject
) -> None:
    """Whichever branch runs first, the message names the same layer of both networks."""
    reference = kind()
    for name in names:
        CHANGES[data.draw(st.sampled_from(changes_of(name)))](reference.part(name))
    difference = verdict(reference, TEXTS[text], levels=("graph",)).graph.difference
    assert difference is not None
    (place,) = [note.removeprefix("in ") for note in difference.notes]
    name = {ours: theirs for theirs, ours in OURS.items()}[place]
    assert name in names
    assert difference.message.startswith(f"`{place}` has ")
    assert f" where the reference's `{name}` has " in difference.message


def strides(m: Residual) -> None:
    m.part("conv4").stride = m.part("project").stride = (1, 1)  # type: ignore[assignment]


def biases(m: Residual) -> None:
    m.conv4, m.project = nn.Conv2d(8, 12, 3, 2, 1), nn.Conv2d(8, 12, 1, 2)


@pytest.mark.parametrize("change", [strides, biases])
@pytest.mark.parametrize("kind", [Residual, ShortcutFirst])
@pytest.mark.parametrize("text", TEXTS)
def test_a_change_of_both_branches(change: Callable[[Residual], None], kind: type[Residual], text: str) -> None:
    reference = kind()
    change(reference)
    difference = verdict(reference, TEXTS[text], levels=("graph",)).graph.difference
    assert difference is not None
    residual = text == "ours runs the residual first"
    pair = ("layer2.0.conv1", "conv4") if residual else ("layer2.0.downsample.0", "project")
    assert difference.message.startswith(f"`{pair[0]}` has ")
    assert f"the reference's `{pair[1]}`" in difference.message
