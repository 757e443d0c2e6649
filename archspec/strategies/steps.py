"""Steps that keep the shape of what reaches them: every operation, merges, groups, layers, calls of fragments."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import MISSING
from typing import Any

from archspec.operations.base import Operation, arguments
from archspec.operations.discovery import operations
from archspec.strategies.convolutions import conv_arguments, conv_step, padded
from archspec.strategies.draw import Draw, FragmentFacts, RawStep, StepSite, Width, lasting, part
from archspec.strategies.named import named_values
from archspec.strategies.repeated import repeated, shared
from archspec.strategies.resizing import cut, reduced, resized
from archspec.strategies.step_arguments import KEEPING_ACTS, LAYERS, act_arguments, norm_arguments

FACTORS = (0.5, 1, 0.001)
PROBABILITIES = (0.5, 0, 0.25)


@part
def keeper(draw: Draw, site: StepSite) -> RawStep:
    """One step after which the value has the shape that it had before."""
    choices = list(_FLAT if site.rank == 0 else _SPATIAL)
    if site.depth > 0:
        choices += [_group, _add, _meeting, _multiply, _concat, _join, _named, _repeat, shared, *(_other_merge,) * 4]
    if site.layers and site.rank:
        choices += [_layer, _layer, _layer_of]
    if site.rank and any(not called.takes_out for called in site.fragments):
        choices.append(_call)
    step = draw.pick(choices)(draw, site)
    return _told(draw, site, step) if draw.chance(6) else step


@part
def keepers(draw: Draw, site: StepSite, most: int) -> list[RawStep]:
    """A few such steps."""
    return [keeper(draw, site) for _ in range(draw.count(0, most))]


@part
def _told(draw: Draw, site: StepSite, step: RawStep) -> RawStep:
    """The step with a name, a condition or both, where it takes them."""
    body = {step: {}} if isinstance(step, str) else step
    ((word, arguments),) = body.items()
    if isinstance(arguments, list):
        return step
    more: dict[str, Any] = {}
    if draw.chance(2):
        more["when"] = draw.pick(site.conditions)
    if "name" not in arguments and (not more or draw.chance(2)):
        more["name"] = draw.name()
    return {word: {**arguments, **more}}


# -- operations --------------------------------------------------------------------------------------------------------


_DrawStep = Callable[[Draw, StepSite], RawStep]


def _plain(operation: type[Operation]) -> _DrawStep:
    """A step of an operation by what its arguments declare; what may be left out is given now and then."""

    def draw_step(draw: Draw, site: StepSite) -> RawStep:
        given = {
            name: _value(draw, site, operation, name)
            for name, argument in arguments(operation).items()
            if argument.default is MISSING or draw.chance(2)
        }
        return {operation.name: given} if given else operation.name

    return draw_step


def _value(draw: Draw, site: StepSite, operation: type[Operation], name: str) -> Any:
    """A value of an argument with which the step keeps the shape."""
    argument = arguments(operation)[name].metadata
    match name, argument["kind"]:
        case "out", _:
            return draw.word(site.width)
        case "groups", _:
            return draw.pick((2, 4) if site.width.parts % 4 == 0 else (2,))
        case _, "size":
            return draw.size(1)
        case _, "word":
            return draw.pick(argument["words"])
        case _, "boolean":
            return draw.pick((False, True))
        case "group_size", _:
            return 1
        case _, "integer":
            return argument["minimum"]
    return draw.pick(FACTORS if argument["maximum"] is None else PROBABILITIES)


def _norm(draw: Draw, site: StepSite) -> RawStep:
    if site.many and not draw.chance(2):
        return "norm"
    return {"norm": {**norm_arguments(draw, many=site.many), **({"zero_init": True} if draw.chance(6) else {})}}


def _pool(draw: Draw, site: StepSite) -> RawStep:
    kinds = ("max", "avg") if draw.rank < 3 else ("max",)  # averages over three dimensions take no padding for granted
    found: dict[str, Any] = {"type": draw.pick(kinds), "kernel": 3, "stride": draw.size(1), "padding": 1}
    if draw.chance(4):
        found["padding"] = draw.pick(("same", [draw.pick((1, [2, 0], [0, 2])) for _ in range(draw.rank)]))
    if found["type"] == "avg" and draw.chance(2):
        found["count_padding"] = False
    if found["type"] == "max" and draw.chance(3):  # a position is in the middle: padding alone would give -inf
        found |= {"dilation": 2, "padding": "same"}
    if draw.rank < 3 and draw.chance(8):  # the root of a window of zeros has no gradient, and one position always fits
        return {"pool": {"type": "lp", "kernel": 1, "power": 1}}
    return {"pool": found}


# -- groups and merges -------------------------------------------------------------------------------------------------


def _group(draw: Draw, site: StepSite) -> RawStep:
    return {"sequence": {"steps": keepers(draw, site.deeper(), 3)}}


@part
def branches(draw: Draw, parts: list[list[RawStep]], optional: StepSite | None = None) -> Any:
    """Branches as a list, or as a mapping that names them.

    After the first, they may have conditions where ``optional`` has the site; the merge fits with fewer too.
    """
    made: list[Any] = [lasting(part) for part in parts]
    for number in range(1, len(made)):
        if optional is not None and draw.chance(6):
            made[number] = {"when": draw.pick(optional.conditions), "steps": made[number]}
    if draw.chance(2):
        return {f"b{number}": part for number, part in enumerate(made, 1)}
    return made


def _add(draw: Draw, site: StepSite) -> RawStep:
    parts = [keepers(draw, site.deeper(), 2) for _ in range(draw.count(1, 3))]
    return {"add": branches(draw, [[], *parts], site)}


@part
def gate(draw: Draw, site: StepSite) -> list[RawStep]:
    """A number for each channel: the second factor of a squeeze-and-excitation."""
    if site.rank == 0:
        return [{"linear": {"out": draw.word(site.width)}}, {"act": {"type": "sigmoid"}}]
    squeezed: RawStep = {"conv": {"out": draw.pick((4, 1, "max(in_channels // 4, 1)")), "bias": True}}
    inner: list[RawStep] = [squeezed, "act"] if draw.chance(2) else []
    last = draw.pick(("sigmoid", "hardsigmoid", *site.acts))
    excite: RawStep = {"conv": {"out": draw.word(site.width), "bias": True}}
    pooled: RawStep = {"mean": {"over": "positions"}}
    if draw.chance(2):
        pooled = {"pool": {"type": draw.pick(("avg", "max")), "output": 1}}
    return [pooled, *inner, excite, {"act": {"type": last}}]


def _other_merge(draw: Draw, site: StepSite) -> RawStep:
    """A difference, or the largest or smallest of some values."""
    parts = [keepers(draw, site.deeper(), 2) for _ in range(draw.count(1, 2))]
    return {draw.pick(("subtract", "maximum", "minimum")): branches(draw, [[], *parts], site)}


def _meeting(draw: Draw, site: StepSite) -> RawStep:
    """A merge that repeats what has one channel, as attention over positions does."""
    kind = draw.pick(("add", "multiply", "subtract", "maximum", "minimum"))
    parts: dict[str, Any] = {"wide": [], "one": [{"conv" if site.rank else "linear": {"out": 1}}]}
    if draw.chance(3):
        parts["more"] = gate(draw, site)
    return {kind: {"broadcast": True, **parts}}


def _multiply(draw: Draw, site: StepSite) -> RawStep:
    factors = [[], gate(draw, site)] if draw.chance(2) else [[], keepers(draw, site.deeper(), 2)]
    return {"multiply": branches(draw, factors, site)}


def _concat(draw: Draw, site: StepSite) -> RawStep:
    """Two halves, each made by a convolution or cut out.

    The first layer of a block reads its whole input, so no half starts with a layer.
    """
    half = site.width.half()
    inner = site.deeper(width=half, depth=0, fragments=()).plain()
    if site.rank == 0:
        parts: list[list[RawStep]] = [[{"linear": {"out": draw.word(half)}}], [{"linear": {"out": draw.word(half)}}]]
    elif site.width.parts % 8 == 0 and draw.chance(2):
        word = draw.word(half)
        parts = [[{"slice": {"stop": word}}], [{"slice": {"start": word}}, *keepers(draw, inner, 1)]]
    else:
        kind = "layer" if site.layers and draw.chance(2) else "conv"
        parts = [[{kind: conv_arguments(draw, site, half)}, *_inner(draw, inner)] for _ in range(2)]
    return {"concat": branches(draw, parts)}


def _repeat(draw: Draw, site: StepSite) -> RawStep:
    return repeated(draw, site, keepers)


def _named(draw: Draw, site: StepSite) -> RawStep:
    return named_values(draw, site, keepers)


def _inner(draw: Draw, site: StepSite) -> list[RawStep]:
    return keepers(draw, site, 1) if site.width.parts % 4 == 0 else []


def _join(draw: Draw, site: StepSite) -> RawStep:
    """Twice the channels, as in a dense block, and a convolution back."""
    parts = [[], keepers(draw, site.deeper(), 2)]
    back = {"out": draw.word(site.width)}
    joined = {"concat": branches(draw, parts, site)}
    return {"sequence": {"steps": [joined, {"conv" if site.rank else "linear": back}]}}


# -- layers and calls --------------------------------------------------------------------------------------------------


@part
def layer(draw: Draw, site: StepSite, out: Width, *, stride: str | int | None = None) -> RawStep:
    """A layer to ``out``."""
    found = conv_arguments(draw, site, out, stride=stride)
    if draw.chance(5):
        found["norm"] = draw.pick(("none", "batch", "layer", {"eps": 0.01}, {"type": "group", "groups": 4}))
    if draw.chance(4):
        found["act"] = draw.pick(("none", *KEEPING_ACTS, {"type": "leaky_relu", "slope": 0.1}, *site.acts))
    return {"layer": found}


def _layer(draw: Draw, site: StepSite) -> RawStep:
    return layer(draw, site, site.width)


def _layer_of(draw: Draw, site: StepSite) -> RawStep:
    """A separable convolution, or any other steps, in the convolution's place."""
    if draw.chance(2):
        return {"layer": {"of": lasting(keepers(draw, site.plain().deeper(depth=0), 2))}}
    word = draw.word(site.width)
    deep: RawStep = {"conv": {"out": word, "kernel": 3, "groups": word}}
    return {"layer": {"of": [deep, {"conv": {"out": word}}]}}


