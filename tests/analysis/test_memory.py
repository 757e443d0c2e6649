"""Memory against torch's own storages, byte for byte."""

from __future__ import annotations

import pytest
import torch
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from torch import nn

import archspec
from archspec.analysis.memory import ITEM_BYTES
from archspec.analysis.report import analyze
from archspec.operations.act import ACTIVATIONS
from tests.analysis.measure import inference_peak, saved_for_backward, training_peak
from tests.analysis.networks import CHANNELS_LAST, CONVOLUTIONS, LEAVES, Step, network, sequences
from tests.networks import test_families as families
from tests.networks import test_families_of_torchvision as more_families
from tests.support.equivalence import compiled
from tests.support.zoo import variants_slow

pytestmark = pytest.mark.usefixtures("freed")

CONV = CONVOLUTIONS[0]

FAMILIES = {
    "dense": families.DENSENET,
    "gates": families.EFFICIENTNET,
    "inception": families.INCEPTION,
    "plain": families.VGG,
    "inverted": more_families.MOBILENET,
    "regnet": more_families.REGNET,
    "convnext": more_families.CONVNEXT,
    "video": more_families.VIDEO,
    "factored": more_families.R2PLUS1D,
    "signals": "input: [2, 65]\nclasses: 5\nstages: {block: basic, count: 2, channels: [8, 16], stride: [1, 2]}",
    "drop paths": """
        input: [3, 16, 16]
        stem: deep
        stages: {block: bottleneck, count: 2, channels: 8, se: 0.25}
        shortcut: avg-projection
        drop_path: 0.2 * (number + 1) / blocks
        norm: {type: group, groups: 8}
        act: silu
        """,
    "backbone": """
        input: [3, 32, 32]
        stem: {use: cifar, width: 8}
        stages: {block: basic, count: [1, 2], channels: [8, 12], stride: [1, 2]}
        shortcut: zero-pad
        activation_order: pre
        outputs: [layer1, layer2]
        """,
}


def build(graph: archspec.Graph, dtype: torch.dtype, frozen: tuple[str, ...] = ()) -> nn.Module:
    """The model with empty weights: values take time to draw, and memory does not depend on them."""
    model = archspec.build(graph, flat=True, device="meta", dtype=dtype).to_empty(device="cpu")
    for tensor in (*model.parameters(), *model.buffers()):
        tensor.data.zero_()
    inside = tuple(f"{scope}." for scope in frozen)
    for name, parameter in model.named_parameters():
        if f"{name}.".startswith(inside):
            parameter.requires_grad_(False)
    for name, module in model.named_modules():
        if name and f"{name}.".startswith(inside):
            module.eval()
            module.train = lambda mode=True, module=module: module  # type: ignore[assignment, misc]
    return model


def assert_measured(
    graph: archspec.Graph, *, batch: int = 1, dtype: torch.dtype = torch.float32, frozen: tuple[str, ...] = ()
) -> None:
    """Weights, buffers, the inference peak and what is saved are what torch has."""
    found = analyze(graph, batch=batch, dtype=str(dtype).removeprefix("torch."), frozen=frozen).memory
    model = build(graph, dtype, frozen)
    example = torch.randn(batch, *graph.input, generator=torch.Generator().manual_seed(1)).to(dtype)
    assert found.weights == sum(parameter.nbytes for parameter in model.parameters())
    assert found.buffers == sum(buffer.nbytes for buffer in model.buffers())
    assert found.input == example.nbytes
    assert found.inference_peak == inference_peak(model, example)
    assert found.saved_for_backward == saved_for_backward(model, example)


# -- whole networks ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", variants_slow())
def test_zoo(name: str) -> None:
    assert_zoo(name, batch=2)


@pytest.mark.parametrize("name", [each for each in variants_slow() if "deeplabv3" not in str(each)])
def test_zoo_with_one_example(name: str) -> None:
    """Its values can lie in several orders that are all contiguous. DeepLabV3 takes no statistics of one example."""
    assert_zoo(name, batch=1)


def assert_zoo(name: str, batch: int) -> None:
    """On a small input: a figure of memory says nothing of the size at which it was found."""
    channels, *size = archspec.compile(name).input
    least = 139 if name == "inception_v3" else 64  # below, one position is left, of which torch takes no statistics
    small = [channels, *(min(length, least) for length in size)]
    assert_measured(compiled(f"extends: {name}\ninput: {small}"), batch=batch)


