"""The colors of figures, in light and in dark mode."""

from __future__ import annotations

import re
from typing import NamedTuple


class Colors(NamedTuple):
    """The colors of areas and their outlines, or of lines, in light and in dark mode."""

    fill: str
    stroke: str
    dark_fill: str
    dark_stroke: str


AREAS = {
    "conv": Colors("#dbe9fb", "#2f6db5", "#1d3557", "#6ea6e8"),
    "linear": Colors("#eadcf8", "#7a45b0", "#3b2456", "#b78be0"),
    "pool": Colors("#dff2e1", "#3c8a4a", "#1d3d26", "#72bd80"),
    "norm": Colors("#fdf0d2", "#b7871b", "#46391a", "#d9ad4d"),
    "act": Colors("#fdf0d2", "#b7871b", "#46391a", "#d9ad4d"),
    "gate": Colors("#fbe3e0", "#b0493f", "#4a2521", "#e08a80"),
    "regularization": Colors("#f0f0f0", "#777777", "#2b2e35", "#9aa0aa"),
    "merge": Colors("#ffffff", "#444444", "#16181d", "#c7cad1"),
    "other": Colors("#f0f0f0", "#777777", "#2b2e35", "#9aa0aa"),
    "view": Colors("#f0f0f0", "#777777", "#2b2e35", "#9aa0aa"),
    "block": Colors("#eef4fc", "#2f6db5", "#1b2737", "#6ea6e8"),
    "stage": Colors("#eef4fc", "#2f6db5", "#1b2737", "#6ea6e8"),
    "card": Colors("#eef4fc", "#9db8da", "#1b2737", "#43628a"),
    "band": Colors("#fafafa", "#c8c8c8", "#14171c", "#43474f"),
    "frame": Colors("none", "#b0c4de", "none", "#43628a"),
    "inset": Colors("none", "#c8c8c8", "none", "#43474f"),
    "page": Colors("#ffffff", "none", "#0f1115", "none"),
}
DASHED = ("band",)
LINES = {
    "flow": ("#444444", "#c7cad1", 1.2),
    "projection": ("#2f6db5", "#6ea6e8", 2.4),
    "gate": ("#b0493f", "#e08a80", 1.2),
    "size": ("#8c8c8c", "#7d828c", 0.8),
}
TEXTS = {
    "ink": ("#1a1a1a", "#e8e8e8"),
    "note": ("#7a5a0e", "#e0bd6a"),
    "dim": ("#5f5f5f", "#a9adb5"),
    "accent": ("#2f6db5", "#82b1ec"),
}

FORBIDDEN = re.compile(
    "[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]"
    "|[\x7f-\x9f\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff]"
)
"""The characters that XML 1.0 cannot write, and those that control a terminal or turn the direction of the text."""
