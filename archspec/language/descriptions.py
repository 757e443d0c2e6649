"""What each key means, for the schema that an editor reads. Arguments of operations are described where they are made.

A text says what the value is, its unit, and its default if it has one.
"""

from __future__ import annotations

SETTINGS = {
    "shortcut": "The branch that is merged with the residual: the name of a shortcut. Default: projection.",
    "activation_order": "The order of convolution, norm and activation in a layer. Default: post.",
    "norm": "The normalization: a type, `none`, or a mapping of `type` and other arguments. Default: batch.",
    "act": "The activation function: a type, `none`, or a mapping of `type` and other arguments. Default: relu.",
    "drop_path": "The probability, from 0 to less than 1, of dropping a residual in training. Default: 0.",
}

TABLE = {
    **SETTINGS,
    "block": "The block of the stage: one of the library or of this spec.",
    "name": "The template of the stage's scope, instead of the one under `naming`. Default: layer{stage}.",
    "count": "How many blocks the stage has, at least 1.",
    "channels": "The width of the stage, in channels; the block says which of its widths this is.",
    "stride": "The stride of the stage's first block, in positions; the other blocks have stride 1. Default: 1.",
    "dilation": "The dilation of the stage's blocks, in positions. Default: 1.",
    "before": "Steps before the stage, outside of it. In a table by column, one sequence for each stage.",
    "after": "Steps after the stage, outside of it. In a table by column, one sequence for each stage.",
    "around": "Steps around the blocks, with `blocks` in their place. In a table by column, one for each stage.",
}

RULE = {
    "depth": "How many blocks the network has.",
    "w_0": "The width of the first block, in channels.",
    "w_a": "How many channels each block adds to the width, before rounding.",
    "w_m": "Each width becomes `w_0` times a whole power of this, rounded to a multiple of 8 channels.",
    "group_width": "The width of a group, in channels; widths become multiples of it. Default: 1.",
    "rounding": "How a width becomes a multiple of the group's: the paper's rule or torchvision's. Default: paper.",
}

SCALE = {
    "width": "The factor of all widths. Default: 1.",
    "depth": "The factor of all counts of blocks, rounded up. Default: 1.",
    "divisor": "Scaled widths are rounded to a multiple of so many channels. Default: 8.",
}

INIT = {
    "conv": "How the weights of convolutions start. Default: he-fan-out.",
    "linear": "How the weights of linear layers start. Default: torch.",
    "bias": "How the biases of convolutions and linear layers start. Default: torch.",
    "zero_init_residual": "Whether the last norm of each residual starts at 0. Default: false.",
}

NAMING = {
    "convention": "The convention whose templates apply where this mapping is silent. Default: torchvision.",
    "backbone": "The template of the scope around everything before the heads. Default: none.",
    "stem": "The template of the scope of the stem. Default: none, so the stem is at the root.",
    "deep": "The template of the scope of a stem's steps up to the last of several convolutions. Default: none.",
    "head": "The template of the scope of the head. Default: none, so the head is at the root.",
    "heads": "The template of the scope of each part under `heads`. Default: {name}.",
    "stage": "The template of the scope of a stage. Default: layer{stage}.",
    "block": "The template of the scope of a block, inside its stage. Default: {index}.",
    "residual": "The template of the scope of a residual, inside its block. Default: none.",
    "shortcut": "The template of the scope of a shortcut's steps, inside their block. Default: downsample.",
    "layer": "The template of the scope of a layer. Default: none.",
    "fragment": "The template of the scope of a fragment called as a step. Default: {name}{n if n > 1 else ''}.",
    "before": "The template of the scope of the steps before a stage. Default: before{stage}.",
    "after": "The template of the scope of the steps after a stage. Default: after{stage}.",
    "step": "The template of a node that would be named after its kind. Default: none.",
    "left_out": "Whether a step that `when` leaves out keeps its position, as nn.Identity would. Default: not-counted.",
}
OF_AN_OPERATION = "The template of the name of a `{word}`. Default: its kind, numbered where it occurs again."

EXPECT = {
    "params": "How many elements all weights have: a number, a figure such as 25.6M, or bounds.",
    "macs": "How many multiply-adds the convolutions and linear layers do for one example, or bounds.",
    "activations": "How many elements convolutions, linear layers and pools give for one example, or bounds.",
    "layers": "How many convolutions and linear layers are on the longest path, or bounds.",
    "skip_paths": "How many skip paths there are: a number, a power such as 2^16, or bounds.",
    "receptive_field": "The receptive field of the last map, in pixels along each axis, or bounds.",
    "gradient_span": "The decades that the gradient's norm spans at initialization, as predicted, or bounds.",
    "effective_receptive_field": "Four deviations of the gradient's place in the input, in pixels, or bounds.",
    "output": "The shape of the output for one example, channels first.",
    "stages": "What must be true of single stages, by their scopes.",
}
BOUNDS = {"min": "The least value that is allowed.", "max": "The largest value that is allowed."}

BLOCK = {
    **SETTINGS,
    "summary": "One sentence for people.",
    "channels": "What the block means by `channels`, in words.",
    "params": "Parameters with their defaults; null means that the parameter is required.",
    "let": "Values computed from the other names, in any order.",
    "residual": "The steps of the residual, which is merged with the shortcut.",
    "steps": "The steps of a block without a shortcut, instead of `residual`.",
    "merge": "How shortcut and residual are merged. Default: add.",
    "first": "Which of residual and shortcut runs first and comes first in the state dict. Default: residual.",
    "fixed": "Settings that work with one value only; a spec cannot change them.",
}

SHORTCUT = {
    "summary": "One sentence for people.",
    "same": "The steps if a block keeps the shape; [] is the identity, `none` no shortcut. Default: an error.",
    "change": "The steps if a block changes the shape; [] is the identity, `none` no shortcut. Default: an error.",
}

FRAGMENT = {key: BLOCK[key] for key in ("summary", "params", "let")} | {
    "inputs": "Names of values that a call gives beside the one that reaches it; `from` reads them inside.",
    "steps": "The steps of the fragment.",
}

STEPS = {
    "layer": "A convolution with its normalization and activation.",
    "sequence": "Several steps in a scope or under a condition of their own.",
    "repeat": "Steps that run several times, each time on the result of the time before.",
    "blocks": "The blocks of the stage, among the steps around them.",
}

NAMING_STEPS = {
    "as": "Keep the value under this name, for `from` in later steps.",
    "from": "Read the value of this name in place of the previous step's.",
}
SHARE = "Steps of one scope with the same name here use the weights of the first of them."
VALUES = "The value that every branch reads, or a list of values to merge in place of branches."

LAYER = {
    "norm": "The normalization of this layer, or `none`. Default: the setting.",
    "act": "The activation function of this layer, or `none`. Default: the setting.",
}

BRANCH = {"steps": "The steps of the branch, in order; [] is the identity."}
SEQUENCE = {"steps": "The steps, in order."}
BLOCKS = {"each": "The name of the list of what each block gives, which a merge reads with `from`. Default: none."}
REPEAT = {
    "times": "How often the steps run, at least 0.",
    "index": "The name of the counter, which expressions inside read; it counts from 0. Default: none.",
    "each": "The name of the list of all results, which a merge reads with `from`. Default: none.",
    "name": "The template of the scope of each time. Default: none, so the steps have no scope of their own.",
    "steps": "The steps, in order.",
}