@pytest.mark.parametrize(
    ("name", "peak", "saved"), [("resnet18", 6_422_528, 22_218_240), ("resnet50", 9_633_792, 86_121_984)]
)
def test_figures_at_224(name: str, peak: int, saved: int) -> None:
    graph = archspec.compile(name)
    found = analyze(graph).memory
    assert (found.inference_peak, found.saved_for_backward) == (peak, saved)
    assert_measured(graph)


@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize("name", FAMILIES)
def test_families(name: str, batch: int) -> None:
    for dtype in (torch.float32, torch.float64):
        assert_measured(compiled(FAMILIES[name]), batch=batch, dtype=dtype)


# -- random networks ---------------------------------------------------------------------------------------------------

SIZES = st.sampled_from([(5,), (5, 5), (5, 5), (5, 5, 5)])
BATCHES = st.sampled_from([1, 2, 3])
SETTINGS = settings(max_examples=60, suppress_health_check=list(HealthCheck))


@pytest.mark.parametrize("number", [60, pytest.param(300, marks=pytest.mark.slow)])
def test_random_networks(number: int) -> None:
    """In any nesting of merges, and whatever is frozen."""

    @given(steps=sequences(LEAVES), size=SIZES, batch=BATCHES, double=st.booleans(), data=st.data())
    @settings(SETTINGS, max_examples=number)
    def each(steps: list[Step], size: tuple[int, ...], batch: int, double: bool, data: st.DataObject) -> None:
        graph = network(steps, *size)
        frozen = data.draw(st.just([]) | st.lists(st.sampled_from([node.name for node in graph.nodes]), unique=True))
        dtype = torch.float64 if double else torch.float32
        assert_measured(graph, batch=batch, dtype=dtype, frozen=tuple(frozen))

    each()


@given(steps=sequences([*CHANNELS_LAST, *LEAVES[:-1]]), size=st.sampled_from([(5,), (5, 5)]), batch=BATCHES)
@example(steps=[{"linear": {"out": 12}}, {"act": {"type": "gelu"}}, {"linear": {"out": 4}}], size=(5, 5), batch=2)
@example(steps=[{"linear": {"out": 2}}, {"norm": {"type": "instance"}}, {"conv": {"out": 4}}], size=(5, 5), batch=1)
@example(steps=[{"norm": {"type": "layer"}}, {"add": [[], [CONV], [{"linear": {"out": 4}}]]}], size=(5, 5), batch=2)
@SETTINGS
def test_channels_last(steps: list[Step], size: tuple[int, ...], batch: int) -> None:
    """Linear layers at every position copy what does not lie with its channels last, which others then keep."""
    assert_measured(network(steps, *size), batch=batch)


WIDE: Step = {"conv": {"out": 16}}
LINEAR: Step = {"linear": {"out": 16}}
WIDER: Step = {"linear": {"out": 64}}
SAME = {"kernel": 3, "stride": 1, "padding": 1}
CUBE = (5, 5, 5)


@pytest.mark.parametrize(
    ("steps", "size"),
    [
        ([WIDE, {"concat": [[{"slice": {"stop": 4}}], [{"multiply": [[], [], []]}, CONV]]}], (5, 5)),
        ([WIDE, {"concat": [[{"slice": {"stop": 4}}], [{"multiply": [[], [WIDE], [WIDE], []]}, CONV]]}], (5, 5)),
        ([WIDE, {"add": [[], [], [WIDE]]}, CONV], (5, 5)),
        ([WIDE, {"norm": {"type": "instance"}}, CONV], (5, 5)),
        ([{"concat": [[LINEAR], []]}, LINEAR, CONV], (5, 5)),
        ([LINEAR, {"pool": {"type": "max", **SAME}}, WIDER, CONV], CUBE),
        ([LINEAR, {"pool": {"type": "avg", **SAME}}, WIDER, CONV], CUBE),
    ],
    ids=["product of one value", "product of four", "sum", "instance norm", "concatenation", "max pool", "avg pool"],
)
def test_peaks_within_an_operation(steps: list[Step], size: tuple[int, ...]) -> None:
    """Wide in the middle, so that the peak is there."""
    for batch in (1, 2):
        assert_measured(network(steps, *size), batch=batch)


