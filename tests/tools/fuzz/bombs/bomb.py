"""What a bomb is, how large it may be, and the table of families."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from archspec.language.text.files import ReadLimits

LIMITS = ReadLimits()
HEAD = 2_000
"""Bytes and values of a file that a family leaves for the rest of the spec."""

Section = Mapping[str, str]
Keys = Mapping[str, "str | Section"]


@dataclass(frozen=True)
class Bomb:
    """A spec by its keys, whose values are YAML in flow style, or ``raw``, its whole text; and the files beside it.

    A value may be a mapping, so that two bombs in one spec share the section.
    """

    keys: Keys = field(default_factory=dict)
    raw: str = ""
    files: Mapping[str, str] = field(default_factory=dict)
    overrides: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The text of the spec."""
        return self.raw or document(self.keys)

    @property
    def data(self) -> bytes:
        return self.text.encode("utf-8", "surrogateescape")

    def write(self, folder: Path) -> Path:
        """Write the spec and the files beside it; the path of the spec."""
        for name, text in self.files.items():
            (folder / name).write_text(text, encoding="utf-8")
        path = folder / "bomb.yaml"
        path.write_bytes(self.data)
        return path

    def beside(self, other: Bomb) -> Bomb:
        """One spec with the keys of both; this one's win."""
        keys = dict(other.keys)
        for key, value in self.keys.items():
            theirs = keys.get(key)
            mix = isinstance(value, Mapping) and isinstance(theirs, Mapping)
            keys[key] = {**theirs, **value} if mix else value  # type: ignore[dict-item]
        return Bomb(keys, files={**other.files, **self.files}, overrides=self.overrides + other.overrides)


def flow(entries: Mapping[str, str]) -> str:
    """A mapping in flow style."""
    return "{" + ", ".join(f"{as_key(key)}: {value}" for key, value in entries.items()) + "}"


def as_key(text: str) -> str:
    """A key before its colon. YAML takes keys of more than a thousand characters only after a question mark."""
    return f"? {text} " if len(text) > 1000 else text


def document(keys: Keys) -> str:
    """The text of a spec with these keys."""
    lines = [f"{key}: {flow(value) if isinstance(value, Mapping) else value}\n" for key, value in keys.items()]
    return "archspec: 1\nname: x\n" + "".join(lines)


@dataclass(frozen=True)
class Draw:
    """A source of decisions, and the ``part`` of the limits that a bomb may take."""

    random: Random
    part: float = 1.0

    def some(self, most: float) -> int:
        """A number near the part of ``most``."""
        return max(1, round(most * self.part * self.random.uniform(0.7, 1)))

    def pick(self, *items: str) -> str:
        return self.random.choice(items)

    def items(self, make: Callable[[int], str], values: float = 1, share: float = 1.0, most: int = 10**6) -> list[str]:
        """As many items as fit into a share of the file, each of so many values."""
        share *= self.part * self.random.uniform(0.93, 1)
        room = (LIMITS.bytes - HEAD) * share
        count = min(most, int((LIMITS.values - HEAD) * share / values))
        found: list[str] = []
        for number in range(count):
            item = make(number)
            room -= len(item.encode()) + 2
            if room < 0:
                break
            found.append(item)
        return found

    def listed(self, make: Callable[[int], str], values: float = 1, share: float = 1.0, most: int = 10**6) -> str:
        """The items as the text of a list."""
        return "[" + ", ".join(self.items(make, values, share, most)) + "]"

    def mapped(self, make: Callable[[int], str], values: float = 1, share: float = 1.0, most: int = 10**6) -> str:
        """The items, each ``key: value``, as the text of a mapping."""
        return "{" + ", ".join(self.items(make, values, share, most)) + "}"

    def name(self, length: int) -> str:
        """A name of about that length."""
        return "n" + self.pick("a", "bc", "x_") * max(1, int(length * self.part) // 2)

    def expression(self, names: tuple[str, ...] = ("in_channels",), length: int = 480) -> str:
        """A long expression over names, whose value is a whole number."""
        name = self.random.choice(names)
        term = {
            "sum": f"+0*{name}",
            "choice": f"+(1 if {name} < 0 else 0)",
            "least": f"+min(0,{name},9,9)",
            "deep": f"+0*(((({name}))))",
            "rounded": f"+0*make_divisible({name})",
        }[self.pick("sum", "choice", "least", "deep", "rounded")]
        return name + term * max(0, (length - len(name)) // len(term))

    def condition(self, names: tuple[str, ...] = ("in_channels",), length: int = 480) -> str:
        """A long expression that is false."""
        return f"{self.expression(names, length - 4)} < 0"


Family = Callable[[Draw], Bomb]
FAMILIES: dict[str, Family] = {}


def family(make: Family) -> Family:
    """Add a family to the table, by the function's name."""
    FAMILIES[make.__name__] = make
    return make


def chain(**more: str | Section) -> dict[str, str | Section]:
    """A network without shortcuts and downsampling, to which a family adds; its one block is ``b``."""
    table = {"block": "b", "count": "1", "channels": "4", "stride": "1"}
    found: dict[str, str | Section] = {"shortcut": "none", "blocks": {"b": "{steps: [act]}"}, "stem": "[]"}
    found |= more
    stages = found.get("stages", {})
    found["stages"] = {**table, **stages} if isinstance(stages, Mapping) else stages
    return found
