"""One spec after another: whatever one of them raises becomes diagnostics with its name, and the others go on."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import Any, TypeVar, cast

import click

from archspec.diagnostics import Diagnostic, EnvironmentFault, SpecError, cut, in_one_line

from .render import show
from .signals import end_if_asked
from .spelling import as_json
from .streams import put_json, say

T = TypeVar("T")

AT_FAULT, USAGE, ENVIRONMENT, DEFECT = 1, 2, 3, 70
STATUS = {
    **dict.fromkeys(("E831", "E832", "E860", "E869", "E874", "E883", "E885", "E891"), USAGE),
    **dict.fromkeys(("E002", "E805", "E806", "E809", "E861", "E862", "E866", "E867", "E868"), ENVIRONMENT),
    **dict.fromkeys(("E880", "E881", "E882", "E884", "E890"), ENVIRONMENT),
    "E001": DEFECT,
}
"""The exit status for a code, if it is not :data:`AT_FAULT`."""

OF_CLICK = (click.ClickException, click.Abort, click.exceptions.Exit)
"""Wrong usage, and exits that click requests."""


def attempt(reference: str, work: Callable[[], T]) -> tuple[T | None, tuple[Diagnostic, ...]]:
    """The result of some work on one spec; or None, and the diagnostics that say why.

    Every command that takes several specs does its work on each of them in here. The work must not write output: an
    exception of a stream would count as one of the spec.
    """
    try:
        return work(), ()
    except OF_CLICK:
        raise
    except Exception as error:
        end_if_asked()  # a signal may have caused the fault
        return None, faults_of(error, reference)


def demand(reference: str, work: Callable[[], T]) -> T:
    """The result of some work on one spec, for a command that cannot go on without it.

    Raises:
        SpecError: whatever was raised, as diagnostics.
    """
    result, faults = attempt(reference, work)
    if faults:
        raise SpecError(faults)
    return cast(T, result)


def faults_of(error: Exception, reference: str) -> tuple[Diagnostic, ...]:
    """What an exception says about the spec that raised it. E001 if archspec should have foreseen it."""
    if isinstance(error, SpecError):
        return error.diagnostics
    if isinstance(error, EnvironmentFault):
        return (error.diagnostic,)
    named = cut(reference)
    if isinstance(error, MemoryError):
        help = "make the network smaller, or give the process more memory"
        return (Diagnostic("E002", f"not enough memory for `{named}`", help=help),)
    if os.environ.get("ARCHSPEC_DEBUG"):
        import traceback  # only for a defect

        say("".join(traceback.format_exception(error)).rstrip())
    help = "this is a bug in archspec: please report it with the spec; ARCHSPEC_DEBUG=1 shows where it happened"
    return (Diagnostic("E001", f"internal error in `{named}`: {in_one_line(error)}", help=help),)


def status_of(diagnostics: Iterable[Diagnostic]) -> int:
    """The exit status for diagnostics: that of the worst error, or 0 without an error."""
    found = [STATUS.get(each.code, AT_FAULT) for each in diagnostics if each.severity == "error"]
    return max(found, default=0)


def refuse(diagnostics: Iterable[Diagnostic], spec: str, form: str) -> None:
    """Print the diagnostics of a failure: on standard error, or as JSON on standard output."""
    if form == "json":
        put_json(refusal(diagnostics, spec))
    else:
        show(diagnostics)


def refusal(diagnostics: Iterable[Diagnostic], spec: str) -> dict[str, Any]:
    """The diagnostics of a failure, as plain data for JSON."""
    return {"spec": spec, "valid": False, "diagnostics": as_json(diagnostics)}