@part
def call(draw: Draw, called: FragmentFacts, **given: Any) -> RawStep:
    """A call of a fragment, with some of what it declares given."""
    chosen = {
        key: draw.pick(values) for key, values in called.params.items() if key in called.required or draw.chance(2)
    }
    values = {key: draw.value() for key in called.inputs}
    arguments = {**chosen, **given, **values}
    step: RawStep = {called.name: arguments} if arguments or draw.chance(2) else called.name
    if not values:
        return step
    between = [{"act": {"type": draw.pick(("tanh", "sigmoid"))}}] if draw.chance(2) else []  # so that two values differ
    return {"sequence": {"steps": [*[{"as": value} for value in values.values()], *between, step]}}


def _call(draw: Draw, site: StepSite) -> RawStep:
    own = [called for called in site.fragments if not called.takes_out]
    return call(draw, draw.pick(own))


def _act(draw: Draw, site: StepSite) -> RawStep:
    return "act" if draw.pick((True, False, False)) else {"act": act_arguments(draw, site)}


def _by_name(draw: Draw, site: StepSite) -> RawStep:
    """A layer of torch by its name; seldom, as the costs of the whole network are then unavailable."""
    return {"torch": draw.pick(LAYERS)} if draw.chance(3) else _act(draw, site)


def _gated(draw: Draw, site: StepSite) -> RawStep:
    """Twice the channels, of which one half opens and closes the other."""
    wide = {"out": f"2 * ({draw.word(site.width)})"}
    return {"sequence": {"steps": [{"conv" if site.rank else "linear": wide}, {"act": {"type": "glu"}}]}}


_KEEPING = [
    _plain(operation)
    for operation in operations().values()
    if operation.shape is Operation.shape and operation.arity == "one" and operation.name != "power"
]
"""Operations that keep every shape, in order of their names; powers of numbers below 0 may be no numbers."""
_LINEAR, _SHUFFLE, _SUBSAMPLE = (_plain(operations()[word]) for word in ("linear", "channel_shuffle", "subsample"))
_SCALE, _SHIFT = (_plain(operations()[word]) for word in ("scale", "shift"))


def _constant(draw: Draw, site: StepSite) -> RawStep:
    return draw.pick((_SCALE, _SHIFT))(draw, site)


_MOVING = (_SHUFFLE, _SHUFFLE, _SUBSAMPLE, padded, padded, *(resized, reduced) * 4)
_OFTEN = (*(_act, _norm) * 3, _gated, _LINEAR, *_KEEPING, *(_constant,) * 2, cut, _by_name)
_SPATIAL: tuple[_DrawStep, ...] = (*_OFTEN, conv_step, _pool, *_MOVING)
_FLAT: tuple[_DrawStep, ...] = _OFTEN
