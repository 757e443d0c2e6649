"""The lab: training networks, and experiments about them.

Each experiment is a function here, with the name that ``archspec lab`` has for it. Nothing is imported before it is
asked for.

    >>> import archspec.lab
    >>> archspec.lab.__all__
    ['ablate', 'degradation', 'gradients', 'lesion', 'stochastic']
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from archspec.lab.experiments.ablate import ablate
    from archspec.lab.experiments.degradation import degradation
    from archspec.lab.experiments.gradients import gradients
    from archspec.lab.experiments.lesion import lesion
    from archspec.lab.experiments.stochastic import stochastic

__all__ = ["ablate", "degradation", "gradients", "lesion", "stochastic"]


def __getattr__(name: str) -> Any:
    """An experiment, imported when it is asked for: it imports torch."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.experiments.{name}"), name)


def __dir__() -> list[str]:
    """The names here, those of the experiments among them, without importing any."""
    return sorted({*globals(), *__all__})
