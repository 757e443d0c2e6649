"""Accuracy after surgery: networks that a pass makes of a trained one, run with its weights and without being built."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterable, Iterator, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from archspec import arguments
from archspec.graph.graph import INPUT, Graph
from archspec.lab.data.split import Split
from archspec.lab.measures.calibration import batch_norms, calibration_batches, measuring
from archspec.lab.measures.functions import NodeFunctions, run_steps
from archspec.lab.training.evaluation import BATCH, Score, device_of

KEPT = 2**26
"""How many elements of activations are kept at a time."""


def scores(
    model: nn.Module, graph: Graph, operated: Iterable[Graph], split: Split, *, calibration: Tensor | None = None
) -> tuple[Score, ...]:
    """The loss and the accuracy of networks that surgery made, with the weights of the network that it was done on.

    They are not built: they share the modules of ``model``, and what lies before the first change is computed once for
    all. So all blocks of a network of 54 on 450 small images take about two seconds.

    Args:
        model: what :func:`archspec.build` made of ``graph``, trained. It is copied, and stays as it is.
        graph: the network.
        operated: what :func:`archspec.passes.without_residual` or ``reordered`` made of it.
        split: the images to test on.
        calibration: images on which the running statistics of batch norms are measured anew for each network; without
            them, the norms keep those of the training.

    Raises:
        TypeError: an argument of the wrong type.

    >>> import archspec
    >>> from archspec.lab.data import load_data
    >>> from archspec.lab.measures import scores
    >>> from archspec.lab.training import evaluate, for_data
    >>> from archspec.passes import without_residual
    >>> data = load_data("digits")
    >>> graph = for_data("resnet20_cifar", data, overrides={"params.width": 4})
    >>> model = archspec.build(graph, seed=0)
    >>> lesioned = without_residual(graph, ["layer1.1"])
    >>> found = scores(model, graph, [graph, lesioned], data.test)
    >>> found[0].accuracy == evaluate(model, data.test).accuracy, len(found)
    (True, 2)
    """
    arguments.instance(model, "model", nn.Module, "a model that `archspec.build` made")
    arguments.instance(graph, "graph", Graph, "a Graph, which `archspec.compile` gives")
    arguments.instance(split, "split", Split, "images and their labels, as in `data.test`")
    graphs = arguments.several(operated, "operated", "a list of Graphs", Graph)
    copied = copy.deepcopy(model).eval()
    if calibration is not None:
        return _recalibrated(copied, graphs, split, calibration)
    return _plain(copied, graph, graphs, split)


@torch.no_grad()
def _plain(model: nn.Module, graph: Graph, graphs: Sequence[Graph], split: Split) -> tuple[Score, ...]:
    """The scores with the norms as they are; each network runs from the value from which it differs."""
    functions, device = NodeFunctions(model), device_of(model)
    starts = [_first_change(graph, each) for each in graphs]
    steps = functions.steps(graph, {*starts} - {INPUT})
    programs = [
        (start, functions.steps(each, {each.main}, {start}), each.main)
        for start, each in zip(starts, graphs, strict=True)
    ]
    size = sum(math.prod(graph.shape(name)) for name in {*starts})
    sums = torch.zeros(len(graphs), 2, dtype=torch.float64)
    for images, labels in _batches(split, KEPT // size, device):
        known = run_steps(steps, {INPUT: images})
        for place, (start, after, end) in enumerate(programs):
            sums[place] += _sums(run_steps(after, {INPUT: images, start: known[start]})[end], labels)
    return tuple([_score(each, len(split)) for each in sums])


@torch.no_grad()
def _recalibrated(model: nn.Module, graphs: Sequence[Graph], split: Split, images: Tensor) -> tuple[Score, ...]:
    """The scores with the running statistics of each network's own activations."""
    functions, device = NodeFunctions(model), device_of(model)
    batches = [batch.to(device) for batch in calibration_batches(images)]
    norms = batch_norms(model)
    found = []
    for graph in graphs:
        end = graph.main
        steps = functions.steps(graph, {end})
        with measuring([norms[name] for name, *_ in steps if name in norms]):
            for batch in batches:
                run_steps(steps, {INPUT: batch})
        sums = torch.zeros(2, dtype=torch.float64)
        for given, labels in _batches(split, BATCH, device):
            sums += _sums(run_steps(steps, {INPUT: given})[end], labels)
        found.append(_score(sums, len(split)))
    return tuple(found)


def _first_change(before: Graph, after: Graph) -> str:
    """The value that all of ``after`` that differs from ``before`` is computed from; the input if there is none.

    Every node up to it is the same in both.
    """
    same = 0
    for old, new in zip(before.nodes, after.nodes, strict=False):
        if old.name != new.name or old.operation != new.operation or old.inputs != new.inputs:
            break
        same += 1
    made = {node.name for node in before.nodes[:same]}
    rest = {name for node in after.nodes[same:] for name in node.inputs if name in made or name == INPUT}
    rest.update(name for name in after.outputs.values() if name in made)
    return rest.pop() if len(rest) == 1 else INPUT


def _batches(split: Split, size: int, device: torch.device) -> Iterator[tuple[Tensor, Tensor]]:
    size = max(1, min(size, BATCH))
    for start in range(0, len(split), size):
        yield split.images[start : start + size].to(device), split.labels[start : start + size].to(device)


def _sums(output: Tensor, labels: Tensor) -> Tensor:
    """The sum of the losses, and the number of right answers."""
    loss = functional.cross_entropy(output, labels, reduction="sum")
    return torch.stack([loss.double(), (output.argmax(1) == labels).sum().double()]).cpu()


def _score(sums: Tensor, images: int) -> Score:
    loss, right = sums.tolist()
    return Score(loss / images, right / images)
