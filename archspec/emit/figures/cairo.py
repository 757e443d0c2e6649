"""Figures as PNG and PDF, which cairosvg makes from the SVG."""

from __future__ import annotations

import math
import re

from archspec.emit.figures.sheet import Sheet

_SCALE = 2.0
"""Pixels of a PNG for each pixel of the figure, so that it is sharp on high-density screens."""
_LONGEST, _MOST = 30_000, 100e6
"""The longest side of a PNG (cairo takes 32,767), and its most pixels, each of which takes four bytes."""


def png(text: str, sheet: Sheet) -> bytes:
    """The bytes of a PNG: twice the size of the figure, less if that would be very large."""
    import cairosvg  # only the extra `figure` has it

    scale = min(_SCALE, _LONGEST / max(sheet.width, sheet.height), math.sqrt(_MOST / (sheet.width * sheet.height)))
    made: bytes = cairosvg.svg2png(bytestring=text.encode(), scale=scale)
    return made


def pdf(text: str) -> bytes:
    """The bytes of a PDF: vectors, and text that can be selected. Its date is constant."""
    import cairosvg  # likewise

    made: bytes = cairosvg.svg2pdf(bytestring=text.encode())
    return re.sub(rb"(/CreationDate \(D:)(\d{14})", lambda found: found[1] + b"20000101000000", made)
