"""Steps that keep the shape of what reaches them: every operation, merges, groups, layers, calls of fragments."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from archspec.operations.act import ACTIVATIONS
from archspec.strategies.chooser import Called, Chooser, Step, StepSite, Width

INITIAL = (0.5, 1, 0.001)
PROBABILITIES = (0.5, 0, 0.25)


def keeper(choose: Chooser, place: StepSite) -> Step:
    """One step after which the value has the shape that it had before."""
    choices = list(_FLAT if place.rank == 0 else _SPATIAL)
    if place.depth > 0:
        choices += [_group, _add, _multiply, _concat, _join]
    if place.layers and place.rank:
        choices += [_layer, _layer, _layer_of]
    if place.rank and any(not called.takes_out for called in place.fragments):
        choices.append(_call)
    step = choose.pick(choices)(choose, place)
    return _told(choose, place, step) if choose.chance(6) else step


def keepers(choose: Chooser, place: StepSite, most: int) -> list[Step]:
    """A few such steps."""
    return [keeper(choose, place) for _ in range(choose.count(0, most))]


def _told(choose: Chooser, place: StepSite, step: Step) -> Step:
    """The step with a name, a condition or both, where it takes them."""
    body = {step: {}} if isinstance(step, str) else step
    ((word, arguments),) = body.items()
    if isinstance(arguments, list):
        return step
    more: dict[str, Any] = {}
    if choose.chance(2):
        more["when"] = choose.pick(place.conditions)
    if "name" not in arguments and (not more or choose.chance(2)):
        more["name"] = choose.name()
    return {word: {**arguments, **more}}


# -- operations --------------------------------------------------------------------------------------------------------


def _act(choose: Chooser, place: StepSite) -> Step:
    return "act" if choose.chance(3) else {"act": {"type": choose.pick((*ACTIVATIONS, *place.acts))}}


def norm_arguments(choose: Chooser, *, many: bool) -> dict[str, Any]:
    """Arguments of a norm that fit every width."""
    kind = choose.pick(("batch", "layer", "group", "instance") if many else ("batch", "layer", "group"))
    found: dict[str, Any] = {"type": kind}
    if kind == "group":
        found["groups"] = choose.pick((2, 4, "2 * 2"))
    for key, values in (("eps", (1e-3, 0.5)), ("momentum", (0.01, 1)), ("affine", (False, True))):
        if choose.chance(4):
            found[key] = choose.pick(values)
    return found


def _norm(choose: Chooser, place: StepSite) -> Step:
    if place.many and choose.chance(2):
        return "norm"
    return {"norm": {**norm_arguments(choose, many=place.many), **({"zero_init": True} if choose.chance(6) else {})}}


def conv_arguments(choose: Chooser, place: StepSite, out: Width, *, stride: str | int | None = None) -> dict[str, Any]:
    """Arguments of a convolution to ``out``: an odd kernel, padded so that only the stride changes the size."""
    found: dict[str, Any] = {"out": choose.word(out)}
    kernel = choose.pick((1, 3, 3, 5, *place.kernels))
    if choose.rank > 1 and kernel == 3 and choose.chance(5):
        kernel = [3, 5, 1][: choose.rank]
    if kernel != 1:
        found["kernel"] = kernel
    if stride is not None:
        found["stride"] = stride
    if choose.chance(4):
        found["groups"] = choose.pick([g for g in (2, 4) if place.width.parts % g == 0 and out.parts % g == 0] or [1])
    if choose.chance(5):
        found["dilation"] = choose.size(2)
    if choose.chance(5):
        found["bias"] = choose.pick((True, False))
    if kernel == 3 and "dilation" not in found and choose.chance(6):
        found["padding"] = choose.size(1)
    return found


def _conv(choose: Chooser, place: StepSite) -> Step:
    return {"conv": conv_arguments(choose, place, place.width)}


def _linear(choose: Chooser, place: StepSite) -> Step:
    return {"linear": {"out": choose.word(place.width), **({"bias": False} if choose.chance(3) else {})}}


def _pool(choose: Chooser, place: StepSite) -> Step:
    kinds = (
        ("max", "avg") if choose.rank < 3 else ("max",)
    )  # averages over three dimensions take no padding for granted
    found: dict[str, Any] = {"type": choose.pick(kinds), "kernel": 3, "stride": choose.size(1), "padding": 1}
    if found["type"] == "avg" and choose.chance(2):
        found["count_padding"] = False
    if found["type"] == "max" and choose.chance(3):
        found |= {"kernel": 2, "dilation": 2}
    return {"pool": found}


def _scale(choose: Chooser, place: StepSite) -> Step:
    return {"layer_scale": {"initial": choose.pick(INITIAL)}}


def _dropout(choose: Chooser, place: StepSite) -> Step:
    return {"dropout": {"p": choose.pick(PROBABILITIES)}}


def _drop_path(choose: Chooser, place: StepSite) -> Step:
    return {"drop_path": {"p": choose.pick(PROBABILITIES)}}


def _shuffle(choose: Chooser, place: StepSite) -> Step:
    return {"channel_shuffle": {"groups": choose.pick((2, 4) if place.width.parts % 4 == 0 else (2,))}}


def _subsample(choose: Chooser, place: StepSite) -> Step:
    return {"subsample": {"stride": choose.size(1)}}


def _cut(choose: Chooser, place: StepSite) -> Step:
    """Channels taken away, and as many zeros put there."""
    some = choose.pick(({"stop": 4}, {"start": 2}, {"start": 2, "stop": 4}))
    pad = {"out": choose.word(place.width), **({"at": "both"} if choose.chance(2) else {})}
    return {"sequence": {"steps": [{"slice": some}, {"pad_channels": pad}]}}


# -- groups and merges -------------------------------------------------------------------------------------------------


def _group(choose: Chooser, place: StepSite) -> Step:
    return {"sequence": {"steps": keepers(choose, place.deeper(), 3)}}


def branches(choose: Chooser, parts: list[list[Step]]) -> list[list[Step]] | dict[str, list[Step]]:
    """Branches as a list, or as a mapping that names them."""
    if choose.chance(2):
        return {f"b{number}": part for number, part in enumerate(parts, 1)}
    return parts


def _add(choose: Chooser, place: StepSite) -> Step:
    parts = [keepers(choose, place.deeper(), 2) for _ in range(choose.count(1, 3))]
    return {"add": branches(choose, [[], *parts])}


def gate(choose: Chooser, place: StepSite) -> list[Step]:
    """A number for each channel: the second factor of a squeeze-and-excitation."""
    if place.rank == 0:
        return [_linear(choose, place), {"act": {"type": "sigmoid"}}]
    squeezed: Step = {"conv": {"out": choose.pick((4, 1, "max(in_channels // 4, 1)")), "bias": True}}
    inner: list[Step] = [squeezed, "act"] if choose.chance(2) else []
    last = choose.pick(("sigmoid", "hardsigmoid", *place.acts))
    excite: Step = {"conv": {"out": choose.word(place.width), "bias": True}}
    return [{"pool": {"type": choose.pick(("avg", "max")), "output": 1}}, *inner, excite, {"act": {"type": last}}]


def _multiply(choose: Chooser, place: StepSite) -> Step:
    factors = [[], gate(choose, place)] if choose.chance(2) else [[], keepers(choose, place.deeper(), 2)]
    return {"multiply": branches(choose, factors)}


def _concat(choose: Chooser, place: StepSite) -> Step:
    """Two halves, each made by a convolution or cut out.

    The first layer of a block reads its whole input, so none stands first in a half.
    """
    half = place.width.half()
    inner = place.deeper(width=half, depth=0, fragments=()).plain()
    if place.rank == 0:
        parts: list[list[Step]] = [[{"linear": {"out": choose.word(half)}}], [{"linear": {"out": choose.word(half)}}]]
    elif place.width.parts % 8 == 0 and choose.chance(2):
        word = choose.word(half)
        parts = [[{"slice": {"stop": word}}], [{"slice": {"start": word}}, *keepers(choose, inner, 1)]]
    else:
        kind = "layer" if place.layers and choose.chance(2) else "conv"
        parts = [[{kind: conv_arguments(choose, place, half)}, *_inner(choose, inner)] for _ in range(2)]
    return {"concat": branches(choose, parts)}


def _inner(choose: Chooser, place: StepSite) -> list[Step]:
    return keepers(choose, place, 1) if place.width.parts % 4 == 0 else []


def _join(choose: Chooser, place: StepSite) -> Step:
    """Twice the channels, as in a dense block, and a convolution back."""
    parts = [[], keepers(choose, place.deeper(), 2)]
    back = {"out": choose.word(place.width)}
    return {"sequence": {"steps": [{"concat": branches(choose, parts)}, {"conv" if place.rank else "linear": back}]}}


# -- layers and calls --------------------------------------------------------------------------------------------------


def layer(choose: Chooser, place: StepSite, out: Width, *, stride: str | int | None = None) -> Step:
    """A layer to ``out``."""
    found = conv_arguments(choose, place, out, stride=stride)
    if choose.chance(5):
        found["norm"] = choose.pick(("none", "batch", "layer", {"eps": 0.01}, {"type": "group", "groups": 4}))
    if choose.chance(4):
        found["act"] = choose.pick(("none", *ACTIVATIONS, *place.acts))
    return {"layer": found}


def _layer(choose: Chooser, place: StepSite) -> Step:
    return layer(choose, place, place.width)


def _layer_of(choose: Chooser, place: StepSite) -> Step:
    """A separable convolution, or any other steps, in the convolution's place."""
    if choose.chance(2):
        return {"layer": {"of": keepers(choose, place.plain().deeper(depth=0), 2)}}
    word = choose.word(place.width)
    deep: Step = {"conv": {"out": word, "kernel": 3, "groups": word}}
    return {"layer": {"of": [deep, {"conv": {"out": word}}]}}


def call(choose: Chooser, called: Called, **given: Any) -> Step:
    """A call of a fragment, with some of what it declares given."""
    chosen = {
        key: choose.pick(values) for key, values in called.params.items() if key in called.required or choose.chance(2)
    }
    arguments = {**chosen, **given}
    return {called.name: arguments} if arguments or choose.chance(2) else called.name


def _call(choose: Chooser, place: StepSite) -> Step:
    own = [called for called in place.fragments if not called.takes_out]
    return call(choose, choose.pick(own))


_Draw = Callable[[Chooser, StepSite], Step]
_SPATIAL: tuple[_Draw, ...] = (
    *(_act, _conv, _norm, _pool, _dropout, _linear, _scale, _drop_path, _shuffle, _subsample, _cut),
)
_FLAT: tuple[_Draw, ...] = (_act, _linear, _norm, _dropout, _scale, _drop_path, _cut)
