"""The faults of data: what is missing, what is damaged, and what does not fit together."""

from __future__ import annotations

from archspec.diagnostics import Diagnostic, EnvironmentFault, Mention, SpecError, cut


def missing(message: str, help: str) -> SpecError:
    """E861: the data is not here. The help says what to fetch, from where, and where to put it."""
    return SpecError([Diagnostic("E861", message, help=help)])


def damaged(file: object, reason: str, help: str) -> SpecError:
    """E862: a file of the data is not what it should be."""
    return SpecError([Diagnostic("E862", f"`{cut(file, 200)}` {reason}", help=help)])


def unusable(message: str, help: str, *mentions: Mention) -> SpecError:
    """E868: the images or classes do not make a data set."""
    return SpecError([Diagnostic("E868", message, help=help, mentions=mentions)])


def no_package(data: str, package: str, install: str) -> EnvironmentFault:
    """E809: the package that contains the data is not installed."""
    message = f"the data `{data}` comes with {package}, which is not installed"
    return EnvironmentFault(Diagnostic("E809", message, help=install))
