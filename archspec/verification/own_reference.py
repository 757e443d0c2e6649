"""The ``reference`` that a spec names itself: only networks of two libraries, and only arguments that shape them.

A spec is not trusted. Its reference must not run code, reach the network, read a file, or fill the memory. So each
library has a table of the arguments that a spec may pass, and everything else is refused: an argument of a later
version too, until it has been reviewed.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from archspec.diagnostics import Diagnostic, Mention, Span, SpecError, cut
from archspec.graph.graph import Graph
from archspec.verification.reference import LIBRARIES, Reference, make, parse

AGAINST = Mention("against", "`against`")

TORCHVISION = """
num_classes width_mult groups width_per_group replace_stride_with_dilation dropout stochastic_depth_prob aux_logits
attention_dropout bn_size drop_rate dropout_aux init_weights layer_scale memory_efficient mlp_dropout
representation_size round_nearest stem_width transform_input zero_init_residual
"""

TIMM = """
num_classes in_chans global_pool output_stride drop_rate drop_path_rate norm_eps act_layer norm_layer
attn_drop_rate aux_logits avg_down base_width block_config block_reduce_first bn_size bottle_ratio cardinality ch_div
channel_multiplier channels conv_bias conv_mlp deepen_factor depth depth_mult depths dim dims down_kernel_size
drop_block_rate embed_dim expand_ratio final_chs fix_stem groups growth_rate head_bias head_hidden_size head_init_scale
head_norm head_norm_first img_size inc_sec init_values initial_chs inplanes input_3x3 k_r k_sec kernel_size kernel_sizes
layers levels ls_init_value memory_efficient mlp_ratio num_features num_heads num_init_features pad_type patch_size
preact proj_drop_rate qkv_bias reduction replace_stem_pool scale se_from_exp se_ratio shortcut_root small stem_chs
stem_kernel_size stem_size stem_type stem_width use_grn widen_factor width width_factor width_mult zero_init_last
"""

ALLOWED = {"torchvision": tuple(TORCHVISION.split()), "timm": tuple(TIMM.split())}
"""The arguments that a spec may pass to the networks of a library: those that change the network and nothing else.
The usual ones come first, because a message shows only a few."""

WORDS = ("act_layer", "global_pool", "norm_layer", "pad_type", "stem_type")
"""The arguments of timm that may be a word. timm looks the word up in a table of its own."""

MAX_ELEMENTS = 1_000_000_000
"""The most elements of all tensors that are made for a reference: 4 GB. The largest network of the zoo has 0.65."""

MAX_TENSORS = 100_000


def named_reference(graph: Graph) -> tuple[str, Span]:
    """What a graph's spec names as its reference, and where. Raises ValueError if it names none."""
    text = graph.origin.document.value.get("reference") if graph.origin else None
    if graph.origin is None or not isinstance(text, str):
        raise ValueError(f"there is nothing to compare `{graph.name}` with: it names no reference")
    return text, graph.origin.document.span(("reference",))


def own_reference(text: str, place: Span, seed: int = 0) -> tuple[nn.Module, str]:
    """Make the network that a spec names as its ``reference``, at ``place``; see :func:`make`.

    Raises:
        SpecError: E901 to E905, at ``place``.
        EnvironmentFault: E809, the library is not installed.
    """
    try:
        reference = parse(text)
        if reference.origin not in LIBRARIES:
            message = f"the reference `{cut(text)}` could make the spec run code"
            help = f"name a network of torchvision or timm; {AGAINST.text} can name any network"
            raise SpecError([Diagnostic("E901", message, help=help, mentions=(AGAINST,))])
        if found := list(_refused(reference)):
            raise SpecError(found)
        with _Bounded():
            return make(text, seed)
    except SpecError as error:
        raise SpecError([replace(fault, span=place) for fault in error.diagnostics]) from None


def _refused(reference: Reference) -> Iterator[Diagnostic]:
    """A diagnostic for each argument that a spec may not pass."""
    allowed = ALLOWED[reference.origin]
    for name, value in reference.kwargs.items():
        if name not in allowed:
            message = f"a spec cannot pass `{cut(name)}` to {reference.origin}; the arguments that it can pass are"
            help = f"remove it, or name the reference with {AGAINST.text}, which can pass any argument"
            yield Diagnostic.listing("E901", message, allowed, help=help, mentions=(AGAINST,))
        elif not _plain(value) and not (name in WORDS and isinstance(value, str) and _word(value)):
            kinds = "numbers, truth values, and lists of these"
            words = ", or a word" if name in WORDS and reference.origin == "timm" else ""
            message = f"`{name}` takes {kinds}{words} in a spec, got `{cut(repr(value))}`"
            yield Diagnostic("E901", message, help=f"{AGAINST.text} can pass any value", mentions=(AGAINST,))


def _plain(value: object) -> bool:
    if isinstance(value, list | tuple):
        return all(map(_plain, value))
    return value is None or isinstance(value, int | float)


def _word(text: str) -> bool:
    return not text or (text.isascii() and text.isidentifier())


class _Bounded(TorchDispatchMode):
    """Refuses to make more tensors than any network needs, before they have storage."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # torch's own has no annotations
        self.elements = self.tensors = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        made = _made(args)
        if made is not None:
            self.elements += made
            self.tensors += 1
            if self.elements > MAX_ELEMENTS or self.tensors > MAX_TENSORS:
                raise ValueError(f"its tensors have more than {MAX_ELEMENTS:,} elements, or there are too many tensors")
        return func(*args, **(kwargs or {}))


def _made(args: tuple[Any, ...]) -> int | None:
    """How many elements a call makes: of a size or a range, or by broadcasting its inputs to more than each has.

    None means that the result of a call is at most as large as an input.
    """
    size = args[0] if args else None
    if isinstance(size, list | tuple) and all(isinstance(each, int) for each in size):
        return abs(math.prod(size))
    if isinstance(size, int | float):
        return int(min(max(abs(each) for each in args if isinstance(each, int | float)), 2 * MAX_ELEMENTS))
    given = [each for each in args if isinstance(each, Tensor)]
    if len(given) < 2:
        return None
    try:
        result = math.prod(torch.broadcast_shapes(*[each.shape for each in given]))
    except RuntimeError:  # a call that does not broadcast
        return None
    return result if result > max(each.numel() for each in given) else None
