"""Graph to graph: one pass a file, and the tuples in which they run."""

from archspec.passes.fold_norm import Trained, fold_norm
from archspec.passes.pipeline import INFERENCE, LOWERED, compile_spec, run
from archspec.passes.prune import prune

__all__ = ["INFERENCE", "LOWERED", "Trained", "compile_spec", "fold_norm", "prune", "run"]
