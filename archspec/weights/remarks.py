"""Warnings about weights that were loaded: casts to another dtype, and values that are not finite."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from archspec.diagnostics import Diagnostic

DTYPE = "; choose one with `dtype=` of `archspec.build`: {}"
"""What a caller of ``archspec.build`` can do about a cast."""


def as_written(message: str) -> str:
    """The message of a remark where a file is written, which always has float32.

    >>> as_written("1 tensor was converted" + DTYPE.format("torch.float64 or torch.float32"))
    '1 tensor was converted; a file always has torch.float32'
    """
    head, advice, _ = message.partition(DTYPE.format(""))
    return f"{head}; a file always has torch.float32" if advice else message


def value_remarks(
    casts: Iterable[tuple[str, str]], broken: Sequence[str], *, asked: bool = False
) -> Iterator[Diagnostic]:
    """The warnings.

    Args:
        casts: the dtype before and after, as torch names it (``float16``), for each tensor that was loaded.
        broken: the keys whose values are not finite.
        asked: whether the caller chose the model's dtype, and so expects a cast between floating-point dtypes.

    >>> print(next(value_remarks([("float64", "float32"), ("int64", "int64")], [])).message)
    1 tensor of the weights was converted from torch.float64 to torch.float32; choose one with `dtype=` of \
`archspec.build`: torch.float64 or torch.float32
    """
    for (before, after), count in Counter(casts).items():
        if before == after:
            continue
        if "float" in before and "float" in after:
            if asked:
                continue
            advice = DTYPE.format(f"torch.{before} or torch.{after}")
        else:
            advice = ""
        tensors, were = f"{count} tensor{'' if count == 1 else 's'}", "was" if count == 1 else "were"
        message = f"{tensors} of the weights {were} converted from torch.{before} to torch.{after}{advice}"
        help = "check that the loss of precision does not matter, or that the file is the right one"
        yield Diagnostic("W821", message, help=help)
    if broken:
        more = f" and {len(broken) - 3} more" if len(broken) > 3 else ""
        listed = ", ".join(f"`{key}`" for key in broken[:3])
        help = "use a checkpoint from before the training diverged"
        yield Diagnostic(
            "W822", f"the weights have numbers that are not finite (NaN or infinity) in {listed}{more}", help=help
        )
