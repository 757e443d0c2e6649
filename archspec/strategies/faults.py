"""Faults for any spec: steps, keys, values and texts, each with the place that must be reported."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from hypothesis import strategies as st

from archspec.language.text.document import value_at
from archspec.language.text.yaml_writer import Raw, WrittenPath

RawSpec = dict[str, Any]
"""A spec as plain values, before it is YAML."""


class Made(NamedTuple):
    """A document with a fault, and the path of the key or value where it must be reported.

    ``tail`` is text after the document; if there is one, the fault is on its first line. ``overrides`` and ``files`` go
    with the text; a file of None is a folder.
    """

    document: RawSpec
    path: WrittenPath = ()
    key: bool = False
    tail: str = ""
    overrides: tuple[str, ...] = ()
    files: Mapping[str, str | None] = {}


@dataclass(frozen=True, slots=True)
class Fault:
    """One kind of fault: its code, and a function that puts it into a copy of a document."""

    code: str
    make: Callable[[st.DrawFn, RawSpec], Made]
    fits: Callable[[RawSpec], bool] = field(default=lambda document: True)


# -- steps -------------------------------------------------------------------------------------------------------------

READ: tuple[tuple[str, Any, WrittenPath, bool], ...] = (
    ("E201", {"conv": {"out": 8, "kernal": 3}}, ("conv", "kernal"), True),
    ("E201", {"pool": {"type": "max", "kernel": 3, "pading": 1}}, ("pool", "pading"), True),
    ("E202", {"conv": {"out": [8]}}, ("conv", "out"), False),
    ("E202", {"dropout": {"p": {"a": 1}}}, ("dropout", "p"), False),
    ("E203", {"conv": {"kernel": 3}}, ("conv",), True),
    ("E203", {"layer": {"kernel": 3}}, ("layer",), True),
    ("E203", {"sequence": {"name": "x"}}, ("sequence",), True),
    ("E203", "channel_shuffle", (), False),
    ("E204", {"act": {"type": "rellu"}}, ("act", "type"), False),
    ("E204", {"pool": {"type": "mean", "output": 1}}, ("pool", "type"), False),
    ("E205", {"conv": {"out": 0}}, ("conv", "out"), False),
    ("E205", {"dropout": {"p": 1.5}}, ("dropout", "p"), False),
    ("E206", {"conv": {"out": 8}, "act": {}}, (), False),
    ("E206", {}, (), False),
    ("E206", {"layer": {"of": ["act"], "out": 8}}, ("layer", "out"), False),
    ("E301", {"se": {"squeze": 4}}, ("se", "squeze"), True),
    ("E301", {"classifier": {"width": 4}}, ("classifier", "width"), True),
    ("E302", "nomr", (), False),
    ("E302", {"cnov": {"out": 8}}, ("cnov",), True),
    ("E305", {"conv": {"out": 8, "name": "class"}}, ("conv", "name"), False),
    ("E305", {"conv": {"out": 8, "name": "x=__import__('os')"}}, ("conv", "name"), False),
    ("E305", {"concat": {"a b": []}}, ("concat", "a b"), True),
    ("E306", "se", (), False),
    ("E306", {"se": {"gate": "sigmoid"}}, ("se",), True),
    ("E401", {"conv": {"out": "2 ** 3"}}, ("conv", "out"), False),
    ("E401", {"conv": {"out": "classes.real"}}, ("conv", "out"), False),
    ("E402", {"linear": {"out": "clases"}}, ("linear", "out"), False),
    ("E402", {"act": {"when": "nothing > 1"}}, ("act", "when"), False),
)
"""Steps that are refused wherever they stand: the code, the step, the path in it, and whether its key is reported."""

LOWERED: tuple[tuple[str, list[Any], WrittenPath, bool], ...] = (
    ("E204", [{"act": {"type": "'gelu' if classes < 0 else 'rellu'"}}], (0, "act", "type"), False),
    ("E206", [{"pool": {"type": "avg"}}], (0, "pool"), True),
    ("E206", [{"pool": {"type": "avg", "kernel": 1, "output": 1}}], (0, "pool", "kernel"), False),
    ("E205", [{"pool": {"type": "max", "kernel": 2, "padding": 2}}], (0, "pool", "padding"), False),
    ("E205", [{"conv": {"out": 8, "transposed": True, "output_padding": 1}}], (0, "conv", "output_padding"), False),
    ("E206", [{"conv": {"out": 8, "transposed": True, "padding": "same"}}], (0, "conv", "padding"), False),
    ("E206", [{"pool": {"type": "max", "kernel": 2, "power": 3}}], (0, "pool", "power"), False),
    ("E502", [{"pad": {"sides": 10000, "mode": "circular"}}], (0, "pad", "sides"), False),
    ("E304", [{"dropout": {"name": "same"}}, {"layer_scale": {"name": "same"}}], (1, "layer_scale"), True),
    ("E305", [{"dropout": {"name": "forward"}}], (0, "dropout"), True),
    ("E403", [{"conv": {"out": "7 / 2"}}], (0, "conv", "out"), False),
    ("E404", [{"conv": {"out": "7 // (classes - classes)"}}], (0, "conv", "out"), False),
    ("E405", [{"conv": {"out": "10000000000 * 10000000000"}}], (0, "conv", "out"), False),
    ("E406", [{"conv": {"out": 8, "bias": "1 + 1"}}], (0, "conv", "bias"), False),
    ("E406", [{"act": {"when": "classes"}}], (0, "act", "when"), False),
    ("E501", [{"conv": {"out": "classes - classes"}}], (0, "conv", "out"), False),
    ("E501", ["act", {"linear": {"out": "0 - 3"}}], (1, "linear", "out"), False),
    ("E502", [{"pool": {"type": "max", "kernel": 100000}}], (0, "pool", "kernel"), False),
    ("E502", [{"conv": {"out": 8, "kernel": 99999, "padding": 0}}], (0, "conv", "kernel"), False),
    ("E503", [{"conv": {"out": 7, "groups": 3}}], (0, "conv", "groups"), False),
    ("E503", [{"conv": {"out": 8}}, {"channel_shuffle": {"groups": 3}}], (1, "channel_shuffle", "groups"), False),
    ("E504", [{"add": [[{"conv": {"out": 3}}], [{"conv": {"out": 5, "name": "other"}}]]}], (0, "add"), True),
    (
        "E504",
        [{"multiply": {"a": [{"conv": {"out": 3}}], "b": [{"conv": {"out": 5, "name": "other"}}]}}],
        (0, "multiply"),
        True,
    ),
    ("E504", [{"concat": [["flatten"], []]}], (0, "concat"), True),
    ("E315", [{"add": [[], [{"act": {"when": False}}]]}], (0, "add", 1), False),
    ("E315", [{"concat": {"a": {"when": False, "steps": []}}}], (0, "concat"), True),
    ("E506", ["flatten", {"conv": {"out": 8}}], (1, "conv"), True),
    ("E506", [{"pool": {"type": "avg", "output": 1}}, "flatten", {"pool": {"type": "max", "kernel": 1}}], (2,), False),
    ("E509", [{"torch": {"module": "torch.nn.Softmin", "dim": 9}}], (0, "torch", "dim"), False),
    ("E507", [{"slice": {"stop": 1000000}}], (0, "slice", "stop"), False),
    ("E507", [{"conv": {"out": 8}}, {"pad_channels": {"out": 4}}], (1, "pad_channels", "out"), False),
    ("E602", [{"conv": {"out": 100000000000000}}], (0, "conv", "out"), False),
    (
        "W503",
        [{"conv": {"out": "2 * width"}}, {"conv": {"out": "width", "groups": "in_channels", "name": "other"}}],
        (1, "conv", "groups"),
        False,
    ),
)
"""Heads that are refused when the network is made.

