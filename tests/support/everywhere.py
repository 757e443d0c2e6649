"""A network against a module written by hand in all that archspec says and writes of it."""

from __future__ import annotations

import copy

import onnxruntime
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

import archspec
from archspec.emit.lowlevel import lowlevel_source
from archspec.emit.onnx import to_onnx
from archspec.emit.python import python_source
from archspec.graph.graph import Graph
from tests.support.equivalence import scramble, transfer
from tests.support.returned import returned
from tests.support.sources import assert_same_network, executed

ROUNDING = 1e-5
"""The largest difference of a runtime that takes sums in another order, relative to the largest value."""


def assert_written(graph: Graph, reference: nn.Module) -> None:
    """MACs are those that torch counts in ``reference``; both sources and ONNX compute what ``build`` does.

    The readable source has equal weights from an equal seed, equal results and equal gradients, bit for bit. The others
    may take sums in another order, so their results are equal but for rounding.
    """
    assert graph.warnings == ()
    assert archspec.analyze(graph).totals.costs.macs == macs(reference, graph.input)
    assert_same_network(python_source(graph), graph)
    model = archspec.build(graph, seed=0).eval()
    scramble(model)
    example = torch.randn(2, *graph.input, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        wanted = model(example)
        lowlevel = executed(lowlevel_source(graph)).forward(example, model.state_dict(), False)
    for found in (returned(lowlevel), _by_onnx(graph, model, example)):
        for one, other in zip(found, returned(wanted), strict=True):
            assert_close(one, other)


def assert_close_network(graph: Graph, reference: nn.Module, *, by: str = "keys") -> None:
    """A spec builds what ``reference`` does, but for rounding: some sums are taken in another order.

    Compared in double precision, in eval mode and in training, with the gradients of all weights. ``by`` as in
    :func:`tests.support.equivalence.assert_network`.
    """
    reference = copy.deepcopy(reference).double()
    scramble(reference)
    model = archspec.build(graph, seed=0).double()
    transfer(reference, model, by)
    x = torch.randn(2, *graph.input, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    for training in (False, True):
        results = [each.train(training)(x) for each in (model, reference)]
        assert_close(*results, 1e-12)
    pull = torch.randn(results[0].shape, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    for each in results:
        (each * pull).sum().backward()
    for one, other in zip(model.parameters(), reference.parameters(), strict=True):
        assert one.grad is not None
        assert other.grad is not None
        assert_close(one.grad, other.grad, 1e-8)


def macs(reference: nn.Module, shape: tuple[int, ...]) -> int:
    """Multiply-adds of convolutions and linear layers for one example, as torch counts them."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        reference.eval()(torch.randn(1, *shape))
    return counter.get_total_flops() // 2


def assert_close(found: Tensor, wanted: Tensor, rounding: float = ROUNDING) -> None:
    """Two tensors are equal but for rounding, relative to the largest value."""
    assert found.shape == wanted.shape
    assert wanted.isfinite().all()
    assert (found - wanted).abs().max() <= rounding * wanted.abs().max()


def _by_onnx(graph: Graph, model: nn.Module, example: Tensor) -> list[Tensor]:
    exported = to_onnx(graph, {key: value.numpy() for key, value in model.state_dict().items()})
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(exported.SerializeToString(), options, ["CPUExecutionProvider"])
    return [torch.from_numpy(each) for each in session.run(None, {session.get_inputs()[0].name: example.numpy()})]
