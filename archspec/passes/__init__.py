"""Graph to graph: one pass a file, and the tuples in which they run."""

from archspec.passes.fold_norm import Trained, fold_norm
from archspec.passes.pipeline import INFERENCE, LOWERED, compile_spec, run
from archspec.passes.prune import prune
from archspec.passes.reordered import reordered
from archspec.passes.split_block import SplitBlock, split_block
from archspec.passes.without_residual import without_residual

__all__ = [
    "INFERENCE",
    "LOWERED",
    "SplitBlock",
    "Trained",
    "compile_spec",
    "fold_norm",
    "prune",
    "reordered",
    "run",
    "split_block",
    "without_residual",
]
