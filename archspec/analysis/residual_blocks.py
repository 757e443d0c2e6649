"""The residual blocks of a spec."""

from __future__ import annotations

from archspec.door import door
from archspec.graph.residual import ResidualBlock, find_residual_blocks
from archspec.language.overrides import Overrides
from archspec.passes.compiling import SpecLike, compile
from archspec.work import Limits


@door
def residual_blocks(
    spec: SpecLike,
    *,
    overrides: Overrides = (),
    allow_outside: bool = False,
    limits: Limits | None = None,
) -> tuple[ResidualBlock, ...]:
    """The merge, the shortcut and the residual of every block, in order; torch is not imported.

    A block counts as residual if all ways through it meet in one addition, or in a concatenation that its input enters
    unchanged. It does not matter who wrote the block, or in which order its norms and activations are. The shortcut is
    the spec's; of a sum that a block writes out in its steps, it is the identity, or else the way with the fewest
    layers, or else the first. A block with several such merges one after another gives one result for each. A block
    without any gives a result with the ``reason``.

    Args:
        spec: a spec, a compiled graph, or what :func:`load` takes: a path, a zoo name, YAML text.
        overrides: values to set in the spec, as in :func:`load`; only for a spec that is not loaded yet.
        allow_outside: whether ``extends`` and ``import`` may read outside the spec's folder; not for a loaded spec.
        limits: how large a network may become.

    Raises:
        SpecError: the spec is refused.
        TypeError: an argument of the wrong type.

    He, Zhang, Ren and Sun, "Deep Residual Learning for Image Recognition", 2015, section 3.2.

    >>> import archspec
    >>> block = archspec.residual_blocks("resnet18")[2]
    >>> block.scope, block.kind, block.downsamples
    ('layer2.0', 'projection', True)
    >>> block.merge, block.shortcut, block.residual
    ('layer2.0.add', 'layer2.0.downsample.1', 'layer2.0.bn2')
    >>> archspec.residual_blocks("plain34")[0].reason
    'it has no shortcut'
    """
    return find_residual_blocks(compile(spec, overrides=overrides, allow_outside=allow_outside, limits=limits))