Of two steps of a kind one has a name: the spec's naming may not number them.
"""


def _step(step: Any, inner: WrittenPath, key: bool) -> Callable[[st.DrawFn, RawSpec], Made]:
    def make(draw: st.DrawFn, document: RawSpec) -> Made:
        places = list(sequences(document, ())) or [("head",)]
        path = draw(st.sampled_from(places))
        if path == ("head",) and not isinstance(document.get("head"), list):
            document["head"] = []
        steps = value_at(document, path)
        number = draw(st.integers(0, len(steps)))
        steps.insert(number, copy.deepcopy(step))
        return Made(document, (*path, number, *inner), key)

    return make


def head_of(steps: list[Any], inner: WrittenPath, key: bool = False) -> Callable[[st.DrawFn, RawSpec], Made]:
    """A head with a fault at ``inner``, a path in its steps."""

    def make(draw: st.DrawFn, document: RawSpec) -> Made:
        document["head"] = copy.deepcopy(steps)
        return Made(document, ("head", *inner), key)

    return make


SEQUENCES = frozenset({"stem", "head", "steps", "residual", "of", "same", "change"})


def sequences(value: Any, path: WrittenPath) -> Iterator[WrittenPath]:
    """The paths of all sequences of steps that are written as lists."""
    if isinstance(value, list) and path and path[-1] in SEQUENCES:
        yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, item in items:
        yield from sequences(item, (*path, name))


# -- keys and values of the spec ---------------------------------------------------------------------------------------

DEEP: Any = []
for _ in range(70):
    DEEP = [DEEP]

VALUES: tuple[tuple[str, dict[Any, Any], WrittenPath, bool], ...] = (
    ("E101", {"notes": Raw('"a bell: \\a"')}, ("notes",), False),
    ("E101", {"notes": Raw("a bell: \x07")}, ("notes",), False),
    ("E102", {"notes": Raw("a: b")}, ("notes",), False),
    ("E102", {"notes": Raw("'open' 'and more'")}, ("notes",), False),
    ("E103", {"tags": DEEP}, ("tags",), False),
    ("E105", {"init": {Raw("<<"): {"bias": "zero"}}}, ("init",), False),
    ("E106", {"notes": Raw("*nothing")}, ("notes",), False),
    ("E106", {"tags": Raw("&all [*all]")}, ("tags",), False),
    ("E107", {"notes": Raw("!!str a")}, ("notes",), False),
    ("E107", {"notes": Raw("!!python/object/apply:os.system [true]")}, ("notes",), False),
    ("E108", {"naming": {Raw("1"): "x"}}, ("naming",), False),
    ("E108", {Raw("null"): 3}, (Raw("null"),), False),
    ("E110", {"classes": Raw("010")}, ("classes",), False),
    ("E110", {"drop_path": Raw("0:30")}, ("drop_path",), False),
    ("E110", {"init": {"zero_init_residual": Raw("yes")}}, ("init",), False),
    ("E111", {"classes": Raw(".inf")}, ("classes",), False),
    ("E111", {"drop_path": Raw("1e999")}, ("drop_path",), False),
    ("E201", {"clases": 3}, ("clases",), True),
    ("E201", {"scale": {"witdh": 2}}, ("scale", "witdh"), True),
    ("E202", {"classes": [10]}, ("classes",), False),
    ("E202", {"input": 224}, ("input",), False),
    ("E202", {"name": 1.5}, ("name",), False),
    ("E204", {"act": "rellu"}, ("act",), False),
    ("E204", {"norm": {"type": "bacth"}}, ("norm", "type"), False),
    ("E204", {"activation_order": "after"}, ("activation_order",), False),
    ("E204", {"init": {"conv": "he-fanout"}}, ("init", "conv"), False),
    ("E205", {"classes": 0}, ("classes",), False),
    ("E205", {"drop_path": 1.5}, ("drop_path",), False),
    ("E205", {"input": [3, 0]}, ("input", 1), False),
    ("E205", {"scale": {"width": 0}}, ("scale", "width"), False),
    ("E206", {"input": [3]}, ("input",), False),
    ("E207", {"archspec": 2}, ("archspec",), False),
    ("E302", {"head": "nothing"}, ("head",), False),
    ("E302", {"head": {"use": "nothing"}}, ("head", "use"), False),
    ("E302", {"shortcut": "projektion"}, ("shortcut",), False),
    ("E302", {"naming": "nothing"}, ("naming",), False),
    ("E303", {"extends": "./drawn.yaml"}, ("extends",), False),
    ("E303", {"import": ["./drawn.yaml"]}, ("import", 0), False),
    ("E301", {"head": {"use": "classifier", "width": 3}}, ("head", "width"), True),
    ("E305", {"name": "a b"}, ("name",), False),
    ("E305", {"params": {"a-b": 1}}, ("params", "a-b"), True),
    ("E305", {"fragments": {"a b": {"steps": []}}}, ("fragments", "a b"), True),
    ("E306", {"head": "se"}, ("head",), False),
    ("E307", {"fragments": {"round": {"steps": ["round"]}}}, ("fragments", "round", "steps", 0), False),
    ("E308", {"blocks": {"b": {"let": {"a": "c", "c": "a"}, "steps": []}}}, ("blocks", "b", "let", "a"), False),
    ("E308", {"fragments": {"f": {"let": {"a": "a + 1"}, "steps": []}}}, ("fragments", "f", "let", "a"), False),
    ("E310", {"outputs": ["nowhere"]}, ("outputs", 0), False),
    ("E310", {"outputs": "nowhere.0"}, ("outputs",), False),
    ("E310", {"frozen": ["nowhere"]}, ("frozen", 0), False),
    ("E310", {"expect": {"stages": {"nowhere": {"params": 3}}}}, ("expect", "stages", "nowhere"), True),
    (
        "E316",
        {"outputs": ["head"], "naming": "timm", "head": [{"scale": {"by": 2, "name": "head.a"}}, {"scale": {"by": 2}}]},
        ("outputs", 0),
        False,
    ),
    ("E312", {"params": {"relu": 1}}, ("params", "relu"), True),
    ("E312", {"params": {"stride": 1}}, ("params", "stride"), True),
    ("E312", {"fragments": {"f": {"params": {"min": 1}, "steps": []}}}, ("fragments", "f", "params", "min"), True),
    ("E314", {"blocks": {"b": {"params": {"a": 1}, "let": {"a": 2}, "steps": []}}}, ("blocks", "b", "let", "a"), True),
    ("E401", {"classes": "2 ** 3"}, ("classes",), False),
    ("E402", {"classes": "nothing"}, ("classes",), False),
    ("E403", {"classes": "7 / 2"}, ("classes",), False),
    ("E404", {"classes": "7 // 0"}, ("classes",), False),
    ("E405", {"classes": "10000000000 * 10000000000"}, ("classes",), False),
    ("E406", {"classes": "'many'"}, ("classes",), False),
    ("E501", {"classes": "3 - 3"}, ("classes",), False),
    ("E701", {"expect": {"params": {"max": 1}}}, ("expect", "params"), False),
    ("E701", {"expect": {"params": {"min": "900T"}}}, ("expect", "params"), False),
    ("E703", {"expect": {"macs": "4 Q"}}, ("expect", "macs"), False),
    ("W305", {"norm": {"type": "batch", "groups": 4}, "head": ["norm"]}, ("norm", "groups"), False),
    ("W307", {"params": {"never_read": 1}}, ("params", "never_read"), True),
    ("W307", {"fragments": {"never_called": {"steps": []}}}, ("fragments", "never_called"), True),
    ("W308", {"act": None}, ("act",), False),
    ("E204", {"silence": ["E301"]}, ("silence", 0), False),
    ("E801", {"extends": "no_such_network"}, ("extends",), False),
    ("E801", {"import": "./nowhere.yaml"}, ("import",), False),
    ("E802", {"extends": "../../elsewhere.yaml"}, ("extends",), False),
    ("E802", {"import": "../elsewhere.yaml"}, ("import",), False),
)
"""Keys that are written or changed, and where the fault is reported. Definitions are added to those of the spec."""

ADDED = frozenset({"params", "fragments", "blocks"})


def _values(values: Mapping[str, Any], path: WrittenPath, key: bool) -> Callable[[st.DrawFn, RawSpec], Made]:
    def make(draw: st.DrawFn, document: RawSpec) -> Made:
        for name, value in copy.deepcopy(dict(values)).items():
            document[name] = {**(document.get(name) or {}), **value} if name in ADDED else value
        return Made(document, path, key)

    return make


def _twice(draw: st.DrawFn, document: RawSpec) -> Made:
    """A key a second time, in the spec or in one of its mappings."""
    inside = [key for key, value in document.items() if isinstance(value, dict) and value]
    path: WrittenPath = draw(st.sampled_from([(), *((key,) for key in inside)]))
    mapping = value_at(document, path)
    key = Raw(str(draw(st.sampled_from(sorted(mapping)))))
    mapping[key] = "again"
    return Made(document, (*path, key), True)


def _second(draw: st.DrawFn, document: RawSpec) -> Made:
    return Made(document, tail=draw(st.sampled_from(["---\nname: second\n", "--- {}\n"])))


def _override(draw: st.DrawFn, document: RawSpec) -> Made:
    """The place is line 1 of the override."""
    return Made(document, overrides=(draw(st.sampled_from(["classes", "name.first=3", "extends=resnet18"])),))


def _folder(draw: st.DrawFn, document: RawSpec) -> Made:
    key = draw(st.sampled_from(["import", "extends"]))
    document[key] = "folder.yaml"
    return Made(document, (key,), files={"folder.yaml": None})


GENERAL: tuple[Fault, ...] = (
    *(Fault(code, _step(step, path, key)) for code, step, path, key in READ),
    *(Fault(code, head_of(steps, path, key)) for code, steps, path, key in LOWERED),
    *(Fault(code, _values(values, path, key)) for code, values, path, key in VALUES),
    Fault("E104", _twice),
    Fault("E109", _second),
    Fault("E313", _override),
    Fault("E803", _folder),
)
"""Faults that fit every spec."""
