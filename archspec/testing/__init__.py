"""The harness: what a spec expects of its network, and Hypothesis strategies for whoever tests what reads specs.

    >>> from archspec.testing import check
    >>> check("resnet50")
    []

``check`` gives everything that is to be said about a spec, ``examine`` what was tested of it, case by case.
Nothing is imported before it is asked for. The strategies need Hypothesis: ``pip install hypothesis``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from archspec.diagnostics import Diagnostic, EnvironmentFault

if TYPE_CHECKING:
    from archspec.passes.compiling import SpecLike
    from archspec.strategies.mutated import Mutation, mutations
    from archspec.strategies.specs import SpecText, graphs, specs
    from archspec.testing.harness import Case, Level, Outcome

__all__ = ["Case", "Level", "Mutation", "Outcome", "SpecText", "check", "examine", "graphs", "mutations", "specs"]


def examine(spec: SpecLike, *, level: Level = "run", **how: Any) -> Outcome:
    """What was tested of a spec, case by case: :func:`archspec.check`, at the highest level by default.

    >>> from archspec.testing import examine
    >>> [case.name for case in examine("resnet18", level="check").cases][:3]
    ['valid', 'expect.params', 'expect.macs']
    """
    from archspec.testing import harness  # `import archspec.testing` imports nothing else

    return harness.check(spec, level=level, **how)


def check(spec: SpecLike, *, level: Level = "check", **how: Any) -> list[Diagnostic]:
    """Everything that is to be said about a spec, warnings included; empty where all is well.

    Args:
        spec: as for :func:`archspec.check`, which also says what else may be given.
        level: how far it is tested; ``build`` and ``run`` need torch.

    Raises:
        ImportError: torch is not installed, and the level needs it.
        ValueError: a level of another name.

    >>> from archspec.testing import check
    >>> check("resnet18")
    []
    """
    from archspec.testing import harness  # `import archspec.testing` imports nothing else

    asked: object = level
    if isinstance(asked, str) and asked in ("build", "run") and not harness.has_torch():
        raise ImportError("the levels `build` and `run` need torch: pip install 'archspec-compiler[torch]'")
    return list(examine(spec, level=level, **how).diagnostics)


def __getattr__(name: str) -> Any:
    """The strategies, and the types of what the harness gives.

    Raises:
        EnvironmentFault: E809, Hypothesis is not installed.
    """
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if name in ("Case", "Level", "Outcome"):
        from archspec.testing import harness  # `import archspec.testing` imports nothing else

        return getattr(harness, name)
    try:
        from archspec import strategies  # needs Hypothesis
    except ModuleNotFoundError as error:
        if error.name != "hypothesis":
            raise
        help = "pip install hypothesis"
        raise EnvironmentFault(Diagnostic("E809", "the strategies need Hypothesis", help=help)) from None
    return getattr(strategies, name)
