"""The harness: what a spec expects of its network, and Hypothesis strategies for whoever tests what reads specs.

    >>> from archspec.testing import check
    >>> check("resnet50")
    []

``check`` gives everything that is to be said about a spec, ``examine`` what was tested of it, case by case.
Nothing is imported before it is asked for. The strategies need Hypothesis: ``pip install hypothesis``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from archspec.strategies import Mutation, SpecText, graphs, mutations, specs
    from archspec.testing.harness import Case, Level, Outcome, check, examine

__all__ = ["Case", "Level", "Mutation", "Outcome", "SpecText", "check", "examine", "graphs", "mutations", "specs"]

_HARNESS = frozenset({"Case", "Level", "Outcome", "check", "examine"})


def __getattr__(name: str) -> Any:
    """The harness, the strategies, and what they give.

    Raises:
        EnvironmentFault: E809, Hypothesis is not installed.
    """
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if name in _HARNESS:
        from archspec.testing import harness

        return getattr(harness, name)
    try:
        from archspec import strategies
    except ModuleNotFoundError as error:
        if error.name != "hypothesis":
            raise
        from archspec.diagnostics import Diagnostic, EnvironmentFault

        help = "pip install hypothesis"
        raise EnvironmentFault(Diagnostic("E809", "the strategies need Hypothesis", help=help)) from None
    return getattr(strategies, name)
