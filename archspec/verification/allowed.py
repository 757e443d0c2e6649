"""What the ``reference`` of a spec may be: networks of two libraries, and arguments that shape them.

A spec is not trusted. Whatever is not in the tables is refused, before torch is imported.
"""

from __future__ import annotations

from collections.abc import Iterator

from archspec.diagnostics import Diagnostic, Mention, SpecError, cut, suggest
from archspec.verification.reference_text import LIBRARIES, Reference, meant, parse

AGAINST = Mention("against", "`against`")

TORCHVISION = """
num_classes width_mult groups width_per_group replace_stride_with_dilation dropout stochastic_depth_prob aux_logits
aux_loss
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

DEPTHS = ("block_config", "depth", "depths", "layers")
"""The arguments that are numbers of blocks."""

DEEPEST = 1000
"""The most blocks of a stage. The deepest networks of the papers have a few hundred. Making ten million takes minutes
before their tensors are too many."""


def refused_reference(text: str) -> list[Diagnostic]:
    """Why a spec may not name this reference: E901, without a place; empty if it may."""
    try:
        reference = parse(text)
    except SpecError as error:
        return list(error.diagnostics)
    if reference.origin not in LIBRARIES:
        message = f"the reference `{cut(text)}` could make the spec run code"
        help = f"name a network of torchvision or timm; {AGAINST.text} can name any network"
        hint = suggest(meant(text)) if reference.origin.startswith(tuple(f"{each}." for each in LIBRARIES)) else ""
        return [Diagnostic("E901", message, hint=hint, help=help, mentions=(AGAINST,))]
    return list(_refused(reference))


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
        elif name in DEPTHS and _largest(value) > DEEPEST:
            message = f"`{name}` must be at most {DEEPEST:,} in a spec, got `{cut(repr(value))}`"
            yield Diagnostic("E901", message, help=f"{AGAINST.text} can pass any value", mentions=(AGAINST,))


def _plain(value: object) -> bool:
    if isinstance(value, list | tuple):
        return all(map(_plain, value))
    return value is None or isinstance(value, int | float)


def _largest(value: object) -> float:
    """The largest number of a plain value, whatever its sign."""
    if isinstance(value, list | tuple):
        return max(map(_largest, value), default=0.0)
    return abs(value) if isinstance(value, int | float) else 0.0


def _word(text: str) -> bool:
    return not text or (text.isascii() and text.isidentifier())
