"""archspec compared with an interpreter that was written from the documentation: on generated specs and on odd ones."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch

import archspec
from tests.interpreter.compare import compare
from tests.interpreter.expressions import NORMS, Names, evaluate
from tests.interpreter.features import features, wanted
from tests.interpreter.minimize import minimized
from tests.interpreter.network import interpret
from tests.interpreter.random_specs import Drawn, drawn
from tests.interpreter.reading import Refused
from tests.interpreter.run import SOURCES, Tally

SMALL = """
archspec: 1
name: t
input: [3, 8, 8]
classes: 5
stem: {use: cifar, width: 8}
stages: {block: basic, count: 1, channels: 8}
"""
SPECS = Path(__file__).parents[2] / "specs"


def check(tally: Tally) -> None:
    assert [what for what, _ in tally.differences] == []
    assert tally.accepted > 0.6 * tally.count


@pytest.mark.parametrize("source", SOURCES)
def test_generated_specs(source: str) -> None:
    check(SOURCES[source](1, 30))


@pytest.mark.parametrize("order", ["post", "norm-after-add", "act-before-add", "act-only-pre", "pre"])
@pytest.mark.parametrize(
    "last",
    [
        *("layer: {out: 8, kernel: 1, act: none}", "layer: {out: 8, kernel: 1, act: silu, norm: none}"),
        "layer: {out: 8, kernel: 1, norm: {type: group, groups: 2}, act: gelu}",
        "layer: {norm: none, act: none, of: [conv: {out: 8, kernel: 1}]}",
        "layer: {act: none, of: [layer: {out: 8, kernel: 1}]}",
        "add: [[layer: {out: 8, kernel: 1, act: none}], [layer: {out: 8, kernel: 3, act: none}]]",
        "add: [[layer: {out: 8, kernel: 1, act: none}], [layer: {out: 8, kernel: 3, norm: none}]]",
    ],
)
def test_last_layers_with_settings_of_their_own(order: str, last: str) -> None:
    block = f"{{channels: width, residual: [layer: {{out: 8, kernel: 3}}, {last}]}}"
    text = SMALL.replace("block: basic", "block: b") + f"blocks: {{b: {block}}}\nactivation_order: {order}\n"
    assert compare(text).kind == "equal"


@pytest.mark.parametrize("norm", NORMS)
def test_norms_of_every_type(norm: str) -> None:
    """Names, what is a weight and what a buffer, and values; the channels fit two groups."""
    assert compare(SMALL + f"norm: {{type: {norm}, groups: 2}}\n").kind == "equal"


@pytest.mark.parametrize("group", ["0", "-1", "1 / 0", "2 - 2"])
@pytest.mark.parametrize("place", ["a column", "the rule"])
def test_groups_without_channels_are_refused(group: str, place: str) -> None:
    rule = "depth: 4, w_0: 8, w_a: 4, w_m: 2"
    rule = f"{{{rule}}}, group_width: {group}" if place == "a column" else f"{{{rule}, group_width: {group}}}"
    text = SMALL.replace("block: basic, count: 1, channels: 8", f"block: bottleneck, quantized_linear: {rule}")
    assert compare(text).kind == "refused"


@pytest.mark.slow
@pytest.mark.parametrize("source", SOURCES)
def test_many_generated_specs(source: str) -> None:
    check(SOURCES[source](2_000, 300))


@pytest.mark.parametrize("name", ["resnet18", "efficientnet_b0", "densenet121", "shufflenet_v2_x1_0", "regnet_y_400mf"])
def test_keys_of_the_zoo(name: str) -> None:
    network = interpret((SPECS / f"{name}.yaml").read_text(), None, name)
    state = archspec.build(name, device="meta").state_dict()
    assert list(network.keys().items()) == [(key, tuple(value.shape)) for key, value in state.items()]


@pytest.mark.slow
def test_every_feature_is_drawn() -> None:
    found: set[str] = set()
    for seed in range(1000):
        spec = drawn(seed)
        found |= features(spec.text, spec.files)
    assert wanted() - found == set()


def test_the_interpreter_does_not_import_archspec() -> None:
    """Only the comparison does."""
    line = re.compile(r"^\s*(from|import) archspec", re.MULTILINE)
    importing = {path.stem for path in Path(__file__).parent.glob("*.py") if line.search(path.read_text())}
    assert importing == {"compare", "run", "test_interpreter"}


# -- the comparison can fail -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "kind"),
    [
        ("act: silu", "act: gelu", "node names"),
        ("eps: 0.1", "eps: 0.2", "values"),
        ("momentum: 0.3", "momentum: 0.4", "values"),
        ("channels: 8", "channels: 16", "node names"),
        ("input: [3, 8, 8]", "input: [3, 9, 9]", "shapes"),
    ],
)
def test_two_specs_that_differ(old: str, new: str, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    text = SMALL + "act: silu\nnorm: {eps: 0.1, momentum: 0.3}\n"
    assert compare(text).kind == "equal"
    other = interpret(text.replace(old, new))
    monkeypatch.setattr("tests.interpreter.compare.interpret", lambda *_: other)
    assert compare(text).kind == kind


def test_a_difference_is_made_smaller() -> None:
    large = Drawn(SMALL + "act: silu\nnorm: {eps: 0.1}\nnotes: much to say\nhead: [{conv: {out: 4}}, norm]\n")
    small = minimized(large, lambda spec: "silu" in spec.text)
    assert "notes" not in small.text
    assert "silu" in small.text


# -- the interpreter alone ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *(("7 // 2 + 7 % 4", 6), ("-7 // 2", -4), ("1 / 4", 0.25), ("round(2.5)", 2), ("int(2.7)", 2)),
        *(("make_divisible(90)", 88), ("make_divisible(19, 16)", 32), ("0 < a < 9", True), ("letter(2)", "c")),
        *(("'x' if a == 3 and not false else 'y'", "x"), ("min(4, a, 9) + max(1, a) * abs(-2)", 9)),
    ],
)
def test_expressions(text: str, value: object) -> None:
    assert evaluate(text, Names({"a": 3}, round)) == value


@pytest.mark.parametrize(
    "text", ["2 ** 3", "a.b", "a[0]", "True", "f(1)", "1 and true", "missing", "1 < 'x'", "1 +", ""]
)
def test_refused_expressions(text: str) -> None:
    with pytest.raises(Refused):
        evaluate(text, Names({"a": 3}, round))


def test_a_network_by_hand() -> None:
    network = interpret(SMALL)
    drawn_ = torch.Generator().manual_seed(0)
    state = {key: torch.rand(shape, generator=drawn_) + 0.5 for key, shape in network.keys().items()}
    image = torch.randn(2, 3, 8, 8, generator=drawn_)

    def norm(value: torch.Tensor, name: str) -> torch.Tensor:
        mean, variance = state[f"{name}.running_mean"], state[f"{name}.running_var"]
        scale = state[f"{name}.weight"] / (variance + 1e-5).sqrt()
        return (value - mean[:, None, None]) * scale[:, None, None] + state[f"{name}.bias"][:, None, None]

    def conv(value: torch.Tensor, name: str) -> torch.Tensor:
        return torch.conv2d(value, state[f"{name}.weight"], padding=1)

    x = norm(conv(image, "conv1"), "bn1").relu()
    y = norm(conv(x, "layer1.0.conv1"), "layer1.0.bn1").relu()
    y = (norm(conv(y, "layer1.0.conv2"), "layer1.0.bn2") + x).relu()
    expected = y.mean((2, 3)) @ state["fc.weight"].T + state["fc.bias"]
    found = network.run(state, image, training=False)
    assert isinstance(found, torch.Tensor)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-3)  # single precision, sums in another order
