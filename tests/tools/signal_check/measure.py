"""What torch computes of a new network: gradients, activations, the effective receptive field, and path lengths."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

import archspec

Hook = Callable[..., Any]


class Run(NamedTuple):
    """Of one seed: for each block, the variance of its output and the norm of the gradient there."""

    variances: list[float]
    norms: list[float]


def gradients(spec: archspec.Spec, seed: int, examples: int) -> Run:
    """The gradient of the cross-entropy of noise with random labels, at the output of every block."""
    values = _blocks(spec, seed, examples)
    norms = [value.grad.norm().item() for value in values if value.grad is not None]
    return Run([value.var().item() for value in values], norms)


def _blocks(spec: archspec.Spec, seed: int, examples: int, loss: Hook | None = None) -> list[Tensor]:
    """The output of every block, with its gradient."""
    graph = archspec.compile(spec)
    model = archspec.build(graph, seed=seed).train()
    values: list[Tensor] = []
    for region in graph.regions:
        if region.kind == "block":
            model.get_submodule(region.scope).register_forward_hook(_keeping(values))
    _loss(model, graph, seed, examples, loss).backward()
    return values


def alignments(spec: archspec.Spec, seed: int, examples: int) -> list[float]:
    """For each block, the mean squared product of its output and the gradient there, over that of their norms.

    The loss is one whose gradient is noise: that of the cross-entropy follows the logits.
    """
    values = _blocks(spec, seed, examples, lambda logits: (logits * torch.randn_like(logits)).sum())
    pairs = [(value.detach().flatten(1), value.grad.flatten(1)) for value in values if value.grad is not None]
    return [float((x * g).sum(1).pow(2).mean() / (x.pow(2).sum(1) * g.pow(2).sum(1)).mean()) for x, g in pairs]


def field(spec: archspec.Spec, seed: int, examples: int) -> float:
    """The deviation of the squared gradient of the middle of the last block, in pixels along the last axis."""
    graph = archspec.compile(spec)
    model = archspec.build(graph, seed=seed).train()
    generator = torch.Generator().manual_seed(seed)
    images = torch.randn(examples, *graph.input, generator=generator)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = None  # the running statistics are those of this batch
    with torch.no_grad():
        model(images)
    model.eval()
    values: list[Tensor] = []
    last = [region.scope for region in graph.regions if region.kind == "block"][-1]
    model.get_submodule(last).register_forward_hook(lambda module, inputs, output: values.append(output))
    model(images.requires_grad_())
    middle = values[0][..., values[0].shape[-2] // 2, values[0].shape[-1] // 2]
    chosen = torch.randn(middle.shape, generator=generator)
    (gradient,) = torch.autograd.grad((middle * chosen).sum(), images)
    energy = gradient.pow(2).sum((0, 1, 2))
    places, energy = torch.arange(len(energy)), energy / energy.sum()
    mean = (places * energy).sum()
    return float(((places - mean) ** 2 * energy).sum().sqrt())


def mean_length(spec: archspec.Spec, seed: int, examples: int) -> float:
    """The mean number of residuals that the gradient at the first block's input has taken, in its signed shares.

    With residuals' gradients multiplied by s, the gradient is the sum of s^k times the part of the paths of length k.
    The derivative at s = 1, projected on the gradient, is the mean of k. It is taken by central differences.
    """
    below, here, above = (_scaled(spec, seed, examples, scale) for scale in (1 - 1e-4, 1.0, 1 + 1e-4))
    return float(((above - below) / 2e-4 * here).sum() / here.pow(2).sum())


def _scaled(spec: archspec.Spec, seed: int, examples: int, scale: float) -> Tensor:
    """The gradient at the input of the first block, with the gradients into residuals multiplied by ``scale``."""
    graph = archspec.compile(spec)
    model = archspec.build(graph, seed=seed, flat=True).double().train()
    residuals = {name for block in archspec.residual_blocks(graph) for name in block.residuals}
    first = archspec.residual_blocks(graph)[0].source
    interpreter = _Watching(model, residuals, first, scale)
    torch.manual_seed(seed)
    images = torch.randn(examples, *graph.input, dtype=torch.float64)
    logits = interpreter.run(images)
    nn.functional.cross_entropy(logits, torch.randint(0, logits.shape[1], (examples,))).backward()
    found = interpreter.watched.grad
    assert found is not None
    return found


class _Watching(torch.fx.Interpreter):
    """Runs a flat model, and multiplies the gradients of some values on their way back."""

    def __init__(self, model: torch.fx.GraphModule, residuals: set[str], first: str, scale: float) -> None:
        super().__init__(model)
        for module in model.modules():
            if hasattr(module, "inplace"):
                module.inplace = False
        self.residuals, self.first, self.scale = residuals, first, scale
        self.watched = torch.empty(0)

    def run_node(self, n: torch.fx.Node) -> Any:
        args, kwargs = self.fetch_args_kwargs_from_env(n)
        in_place = n.op == "call_method" and str(n.target).endswith("_")
        value = getattr(args[0], str(n.target)[:-1])(*args[1:], **kwargs) if in_place else super().run_node(n)
        name = n.meta.get("scope", n.name)
        if name in self.residuals:
            value = _Times.apply(value, self.scale)
        if name == self.first:
            self.watched = value
            value.retain_grad()
        return value


class _Times(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, value: Tensor, scale: float) -> Tensor:
        ctx.scale = scale
        return value.clone()

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        return gradients[0] * ctx.scale, None


def _keeping(values: list[Tensor]) -> Hook:
    def hook(module: nn.Module, inputs: Any, output: Tensor) -> None:
        output.retain_grad()
        values.append(output)

    return hook


def _loss(model: nn.Module, graph: archspec.Graph, seed: int, examples: int, loss: Hook | None = None) -> Tensor:
    torch.manual_seed(seed)
    logits = model(torch.randn(examples, *graph.input))
    if loss:
        found: Tensor = loss(logits)
        return found
    return nn.functional.cross_entropy(logits, torch.randint(0, logits.shape[1], (examples,)))
