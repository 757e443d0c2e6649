"""One budget for a compilation: how large a network may become, and how much work its spec may cause."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from archspec import arguments
from archspec.diagnostics import Diagnostic, Mention, Span, SpecError
from archspec.display import counted
from archspec.wording import Brief

NODES = 150_000
"""The most nodes by default."""


@dataclass(frozen=True, slots=True, repr=False)
class Limits(Brief):
    """The limits of one network and of its compilation.

    ``nodes`` bounds its nodes, ``elements`` the elements of one value or of all weights together, and ``work`` the
    steps that its compilation takes, from reading to finding the outputs. A step takes about half a microsecond.

    >>> Limits(nodes=100)
    Limits(nodes=100, elements=100000000000, work=1000000)
    """

    nodes: int = NODES
    elements: int = 100_000_000_000
    work: int = 1_000_000

    def __post_init__(self) -> None:
        for name in ("nodes", "elements", "work"):
            object.__setattr__(self, name, arguments.whole(getattr(self, name), name, 1))

    @classmethod
    def of(cls, value: object) -> Limits:
        """The limits that a caller passed as ``limits``, or the default for None."""
        if value is None:
            return cls()
        return arguments.instance(value, "limits", cls, "None or limits such as archspec.Limits(nodes=100)")


MAX_NODES = Mention("limits.nodes", "`limits.nodes`")
MAX_ELEMENTS = Mention("limits.elements", "`limits.elements`")
MAX_WORK = Mention("limits.work", "`limits.work`")

READING = "reading its text"
MERGING = "merging the specs that it extends"
DEFINING = "reading its definitions and its stage table"
EXPRESSIONS = "evaluating its expressions"
NAMES = "making names"
EXPANDING = "expanding its blocks and steps"
FAULTS = "explaining its faults"
OUTPUTS = "finding its outputs"

LESS: Mapping[str, str] = {
    READING: "write fewer values, or fewer files",
    MERGING: "extend fewer specs, or shorter ones",
    DEFINING: "write fewer definitions, parameters, columns or stages",
    EXPRESSIONS: "write fewer or shorter expressions in blocks that repeat",
    NAMES: "write shorter names, or fewer blocks",
    EXPANDING: "lower `count` or `times`, or write fewer steps and parameters in what repeats",
    FAULTS: "correct some faults first",
    OUTPUTS: "write fewer outputs",
}
"""What takes work, and how to reduce it."""


class Work:
    """What a compilation has cost so far, in steps, and the most that it may cost.

    Every loop over something that an author can make long or repeat takes steps from it. So no part of the compiler
    needs a limit of its own to keep the promise of time and memory. ``by`` says what the steps were for. A spec and a
    graph record the steps that they took, and the next arrow continues the count from these, its ``before``.

    >>> work = Work(Limits(work=100))
    >>> work.spend(EXPANDING, 60)
    >>> work.spent
    60
    >>> work.spend(EXPRESSIONS, 50)
    Traceback (most recent call last):
        ...
    archspec.diagnostics.SpecError: error[E603]: this spec takes more than 100 steps to compile
      steps: 55% for expanding its blocks and steps, 45% for evaluating its expressions
      help: lower `count` or `times`, or write fewer steps and parameters in what repeats, or raise `limits.work`
    """

    __slots__ = ("by", "limits", "most", "spent")

    def __init__(self, limits: Limits | None = None, before: Mapping[str, int] | None = None) -> None:
        self.limits = limits or Limits()
        # A higher limit of nodes allows the steps of these nodes too.
        self.most = self.limits.work + STEPS_OF_A_COPY * max(0, self.limits.nodes - NODES)
        self.by = {**dict.fromkeys(LESS, 0), **(before or {})}
        self.spent = sum(self.by.values())

    def spend(self, what: str, steps: int, span: Span | None = None) -> None:
        """Count ``steps`` for one of the purposes in :data:`LESS`.

        Raises:
            SpecError: E603, there are more steps than are left. It points to ``span``.
        """
        self.spent += steps
        self.by[what] += steps
        if self.spent > self.most:
            raise SpecError([self._refusal(span)])

    def _refusal(self, span: Span | None) -> Diagnostic:
        shares = sorted(self.by.items(), key=lambda item: -item[1])
        message = f"this spec takes more than {counted(self.most, 'step')} to compile"
        told = [f"{steps / self.spent:.0%} for {what}" for what, steps in shares if steps * 100 > self.spent]
        help = f"{LESS[shares[0][0]]}, or raise {MAX_WORK.text}"
        return Diagnostic("E603", message, span, notes=(f"steps: {', '.join(told)}",), help=help, mentions=(MAX_WORK,))


STEPS_OF_A_BLOCK = 25
"""What it takes to enter a block that is not a copy, beside its parameters and expressions."""
STEPS_OF_A_NODE = 20
"""Steps of work to make a node from a step."""
STEPS_OF_A_KIND = 40
"""Steps of work to find what an operation comes to at a size of inputs that it has not had in the network."""
STEPS_OF_A_COPY = 3
"""Steps of work to copy a node with a block that repeats."""
STEPS_OF_A_FILE = 200
"""Steps of work to find a file and to open it, even if it was read before."""
STEPS_OF_A_VALUE = 40
"""Steps of work to read a value of a text, to check it, and to resolve it."""
ENTRIES = 16
"""How many entries of a mapping, or characters of a name, one step copies."""