@pytest.mark.parametrize("word", ACTIVATIONS)
def test_every_activation(word: str) -> None:
    steps = [CONV, {"act": {"type": word}}, CONV, {"add": [[], [{"act": {"type": word}}, CONV]]}]
    for batch in (1, 2):
        assert_measured(network(steps, 5, 5), batch=batch)


@pytest.mark.parametrize("batch", [1, 2])
def test_flattening_with_channels_last_is_a_copy(batch: int) -> None:
    text = "input: [4, 6, 6]\nstem: []\nstages: {block: basic, count: 1, channels: 4}\n"
    assert_measured(compiled(f"{text}head: [linear: {{out: 6}}, flatten, linear: {{out: 3}}]"), batch=batch)


# -- dtypes, what is frozen, and training ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["dense", "gates", "regnet", "signals"])
def test_bfloat16_but_for_statistics(name: str) -> None:
    """A CPU keeps the mean and the deviation of each channel in bfloat16, the report counts them in float32."""
    graph = compiled(FAMILIES[name])
    found = analyze(graph, batch=2, dtype="bfloat16").memory
    model = build(graph, torch.bfloat16)
    example = torch.zeros(2, *graph.input, dtype=torch.bfloat16)
    channels = sum(module.num_features for module in model.modules() if hasattr(module, "num_features"))
    assert found.weights == sum(parameter.nbytes for parameter in model.parameters())
    assert found.inference_peak == inference_peak(model, example)
    assert found.saved_for_backward == saved_for_backward(model, example) + 2 * 2 * channels


@pytest.mark.parametrize(
    "frozen",
    [("conv1", "bn1", "layer1"), ("layer1.0", "layer2.1.bn2"), ("layer4", "fc")],
    ids="-".join,
)
def test_frozen_scopes(frozen: tuple[str, ...]) -> None:
    graph = compiled("extends: resnet18\ninput: [3, 64, 64]")
    assert_measured(graph, frozen=frozen)
    model = build(graph, torch.float32, frozen)
    trained = sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
    assert analyze(graph, frozen=frozen).totals.costs.trainable == trained


def test_everything_frozen_saves_nothing() -> None:
    graph = compiled("input: [3, 8, 8]\nstem: cifar\nstages: {block: basic, count: 1, channels: 16}")
    scopes = tuple({node.name.partition(".")[0] for node in graph.nodes})
    assert analyze(graph, frozen=scopes).memory.saved_for_backward == 0
    assert_measured(graph, frozen=scopes)


OPTIMISERS = {
    "sgd": lambda parameters: torch.optim.SGD(parameters, lr=0.001, momentum=0.9),
    "adam": lambda parameters: torch.optim.Adam(parameters, lr=0.001),
}


@pytest.mark.parametrize("optimiser", OPTIMISERS)
@pytest.mark.parametrize("name", ["resnet18", "preact_resnet110_cifar", *FAMILIES])
def test_training_stays_below_its_bound(name: str, optimiser: str) -> None:
    """The bound holds, and is at most three times of what two steps of training take."""
    text = FAMILIES.get(name, f"extends: {name}\ninput: [3, 32, 32]\nstages: {{count: 2}}")
    for batch in (2, 8):
        graph = compiled(text)
        model = build(graph, torch.float32)
        measured = training_peak(model, torch.randn(batch, *graph.input), OPTIMISERS[optimiser](model.parameters()))
        bound = getattr(analyze(graph, batch=batch).memory, f"training_{optimiser}")
        assert measured <= bound <= 3 * measured


@pytest.mark.parametrize(("batch", "dtype"), [(0, "float32"), (-1, "float32"), (1, "int8"), (1, "")])
def test_refused(batch: int, dtype: str) -> None:
    with pytest.raises(ValueError, match="batch must be at least 1"):
        analyze(archspec.compile("resnet56_cifar"), batch=batch, dtype=dtype)


def test_every_dtype_is_torchs() -> None:
    assert {name: getattr(torch, name).itemsize for name in ITEM_BYTES} == ITEM_BYTES
