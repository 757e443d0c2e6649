"""What is measured on a trained network: lesions, gradients at every block, and gradients by path length."""

from archspec.lab.measures.gradient_by_length import GradientByLength, gradient_by_length
from archspec.lab.measures.gradient_flow import (
    BlockFlow,
    ShortcutShare,
    gradient_autocorrelation,
    gradient_flow,
    shortcut_shares,
)
from archspec.lab.measures.lesions import scores

__all__ = [
    "BlockFlow",
    "GradientByLength",
    "ShortcutShare",
    "gradient_autocorrelation",
    "gradient_by_length",
    "gradient_flow",
    "scores",
    "shortcut_shares",
]
