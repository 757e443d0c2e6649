"""Max and average pooling, by windows or to a given size."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from archspec.operations.base import Operation, TorchCall, argument, arguments, module_call
from archspec.operations.captions import Caption, Phrase, strided, windowed
from archspec.operations.effects import EVERYWHERE, NOTHING, Bytes, Everywhere, Layout, Reach, Saved
from archspec.operations.mixtures import before_largest, largest
from archspec.operations.onnx import Integers, NotInOnnx, OnnxCall, Operand, Result, X, sliced
from archspec.operations.profiles import inside
from archspec.operations.shapes import Shape, ShapeFault, Size, collapse, per_axis, show_shape, spatial_rank
from archspec.operations.signal import Back, Gradient, Law, Signal, Usage, affine, joined, regrouped
from archspec.operations.windows import Windowed, Windows, share


@dataclass(frozen=True)
class Pool(Windowed):
    """``torch.nn.MaxPool1d`` to ``3d`` and ``AvgPool1d`` to ``3d``; with ``output``, the adaptive forms.

    Pools have no padding unless they say so. ``{type: avg, output: 1}`` is global average pooling.
    """

    name = "pool"
    summary = "Max or average pooling, by `kernel` or to an `output` size."
    activation = True
    look = "pool"

    type: str = argument("word", "Which value of a window is taken.", words=("max", "avg"))
    kernel: Size | None = argument("size", "Window size.", default=None, minimum=1)
    stride: Size | None = argument("size", "Stride; by default the kernel.", default=None, minimum=1)
    padding: Size = argument("size", "Padding on both sides, at most half the kernel.", default=0, minimum=0)
    dilation: Size = argument("size", "Distance between the window's elements, for `max`.", default=1, minimum=1)
    ceil: bool = argument("boolean", "Whether a last, partial window counts.", default=False)
    count_padding: bool = argument("boolean", "Whether an average counts the padding as zeros.", default=True)
    output: Size | None = argument("size", "Output size, instead of a kernel; 1 is global.", default=None, minimum=1)

    @property
    def kind(self) -> str:
        return f"{self.type}pool"

    def shape(self, inputs: tuple[Shape, ...]) -> Shape:
        channels, *size = inputs[0]
        rank = spatial_rank(inputs[0], self.name)
        if self.output is not None:
            shape = (channels, *per_axis(self.output, rank, "output"))
            self._check_adaptive(rank, shape)
            return shape
        windows = self.windows(inputs[0])
        shape = (channels, *windows.counts(tuple(size), ceil=self.ceil))
        fits = min(shape) > 0
        self._check_windows(windows, shape if fits else None)
        if not fits:
            raise windows.fault(tuple(size))
        if self.type == "avg" and rank == 3 and any(s < k for s, k in zip(size, windows.kernel, strict=True)):
            fault = windows._replace(padding=(0,)).fault(tuple(size))
            fault.help = "average pooling over three dimensions takes no kernel larger than its input, padded or not"
            raise fault
        return shape

    def elementwise(self, inputs: tuple[Shape, ...], output: Shape) -> int | None:
        """Every element that a window reads."""
        if self.output is not None:
            return math.prod(inputs[0])
        return math.prod(output) * math.prod(self.windows(inputs[0]).kernel)

    def saved(self, inputs: tuple[Shape, ...], trainable: bool, needed: tuple[bool, ...]) -> Saved | None:
        if self.type == "max":
            return Saved((0,), more=self._indices(self.shape(inputs)))
        return Saved() if self._is_global(len(inputs[0]) - 1) else Saved((0,))

    def scratch(self, inputs: tuple[Shape, ...], output: Shape) -> Bytes | None:
        return self._indices(output) if self.type == "max" else NOTHING

    def layout(self, inputs: tuple[Shape, ...]) -> Layout:
        windows_of_max = self.type == "max" and self.output is None
        return "kept" if windows_of_max or len(inputs[0]) < 4 else "first"

    def gives_view(self, inputs: tuple[Shape, ...]) -> bool:
        return len(inputs[0]) == 2  # torch pools it as a map of height 1

    def reach(self, inputs: tuple[Shape, ...], output: Shape) -> tuple[Reach, ...] | Everywhere | None:
        rank = len(output) - 1
        if self.output is None:
            return super().reach(inputs, output)
        if self._is_global(rank):
            return EVERYWHERE
        return tuple([share(size, parts) for size, parts in zip(inputs[0][1:], output[1:], strict=True)])

    def spread(self, inputs: tuple[Shape, ...], output: Shape) -> tuple[float, ...]:
        # The windows of adaptive pools have no kernel of their own.
        return Operation.spread(self, inputs, output) if self.output is not None else super().spread(inputs, output)

    def _is_global(self, rank: int) -> bool:
        return self.output is not None and set(per_axis(self.output, rank, "output")) == {1}

    @staticmethod
    def _indices(output: Shape) -> Bytes:
        """Where each maximum was found, as int64; torch computes them in inference too."""
        return Bytes(each=8 * math.prod(output))

    def torch(self, inputs: tuple[Shape, ...], *, in_place: bool = False) -> TorchCall:
        rank = len(inputs[0]) - 1
        name = f"{self.type.capitalize()}Pool{rank}d"
        if self.output is not None:
            args = {"output_size": collapse(per_axis(self.output, rank, "output"))}
            return module_call(f"torch.nn.Adaptive{name}", args, {}, {})
        kwargs = self.windows(inputs[0]).arguments()
        defaults = {"stride": kwargs["kernel_size"], "padding": 0, "dilation": 1, "ceil_mode": False}
        kwargs |= {"ceil_mode": self.ceil, "count_include_pad": self.count_padding}
        return module_call(f"torch.nn.{name}", {}, kwargs, {**defaults, "count_include_pad": True})

    def onnx(self, inputs: tuple[Shape, ...], *, fixed: bool = True) -> tuple[OnnxCall, ...]:
        kind = "Max" if self.type == "max" else "Average"
        if self.output is not None:
            return self._adaptive_onnx(kind, inputs[0], fixed)
        windows = self.windows(inputs[0])
        rest = windows.beyond(inputs[0][1:]) if self.ceil and fixed else (0,) * len(windows.kernel)
        attributes: dict[str, Any] = dict(windows.onnx(rest))
        if self.ceil and not fixed:
            if any(windows.padding) or any(s > k for k, s in zip(windows.kernel, windows.stride, strict=True)):
                raise NotInOnnx("whether a last, partial window counts depends on the size of the input")
            attributes["ceil_mode"] = 1
        if self.type == "max":
            return (OnnxCall("MaxPool", (X,), attributes),)
        del attributes["dilations"]
        counted = self.count_padding and any(windows.padding)
        if not counted or not any(rest):
            return (OnnxCall("AveragePool", (X,), {**attributes, "count_include_pad": int(counted)}),)
        # The padding counts, and what lies behind it does not: only a padding of its own can tell them apart.
        zeros = Integers((0, 0, *windows.padding) * 2)
        attributes["pads"] = (*(0 for _ in rest), *rest)
        return (OnnxCall("Pad", (X, zeros)), OnnxCall("AveragePool", (Result(0),), attributes))

    def _adaptive_onnx(self, kind: str, shape: Shape, fixed: bool) -> tuple[OnnxCall, ...]:
        """ONNX has global pools alone: equal windows are a pool, and others one slice a window, axis by axis."""
        size, output = shape[1:], self.shape((shape,))[1:]
        if self._is_global(len(size)):
            return (OnnxCall(f"Global{kind}Pool"),)
        if not fixed:
            raise NotInOnnx("its windows depend on the size of the input")
        if not any(s % o for s, o in zip(size, output, strict=True)):
            window = tuple([s // o for s, o in zip(size, output, strict=True)])
            same = set(window) == {1}
            return () if same else (OnnxCall(f"{kind}Pool", (X,), {"kernel_shape": window, "strides": window}),)
        calls: list[OnnxCall] = []
        value: Operand = X
        for axis, (length, parts) in enumerate(zip(size, output, strict=True), start=2):
            results: list[Operand] = []
            for part in range(parts):  # the windows of torch's adaptive pools
                start, stop = part * length // parts, -(-(part + 1) * length // parts)
                calls += [
                    sliced(axis, start, stop, value),
                    OnnxCall("ReduceMax" if kind == "Max" else "ReduceMean", (Result(len(calls)), Integers((axis,)))),
                ]
                results.append(Result(len(calls) - 1))
            calls.append(OnnxCall("Concat", tuple(results), {"axis": axis}))
            value = Result(len(calls) - 1)
        return tuple(calls)

    def caption(self, inputs: tuple[Shape, ...]) -> Caption:
        if self.output is None:
            windows = self.windows(inputs[0])
            return (windowed(f"{self.type} pool", windows.kernel), strided(collapse(windows.stride)))
        rank = len(inputs[0]) - 1
        if self._is_global(rank):
            return (Phrase(f"global {self.type} pool"),)
        output = per_axis(self.output, rank, "output")
        return (Phrase(f"{self.type} pool to {{}}", "output", output, without=f"adaptive {self.type} pool"),)

    def windows(self, shape: Shape) -> Windows:
        rank = len(shape) - 1
        if self.kernel is None:
            raise ShapeFault("E206", "`pool` needs `kernel`, or `output` for a given output size", argument="kernel")
        kernel = per_axis(self.kernel, rank, "kernel")
        stride = kernel if self.stride is None else per_axis(self.stride, rank, "stride")
        padding, dilation = (per_axis(getattr(self, name), rank, name) for name in ("padding", "dilation"))
        return Windows(kernel, stride, padding, dilation)

    def _check_windows(self, windows: Windows, assumed: Shape | None) -> None:
        """Refuse what only the other type reads, and a padding that torch refuses."""
        if self.type == "avg" and max(windows.dilation) > 1:
            raise ShapeFault("E206", "`dilation` is for `max` pooling only", argument="dilation", assumed=assumed)
        if self.type == "max" and not self.count_padding:
            raise ShapeFault(
                "E206", "`count_padding` is for `avg` pooling only", argument="count_padding", assumed=assumed
            )
        if any(p > k // 2 for p, k in zip(windows.padding, windows.kernel, strict=True)):
            padding, kernel = show_shape(windows.padding), show_shape(windows.kernel)
            raise ShapeFault(
                "E205",
                f"a padding of {padding} is more than half of the kernel, {kernel}",
                argument="padding",
                help=f"use at most {show_shape(tuple(k // 2 for k in windows.kernel))}",
                assumed=assumed,
            )

    def _check_adaptive(self, rank: int, shape: Shape) -> None:
        """Refuse what means nothing where the output's size is given."""
        for name, field in arguments(type(self)).items():
            if name not in ("type", "output") and getattr(self, name) not in (field.default, (field.default,) * rank):
                raise ShapeFault(
                    "E206",
                    f"`pool` takes `output` or `{name}`, not both",
                    argument=name,
                    help="`output` sets the windows itself",
                    assumed=shape,
                )

    def signal(self, usage: Usage, values: tuple[Signal, ...]) -> Signal | None:
        size, share = self._size(usage)
        if self.type == "max":
            return joined([largest(law, size * share) for law in values[0]])
        if size == 1:
            return values[0]
        scale = share if self.output is None and self.count_padding else 1.0
        found = []
        for law in values[0]:
            level = law.level * law.root**2
            mean = law.mean * law.root
            within = (law.power - level) / (size * share)
            found.append(affine(Law(law.channels, mean, within, level - mean * mean), scale))
        return tuple(found)

    def gradient(
        self, usage: Usage, values: tuple[Signal, ...], result: Signal, back: Gradient
    ) -> tuple[Gradient, ...]:
        size, share = self._size(usage)
        before, after = usage.positions
        if self.type == "max":
            laws = tuple([largest(law, size * share) for law in values[0]])
            arrived = regrouped(result, back, laws)
            pairs = zip(values[0], arrived, strict=True)
            return (tuple([before_largest(law, size * share, each, after / before) for law, each in pairs]),)
        if size == 1:
            return (back,)
        counted = size if self.output is None and self.count_padding else size * share
        return (tuple([self._averaged(each, counted, size * share, before, after) for each in back]),)

    def _size(self, usage: Usage) -> tuple[float, float]:
        """How many elements a window has, and the mean share of them that is not in the padding."""
        if self.output is not None:
            windows = [share(*each).extent for each in zip(usage.inputs[0][1:], usage.output[1:], strict=True)]
            return math.prod(windows), 1.0
        sliding = self.windows(usage.inputs[0])
        axes = zip(usage.inputs[0][1:], usage.output[1:], *sliding[:4], strict=True)
        return math.prod(sliding.kernel), math.prod([inside(*axis)[0] for axis in axes])

    @staticmethod
    def _averaged(back: Back, divisor: float, size: float, before: int, after: int) -> Back:
        """The gradient of an average of ``size`` elements, as a sum divided by ``divisor``."""
        windows = size * after / before
        energy = windows * (back.energy + max(windows - 1, 0.0) * back.shared) / divisor**2
        total = after * (back.energy + (after - 1) * back.shared) * (size / divisor) ** 2
        shared = (total - before * energy) / (before * (before - 1)) if before > 1 else energy
        return Back(energy, shared)
