"""How far the results of two networks are apart, how far rounding alone takes them, and what that means."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from archspec.display import plain
from archspec.wording import Brief

Shape = tuple[int, ...]

Kind: TypeAlias = Literal["eval", "train", "gradients", "buffers"]

KINDS: Mapping[Kind, str] = {
    "eval": "in eval mode",
    "train": "in training",
    "gradients": "of gradients",
    "buffers": "of statistics",
}
"""What is compared, and its words in messages."""

FACTOR = 256
"""How many times the reference's own rounding is allowed.

Ten networks were compared with themselves, with every convolution and linear layer written as the sum of two halves.
The largest ratio of the difference to the rounding was 4.2, and 41 in a network of batch normalizations over two
values, where float32 has no digits left. A real difference, such as another eps, is usually thousands of
times larger in float64.
"""


@dataclass(frozen=True, repr=False)
class Gap(Brief):
    """The largest difference: absolute, relative to the largest number of the reference's tensor, and where it is.

    ``at`` is the tensor, and ``index`` the place in it, from 0.
    """

    largest: float = 0.0
    relative: float = 0.0
    at: str = ""
    index: Shape = ()

    def __str__(self) -> str:
        """The difference and its place, for a message."""
        place = f", at {list(self.index)} of `{self.at}`" if self.at else ""
        return f"{self.largest:.3g} ({self.relative:.3g} of the largest value){place}"


@dataclass(frozen=True, repr=False)
class Judged(Brief):
    """The tensor whose difference exceeds rounding by most, or comes closest to it.

    ``rounding`` is what was measured for that tensor, and ``allowed`` is :data:`FACTOR` times as much. Both are
    relative to the tensor's largest number, like the gap's ``relative``.
    """

    gap: Gap
    rounding: float
    allowed: float
    held: bool

    def as_data(self) -> dict[str, Any]:
        """As plain data, for JSON."""
        return {
            **plain(self.gap, "largest", "relative"),
            "at": self.gap.at or None,
            **plain(self, "rounding", "allowed"),
        }


@dataclass(frozen=True, repr=False)
class Measured(Brief):
    """What rounding explains of one kind of results.

    ``native`` compares the networks in the reference's own dtype, and ``wide`` in float64, where rounding hides
    nothing. ``wide`` is None if the reference does not run in float64, or is in float64 itself.
    """

    native: Judged
    wide: Judged | None = None

    @property
    def failing(self) -> Judged | None:
        """What exceeds rounding, if anything. Float64 decides, if there is one."""
        if (self.wide or self.native).held:
            return None
        return self.wide if self.wide and self.native.held else self.native


@dataclass(frozen=True, repr=False)
class Outputs(Brief):
    """How far results are apart with equal weights.

    ``reason`` says why they could not be compared; where that is because nothing says which weights belong together,
    they are not ``paired``. ``random`` says why training could not be compared number by number: then ``train``,
    ``gradients`` and ``buffers`` are None.

    ``measured`` has what rounding explains of each kind of results. It is empty if the results are equal, or within
    ``tolerance``. ``dtype`` is the reference's, and ``narrow`` says why float64 could not be used.
    """

    held: bool
    reason: str = ""
    paired: bool = True
    tolerance: float = 0.0
    eval: Gap | None = None
    train: Gap | None = None
    gradients: Gap | None = None
    buffers: Gap | None = None
    random: str = ""
    measured: Mapping[Kind, Measured] = field(default_factory=dict)
    dtype: str = "float32"
    narrow: str = ""

    @property
    def found(self) -> dict[Kind, Gap]:
        """How far apart what could be compared is."""
        every: dict[Kind, Gap | None] = {
            "eval": self.eval,
            "train": self.train,
            "gradients": self.gradients,
            "buffers": self.buffers,
        }
        return {kind: gap for kind, gap in every.items() if gap is not None}

    @property
    def gaps(self) -> dict[str, Gap]:
        """The same, by the words of messages."""
        return {KINDS[kind]: gap for kind, gap in self.found.items()}

    @property
    def beyond(self) -> dict[Kind, Gap]:
        """The gaps that are larger than ``tolerance``."""
        return {kind: gap for kind, gap in self.found.items() if not gap.relative <= self.tolerance}

    @property
    def failing(self) -> dict[str, Gap]:
        """The gaps that neither ``tolerance`` allows nor rounding explains."""
        return {KINDS[kind]: gap for kind, gap in self.beyond.items() if not self._explained(kind)}

    def _explained(self, kind: Kind) -> bool:
        return kind in self.measured and self.measured[kind].failing is None

    @property
    def difference(self) -> str:
        """In words, how results differ, or why that cannot be said; empty where they do not."""
        if self.reason:
            return f"outputs cannot be compared: {self.reason}"
        for kind, gap in self.beyond.items():
            if self._explained(kind):
                continue
            measured = self.measured.get(kind)
            judged = measured.failing if measured else None
            wide = measured is not None and judged is measured.wide
            told = judged.gap if judged else gap
            bound = max(self.tolerance, judged.allowed if judged else 0.0)
            allowed = f"{bound:.3g} of the largest value" if bound else "no difference"
            where = (
                f"in float64, the largest difference {KINDS[kind]}" if wide else f"the largest difference {KINDS[kind]}"
            )
            return f"with equal weights{',' if wide else ''} {where} is {told}, where {allowed} is allowed"
        return ""

    @property
    def rounding(self) -> str:
        """In words, what was measured of the reference's rounding; empty if nothing had to be."""
        if not self.measured:
            return ""
        natives = [each.native for each in self.measured.values()]
        own = f"{max(each.rounding for each in natives):.2g}"
        if self.narrow:
            return f"with its sums in another order, the reference differs from itself by {own} of the largest value"
        wide = [each.wide for each in self.measured.values() if each.wide]
        if not wide:
            return f"up to {max(each.allowed for each in natives):.2g} of the largest value is rounding"
        apart = f"{max(each.gap.relative for each in wide):.2g}"
        told = f"in {self.dtype}, the reference differs from itself in float64 by {own} of the largest value"
        return f"{told}; in float64, the networks differ by {apart}"

    def __str__(self) -> str:
        """One line: the largest differences, or why outputs were not compared."""
        if self.reason:
            return f"not compared: {self.reason}"
        told = f"max |d| = {', '.join(f'{gap.largest:.3g} {name}' for name, gap in self.gaps.items())}"
        allowed = f"{self.tolerance:.3g} of the largest value is allowed" if self.tolerance else ""
        random = f"training is not compared: {self.random}" if self.random else ""
        return "; ".join(filter(None, [told, allowed, self.rounding, random]))

    def as_data(self) -> dict[str, Any]:
        """As plain data, for JSON."""
        return {
            "reason": self.reason or None,
            **{kind: self._kind(kind) for kind in KINDS},
            "random": self.random or None,
            "dtype": self.dtype,
            "narrow": self.narrow or None,
        }

    def _kind(self, kind: Kind) -> dict[str, Any] | None:
        gap = self.found.get(kind)
        if gap is None:
            return None
        measured = self.measured.get(kind)
        return {
            **plain(gap, "largest", "relative"),
            "at": gap.at or None,
            "index": list(gap.index) if gap.at else None,
            "native": measured.native.as_data() if measured else None,
            "float64": measured.wide.as_data() if measured and measured.wide else None,
        }
