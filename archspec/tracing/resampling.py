"""Rules for interpolation, blurring and pixel shuffles."""

from __future__ import annotations

from typing import Any

from archspec.tracing.form_builder import FormBuilder, Operand, UnknownCall, Value
from archspec.tracing.layers import each, spatial
from archspec.tracing.rearranging import channel_shuffle, permute, reshaped


def interpolate(
    b: FormBuilder,
    input: Operand,
    size: Any = None,
    scale_factor: Any = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
    recompute_scale_factor: bool | None = None,
    antialias: bool = False,
) -> Value:
    """The size of the result says whether a scale or a size was given; fractions of scales have no rule."""
    x, _ = spatial(b, input)
    if antialias or any(scale % 1 for scale in _numbers(scale_factor)):
        raise UnknownCall
    copies = "nearest" if mode in ("nearest", "area") and _repeats(x.shape[2:], b.shape[2:]) else mode
    return b.add("interpolate", (x,), b.shape, size=b.shape[2:], mode=copies, align_corners=bool(align_corners))


def _numbers(scale: Any) -> tuple[float, ...]:
    return tuple(scale) if isinstance(scale, list | tuple) else (scale or 1,)


def _repeats(before: tuple[int, ...], after: tuple[int, ...]) -> bool:
    return not any(larger % size for size, larger in zip(before, after, strict=True))


def upsample(b: FormBuilder, input: Operand, size: Any, scale_factor: Any, mode: str, align_corners: Any) -> Value:
    """The module, by its attributes."""
    return interpolate(b, input, size, scale_factor, mode, align_corners)


def upsample_like(
    b: FormBuilder, input: Operand, like: Operand, mode: str = "nearest", align_corners: bool | None = None
) -> Value:
    """To the size of another value, of which the result's size says all."""
    return interpolate(b, input, b.shape[2:], None, mode, align_corners)


def pixel_shuffle(b: FormBuilder, input: Operand, upscale_factor: int) -> Operand:
    """Expressed as the view, permutation and view that many networks write by hand."""
    x, by = b.plain(input), upscale_factor
    batch, channels, height, width = x.shape
    parted = b.value(reshaped(b, x, (batch, channels // by**2, by, by, height, width)))
    return reshaped(b, permute(b, parted, 0, 1, 4, 2, 5, 3), b.shape)


def pixel_unshuffle(b: FormBuilder, input: Operand, downscale_factor: int) -> Operand:
    """Expressed as the view, permutation and view that many networks write by hand."""
    x, by = b.plain(input), downscale_factor
    batch, channels, height, width = x.shape
    parted = b.value(reshaped(b, x, (batch, channels, height // by, by, width // by, by)))
    return reshaped(b, permute(b, parted, 0, 1, 3, 5, 2, 4), b.shape)


def space_to_depth(b: FormBuilder, input: Operand, by: int) -> Operand:
    """timm's: the same, but the channels of one position are next to each other."""
    return channel_shuffle(b, pixel_unshuffle(b, input, by), b.value(input).shape[1])


def blur(b: FormBuilder, input: Operand, kernel_size: int, stride: Any) -> Value:
    """Depthwise convolution with binomial coefficients."""
    x, rank = spatial(b, input)
    padding = ((kernel_size - 1) // 2, kernel_size // 2)
    return b.add("blur", (x,), b.shape, kernel=kernel_size, stride=each(stride, rank), padding=padding, mode="reflect")


def blur_of_timm(
    b: FormBuilder, input: Operand, filt_size: int, stride: int, padding: list[int], pad_mode: str
) -> Value:
    """The same, as a module that has the kernel as a buffer without a key."""
    x, rank = spatial(b, input)
    if len(set(padding)) > 1:
        raise UnknownCall
    padded = (padding[0], padding[0])
    return b.add("blur", (x,), b.shape, kernel=filt_size, stride=each(stride, rank), padding=padded, mode=pad_mode)
