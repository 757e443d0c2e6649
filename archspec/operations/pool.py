"""Max and average pooling, by windows or to a given size."""

from __future__ import annotations

import math
from dataclasses import dataclass

from archspec.operations import pool_faults, pool_onnx, pool_signal
from archspec.operations.base import Operation, TorchCall, argument, arguments, module_call
from archspec.operations.captions import Caption, Phrase, strided, windowed
from archspec.operations.effects import EVERYWHERE, NOTHING, Bytes, Everywhere, Layout, Reach, Saved
from archspec.operations.onnx import OnnxCall
from archspec.operations.padding import SAME, VALID, Sides, by_side, same
from archspec.operations.profiles import inside
from archspec.operations.shapes import Shape, ShapeFault, Size, collapse, per_axis, spatial_rank
from archspec.operations.signal import Gradient, Signal, Usage, joined, regrouped
from archspec.operations.windows import Windowed, Windows, share


@dataclass(frozen=True)
class Pool(Windowed):
    """``torch.nn.MaxPool1d`` to ``3d``, ``AvgPool1d`` to ``3d`` and ``LPPool1d`` to ``3d``; with ``output``, the
    adaptive forms.

    Pools have no padding unless they say so. ``{type: avg, output: 1}`` is global average pooling.
    """

    name = "pool"
    summary = "Max, average or power pooling, by `kernel` or to an `output` size."
    activation = True
    look = "pool"

    type: str = argument(
        "word", "How a window is reduced; `lp` takes the root of the sum of powers.", words=("max", "avg", "lp")
    )
    kernel: Size | None = argument("size", "Window size.", default=None, minimum=1)
    stride: Size | None = argument("size", "Stride; by default the kernel.", default=None, minimum=1)
    padding: Sides | str = argument(
        "sides",
        "Padding on both sides of an axis, at most half the kernel, or a pair: before and after; `same` pads as "
        "TensorFlow does, `valid` not at all.",
        default=0,
        minimum=0,
        named=(SAME, VALID),
    )
    dilation: Size = argument("size", "Distance between the window's elements, for `max`.", default=1, minimum=1)
    ceil: bool = argument("boolean", "Whether a last, partial window counts.", default=False)
    count_padding: bool = argument("boolean", "Whether an average counts the padding as zeros.", default=True)
    power: float = argument(
        "number", "The exponent, for `lp`; unless it is even, elements below 0 may give NaN.", default=2.0, minimum=1
    )
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
        pool_faults.check_skipped(windows, tuple(size), shape[1:], shape)
        read = windows.padded(tuple(size)) if self._in_front(windows) else size
        if self.type != "max" and rank == 3 and any(s < k for s, k in zip(read, windows.kernel, strict=True)):
            fault = windows.inner.fault(tuple(read))
            fault.help = "average pooling over three dimensions takes no kernel larger than its input, padded or not"
            raise fault
        return shape

    def elementwise(self, inputs: tuple[Shape, ...], output: Shape) -> int | None:
        """Every element that a window reads."""
        if self.output is not None:
            return math.prod(inputs[0])
        return math.prod(output) * math.prod(self.windows(inputs[0]).kernel)

    def saved(self, inputs: tuple[Shape, ...], trainable: bool, needed: tuple[bool, ...]) -> Saved | None:
        if self._is_global(len(inputs[0]) - 1) and self.type == "avg":
            return Saved()
        output = self.shape(inputs)
        if self.type == "lp":
            return Saved((0,), more=self._powers(inputs[0], output, saved=True))
        beside = self._beside(inputs[0], output)
        return Saved(() if beside.elements else (0,), more=beside)

    def scratch(self, inputs: tuple[Shape, ...], output: Shape) -> Bytes | None:
        if self.type == "lp":
            return self._powers(inputs[0], output, saved=False)
        return self._beside(inputs[0], output)

    def _beside(self, shape: Shape, output: Shape) -> Bytes:
        """The indices of the largest, the padded input, and how many elements each window has inside."""
        found = self._indices(output) if self.type == "max" else NOTHING
        if self.output is None and self._in_front(windows := self.windows(shape)):
            found += Bytes(shape[0] * math.prod(windows.padded(shape[1:])))
            if self.type == "avg" and not self.count_padding:
                found += Bytes(once=math.prod(output[1:]))
        return found

    @staticmethod
    def _powers(shape: Shape, output: Shape, *, saved: bool) -> Bytes:
        """The elements to a power, their sums, and what torch makes of those before it takes the root."""
        before, after = math.prod(shape), math.prod(output)
        return Bytes(before + 4 * after) if saved else Bytes(max(before, 3 * after))

    def _in_front(self, windows: Windows) -> bool:
        """Whether its input is padded in front of torch's layer, which pads both sides of an axis by as much."""
        wide = any(p > k // 2 for p, k in zip(windows.padding, windows.kernel, strict=True))
        return windows.lopsided or self._by_size(windows) or (self.padding == SAME and wide)

    def _by_size(self, windows: Windows) -> bool:
        """Whether the padding depends on the size of the input."""
        return self.padding == SAME and max(windows.stride) > 1

    def layout(self, inputs: tuple[Shape, ...]) -> Layout:
        if len(inputs[0]) == 2 and self.output is None and self._in_front(self.windows(inputs[0])):
            return "first"
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
        name = f"{'LP' if self.type == 'lp' else self.type.capitalize()}Pool{rank}d"
        if self.output is not None:
            args = {"output_size": collapse(per_axis(self.output, rank, "output"))}
            return module_call(f"torch.nn.Adaptive{name}", args, {}, {})
        windows = self.windows(inputs[0])
        kwargs = windows.arguments()
        defaults = {"stride": kwargs["kernel_size"], "padding": 0, "dilation": 1, "ceil_mode": False}
        kwargs["ceil_mode"] = self.ceil
        if self.type == "lp":
            return module_call(f"torch.nn.{name}", {"norm_type": self.power}, kwargs, defaults)
        kwargs["count_include_pad"], defaults["count_include_pad"] = self.count_padding, True
        if not self._in_front(windows):
            return module_call(f"torch.nn.{name}", {}, kwargs, defaults)
        kwargs |= {"padding": 0, "sides": SAME if self._by_size(windows) else windows.sides}
        return module_call(f"archspec.emit.padded.Padded{name}", {}, kwargs, defaults)

    def onnx(self, inputs: tuple[Shape, ...], *, fixed: bool = True) -> tuple[OnnxCall, ...]:
        size = inputs[0][1:]
        if self.output is not None:
            kind = "Max" if self.type == "max" else "Average"
            return pool_onnx.adaptive_calls(kind, size, self.shape(inputs)[1:], fixed=fixed)
        windows = self.windows(inputs[0])
        if self._by_size(windows) and not fixed:
            return pool_onnx.same_calls(self.type, windows, counted=self.count_padding)
        rest: tuple[int, ...] | None = (0,) * len(size)
        if self.ceil:
            rest = windows.beyond(size) if fixed else None
        if self.type == "max":
            return pool_onnx.max_calls(windows, rest)
        average = pool_onnx.average_calls(windows, rest, counted=self.count_padding)
        return average if self.type == "avg" else pool_onnx.power_calls(self.power, math.prod(windows.kernel), average)

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
        dilation = per_axis(self.dilation, rank, "dilation")
        if self.padding == SAME:
            before, after = same(shape[1:], kernel, stride, dilation)
        else:
            before, after = by_side(0 if isinstance(self.padding, str) else self.padding, rank, "padding")
        return Windows(kernel, stride, before, dilation, after)

    def _check_windows(self, windows: Windows, assumed: Shape | None) -> None:
        """Refuse what only another type reads, and a padding that torch refuses."""
        pool_faults.check_type(self.type, windows, self.count_padding, self.power, assumed)
        in_front = self._in_front(windows)
        pool_faults.check_padding(self.padding, windows, ceil=self.ceil, in_front=in_front, assumed=assumed)

    def _check_adaptive(self, rank: int, shape: Shape) -> None:
        """Refuse what means nothing where the output's size is given."""
        if self.type == "lp":
            help = "write a `kernel` of the size of the input" if set(shape[1:]) == {1} else "write a `kernel`"
            raise ShapeFault("E206", "`lp` pooling takes no `output`", argument="output", help=help, assumed=shape)
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
            return pool_signal.greatest(values[0], size * share)
        if self.type == "lp":
            return joined([pool_signal.root_of_powers(law, self.power, size * share) for law in values[0]])
        if size == 1:
            return values[0]
        scale = share if self.output is None and self.count_padding else 1.0
        return tuple([pool_signal.mean_of(law, size * share, scale) for law in values[0]])

    def gradient(
        self, usage: Usage, values: tuple[Signal, ...], result: Signal, back: Gradient
    ) -> tuple[Gradient, ...]:
        size, share = self._size(usage)
        before, after = usage.positions
        if self.type == "max":
            return (pool_signal.before_greatest(values[0], size * share, result, back, after / before),)
        if self.type == "lp":
            pairs = zip(values[0], regrouped(result, back, values[0]), strict=True)
            windows = size * share * after / before
            return (tuple([pool_signal.before_root(law, self.power, size * share, b, windows) for law, b in pairs]),)
        if size == 1:
            return (back,)
        counted = size if self.output is None and self.count_padding else size * share
        pairs = zip(values[0], back, strict=True)
        return (tuple([pool_signal.before_mean(law, b, counted, size * share, before, after) for law, b in pairs]),)

    def _size(self, usage: Usage) -> tuple[float, float]:
        """How many elements a window has, and the mean share of them that is not in the padding."""
        if self.output is not None:
            windows = [share(*each).extent for each in zip(usage.inputs[0][1:], usage.output[1:], strict=True)]
            return math.prod(windows), 1.0
        sliding = self.windows(usage.inputs[0])
        axes = zip(usage.inputs[0][1:], usage.output[1:], *sliding[:4], strict=True)
        return math.prod(sliding.kernel), math.prod([inside(*axis)[0] for axis in axes])
