"""A layer of ``torch.nn`` by its name, for what the language has no operation for."""

from __future__ import annotations

import dataclasses
import functools
import importlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

from archspec.diagnostics import Diagnostic, EnvironmentFault, in_one_line
from archspec.operations.base import Operation, TorchCall, Weight, argument, arguments, module_call
from archspec.operations.captions import Caption, Phrase
from archspec.operations.effects import Alias
from archspec.operations.onnx import Floats, Integers, NotInOnnx, OnnxCall, Operand, Result, State, X
from archspec.operations.shapes import Shape, ShapeFault, Size, show_shape

PREFIX = "torch.nn."

NEEDED = dataclasses.MISSING
"""In place of a default: torch requires the argument."""

DROPPING = ("AlphaDropout", "FeatureAlphaDropout", "Dropout1d", "Dropout2d", "Dropout3d")
SOFTMAXES = ("Softmax", "Softmin", "LogSoftmax", "Softmax2d")
NORMS = ("LayerNorm", "RMSNorm")
SPOKEN = ("p", "lower", "upper")
"""The arguments that are also written where they have torch's default, as their module acts otherwise in training."""

_WINDOW = {"dilation": 1, "padding": 0, "stride": 1}
_NORM = {"normalized_shape": NEEDED, "eps": 1e-5, "elementwise_affine": True}

MODULES: Mapping[str, Mapping[str, Any]] = {
    "Hardshrink": {"lambd": 0.5},
    "Softshrink": {"lambd": 0.5},
    "Tanhshrink": {},
    "Softsign": {},
    "Threshold": {"threshold": NEEDED, "value": NEEDED},
    "RReLU": {"lower": 1 / 8, "upper": 1 / 3},
    "Softmax": {"dim": NEEDED},
    "Softmin": {"dim": NEEDED},
    "LogSoftmax": {"dim": NEEDED},
    "Softmax2d": {},
    **{word: {"p": 0.5} for word in DROPPING},
    "LayerNorm": {**_NORM, "bias": True},
    "RMSNorm": {**_NORM, "eps": None},
    "Unfold": {"kernel_size": NEEDED, **_WINDOW},
    "Fold": {"output_size": NEEDED, "kernel_size": NEEDED, **_WINDOW},
}
"""The layers that a spec may name, with their arguments and torch's defaults, as in the signature of each.

The ``forward`` of each takes one tensor and gives one. None has buffers, and none is a convolution or a linear layer.
"""

RANKS = {"Dropout1d": 1, "Dropout2d": 2, "Dropout3d": 3, "Softmax2d": 2, "Unfold": 2, "Fold": 1}
"""The spatial axes that a layer needs. With one fewer, torch takes the batch for the channels."""

WORDS = tuple([PREFIX + name for name in MODULES])


