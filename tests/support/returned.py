"""What a model returns, whatever form it returns it in."""

from __future__ import annotations

from typing import Any

from torch import Tensor


def returned(output: Any) -> list[Tensor]:
    """The values in order, of a tensor, a tuple or a dict."""
    if isinstance(output, Tensor):
        return [output]
    return list(output.values() if isinstance(output, dict) else output)
