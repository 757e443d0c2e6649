"""Steps that keep the shape of what reaches them: every operation, merges, groups, layers, calls of fragments."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from archspec.operations.act import ACTIVATIONS
from archspec.testing.strategies.pen import Called, Pen, Place, Step, Width

INITIAL = (0.5, 1, 0.001)
PROBABILITIES = (0.5, 0, 0.25)


def keeper(pen: Pen, place: Place) -> Step:
    """One step after which the value has the shape that it had before."""
    choices = list(_FLAT if place.rank == 0 else _SPATIAL)
    if place.depth > 0:
        choices += [_group, _add, _multiply, _concat, _join]
    if place.layers and place.rank:
        choices += [_layer, _layer, _layer_of]
    if place.rank and any(not called.takes_out for called in place.fragments):
        choices.append(_call)
    step = pen.pick(choices)(pen, place)
    return _told(pen, place, step) if pen.chance(6) else step


def keepers(pen: Pen, place: Place, most: int) -> list[Step]:
    """A few such steps."""
    return [keeper(pen, place) for _ in range(pen.count(0, most))]


def _told(pen: Pen, place: Place, step: Step) -> Step:
    """The step with a name, a condition or both, where it takes them."""
    body = {step: {}} if isinstance(step, str) else step
    ((word, arguments),) = body.items()
    if isinstance(arguments, list):
        return step
    more: dict[str, Any] = {}
    if pen.chance(2):
        more["when"] = pen.pick(place.conditions)
    if "name" not in arguments and (not more or pen.chance(2)):
        more["name"] = pen.name()
    return {word: {**arguments, **more}}


# -- operations --------------------------------------------------------------------------------------------------------


def _act(pen: Pen, place: Place) -> Step:
    return "act" if pen.chance(3) else {"act": {"type": pen.pick((*ACTIVATIONS, *place.acts))}}


def norm_arguments(pen: Pen, *, many: bool) -> dict[str, Any]:
    """Arguments of a norm that fit every width."""
    kind = pen.pick(("batch", "layer", "group", "instance") if many else ("batch", "layer", "group"))
    found: dict[str, Any] = {"type": kind}
    if kind == "group":
        found["groups"] = pen.pick((2, 4, "2 * 2"))
    for key, values in (("eps", (1e-3, 0.5)), ("momentum", (0.01, 1)), ("affine", (False, True))):
        if pen.chance(4):
            found[key] = pen.pick(values)
    return found


def _norm(pen: Pen, place: Place) -> Step:
    if place.many and pen.chance(2):
        return "norm"
    return {"norm": {**norm_arguments(pen, many=place.many), **({"zero_init": True} if pen.chance(6) else {})}}


def conv_arguments(pen: Pen, place: Place, out: Width, *, stride: str | int | None = None) -> dict[str, Any]:
    """Arguments of a convolution to ``out``: an odd kernel, padded so that only the stride changes the size."""
    found: dict[str, Any] = {"out": pen.word(out)}
    kernel = pen.pick((1, 3, 3, 5, *place.kernels))
    if pen.rank > 1 and kernel == 3 and pen.chance(5):
        kernel = [3, 5, 1][: pen.rank]
    if kernel != 1:
        found["kernel"] = kernel
    if stride is not None:
        found["stride"] = stride
    if pen.chance(4):
        found["groups"] = pen.pick([g for g in (2, 4) if place.width.parts % g == 0 and out.parts % g == 0] or [1])
    if pen.chance(5):
        found["dilation"] = pen.size(2)
    if pen.chance(5):
        found["bias"] = pen.pick((True, False))
    if kernel == 3 and "dilation" not in found and pen.chance(6):
        found["padding"] = pen.size(1)
    return found


def _conv(pen: Pen, place: Place) -> Step:
    return {"conv": conv_arguments(pen, place, place.width)}


def _linear(pen: Pen, place: Place) -> Step:
    return {"linear": {"out": pen.word(place.width), **({"bias": False} if pen.chance(3) else {})}}


def _pool(pen: Pen, place: Place) -> Step:
    kinds = ("max", "avg") if pen.rank < 3 else ("max",)  # averages over three dimensions take no padding for granted
    found: dict[str, Any] = {"type": pen.pick(kinds), "kernel": 3, "stride": pen.size(1), "padding": 1}
    if found["type"] == "avg" and pen.chance(2):
        found["count_padding"] = False
    if found["type"] == "max" and pen.chance(3):
        found |= {"kernel": 2, "dilation": 2}
    return {"pool": found}


def _scale(pen: Pen, place: Place) -> Step:
    return {"layer_scale": {"initial": pen.pick(INITIAL)}}


def _dropout(pen: Pen, place: Place) -> Step:
    return {"dropout": {"p": pen.pick(PROBABILITIES)}}


def _drop_path(pen: Pen, place: Place) -> Step:
    return {"drop_path": {"p": pen.pick(PROBABILITIES)}}


def _shuffle(pen: Pen, place: Place) -> Step:
    return {"channel_shuffle": {"groups": pen.pick((2, 4) if place.width.parts % 4 == 0 else (2,))}}


def _subsample(pen: Pen, place: Place) -> Step:
    return {"subsample": {"stride": pen.size(1)}}


def _cut(pen: Pen, place: Place) -> Step:
    """Channels taken away, and as many zeros put there."""
    some = pen.pick(({"stop": 4}, {"start": 2}, {"start": 2, "stop": 4}))
    pad = {"out": pen.word(place.width), **({"at": "both"} if pen.chance(2) else {})}
    return {"sequence": {"steps": [{"slice": some}, {"pad_channels": pad}]}}


# -- groups and merges -------------------------------------------------------------------------------------------------


def _group(pen: Pen, place: Place) -> Step:
    return {"sequence": {"steps": keepers(pen, place.deeper(), 3)}}


def branches(pen: Pen, parts: list[list[Step]]) -> list[list[Step]] | dict[str, list[Step]]:
    """Branches as a list, or as a mapping that names them."""
    if pen.chance(2):
        return {f"b{number}": part for number, part in enumerate(parts, 1)}
    return parts


def _add(pen: Pen, place: Place) -> Step:
    parts = [keepers(pen, place.deeper(), 2) for _ in range(pen.count(1, 3))]
    return {"add": branches(pen, [[], *parts])}


def gate(pen: Pen, place: Place) -> list[Step]:
    """A number for each channel: the second factor of a squeeze-and-excitation."""
    if place.rank == 0:
        return [_linear(pen, place), {"act": {"type": "sigmoid"}}]
    squeezed: Step = {"conv": {"out": pen.pick((4, 1, "max(in_channels // 4, 1)")), "bias": True}}
    inner: list[Step] = [squeezed, "act"] if pen.chance(2) else []
    last = pen.pick(("sigmoid", "hardsigmoid", *place.acts))
    excite: Step = {"conv": {"out": pen.word(place.width), "bias": True}}
    return [{"pool": {"type": pen.pick(("avg", "max")), "output": 1}}, *inner, excite, {"act": {"type": last}}]


def _multiply(pen: Pen, place: Place) -> Step:
    factors = [[], gate(pen, place)] if pen.chance(2) else [[], keepers(pen, place.deeper(), 2)]
    return {"multiply": branches(pen, factors)}


def _concat(pen: Pen, place: Place) -> Step:
    """Two halves, each made by a convolution or cut out.

    The first layer of a block reads its whole input, so none stands first in a half.
    """
    half = place.width.half()
    inner = place.deeper(width=half, depth=0, fragments=()).plain()
    if place.rank == 0:
        parts: list[list[Step]] = [[{"linear": {"out": pen.word(half)}}], [{"linear": {"out": pen.word(half)}}]]
    elif place.width.parts % 8 == 0 and pen.chance(2):
        word = pen.word(half)
        parts = [[{"slice": {"stop": word}}], [{"slice": {"start": word}}, *keepers(pen, inner, 1)]]
    else:
        kind = "layer" if place.layers and pen.chance(2) else "conv"
        parts = [[{kind: conv_arguments(pen, place, half)}, *_inner(pen, inner)] for _ in range(2)]
    return {"concat": branches(pen, parts)}


def _inner(pen: Pen, place: Place) -> list[Step]:
    return keepers(pen, place, 1) if place.width.parts % 4 == 0 else []


def _join(pen: Pen, place: Place) -> Step:
    """Twice the channels, as in a dense block, and a convolution back."""
    parts = [[], keepers(pen, place.deeper(), 2)]
    back = {"out": pen.word(place.width)}
    return {"sequence": {"steps": [{"concat": branches(pen, parts)}, {"conv" if place.rank else "linear": back}]}}


# -- layers and calls --------------------------------------------------------------------------------------------------


def layer(pen: Pen, place: Place, out: Width, *, stride: str | int | None = None) -> Step:
    """A layer to ``out``."""
    found = conv_arguments(pen, place, out, stride=stride)
    if pen.chance(5):
        found["norm"] = pen.pick(("none", "batch", "layer", {"eps": 0.01}, {"type": "group", "groups": 4}))
    if pen.chance(4):
        found["act"] = pen.pick(("none", *ACTIVATIONS, *place.acts))
    return {"layer": found}


def _layer(pen: Pen, place: Place) -> Step:
    return layer(pen, place, place.width)


def _layer_of(pen: Pen, place: Place) -> Step:
    """A separable convolution, or any other steps, in the convolution's place."""
    if pen.chance(2):
        return {"layer": {"of": keepers(pen, place.plain().deeper(depth=0), 2)}}
    word = pen.word(place.width)
    deep: Step = {"conv": {"out": word, "kernel": 3, "groups": word}}
    return {"layer": {"of": [deep, {"conv": {"out": word}}]}}


def call(pen: Pen, called: Called, **given: Any) -> Step:
    """A call of a fragment, with some of what it declares given."""
    chosen = {key: pen.pick(values) for key, values in called.params.items() if key in called.required or pen.chance(2)}
    arguments = {**chosen, **given}
    return {called.name: arguments} if arguments or pen.chance(2) else called.name


def _call(pen: Pen, place: Place) -> Step:
    own = [called for called in place.fragments if not called.takes_out]
    return call(pen, pen.pick(own))


_Draw = Callable[[Pen, Place], Step]
_SPATIAL: tuple[_Draw, ...] = (
    *(_act, _conv, _norm, _pool, _dropout, _linear, _scale, _drop_path, _shuffle, _subsample, _cut),
)
_FLAT: tuple[_Draw, ...] = (_act, _linear, _norm, _dropout, _scale, _drop_path, _cut)
