"""Random stems and heads, and steps between stages, on known shapes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from tests.interpreter.chance import Chance
from tests.interpreter.random_steps import Fragment, Place, Step, Steps


@dataclass(frozen=True)
class Map:
    """The shape of a value."""

    channels: int
    size: tuple[int, ...]


class Edges:
    """Draws what is around the blocks."""

    def __init__(self, chance: Chance, rank: int, words: tuple[str, ...]) -> None:
        self.chance, self.rank, self.words = chance, rank, words
        self.steps = Steps(chance)

    def between(
        self, value: Map, known: tuple[Fragment, ...], conditions: tuple[str, ...] = (), most: int = 2
    ) -> tuple[list[Step], Map]:
        """A few steps on a known shape, and the shape after them."""
        found: list[Step] = []
        for _ in range(self.chance.count(0, most)):
            place = Place((value.channels,), self.rank, known, conditions, self.words, depth=1, size=self._even(value))
            kind = self.chance.pick(("keep", "keep", "width", "size"))
            if kind == "size" and min(value.size) >= 4:
                found.append(self._shrunk())
                value = replace(value, size=tuple(size // 2 for size in value.size))
            elif kind == "width":
                step, value = self._widened(place, value)
                found.append(step)
            else:
                found.append(self.steps.keeper(place))
        return found, value

    @staticmethod
    def _even(value: Map) -> int | None:
        return value.size[0] if len(set(value.size)) == 1 else None

    def _shrunk(self) -> Step:
        chance = self.chance
        return chance.pick(
            (
                {"pool": {"type": chance.pick(("max", "avg")), "kernel": chance.size(2, self.rank)}},
                {"pool": {"type": "max", "kernel": 3, "stride": 2, "padding": 1, "ceil": False, "when": True}}
                if chance.one_in(9)
                else {"pool": {"type": "max", "kernel": 2, "stride": chance.size(2, self.rank)}},
                {"norm": {"type": "layer"}} if chance.one_in(9) else {"pool": {"type": "avg", "kernel": 2}},
            )
        )

    def _widened(self, place: Place, value: Map) -> tuple[Step, Map]:
        chance, steps = self.chance, self.steps
        width = chance.pick((8, 16, 4, 12))
        out = chance.number(width)
        even = width % 4 == 0 and value.channels % 4 == 0
        options: list[Step] = [
            {"conv": steps.conv_arguments(place, out, groups=even)},
            steps.layer_to(place, out, groups=even),
            {"linear": {"out": out}},
            {"pad_channels": {"out": out, "at": chance.pick(("both", "end"))}}
            if width >= value.channels
            else {"slice": {"start": value.channels - width}},
        ]
        wide = [each for each in place.fragments if each.takes_out]
        if wide:
            options.append(steps.calling(chance.pick(wide), out=out))
        return chance.pick(options), replace(value, channels=width)

    def stem(self, value: Map, known: tuple[Fragment, ...], scaled: dict[int, int]) -> tuple[Any, Map]:
        """A stem, and the shape after it."""
        chance = self.chance
        width = chance.pick((8, 8, 16, 4))
        written: int | str = chance.number(width)
        if scaled and width in scaled and chance.one_in(2):
            written, width = f"scaled({width})", scaled[width]
        if min(value.size) >= 12 and chance.one_in(3):
            name = chance.pick(("imagenet", "deep"))
            size = tuple((size + 3) // 4 for size in value.size)
            narrow = {"narrow": chance.pick((4, 8))} if name == "deep" else {}
            return {"use": name, "width": written, **narrow}, Map(width, size)
        if chance.one_in(3):
            return {"use": "cifar", "width": written}, replace(value, channels=width)
        wide = [each for each in known if each.takes_out]
        if wide and value.channels % 4 == 0 and chance.one_in(3):
            ((name, given),) = self.steps.calling(chance.pick(wide), out=written).items()  # type: ignore[union-attr]
            return {"use": name, **given}, replace(value, channels=width)
        if value.channels % 4 == 0 and chance.one_in(4):
            return [], value
        place = Place((value.channels,), self.rank)
        first = chance.pick(
            (
                self.steps.layer_to(place, written, groups=False),
                {"conv": self.steps.conv_arguments(place, written, groups=False)},
                {"linear": {"out": written}},
            )
        )
        more, value = self.between(replace(value, channels=width), known)
        return [first, *more], value

    def head(self, value: Map, known: tuple[Fragment, ...]) -> Any:
        """A head, or None for the default."""
        chance = self.chance
        form = chance.pick(("default", "named", "flat", "flat", "map", "empty", "use"))
        if form in ("default", "named", "use"):
            return {"default": None, "named": "classifier", "use": {"use": "classifier"}}[form]
        if form == "empty":
            return []
        steps, value = self.between(value, known)
        if form == "map":
            return [*steps, {"linear": {"out": "classes"}}]
        pool: Step = {
            "pool": {"type": chance.pick(("avg", "max")), "output": chance.pick((1, 2, chance.size(1, self.rank)))}
        }
        flat = Place(("in_channels",), 0, depth=1)
        if chance.one_in(2):
            return [
                *steps,
                pool,
                "flatten",
                {"linear": {"out": 8}},
                *self.steps.several(replace(flat, widths=(8,)), 2),
                {"linear": {"out": "classes"}},
            ]
        return [*steps, "flatten", {"linear": {"out": "classes", "bias": chance.pick((True, False))}}]
