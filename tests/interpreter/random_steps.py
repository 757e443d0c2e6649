"""Random steps: every operation with every argument, merges of every form, groups, layers, calls of fragments."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field, replace
from typing import Any

from tests.interpreter.chance import Chance
from tests.interpreter.expressions import ACTIVATIONS, NORMS
from tests.interpreter.random_values import carried, named_values

Step = str | dict[str, Any]
ACTS = (
    {"type": "leaky_relu", "slope": 0.1},
    {"type": "prelu", "per_channel": True, "initial": 0.5},
    {"type": "prelu", "initial": "1 / 8"},
    {"type": "elu", "alpha": 0.5},
    {"type": "celu", "alpha": 2},
    {"type": "softplus", "beta": 2},
    {"type": "hardtanh", "min": -0.5, "max": "1 + 1"},
    {"type": "gelu", "approximate": "tanh"},
    {"type": "softmax", "groups": 2},
    {"type": "softmax", "branches": 2},
    {"type": "softmax", "groups": 2, "branches": "4 // 2"},
)
"""Activations with arguments that fit every width that is a multiple of four."""

LAYERS: tuple[dict[str, Any], ...] = (
    {"module": "torch.nn.Softsign"},
    {"module": "torch.nn.Tanhshrink"},
    {"module": "torch.nn.Hardshrink", "lambd": 0.25},
    {"module": "torch.nn.Softshrink", "lambd": "1 / 8"},
    {"module": "'torch.nn.Softshrink'"},
    {"module": "torch.nn.Threshold", "threshold": 0.1, "value": "0 - 1"},
    {"module": "torch.nn.RReLU", "lower": 0.25, "upper": "1 / 2"},
    {"module": "torch.nn.LogSoftmax", "dim": 1},
    {"module": "torch.nn.Softmin", "dim": "2 - 1"},
    {"module": "torch.nn.AlphaDropout", "p": "1 / 4"},
)
"""Layers of torch by their names that keep every shape."""


@dataclass(frozen=True)
class Fragment:
    """A fragment that steps may call: whether it takes ``out`` and has layers, and its parameters with values."""

    name: str
    takes_out: bool
    layered: bool
    params: dict[str, tuple[Any, ...]] = field(default_factory=dict)
    required: tuple[str, ...] = ()


@dataclass(frozen=True)
class Place:
    """The place of a step. ``widths`` are texts or numbers of the width there, ``rank`` is 0 for a flat value."""

    widths: tuple[int | str, ...]
    rank: int
    fragments: tuple[Fragment, ...] = ()
    conditions: tuple[str, ...] = ()
    acts: tuple[str, ...] = ()
    layers: bool = True
    depth: int = 2
    size: int | None = None

    def deeper(self) -> Place:
        return replace(self, depth=self.depth - 1)

    def plain(self) -> Place:
        return replace(self, layers=False, fragments=tuple(each for each in self.fragments if not each.layered))


class Steps:
    """Draws steps that keep the shape, and some that change it to a known one."""

    def __init__(self, chance: Chance) -> None:
        self.chance = chance

    def several(self, place: Place, most: int) -> list[Step]:
        """A few steps that keep the shape."""
        return [self.keeper(place) for _ in range(self.chance.count(0, most))]

    def keeper(self, place: Place) -> Step:
        """A step that keeps the shape, perhaps with a name or a condition."""
        kinds = [self.act, self.norm, self.linear, self.chances, self.factor, self.cut]
        if place.rank:
            kinds += [self.conv, self.conv, self.pool, self.shuffle, self.subsample, self.resized, self.reduced]
        if place.depth > 0:
            kinds += [
                self.values,
                self.repeated,
                self.shared,
                self.group,
                self.add,
                self.multiply,
                self.other_merge,
                self.meeting,
            ]
            kinds += [self.concat]
        if place.layers and place.rank:
            kinds += [self.layer, self.layer, self.layer_of]
        if place.rank and any(not each.takes_out for each in place.fragments):
            kinds += [self.call, self.call]
        step = self.chance.pick(kinds)(place)
        return self.marked(step, place) if self.chance.one_in(4) else step

    def marked(self, step: Step, place: Place) -> Step:
        """The step with a name or a condition."""
        word, given = (step, {}) if isinstance(step, str) else next(iter(step.items()))
        if not isinstance(given, dict):
            return step
        more: dict[str, Any] = {}
        if self.chance.one_in(2) or self.chance.one_in(2):
            more["when"] = self.chance.pick((True, False, self.chance.condition(place.conditions)))
        if self.chance.one_in(2) and "name" not in given:
            more["name"] = self.chance.name()
        return {word: {**given, **more}}

    def width(self, place: Place) -> int | str:
        """The width of a place, in one of its spellings."""
        found = self.chance.pick(place.widths)
        return self.chance.number(found) if isinstance(found, int) else found

    # -- operations ----------------------------------------------------------------------------------------------------

    def act(self, place: Place) -> Step:
        if self.chance.one_in(10):
            return {"torch": self.chance.pick(LAYERS)}
        if self.chance.one_in(3):
            return "act" if self.chance.one_in(2) else {"act": {}}
        if self.chance.one_in(8):
            wide = {"out": f"2 * ({self.width(place)})"}
            return {"sequence": {"steps": [{"conv" if place.rank else "linear": wide}, {"act": {"type": "glu"}}]}}
        if self.chance.one_in(3):
            return {"act": self.chance.pick(ACTS)}
        return {"act": {"type": self.chance.word(ACTIVATIONS, place.acts)}}

    def norm_arguments(self) -> dict[str, Any]:
        """Arguments of a norm that fit every width that is a multiple of four."""
        kind = self.chance.pick(NORMS)
        found: dict[str, Any] = {"type": kind if not self.chance.one_in(8) else f"'{kind}'"}
        if kind == "group":
            size = self.chance.one_in(4)
            given = ("group_size", (1, 2, "4 // 2")) if size else ("groups", (1, 2, 4, "2 * 2", "4 // 2", "width"))
            found[given[0]] = self.chance.pick(given[1])
        if kind == "local_response":
            found |= self.chance.pick(({}, {"size": 3, "k": 2}, {"alpha": 0.1, "beta": "1 / 2"}, {"size": "1 + 1"}))
        offered = (
            ("eps", (0.001, 0.5, "1 / 1000")),
            ("momentum", (0.01, 1, 0.3, "1 / 4")),
            ("affine", (False, "1 > 2", True)),
        )
        for key, values in (*offered, ("zero_init", (True, False))):
            if self.chance.one_in(4):
                found[key] = self.chance.pick(values)
        return found

    def norm(self, place: Place) -> Step:
        if self.chance.one_in(3):
            return "norm"
        if self.chance.one_in(6):
            return {"norm": {self.chance.pick(("eps", "momentum")): 0.25}}
        return {"norm": self.norm_arguments()}

    def conv_arguments(self, place: Place, out: int | str, stride: Any = None, groups: bool = True) -> dict[str, Any]:
        """Arguments of a convolution that changes the size by its stride only."""
        found: dict[str, Any] = {"out": out}
        form = self.chance.pick(("one", "odd", "odd", "list", "even", "padded"))
        if form == "odd":
            found["kernel"] = self.chance.number(self.chance.pick((3, 3, 5)))
        elif form == "list":
            found["kernel"] = [self.chance.pick((1, 3, 5)) for _ in range(place.rank)]
        elif form == "even" and stride is None:
            found |= {"kernel": 2, "dilation": 2, "padding": self.chance.size(1, place.rank)}
        elif form == "padded":
            found |= {"kernel": self.chance.size(3, place.rank), "padding": self.chance.size(1, place.rank)}
        if "padding" not in found and self.chance.one_in(4):
            found["dilation"] = self.chance.size(2, place.rank)
        if stride is not None:
            found["stride"] = stride
        elif self.chance.one_in(8):
            found["stride"] = self.chance.size(1, place.rank)
        if groups and self.chance.one_in(4):
            found["groups"] = self.chance.pick((2, 4, 1, "2 * 2"))
        if self.chance.one_in(4):
            found["bias"] = self.chance.pick((True, False, "classes >= 1", "not true"))
        return found

    def conv(self, place: Place) -> Step:
        if self.chance.one_in(6):
            return {"conv": {"out": self.chance.pick(("width", "2 * width // 2")), "groups": "depthwise"}}
        return {"conv": self.conv_arguments(place, self.width(place))}

    def linear(self, place: Place) -> Step:
        found: dict[str, Any] = {"out": self.width(place)}
        if self.chance.one_in(3):
            found["bias"] = self.chance.pick((False, True, "1 == 2"))
        return {"linear": found}

    def pool(self, place: Place) -> Step:
        chance, rank = self.chance, place.rank
        if place.size and chance.one_in(4):
            return {"pool": {"type": chance.word(("avg", "max")), "output": chance.size(place.size, rank)}}
        found: dict[str, Any] = {"type": chance.word(("max", "avg")), "stride": chance.size(1, rank)}
        form = chance.pick(("three", "one", "dilated"))
        if form == "three":
            found |= {"kernel": chance.size(3, rank), "padding": chance.size(1, rank)}
        elif form == "one":
            found["kernel"] = 1
        else:
            found |= {"type": "max", "kernel": 2, "dilation": 2, "padding": 1}
        if chance.one_in(3):
            found["ceil"] = chance.pick((False, True, "2 > 1"))
        if found["type"] == "avg" and chance.one_in(2):
            found["count_padding"] = chance.pick((False, True))
        return {"pool": found}

    def shuffle(self, place: Place) -> Step:
        return {"channel_shuffle": {"groups": self.chance.pick((1, 2, 4, "4 - 2"))}}

    def subsample(self, place: Place) -> Step:
        return {"subsample": {"stride": self.chance.size(1, place.rank)}}

    def resized(self, place: Place) -> Step:
        """A map of another size, and back to the size before."""
        chance = self.chance
        if chance.one_in(3):
            sides = chance.pick(([[1, 0]] * place.rank, [[0, 1]] * place.rank, [[-1, 2]] * place.rank))
            fill = chance.pick(
                ({}, {"value": chance.pick((1, "-1 / 2"))}, {"mode": chance.word(("constant", "replicate"))})
            )
            fill = {} if sides[0][0] < 0 else fill
            pool = {"type": chance.word(("max", "avg")), "kernel": 2, "stride": 1}
            return {"sequence": {"steps": [{"pad": {"sides": sides, **fill}}, {"pool": pool}]}}
        larger: dict[str, Any] = {"scale": chance.size(2, place.rank)}
        if chance.one_in(2):
            linear = {1: ("linear",), 2: ("bilinear", "bicubic"), 3: ("trilinear",)}[place.rank]
            larger |= {"mode": chance.word(linear), "align_corners": chance.pick((True, False, "2 > 1"))}
        if place.size and chance.one_in(2):
            del larger["scale"]
            return {"upsample": {"size": chance.size(place.size, place.rank), **larger}}
        between: list[Step] = [{"pixel_unshuffle": {"factor": 2}}, {"pixel_shuffle": {"factor": "4 // 2"}}]
        back = chance.pick(
            (
                {"blur": {"kernel": chance.pick((2, 3)), "stride": chance.size(2, place.rank)}},
                {"blur": {"stride": 2}},
                {"subsample": {"stride": 2}},
            )
        )
        shuffled = between if place.rank == 2 and chance.one_in(2) else []
        return {"sequence": {"steps": [{"upsample": larger}, *shuffled, back]}}

    def reduced(self, place: Place) -> Step:
        """One number for each channel or each position, and powers; and the width and the size before."""
        chance = self.chance
        over = chance.word(("channels", "positions"))
        what: Step = {chance.pick(("mean", "max")): {"over": over}}
        if over.strip("'") == "channels":
            return {"sequence": {"steps": [what, {"linear": {"out": self.width(place)}}]}}
        gate: list[Step] = [what]
        if chance.one_in(2):
            given = {"kernel": chance.pick((1, 3, 5)), "bias": chance.pick((True, False, "1 > 2"))}
            gate.append({"channel_conv": given} if chance.one_in(2) else "channel_conv")
        if chance.one_in(2):
            gate.append({"reshape": {"size": chance.pick((1, "2 - 1"))}})
        if place.rank < 3 and chance.one_in(2):
            swap = [1, 0] if place.rank == 1 else chance.pick(([0, 2, 1], [2, 1, 0], [0, 1, 2]))
            gate += [{"permute": {"order": swap}}, {"permute": {"order": swap}}]
        gate.append({"act": {"type": "sigmoid"}})
        if chance.one_in(2):
            gate.append({"power": {"by": chance.pick((2, 0.5, "1 / 3", 1))}})
        return {"multiply": [[], gate]}

    def chances(self, place: Place) -> Step:
        """Dropout and dropped paths."""
        p = self.chance.pick((0, 0.5, 0.25, "1 / 4", "0.1 + 0.1"))
        options: list[Step] = ["dropout", {"dropout": {"p": p}}, {"drop_path": {"p": p}}]
        return self.chance.pick(options)

    def factor(self, place: Place) -> Step:
        if self.chance.one_in(2):
            initial = {"initial": self.chance.pick((0.1, 1, "1 / 8"))}
            return "layer_scale" if self.chance.one_in(2) else {"layer_scale": initial}
        return {
            self.chance.pick(("scale", "shift")): {
                "by": self.chance.pick((2, 0.5, "1 / 3", "0.5 if classes > 3 else 1.5", "-1", 0)),
                **self.chance.pick(({}, {}, {"learned": True}, {"learned": "1 < 2", "per": "whole"})),
            }
        }

    def cut(self, place: Place) -> Step:
        """Channels taken away and zeros in their place, or the other way round."""
        some = self.chance.pick(({"stop": 4}, {"start": 2}, {"start": "1 + 1", "stop": 4}, {"start": 1, "stop": 2}, {}))
        pad: dict[str, Any] = {"out": self.width(place)}
        if self.chance.one_in(2):
            pad["at"] = self.chance.word(("both", "end"))
        return {"sequence": {"steps": [{"slice": some}, {"pad_channels": pad}]}}

    # -- groups and merges ---------------------------------------------------------------------------------------------

    def group(self, place: Place) -> Step:
        found: dict[str, Any] = {"steps": self.several(place.deeper(), 3)}
        if self.chance.one_in(2):
            found["name"] = self.chance.name()
        return {"sequence": found}

    def values(self, place: Place) -> Step:
        """Steps that keep values by name and read them."""
        return {"sequence": {"steps": named_values(self.chance, lambda most: self.several(place.deeper(), most))}}

    def repeated(self, place: Place) -> Step:
        """Steps several times; perhaps with the sum of what each time gave."""
        self.chance.named += 1
        counter, times = f"turn{self.chance.named}", self.chance.pick((0, 1, 2, 3, "7 // 3"))
        steps = [{"act": {"type": "relu", "when": f"{counter} > 0"}}, *self.several(place.deeper(), 2)]
        found: dict[str, Any] = {"times": times, "index": counter, "steps": steps}
        found["name"] = f"{self.chance.name()}.{{{counter}}}"
        if self.chance.one_in(2):
            return {"repeat": found}
        if self.chance.one_in(2):
            return {"sequence": {"steps": carried(self.chance, found, lambda most: self.several(place.deeper(), most))}}
        begin = f"begin{self.chance.named}"
        found["each"] = f"each{self.chance.named}"
        return {"sequence": {"steps": [{"as": begin}, {"repeat": found}, {"add": {"from": [begin, found["each"]]}}]}}

    def shared(self, place: Place) -> Step:
        """A step, or several, twice with the same weights."""
        self.chance.named += 1
        name = f"same{self.chance.named}"
        if self.chance.one_in(2):
            word = "conv" if place.rank and self.chance.one_in(2) else "linear"
            kernel = {"kernel": self.chance.pick((1, 3))} if word == "conv" else {}
            step: dict[str, Any] = {word: {"out": self.width(place), "share": name, **kernel}}
            return {"sequence": {"steps": [step, *self.several(place.deeper(), 1), copy.deepcopy(step)]}}
        steps = [self.norm(place), *self.several(replace(place.plain(), depth=0), 2)]
        parts = [{"sequence": {"share": name, "name": self.chance.name(), "steps": copy.deepcopy(steps)}} for _ in "ab"]
        return {"sequence": {"steps": parts}}

    def branches(self, parts: list[list[Step]], place: Place | None = None) -> Any:
        """Branches as a list, or as a mapping that names them, perhaps with a name and a condition of the merge.

        With a ``place``, the merge fits without any of them, so that they may have conditions.
        """
        made: list[Any] = list(parts)
        for number in range(len(made)):
            if place is not None and self.chance.one_in(6):
                condition = self.chance.pick((True, False, self.chance.condition(place.conditions)))
                made[number] = {"steps": made[number], "when": condition}
        if self.chance.one_in(2):
            return made
        found: dict[str, Any] = {
            f"{self.chance.pick(('b', 'side', 'x'))}{number}": part for number, part in enumerate(made)
        }
        if self.chance.one_in(4):
            found["name"] = self.chance.name()
        return found

    def add(self, place: Place) -> Step:
        form = self.chance.pick(("one", "twice", "shared", "several", "several"))
        if form == "one":
            return {"add": self.branches([self.several(place.deeper(), 2)])}
        if form == "twice":
            return {"add": self.branches([[]] * self.chance.count(2, 3))}
        if form == "shared":
            part = [self.chance.pick((self.conv, self.linear) if place.rank else (self.linear,))(place)]
            return {"add": self.branches([part, part])}
        return {"add": self.branches([self.several(place.deeper(), 2) for _ in range(self.chance.count(2, 3))], place)}

    def other_merge(self, place: Place) -> Step:
        """A difference, or the largest or smallest of some values."""
        kind = self.chance.pick(("subtract", "maximum", "minimum"))
        form = self.chance.pick(("one", "twice", "several", "several"))
        if form == "one":
            return {kind: self.branches([self.several(place.deeper(), 2)])}
        if form == "twice":
            return {kind: self.branches([[], []])}
        parts = [self.several(place.deeper(), 2) for _ in range(self.chance.count(1, 2))]
        return {kind: self.branches([[], *parts], place)}

    def meeting(self, place: Place) -> Step:
        """A merge that repeats what has one channel."""
        one = [{"conv" if place.rank else "linear": {"out": 1}}]
        kind = self.chance.pick(("add", "multiply", "subtract", "maximum", "minimum"))
        parts: dict[str, Any] = {"wide": [], "one": one}
        if self.chance.one_in(3):
            parts["more"] = self.gate(place)
        return {kind: {"broadcast": self.chance.pick((True, "1 < 2")), **parts}}

    def gate(self, place: Place) -> list[Step]:
        """A number for each channel."""
        if place.rank == 0:
            return [{"linear": {"out": self.width(place)}}, {"act": {"type": "sigmoid"}}]
        inner: list[Step] = [{"conv": {"out": self.chance.pick((4, 1, 3)), "bias": True}}, "act"]
        last: list[Step] = [
            {"conv": {"out": self.width(place)}},
            {"act": {"type": self.chance.word(("sigmoid", "hardsigmoid"))}},
        ]
        return [
            {"pool": {"type": self.chance.pick(("avg", "max")), "output": 1}},
            *(inner if self.chance.one_in(2) else []),
            *last,
        ]

    def multiply(self, place: Place) -> Step:
        parts = [self.several(place.deeper(), 2), self.gate(place)]
        form = self.chance.pick(("gate", "reversed", "self", "several", "one"))
        if form == "reversed":
            parts.reverse()
        elif form == "self":
            parts = [[], []]
        elif form == "several":
            parts = [[], self.several(place.deeper(), 1), self.gate(place)]
        elif form == "one":
            parts = parts[:1]
        return {"multiply": self.branches(parts, place if parts[0] == [] else None)}

    def concat(self, place: Place) -> Step:
        """Branches joined, and a convolution back; or one branch alone."""
        inner = place.deeper()
        if self.chance.one_in(4):
            return {"concat": self.branches([self.several(inner, 2)])}
        parts = [self.several(inner, 1) for _ in range(self.chance.count(2, 3))]
        if place.rank and self.chance.one_in(2):
            parts.append([{"conv": self.conv_arguments(place, self.chance.pick((4, 1, 7)), groups=False)}])
        if self.chance.one_in(4):
            parts.insert(0, [])
        back = self.chance.pick(("conv", "linear")) if place.rank else "linear"
        return {"sequence": {"steps": [{"concat": self.branches(parts, inner)}, {back: {"out": self.width(place)}}]}}

    # -- layers and calls ----------------------------------------------------------------------------------------------

    def layer_to(self, place: Place, out: int | str, stride: Any = None, groups: bool = True) -> Step:
        """A layer to a width."""
        found = self.conv_arguments(place, out, stride, groups)
        if self.chance.one_in(4):
            found["norm"] = self.chance.pick(("none", "batch", "layer", {"eps": 0.01}, self.norm_arguments()))
        if self.chance.one_in(4):
            found["act"] = self.chance.word(("none", *ACTIVATIONS), place.acts)
            if self.chance.one_in(4):
                found["act"] = self.chance.pick((*ACTS, {"slope": 0.3}))
        return {"layer": found}

    def layer(self, place: Place) -> Step:
        return self.layer_to(place, self.width(place))

    def layer_of(self, place: Place) -> Step:
        found: dict[str, Any] = {"of": self.several(replace(place.plain(), depth=0), 2)}
        if self.chance.one_in(3):
            found["norm"] = self.chance.pick(("none", "layer"))
        if self.chance.one_in(3):
            found["act"] = self.chance.pick(("none", "silu"))
        return {"layer": found}

    def call(self, place: Place) -> Step:
        return self.calling(self.chance.pick([each for each in place.fragments if not each.takes_out]))

    def calling(self, called: Fragment, **given: Any) -> Step:
        """A call of a fragment with some of its parameters."""
        for key, values in called.params.items():
            if key in called.required or self.chance.one_in(2):
                given.setdefault(key, self.chance.pick(values))
        return {called.name: given} if given or self.chance.one_in(2) else called.name
