"""What an experiment can be asked for, beyond what all of them take."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from archspec import arguments
from archspec.language.text.yaml_writer import flow
from archspec.wording import Brief

Takes = Literal["whole", "number", "wholes", "numbers", "word", "text", "texts", "file", "flag"]


@dataclass(frozen=True, slots=True, repr=False)
class ExperimentOption(Brief):
    """An option of an experiment: its name in Python, what it is, and which values it takes.

    ``default`` is the value without it. ``least`` and ``most`` bound numbers, and each number of a list; ``words`` are
    the words that there are. ``excludes`` are the arguments of a smallest run that do not go with it.

    >>> ExperimentOption("plain", "Depths.", (3, 9), "wholes", least=1).read("3,18")
    (3, 18)
    """

    name: str
    doc: str
    default: Any
    takes: Takes
    least: float = 0
    most: float = 1_000_000
    words: tuple[str, ...] = ()
    excludes: tuple[str, ...] = ()

    @property
    def shown(self) -> str:
        """The default, as it is written on the command line."""
        return show_value(self.default)

    def check(self, value: object) -> Any:
        """The value as the experiment takes it.

        Raises:
            TypeError: it is of the wrong type.
            ValueError: it is not possible.
        """
        if self.takes == "flag":
            return arguments.flag(value, self.name)
        if value is None and self.default is None:
            return None
        if self.takes == "word":
            arguments.word(value, self.name, self.words)
            return value
        if self.takes in ("text", "file"):
            return arguments.text(value, self.name)
        if self.takes == "texts":
            return arguments.several(value, self.name, "several texts", str)
        if self.takes in ("whole", "number"):
            return self._one(value)
        found = None if isinstance(value, str | bytes) else arguments.items(value)
        if found is None:
            raise arguments.wrong(self.name, "several numbers such as [3, 9]", value)
        numbers = tuple([self._one(each) for each in found])
        for each in numbers:
            if numbers.count(each) > 1:
                raise ValueError(f"`{self.name}` takes each number once, got {each:g} twice")
        return numbers

    def _one(self, value: object) -> float:
        if self.takes.startswith("whole"):
            return arguments.whole(value, self.name, int(self.least), int(self.most))
        found = arguments.finite(value, self.name)
        if not self.least <= found <= self.most:
            raise ValueError(f"`{self.name}` takes numbers from {self.least:g} to {self.most:g}, got {found:g}")
        return found

    def words_of(self, value: Any) -> list[str]:
        """The words of a command line that set it to a value; none for its default."""
        name = f"--{self.name.replace('_', '-')}"
        if value == self.default:
            return []
        if self.takes == "flag":
            return [name]
        return [word for each in value for word in (name, each)] if self.takes == "texts" else [name, show_value(value)]

    def read(self, text: str) -> Any:
        """The value of a text on the command line; ``texts`` and a ``flag`` have no single text.

        Raises:
            TypeError, ValueError: it is not one.
        """
        if self.takes in ("word", "text", "file"):
            return self.check(text)
        values = tuple(self._numbers(text))
        if self.takes in ("whole", "number"):
            if len(values) != 1:
                raise ValueError(f"`{self.name}` takes one number, got {arguments.given(text)}")
            return self.check(values[0])
        return self.check(values)

    def _numbers(self, text: str) -> Iterator[float]:
        for part in text.split(","):
            try:
                yield int(part) if self.takes.startswith("whole") else float(part)
            except ValueError:
                kind = "whole numbers" if self.takes.startswith("whole") else "numbers"
                example = self.shown or "1,2"
                message = f"`{self.name}` takes {kind} such as {example}, got {arguments.given(part)}"
                raise ValueError(message) from None


def show_value(value: object) -> str:
    """A value of an option as it is written on the command line.

    >>> show_value((3, 9)), show_value(0.5), show_value(None), show_value({"aux": 0.4})
    ('3,9', '0.5', '', '{aux: 0.4}')
    """
    if value is None:
        return ""
    if isinstance(value, tuple | list):
        return ",".join(map(show_value, value))
    if isinstance(value, Mapping):
        return flow(dict(value))
    return f"{value:g}" if isinstance(value, float) else str(value)
