"""The promise, checked for one input: each function gives how far the input came, or raises :class:`Broken`."""

from __future__ import annotations

import gc
import math
import resource
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import archspec
from archspec.codes import CODES
from archspec.diagnostics import Diagnostic, Source, Span
from archspec.language.expressions.parser import parse
from archspec.language.expressions.values import FUNCTIONS, ExpressionFault
from archspec.language.schema_faults import validate
from archspec.language.text.files import decode
from archspec.language.text.reader import read
from archspec.testing.expectations import check_expectations
from tests.tools.fuzz.clock import Clock

SECONDS = 1.0
"""Of the processor, for one input, as :mod:`tests.tools.fuzz.clock` counts them."""
MEBIBYTES = 300
"""The most that the process may ever have held, Python and archspec included."""

PHASES = ("read", "validate", "resolve", "lower", "check")
EXPRESSION_PHASES = ("parse", "evaluate")


class Broken(Exception):
    """An input that broke the promise, and how."""


# -- specs -------------------------------------------------------------------------------------------------------------


def survive_spec(data: bytes, path: str | None = None) -> int:
    """Decode, compile and check a spec; how many of :data:`PHASES` it passed. Limits are those of the command line."""
    try:
        source = decode(data, "fuzzed")
    except archspec.SpecError as error:
        check_refusal(error)
        return 0
    return survive_source(Source(source.name, source.text, path=path))


def survive_source(source: Source, overrides: tuple[str, ...] = ()) -> int:
    """Compile and check a spec; how many of :data:`PHASES` it passed."""
    passed = 0
    try:
        document = read(source)
        passed = 1
        validate(document)
        passed = 2
        spec = archspec.load(source, overrides=overrides)
        passed = 3
        graph = archspec.compile(spec)
        passed = 4
        found = [*graph.warnings, *check_expectations(graph)]
    except archspec.SpecError as error:
        check_refusal(error)
        return passed
    check_diagnostics(found)
    return 4 if any(d.severity == "error" for d in found) else 5


def check_refusal(error: archspec.SpecError) -> None:
    require(any(d.severity == "error" for d in error.diagnostics), "a refusal without an error")
    check_diagnostics(error.diagnostics)


def check_diagnostics(found: Iterable[Diagnostic]) -> None:
    """The codes are known, the sentences can be printed, and every place lies inside its source."""
    lines: dict[Source, list[str]] = {}  # of each source once, or this takes longer than the compiler
    for diagnostic in found:
        require(diagnostic.code in CODES, f"no such code: {diagnostic.code}")
        labels = [label.text for label in diagnostic.labels]
        for text in (diagnostic.message, diagnostic.hint, diagnostic.help, *diagnostic.notes, *labels):
            require(len(text) < 1000, f"a long text: {text[:100]}")
            require(text.isprintable(), f"unprintable: {text!r}")
        for span in (diagnostic.span, *(label.span for label in diagnostic.labels)):
            if span is not None:
                if span.source not in lines:
                    lines[span.source] = lines_of(span.source)
                check_place(span, lines[span.source])


def lines_of(source: Source) -> list[str]:
    lines = (source.text + ".").splitlines()  # the stop keeps a line break at the end
    return [*lines[:-1], lines[-1][:-1]]


def check_place(span: Span, lines: list[str]) -> None:
    where = tuple(span[1:])
    require((span.line, span.column) <= (span.end_line, span.end_column), f"an end before its start: {where}")
    for line, column in ((span.line, span.column), (span.end_line, span.end_column)):
        require(1 <= line <= max(len(lines), 1), f"no such line: {where}")
        # One past the end is where something is missing, and a caret under an empty stretch is one column wide.
        require(1 <= column <= len(lines[line - 1]) + 2, f"no such column: {where}")


def require(holds: bool, message: str) -> None:
    if not holds:
        raise Broken(message)


# -- expressions -------------------------------------------------------------------------------------------------------

