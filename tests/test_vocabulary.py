"""Words of other libraries: what archspec proposes instead compiles, fits the language, and does not mislead."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Collection
from typing import Any

import pytest

import archspec
from archspec.language.definitions import SHORTCUT_NAMES, conventions, library
from archspec.language.expressions.values import FUNCTIONS
from archspec.language.schema import INITIALIZERS, common, read_schema
from archspec.language.schema_keys import EXPECTATIONS
from archspec.language.spec import ACTIVATION_ORDERS
from archspec.language.table import COLUMNS
from archspec.language.text.locate import zoo_names
from archspec.language.unknown_steps import GROUPS
from archspec.operations.base import arguments
from archspec.operations.discovery import operations
from archspec.vocabulary import ForeignWords, find, fold, vocabulary
from tests.support.pages import diagnostics, part
from tests.tools import words_page

SCHEMA = read_schema()
ENTRIES = [(place, entry) for place, entries in vocabulary().items() for entry in entries]
PARTIAL = {"W307", "W506"}
"""Warnings of a definition alone, which nothing uses yet, and of a `linear` alone, without what comes before it."""
SPECS = ("resnet18", "resnet50", "efficientnet_b0")
"""What YAML of the table is laid over: one of them must compile."""


def block_parameters() -> set[str]:
    blocks = [library().block(name) for name in library().visible("blocks")]
    return {name for block in blocks if block for name in block.params}


def types(operation: str) -> tuple[str, ...]:
    words: tuple[str, ...] = arguments(operations()[operation])["type"].metadata["words"]
    return words


def keys(*path: str) -> Collection[str]:
    schema = SCHEMA
    for part_of in path:
        schema = schema[part_of]
    return set(schema["properties"])


STEPS = {*operations(), *GROUPS, *library().visible("fragments")}
NONE = "none"

KNOWN: dict[str, Callable[[], Collection[str]]] = {
    "spec": lambda: keys(),
    "stages": lambda: {*COLUMNS, *block_parameters()},
    "steps": lambda: STEPS,
    "sequences": lambda: library().visible("fragments"),
    "blocks": lambda: library().visible("blocks"),
    "shortcuts": lambda: library().visible("shortcuts"),
    "act": lambda: {*types("act"), NONE},
    "norm": lambda: {*types("norm"), NONE},
    "pool types": lambda: types("pool"),
    "activation orders": lambda: ACTIVATION_ORDERS,
    "initializers": lambda: INITIALIZERS,
    "conventions": lambda: conventions().value,
    "expectations": lambda: {*EXPECTATIONS, "output"},
    "specs": zoo_names,
    "names": lambda: SHORTCUT_NAMES,
    "functions": lambda: FUNCTIONS,
    "arguments": common,
    "arguments of layer": lambda: keys("$defs", "layer"),
    "arguments of sequence": lambda: keys("$defs", "sequence"),
    "keys of scale": lambda: keys("properties", "scale"),
    "keys of init": lambda: keys("properties", "init"),
    "keys of a block": lambda: keys("$defs", "block"),
    "keys of a fragment": lambda: keys("$defs", "fragment"),
    "keys of a shortcut": lambda: keys("$defs", "shortcut_definition"),
}
"""The words that archspec has in each place."""


def known(place: str) -> Collection[str]:
    if place in KNOWN:
        return KNOWN[place]()
    kind, _, name = place.partition(" of ")
    if kind == "values":
        return ()
    number = library().visible("fragments").get(name)
    if number is not None:
        fragment: Any = library().sight[number].written("fragments")[name]
        return fragment.get("params", {})  # type: ignore[no-any-return]
    return {*arguments(operations()[name]), *common()}


def labeled(place: str, entry: ForeignWords) -> str:
    return f"{place}-{entry.words[0]}"


# -- the table itself --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("place", "entry"), ENTRIES, ids=[labeled(*each) for each in ENTRIES])
def test_an_entry_fits_the_language(place: str, entry: ForeignWords) -> None:
    """If the language has learned one of the words, remove the word from the table."""
    words = known(place)
    assert not set(entry.words) & set(words)
    assert not entry.meant or entry.meant in words
    assert entry.meant or entry.write or entry.say
    assert not (entry.write and entry.say.startswith("write "))
    assert len(entry.help) <= 400
    assert entry.help.isprintable()


def test_no_word_is_listed_twice_in_one_place() -> None:
    found = defaultdict(set)
    for place, entry in ENTRIES:
        for word in entry.words:
            found[place, fold(word)].add(entry)
    assert [key for key, entries in found.items() if len(entries) > 1 or not key[1]] == []


@pytest.mark.parametrize(
    ("word", "reference"),
    [
        ("replace_stride_with_dilation", "torchvision:resnet50(replace_stride_with_dilation=[False, True, True])"),
        ("output_stride", "timm:resnet50(output_stride=8)"),
    ],
)
def test_dilated_stages_are_those_of_the_library_that_has_the_word(word: str, reference: str) -> None:
    (entry,) = [entry for _, entry in ENTRIES if word in entry.words]
    graph = archspec.compile(over("resnet50", entry.write), overrides=["input=[3, 64, 64]"])
    assert archspec.verify(graph, reference, levels=["keys", "graph"]).holds("keys", "graph")


def over(spec: str, write: str) -> str:
    """The spec that a line of the table makes of another one. A step makes the head."""
    if write.startswith("{"):
        return f"{{archspec: 1, name: part, extends: {spec}, expect: null, {write[1:-1]}}}\n"
    return part(f"head:\n  {write}\n" if write.startswith("- ") else f"{write}\n", spec)


@pytest.mark.parametrize(
    ("place", "entry"), [each for each in ENTRIES if each[1].write], ids=[labeled(*e) for e in ENTRIES if e[1].write]
)
def test_everything_that_the_table_proposes_compiles(place: str, entry: ForeignWords) -> None:
    tried = {spec: over(spec, entry.write) for spec in SPECS}
    said = {spec: set(diagnostics(text)) - PARTIAL for spec, text in tried.items()}
    assert not all(said.values()), said


@pytest.mark.parametrize("place", ["act", "norm", "pool types"])
def test_types_of_operations_are_words_of_steps(place: str) -> None:
    """`relu` as a step is answered from the types of `act` and `norm`, and a pool by its own entries."""
    for word in types(place.removesuffix(" types")):
        if place != "pool types":
            assert find(word, "steps") is None or word in ("layer", "group", "silu"), word


def test_the_page_of_the_documentation_is_the_table() -> None:
    """`python -m tests.tools.words_page --write` writes it."""
    assert words_page.PAGE.read_text(encoding="utf-8") == words_page.page()


# -- what an author reads ----------------------------------------------------------------------------------------------

PLACES = {
    "step": "head: [{}]",
    "key": "{}: 3",
    "column": "stages: {{{}: 3}}",
    "act": "act: {}",
    "norm": "norm: {}",
    "block": "stages: {{block: {}}}",
    "shortcut": "shortcut: {}",
    "order": "activation_order: {}",
    "conv": "head: [conv: {{out: 8, {}: 3}}]",
    "layer": "head: [layer: {{out: 8, {}: 3}}]",
    "pool": "head: [pool: {{type: max, {}: 3}}]",
    "batch norm": "head: [norm: {{{}: 3}}]",
    "stem": "stem: {}",
    "head": "head: {}",
    "init": "init: {{conv: {}}}",
    "expect": "expect: {{{}: 3}}",
    "padding": "head: [conv: {{out: 8, kernel: 3, padding: {}}}]",
    "extends": "",
}

# What archspec must answer: `=word` proposes a word, `+text` is in the help, `-` proposes nothing at all.
WORDS = """
step: attention -+no attention, dense =linear
step: prelu =act, relu =act, bn =norm, softmax =act, log_softmax -+model returns logits, global_avg_pool =pool
step: conv_transpose =conv, nn.Conv2d =conv, Conv2d =conv, Conv1d =conv, conv2d =conv
step: BatchNorm2d =norm, nn.BatchNorm2d =norm, GroupNorm =norm, LayerNorm =norm, ReLU =act, nn.ReLU =act, SiLU =act
step: swish =act, GELU =act, gelu =act, Sigmoid =act, LeakyReLU =act, Linear =linear, Dense =linear, fc =linear
step: AdaptiveAvgPool2d =pool, nn.AdaptiveAvgPool2d =pool, MaxPool2d =pool, AvgPool2d =pool, maxpool =pool
step: MaxPooling2D =pool, GlobalAveragePooling2D =pool, gap =pool, Flatten =flatten, Dropout =dropout
step: Dropout2d -+single elements, ConvTranspose2d =conv, Upsample =upsample
step: UpSampling2D =upsample, resize =upsample, bilinear =upsample, unpool -+no unpooling
step: PixelShuffle =pixel_shuffle, depth_to_space =pixel_shuffle, BlurPool2d =blur
step: Concatenate =concat, Concat =concat, cat =concat, Add =add
step: Multiply =multiply
step: DepthwiseConv2D -+groups: depthwise, SeparableConv2D -+two convolutions, ZeroPadding2D =pad, ReflectionPad2d =pad
step: Softmax =act, GLU =act
step: SqueezeExcite =se, SqueezeExcitation =se, ConvNormAct =layer, ConvBNReLU =layer, Conv2dNormActivation =layer
step: Identity -+leave the step out, transformer -+no transformers, LSTM -+recurrent
step: MultiheadAttention -+no attention
step: Embedding -+no embeddings, C2f -+`around`, SPPF -+concat, Detect -+no detection heads
step: Bottleneck -+stage table
step: nn.Upsample =upsample, nn.Sequential =sequence, view =reshape, transpose =permute, squeeze -+flatten, amax =max
step: pow =power, gem -+mean of powers, eca -+gate, Lambda -+no code
step: DropPath =drop_path
step: StochasticDepth =drop_path, PixelUnshuffle =pixel_unshuffle
step: SpaceToDepth =pixel_unshuffle, deconv =conv, StdConv2d =conv
step: CausalConv1d =conv, layernorm =norm
step: hswish =act
step: chanel_shuffle =channel_shuffle, dropuot =dropout, flaten =flatten, cnv =conv, mulitply =multiply, pol =pool
step: banana -, widget -, transport -, condense -, flatland -, modulate -, scan -, point -
key: activation =act, act_layer =act, norm_layer =norm, num_classes =classes, nc =classes, in_chans =input
key: input_shape =input, layers -+count, depths -+count, widths -+channels, backbone -+stem, depth_multiple =scale
key: width_multiple =scale, drop_path_rate =drop_path, stem_width =stem, stem_type =stem, cardinality -+groups
key: avg_down =shortcut
key: global_pool =head, dropout -+dropout, zero_init_residual =init, pretrained -+--weights, batch_size -+no batch
key: optimizer -+not how it is trained, _base_ =extends, block -+stage table, stride -+stage table
key: blocks_per_stage -+count
key: clases =classes, haed =head, stagse =stages, shorcut =shortcut, namming =naming, banana -, tempo -, claims -
key: instep -
column: filters =channels, widths =channels, planes =channels, depths =count, num_blocks =count, layers =count
column: strides =stride
column: block_type =block, activation =act, in_channels -+infers the width, drop_path_rate =drop_path
column: chanels =channels
column: cuont =count, cardinality -+parameter of `bottleneck`, banana -, counter -, ride -, rancor -
act: swish =silu, SiLU =silu, ReLU =relu, hard_swish =hardswish, h_swish =hardswish, PReLU =prelu
act: None =none, linear =none, identity =none, leaky =leaky_relu, log_softmax -+returns logits, rleu =relu
act: hardswsih =hardswish
act: quick_gelu -+this approximation, gelu_tanh =gelu, swiglu -+product of two, clip =hardtanh
act: banana -, rule -, smash -, fish -
norm: bn =batch, BatchNorm2d =batch, gn =group, ln =layer, LayerNorm2d =layer, None =none
norm: rmsnorm =rms, evonorm -+does not have this norm, FrozenBatchNorm2d =frozen
norm: lrn =local_response, batc =batch, banana -, bath =batch, patch -
block: BasicBlock =basic, Bottleneck =bottleneck, MBConv =mbconv, InvertedResidual =mbconv, C2f -+`around`
block: DenseBlock -+densenet121, Fire -+squeezenet1_0, transformer -+no transformers
block: FusedMBConv -+efficientnet_v2_s
block: botleneck =bottleneck, banana -, magic -
shortcut: A =zero-pad, B =projection, C =projection-all, conv1x1 =projection, None =none, projektion =projection
shortcut: banana -
order: preact =pre, post_norm =post, v2 =pre, banana -
conv: in_channels -+infers, out_channels =out, filters =out, kernel_size =kernel, strides =stride
conv: dilation_rate =dilation
conv: use_bias =bias, inplace -+leave it out, activation -+layer, pad_mode =padding_mode, grups =groups
conv: transpose =transposed, standardised =standardized, causal -+pads only before
conv: banana -
conv: groove -, paddling =padding, carnal -
layer: activation =act, norm_layer =norm, out_channels =out, kernel_size =kernel, banana -
pool: pool_size =kernel, kernel_size =kernel, ceil_mode =ceil, count_include_pad =count_padding, output_size =output
batch norm: num_features -+infers, epsilon =eps, momentm =momentum, num_groups =groups
batch norm: track_running_stats -+running
stem: patchify -+kernel: 4, none -+empty list, conv -+in a list, imagnet =imagenet, banana -+available
head: fc =classifier, gap =classifier, none -+empty list, linear -+in a list, clasifier =classifier
head: banana -+available
init: kaiming_normal =he-fan-out, xavier_uniform =xavier, trunc_normal =truncated-normal, orthogonal -+not have this
init: banana -
expect: flops =macs, parameters =params, accuracy -+without training, parms =params, banana -
padding: auto -+keeps the size, SAME -+padding: same, VALID -+padding: 0, reflect -+padding_mode, banana -
extends: torchvision:resnet50 =resnet50, timm:resnet50.a1_in1k =resnet50, ResNet-50 =resnet50
extends: MobileNetV2 =mobilenet_v2, resnet50d.ra2_in1k =resnet50d, resnext50.a1_in1k =resnext50_32x4d
extends: mobilenetv2_100.ra_in1k =mobilenetv2_100
extends: resnext50 =resnext50_32x4d, vit_b_16 -+no transformers, yolov8n -+not detection, resnet5O =resnet50
extends: resnet77 -
extends: torchvision:swin_t -+no transformers, efficientnet-b0 =efficientnet_b0, banana -
"""


def cases() -> list[tuple[str, str, str, str]]:
    found = []
    for line in WORDS.strip().splitlines():
        place, _, answers = line.partition(": ")
        for each in answers.split(", "):
            word, _, answer = each.partition(" ")
            meant, _, told = answer.partition("+")
            found.append((place, word, meant.removeprefix("=") if meant != "-" else "", told))
    return found


@pytest.mark.parametrize(("place", "word", "meant", "told"), cases(), ids=lambda text: text or "nothing")
def test_what_an_unknown_word_is_answered(place: str, word: str, meant: str, told: str) -> None:
    base = word if place == "extends" else "resnet18"
    text = f"archspec: 1\nname: t\nextends: '{base}'\n{PLACES[place].format(word)}\n"
    with pytest.raises(archspec.SpecError) as refused:
        archspec.load(text)
    faults = [fault for fault in refused.value.diagnostics if re.search(rf"`{re.escape(word)}`", fault.message)]
    assert faults, refused.value
    (fault,) = faults
    assert fault.hint == (f"did you mean `{meant}`?" if meant else ""), fault
    assert told in fault.help


def test_the_list_of_words_is_long_and_a_part_has_no_answer() -> None:
    assert len(cases()) >= 200
    assert sum(not meant and not told for _, _, meant, told in cases()) >= 30
