"""The texts of boxes, for one use of a block or for several, with a symbol where the uses differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from archspec.operations.captions import Caption, Phrase

Numbers = tuple[float, ...]
"""One number for each use of a block."""

LETTERS = {"kernel": "k", "stride": "s", "groups": "g", "dilation": "d"}
"""The symbols that papers use for arguments that differ between the uses of a block."""

MEANINGS = {
    "C": "C: the number after the name of a block",
    "N": "N: channels that enter",
    "k": "k: kernel",
    "s": "s: stride",
    "g": "g: groups",
    "d": "d: dilation",
}

LETTERED = "blocks with one letter differ in numbers and activations at most"
NOTED = "name = values: in the order of the blocks"

_MOST = 16
"""The largest factor between two widths that counts as a rule: larger ones may be a coincidence."""


def plain(caption: Caption) -> str:
    """The text of one use.

    >>> plain((Phrase("{} conv", "kernel", 3), Phrase("{}", "out", 64), Phrase("/{}", "stride", 1, usual=1)))
    '3 conv, 64'
    """
    return ", ".join([_filled(piece) for piece in caption if piece.usual is None or piece.value != piece.usual])


def template(caption: Caption) -> tuple[tuple[str, str], ...]:
    """The caption without its numbers: uses with equal results share a box."""
    return tuple([(piece.text, piece.argument) for piece in caption])


def _filled(piece: Phrase) -> str:
    if not piece.argument:
        return piece.text
    values = piece.value if isinstance(piece.value, tuple) else (piece.value,)
    return _written(piece, [_number(value) for value in values])


def _written(piece: Phrase, values: Sequence[str]) -> str:
    """The piece with numbers or their symbols. A range to 4 is written to 3, and one to C to one less than C."""
    *others, last = values
    if piece.through:
        last = str(int(last) - 1) if last.isdecimal() else f"{last} \N{MINUS SIGN} 1"
    return piece.text.format(piece.between.join([*others, last]))


def _number(value: float | str) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


class Symbols:
    """The symbols of the numbers that differ between the uses of a block.

    ``channels`` and ``enter`` are the widths of the block and of its input; ``parameters`` are its parameters by name.
    ``used`` has the letters, ``named`` the parameters, and ``words`` the names of differing activations that captions
    asked for, each with its value in each use.
    """

    def __init__(self, channels: Numbers, enter: Numbers, parameters: Mapping[str, Numbers]) -> None:
        self.channels, self.enter = channels, enter
        self.parameters = {name: values for name, values in parameters.items() if len(set(values)) > 1}
        self.used: dict[str, Numbers] = {}
        self.named: dict[str, Numbers] = {}
        self.words: dict[str, tuple[str, ...]] = {}

    def text(self, captions: Sequence[Caption]) -> str:
        """The text of a box, from its caption in each use."""
        first, *others = captions
        if all(each == first for each in others):
            return plain(first)
        found = [self._piece(pieces) for pieces in zip(*captions, strict=True)]
        return ", ".join(filter(None, found))

    def _piece(self, pieces: Sequence[Phrase]) -> str:
        first = pieces[0]
        if all(piece.value == first.value for piece in pieces):
            return "" if first.value == first.usual else _filled(first)
        words = tuple([piece.value for piece in pieces if isinstance(piece.value, str)])
        if len(words) == len(pieces):
            return first.text.format(self._word(first.argument, words))
        values = [piece.value if isinstance(piece.value, tuple) else (piece.value,) for piece in pieces]
        if len({len(each) for each in values}) > 1:
            values = [each * max(map(len, values)) if len(each) == 1 else each for each in values]
        columns = list(zip(*values, strict=False))
        if len(set(columns)) == 1 and (name := self._name(first.argument, columns[0])):
            shown: Sequence[str] = [name] * (len(columns) if isinstance(first.value, tuple) else 1)
        else:
            names = [self._name(first.argument, column) for column in columns]
            if not all(names):
                return first.without
            shown = [name for name in names if name]
        return _written(first, shown)

    def _name(self, argument: str, values: tuple[float | str, ...]) -> str | None:
        """The symbol of a number that differs between the uses; the number itself if it does not differ."""
        if len(set(values)) == 1:
            return _number(values[0])
        numbers = tuple([value for value in values if isinstance(value, int)])
        if len(numbers) < len(values):
            return None
        if argument in LETTERS:
            letter = LETTERS[argument]
            return letter if self.used.setdefault(letter, numbers) == numbers else self._parameter(numbers)
        return (
            self._times("C", numbers, self.channels, exact=True)
            or self._parameter(numbers)
            or self._times("C", numbers, self.channels)
            or self._times("N", numbers, self.enter)
        )

    def _parameter(self, numbers: Numbers) -> str | None:
        found = next((name for name, values in self.parameters.items() if values == numbers and len(name) <= 10), None)
        if found:
            self.named[found] = numbers
        return found

    def _word(self, argument: str, words: tuple[str, ...]) -> str:
        """``act``; ``act2`` if other activations of the block have other values."""
        known = next((name for name, values in self.words.items() if values == words), None)
        name = known or (f"{argument}{len(self.words) + 1}" if self.words else argument)
        self.words[name] = words
        return name

    def _times(self, symbol: str, numbers: Numbers, of: Numbers, *, exact: bool = False) -> str | None:
        """``4C`` or ``C/4`` for numbers that are four times or a quarter of the symbol's."""
        number, base = int(numbers[0]), int(of[0])
        if exact and numbers != of:
            return None
        text = None
        if numbers == of:
            text = symbol
        elif number % base == 0 and number // base <= _MOST:
            factor = number // base
            text = f"{factor}{symbol}" if all(n == factor * b for n, b in zip(numbers, of, strict=True)) else None
        elif base % number == 0 and base // number <= _MOST:
            divisor = base // number
            text = f"{symbol}/{divisor}" if all(n * divisor == b for n, b in zip(numbers, of, strict=True)) else None
        if text and len(set(of)) > 1:
            self.used.setdefault(symbol, of)
        return text
