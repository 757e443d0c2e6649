"""Activations and gradients at every block, and what of a gradient comes through the shortcut."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from archspec import arguments
from archspec.graph.graph import INPUT, Graph
from archspec.graph.residual import ResidualBlock, find_residual_blocks
from archspec.lab.measures.functions import NodeFunctions, run_steps
from archspec.wording import Brief


@dataclass(frozen=True, slots=True, repr=False)
class BlockFlow(Brief):
    """A block's result, and the gradient of the mean loss at it, over a batch in training mode.

    ``mean`` and ``variance`` are those of all activations; ``within`` is the mean variance within a channel, and
    ``between`` the variance of the channels' means; ``variance`` is their sum. ``gradient_norm`` is the norm of the
    gradient of the batch, which has ``decades`` relative to the last block, as a logarithm to base 10.
    """

    scope: str
    downsamples: bool
    mean: float
    variance: float
    within: float
    between: float
    gradient_norm: float
    decades: float = 0.0


@dataclass(frozen=True, slots=True, repr=False)
class ShortcutShare(Brief):
    """How the gradient of each image comes from the result of a block to its source, in eval mode.

    ``share`` is the median over images of |S^T g| / (|S^T g| + |F^T g|), with the Jacobian S of the shortcut, F of the
    residual, and the gradient g at the merge. ``shrunk`` counts the images whose gradient is smaller at the source than
    at the result, and ``shrunk_at_sum`` those whose gradient is smaller at the source than g, which leaves out an
    activation after the merge. Were a factor 1 + dF/dx "at least 1", as is often said, both would be 0 for an identity;
    dF/dx may be negative.
    """

    scope: str
    kind: str
    share: float
    shrunk: int
    shrunk_at_sum: int
    images: int


def gradient_flow(model: nn.Module, graph: Graph, images: Tensor, labels: Tensor) -> tuple[BlockFlow, ...]:
    """The activations and the gradient of the cross-entropy at the result of every block, in training mode.

    Args:
        model: what :func:`archspec.build` made of ``graph``. It is copied, and stays as it is.
        graph: the network.
        images: (N, C, H, W), of all classes in random order, because batch norms take their statistics from them.
        labels: (N,), the class of each image.

    Raises:
        TypeError: an argument of the wrong type.

    >>> import archspec, torch
    >>> from archspec.lab.measures import gradient_flow
    >>> graph = archspec.compile("plain20_cifar", overrides={"params.width": 4}, input=(3, 8, 8))
    >>> images, labels = torch.randn(8, 3, 8, 8), torch.arange(8)
    >>> found = gradient_flow(archspec.build(graph, seed=0), graph, images, labels)
    >>> [block.scope for block in found][-1], found[0].decades > 0, found[-1].decades
    ('layer3.2', True, 0.0)
    """
    _check(model, graph)
    copied = copy.deepcopy(model).train()
    regions = [region for region in graph.regions if region.kind == "block"]
    by_scope = {block.scope: block for block in find_residual_blocks(graph)}
    found, loss = _forward(copied, graph, images, labels, {region.result for region in regions})
    values = [found[region.result] for region in regions]
    gradients = torch.autograd.grad(loss / len(images), values)
    norms = [gradient.norm().item() for gradient in gradients]
    flows = []
    for region, value, norm in zip(regions, values, norms, strict=True):
        channels = value.detach().double().transpose(0, 1).flatten(1)
        within, between = channels.var(1, correction=0).mean().item(), channels.mean(1).var(correction=0).item()
        block = by_scope[region.scope]
        decades = math.log10(norm / norms[-1]) if norm > 0 and norms[-1] > 0 else math.nan
        mean = channels.mean().item()
        flows.append(BlockFlow(region.scope, block.downsamples, mean, within + between, within, between, norm, decades))
    return tuple(flows)


def shortcut_shares(model: nn.Module, graph: Graph, images: Tensor, labels: Tensor) -> tuple[ShortcutShare, ...]:
    """How much of the gradient comes through the shortcut of each residual block, in eval mode.

    Args:
        model: what :func:`archspec.build` made of ``graph``, with running statistics that fit. It is copied.
        graph: the network.
        images: (N, C, H, W).
        labels: (N,), the class of each image.

    Raises:
        TypeError: an argument of the wrong type.

    >>> import archspec, torch
    >>> from archspec.lab.measures import shortcut_shares
    >>> graph = archspec.compile("resnet20_cifar", overrides={"params.width": 4}, input=(3, 8, 8))
    >>> images, labels = torch.randn(8, 3, 8, 8), torch.arange(8)
    >>> found = shortcut_shares(archspec.build(graph, seed=0), graph, images, labels)
    >>> len(found), found[0].kind, 0 < found[0].share < 1
    (9, 'identity', True)
    """
    _check(model, graph)
    copied = copy.deepcopy(model).eval()
    blocks = [block for block in find_residual_blocks(graph) if block.merge]
    wanted = {
        name for block in blocks for name in (block.source, *block.residuals, block.shortcut, block.merge, block.result)
    }
    found, loss = _forward(copied, graph, images, labels, wanted)
    if not blocks:
        return ()
    ends = [found[name] for block in blocks for name in (block.merge, block.result)]
    gradients = torch.autograd.grad(loss, ends, retain_graph=True)
    return tuple(
        [_share(graph, block, found, *gradients[2 * place : 2 * place + 2]) for place, block in enumerate(blocks)]
    )


def gradient_autocorrelation(
    model: nn.Module, graph: Graph, first: Tensor, last: Tensor, label: int, *, points: int = 64
) -> float:
    """How alike the gradients with respect to neighboring inputs are: 1 for a smooth function, 0 for white noise.

    The inputs lie on the straight line between two images, and are one batch in training mode. The result is the
    autocorrelation at lag 1 of the gradient of the cross-entropy, over all elements of the input.

    Args:
        model: what :func:`archspec.build` made of ``graph``. It is copied, and stays as it is.
        graph: the network.
        first, last: (C, H, W), two images.
        label: the class for which the loss is computed.
        points: how many inputs there are on the line.

    Raises:
        TypeError, ValueError: an argument of the wrong type or out of range.

    Balduzzi et al., "The Shattered Gradients Problem", 2017, section 2.

    >>> import archspec, torch
    >>> from archspec.lab.measures import gradient_autocorrelation
    >>> graph = archspec.compile("resnet20_cifar", overrides={"params.width": 4}, input=(3, 8, 8))
    >>> ends = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    >>> 0.3 < gradient_autocorrelation(archspec.build(graph, seed=0), graph, *ends, label=0) < 1
    True
    """
    _check(model, graph)
    points, label = arguments.whole(points, "points", 2), arguments.whole(label, "label", 0)
    along = torch.linspace(0, 1, points, dtype=first.dtype, device=first.device).reshape(-1, *[1] * first.dim())
    inputs = (first * (1 - along) + last * along).requires_grad_()
    copied = copy.deepcopy(model).train()
    _, loss = _forward(copied, graph, inputs, torch.full((points,), label, device=first.device), set())
    (gradient,) = torch.autograd.grad(loss, inputs)
    centered = gradient.flatten(1).double()
    centered = centered - centered.mean(0)
    return ((centered[:-1] * centered[1:]).sum() / centered.square().sum()).item()


def _check(model: nn.Module, graph: Graph) -> None:
    arguments.instance(model, "model", nn.Module, "a model that `archspec.build` made")
    arguments.instance(graph, "graph", Graph, "a Graph, which `archspec.compile` gives")


def _forward(
    model: nn.Module, graph: Graph, images: Tensor, labels: Tensor, wanted: set[str]
) -> tuple[dict[str, Tensor], Tensor]:
    """Some values of a forward pass, and the sum of the losses."""
    end = graph.main
    steps = NodeFunctions(model).steps(graph, {end, *wanted} - {INPUT})
    given = images if images.requires_grad else images.clone().requires_grad_()
    with torch.enable_grad():
        found = run_steps(steps, {INPUT: given})
        return found, functional.cross_entropy(found[end], labels, reduction="sum")


def _share(
    graph: Graph, block: ResidualBlock, found: dict[str, Tensor], gradient: Tensor, at_result: Tensor
) -> ShortcutShare:
    """The two parts of the gradient at a block's source; ``gradient`` is that at the merge."""
    merge = graph.by_name[block.merge]
    parts = _parts(graph, block, gradient)
    source = found[block.source]
    through = [
        part if name == block.source else torch.autograd.grad(found[name], source, part, retain_graph=True)[0]
        for name, part in zip(merge.inputs, parts, strict=True)
    ]
    place = merge.inputs.index(block.shortcut)
    shortcut = through.pop(place)
    residual = sum(through[1:], through[0])
    ways = [each.flatten(1).norm(dim=1) for each in (shortcut, residual)]
    share = (ways[0] / (ways[0] + ways[1]).clamp_min(1e-30)).median().item()
    here = (shortcut + residual).flatten(1).norm(dim=1)
    shrunk, at_sum = (int((here < each.flatten(1).norm(dim=1)).sum()) for each in (at_result, gradient))
    return ShortcutShare(block.scope, block.kind, share, shrunk, at_sum, len(gradient))


def _parts(graph: Graph, block: ResidualBlock, gradient: Tensor) -> Sequence[Tensor]:
    """The gradient at each input of a merge, of that alone."""
    merge = graph.by_name[block.merge]
    if merge.operation.sums:
        return [gradient] * len(merge.inputs)
    return list(torch.split(gradient, [graph.shape(name)[0] for name in merge.inputs], dim=1))