NAMES: dict[str, Any] = {"a": 3, "b": 64, "c": 0.5, "zero": 0, "yes": True, "no": False, "act": "relu", "order": "pre"}


def survive_expression(text: str) -> int:
    """Parse and evaluate; how many of :data:`EXPRESSION_PHASES` it passed. A value must be the one of Python."""
    try:
        expression = parse(text)
    except ExpressionFault as fault:
        check_fault(fault, text)
        return 0
    try:
        value = expression.evaluate(NAMES, doubled)
    except ExpressionFault as fault:
        check_fault(fault, text)
        return 1
    check_value(text, value)
    return 2


def check_fault(fault: ExpressionFault, text: str) -> None:
    require(fault.code in CODES, f"no such code: {fault.code}")
    require(0 <= fault.start <= fault.end <= len(text) + 1, f"no such place: {fault.start}, {fault.end}")


def check_value(text: str, value: object) -> None:
    """archspec accepted ``text``, so that it holds nothing but arithmetic: Python must read it alike."""
    require(type(value) in (bool, int, float, str), f"no value of the language: {value!r}")
    if isinstance(value, int | float):
        require(math.isfinite(value) and abs(value) <= 1e15, f"out of bounds: {value!r}")
    # In parentheses, because a line break ends an expression of Python and is a space in one of archspec.
    expected = eval(f"({text.strip()})", {"__builtins__": {}}, {**NAMES, **PYTHON})
    require(type(value) is type(expected) and value == expected, f"{value!r} where Python has {expected!r}")


def doubled(value: Any) -> int:
    return int(2 * value)


def make_divisible(value: float, divisor: int = 8) -> int:
    """As torchvision and timm have it, with the divisor as the least."""
    divisor = int(divisor)  # 8 and 8.0 are one number in the language
    rounded = max(divisor, int(value + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * value else rounded


PYTHON: dict[str, Any] = {
    "int": int,
    "round": round,
    "floor": math.floor,
    "ceil": math.ceil,
    "min": min,
    "max": max,
    "abs": abs,
    "sqrt": math.sqrt,
    "make_divisible": make_divisible,
    "scaled": doubled,
    "letter": lambda index: "abcdefghijklmnopqrstuvwxyz"[int(index)],
    "true": True,
    "false": False,
}
assert PYTHON.keys() >= FUNCTIONS.keys()


# -- time and memory ---------------------------------------------------------------------------------------------------


@contextmanager
def stopped_after(seconds: float, second: float) -> Iterator[None]:
    """Raises :class:`Broken` in what runs longer than so many seconds of the promise, each of ``second``."""

    def stop(*_: object) -> None:
        raise Broken(f"not done after {seconds:g} s")

    before = signal.signal(signal.SIGVTALRM, stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds * second)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def watched(
    run: Callable[[], int], *, memory: bool = True, seconds: float = SECONDS, clock: Clock | None = None
) -> tuple[int, float]:
    """What ``run`` gives and the seconds that it took, of the promise's by ``clock``.

    Raises:
        Broken: any exception but its own, too much time, or (``memory``) a process that has grown too large.
    """
    second = (clock or Clock()).second()
    start = time.thread_time()
    try:
        with stopped_after(10 * seconds, second):
            result = run()
    except Broken:
        raise
    except Exception as error:
        raise Broken(f"{type(error).__name__}: {error}") from error
    taken = (time.thread_time() - start) / second
    require(taken <= seconds, f"{taken:.1f} s of the processor")
    require(not memory or peak() <= MEBIBYTES, f"{peak():.0f} MiB")
    return result, taken


def collect_as_the_command() -> None:
    """Set the collector of garbage as the command does, whose time is promised."""
    gc.set_threshold(100_000, 50, 100)


def peak() -> float:
    """The most memory that this process has held, in MiB."""
    status = Path("/proc/self/status")
    if status.exists():  # what the system counts for a process begins with what the process that started it had
        line = next(line for line in status.read_text(encoding="ascii").splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