@dataclass(frozen=True)
class TorchModule(Operation):
    """A layer of ``torch.nn``, with its arguments as torch spells them. Its costs are unavailable."""

    name = "torch"
    summary = "A layer of torch by its name, for what has no operation; its costs are unavailable."
    nonlinear = True

    module: str = argument("word", "The layer of torch.", words=WORDS)
    dim: int | None = argument("integer", "The axis, for softmaxes; 1 is the channels.", default=None, minimum=1)
    p: float | None = argument("number", "The probability of dropping.", default=None, minimum=0, maximum=1)
    lambd: float | None = argument("number", "Where shrinking ends.", default=None, minimum=0)
    threshold: float | None = argument("number", "What `Threshold` compares with.", default=None)
    value: float | None = argument("number", "What `Threshold` puts in place.", default=None)
    lower: float | None = argument("number", "The least slope of `RReLU`.", default=None)
    upper: float | None = argument("number", "The greatest slope of `RReLU`.", default=None)
    normalized_shape: Size | None = argument("size", "The last axes, for norms.", default=None, minimum=1)
    eps: float | None = argument("number", "Added to the variance, for norms.", default=None, minimum=0)
    elementwise_affine: bool | None = argument("boolean", "Whether a norm learns a scale.", default=None)
    bias: bool | None = argument("boolean", "Whether `LayerNorm` learns a bias.", default=None)
    output_size: Size | None = argument("size", "The size of the map, for `Fold`.", default=None, minimum=1)
    kernel_size: Size | None = argument("size", "The size of a window.", default=None, minimum=1)
    dilation: Size | None = argument("size", "The distance between a window's elements.", default=None, minimum=1)
    padding: Size | None = argument("size", "Zeros on both sides of an axis.", default=None, minimum=0)
    stride: Size | None = argument("size", "The step from window to window.", default=None, minimum=1)

    @property
    def word(self) -> str:
        """The layer without its package: ``Softshrink``."""
        return self.module.removeprefix(PREFIX)

    @property
    def called(self) -> str:
        return self.module

    @property
    def kind(self) -> str:
        return self.word.lower()

    @property
    def given(self) -> dict[str, Any]:
        """The arguments that are set."""
        names = [name for name in arguments(TorchModule) if name != "module"]
        return {name: value for name in names if (value := getattr(self, name)) is not None}

    def read(self, name: str) -> Any:
        """An argument of the layer, as it is set or by torch's default."""
        value = getattr(self, name)
        return MODULES[self.word][name] if value is None else value

    @property
    def has_state(self) -> bool:
        return self.word in NORMS

    @property
    def saves_output(self) -> bool:
        return self.word in SOFTMAXES

    def caption(self, inputs: tuple[Shape, ...]) -> Caption:
        return (Phrase(self.word),)

    def shape(self, inputs: tuple[Shape, ...]) -> Shape:
        known, value = MODULES[self.word], inputs[0]
        for name in self.given:
            if name not in known:
                takes = ", ".join([f"`{each}`" for each in known]) or "no arguments"
                message = f"`{self.module}` does not take `{name}`"
                raise ShapeFault("E301", message, argument=name, help=f"it takes {takes}", assumed=value)
        for name, default in known.items():
            if default is NEEDED and name not in self.given:
                message = f"`{self.module}` needs `{name}`"
                told = [f"{key}: {list(own) if isinstance(own, tuple) else own}" for key, own in self.given.items()]
                help = f"write `- torch: {{{', '.join([f'module: {self.module}', *told, f'{name}: ...'])}}}`"
                raise ShapeFault("E306", message, argument="module", help=help, assumed=value)
        rank, needed = len(value) - 1, RANKS.get(self.word)
        if needed is not None and rank != needed:
            axes = "axis" if needed == 1 else "axes"
            has = f"has {rank}" if rank else f"is flat, with {value[0]} features"
            message = f"`{self.module}` is for {needed} spatial {axes}, but the value here {has}"
            raise ShapeFault("E506", message, argument="module", assumed=value)
        if self.dim is not None and self.dim > rank + 1:  # which torch's meta device does not refuse
            message = f"`dim` must be an axis of the value here, which has {rank + 1} and the batch, not {self.dim}"
            raise ShapeFault("E509", message, argument="dim", help="1 is the channels", assumed=value)
        found = _applied(self, value)
        if isinstance(found, str):
            message = f"`{self.module}` refuses a value of {show_shape(value)}: {found}"
            help = "this is what torch says of a batch of 2"
            raise ShapeFault("E509", message, argument="module", help=help, assumed=value)
        return found

    def weights(self, inputs: tuple[Shape, ...]) -> dict[str, Weight]:
        if self.word not in NORMS or not self.read("elementwise_affine"):
            return {}
        size = self.read("normalized_shape")
        shape = (size,) if isinstance(size, int) else size
        bias = self.word == "LayerNorm" and self.read("bias")
        return {"weight": Weight(shape, "one"), **({"bias": Weight(shape, "zero")} if bias else {})}

    def macs(self, inputs: tuple[Shape, ...], output: Shape) -> int | None:
        return None

    def alias(self, inputs: tuple[Shape, ...], *, training: bool) -> Alias:
        return "itself" if self.word in DROPPING and not (training and self.read("p")) else ""

    def in_eval(self) -> Self:
        if self.word in DROPPING:
            return replace(self, p=0.0)
        if self.word == "RReLU":
            return replace(self, lower=self._slope, upper=self._slope)
        return self

    @property
    def _slope(self) -> float:
        """The slope of `RReLU` in eval mode."""
        return float((self.read("lower") + self.read("upper")) / 2)

    def torch(self, inputs: tuple[Shape, ...], *, in_place: bool = False) -> TorchCall:
        known = MODULES[self.word]
        spoken = {name: self.read(name) for name, default in known.items() if default is NEEDED or name in SPOKEN}
        others = {name: self.read(name) for name in known if name not in spoken}
        return module_call(self.module, spoken, others, {name: known[name] for name in others})

    def after_logits(self) -> str:
        if self.word in NORMS:
            return "normalizes the logits"
        return "drops logits in training" if self.word in DROPPING and self.read("p") else ""

    def unread(self) -> Mapping[str, str]:
        return {"bias": "with `elementwise_affine: false`"} if self.elementwise_affine is False else {}

    def onnx(self, inputs: tuple[Shape, ...], *, fixed: bool = True) -> tuple[OnnxCall, ...]:
        match self.word:
            case "Hardshrink" | "Softshrink":
                end = float(self.read("lambd"))
                return (OnnxCall("Shrink", (X,), {"lambd": end, "bias": end if self.word == "Softshrink" else 0.0}),)
            case "Tanhshrink":
                return (OnnxCall("Tanh"), OnnxCall("Sub", (X, Result(0))))
            case "Softsign":
                return (OnnxCall("Softsign"),)
            case "Threshold":
                above = OnnxCall("Greater", (X, Floats(float(self.read("threshold")))))
                return (above, OnnxCall("Where", (Result(0), X, Floats(float(self.read("value"))))))
            case "RReLU":
                return (OnnxCall("LeakyRelu", (X,), {"alpha": self._slope}),)
            case "Softmax" | "LogSoftmax":
                return (OnnxCall(self.word, (X,), {"axis": self.dim}),)
            case "Softmax2d":
                return (OnnxCall("Softmax", (X,), {"axis": 1}),)
            case "Softmin":
                return (OnnxCall("Neg"), OnnxCall("Softmax", (Result(0),), {"axis": self.dim}))
        if self.word in DROPPING:
            return ()
        if self.word in NORMS:
            return self._norm_in_onnx(inputs[0], fixed)
        raise NotInOnnx(f"archspec has no form of `{self.module}` in ONNX")

    def _norm_in_onnx(self, value: Shape, fixed: bool) -> tuple[OnnxCall, ...]:
        if not fixed and len(value) > 1:
            raise NotInOnnx(f"the weights of `{self.module}` depend on the size of the map")
        weights, size = self.weights((value,)), self.read("normalized_shape")
        shape = (size,) if isinstance(size, int) else size
        scale: Operand = State("weight") if weights else Floats(1.0, shape)
        if self.word == "LayerNorm":
            shift = (State("bias"),) if "bias" in weights else ()
            attributes = {"axis": -len(shape), "epsilon": self.read("eps")}
            return (OnnxCall("LayerNormalization", (X, scale, *shift), attributes),)
        eps = 2.0**-23 if self.eps is None else self.eps  # torch takes the precision of float32
        return (
            OnnxCall("Mul", (X, X)),
            OnnxCall("ReduceMean", (Result(0), Integers(tuple(range(-len(shape), 0)))), {"keepdims": 1}),
            OnnxCall("Add", (Result(1), Floats(float(eps)))),
            OnnxCall("Sqrt", (Result(2),)),
            OnnxCall("Div", (X, Result(3))),
            OnnxCall("Mul", (Result(4), scale)),
        )


@functools.lru_cache(1024)
def _applied(operation: TorchModule, shape: Shape) -> Shape | str:
    """The shape that a layer gives for an example, by two batches on the meta device; or why torch refuses it."""
    try:
        torch = importlib.import_module("torch")
    except ImportError:
        message = f"the step `torch: {{module: {operation.module}}}` needs the package torch, which says its shape"
        raise EnvironmentFault(Diagnostic("E809", message, help="pip install 'archspec[torch]'")) from None
    try:
        call = operation.torch((shape,))
        with torch.device("meta"):
            layer = getattr(torch.nn, operation.word)(*call.args, **call.kwargs).eval()
        results = [(batch, tuple(layer(torch.empty((batch, *shape), device="meta")).shape)) for batch in (2, 3)]
    except Exception as error:  # torch raises many kinds of errors for what does not fit
        return in_one_line(error).rstrip(".")
    output = results[0][1][1:]
    if any(found != (batch, *output) for batch, found in results) or not output or 0 in output:
        return f"it gives {show_shape(results[0][1])} for a batch of {results[0][0]}"
    return output
