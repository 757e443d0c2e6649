"""archspec: a compiler for convolutional networks. YAML in, a checked ``torch.fx`` graph out.

    >>> import archspec
    >>> model = archspec.build("resnet50")

``load`` reads a spec, ``compile`` infers every shape, ``check`` compares the network with what the spec expects,
``analyze`` says what it costs and ``diff`` how it differs from another, all without torch; ``build`` makes the model,
``confirm`` has torch compute every shape, ``save`` writes the weights, ``write`` writes any target, ``verify`` compares
with a reference, and ``pair_keys`` makes the key map of weights with other keys.
"""

from __future__ import annotations

import importlib
import os
import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from archspec.diagnostics import Diagnostic, EnvironmentFault, Source, SpecError
from archspec.door import door
from archspec.graph.graph import Graph
from archspec.import_path import torch_needed
from archspec.language.load import load
from archspec.language.overrides import Overrides
from archspec.language.spec import Spec
from archspec.passes.compiling import SpecLike, compile
from archspec.work import Limits

if TYPE_CHECKING:
    import torch
    from torch import fx, nn

    from archspec.analysis.diff import Difference, diff
    from archspec.analysis.report import Report, analyze
    from archspec.analysis.residual_blocks import residual_blocks
    from archspec.analysis.signal import SignalReport, signal
    from archspec.analysis.skip_paths import skip_paths
    from archspec.analysis.zoo import zoo
    from archspec.emit.drawing import draw
    from archspec.emit.figure import Figure
    from archspec.emit.graph_from_json import graph_from_json
    from archspec.emit.source.levels import source
    from archspec.graph.residual import ResidualBlock
    from archspec.testing.confirming import confirm
    from archspec.testing.harness import Outcome, check
    from archspec.verification.against import verify
    from archspec.verification.verdict import Verdict
    from archspec.writing import WrittenFiles, write

__version__ = "0.1.0"

if os.path.isdir(os.path.join(__path__[0], "cpu")):  # noqa: PTH112, PTH118  # it is quicker than pathlib
    warnings.warn(
        "the distribution `archspec`, a library of CPU architectures, is installed in the same folder as "
        "`archspec-compiler`, and each overwrites files of the other: keep them in separate environments",
        stacklevel=2,
    )

__all__ = [
    "Diagnostic",
    "Difference",
    "EnvironmentFault",
    "Figure",
    "Graph",
    "Limits",
    "Outcome",
    "Report",
    "ResidualBlock",
    "SignalReport",
    "Source",
    "Spec",
    "SpecError",
    "SpecLike",
    "Verdict",
    "WrittenFiles",
    "__version__",
    "analyze",
    "build",
    "check",
    "compile",
    "confirm",
    "diff",
    "draw",
    "graph_from_json",
    "load",
    "pair_keys",
    "residual_blocks",
    "save",
    "signal",
    "skip_paths",
    "source",
    "verify",
    "write",
    "zoo",
]


_LATE = {
    "Difference": "archspec.analysis.diff",
    "Figure": "archspec.emit.figure",
    "Outcome": "archspec.testing.harness",
    "Report": "archspec.analysis.report",
    "ResidualBlock": "archspec.graph.residual",
    "SignalReport": "archspec.analysis.signal",
    "Verdict": "archspec.verification.verdict",
    "WrittenFiles": "archspec.writing",
    "analyze": "archspec.analysis.report",
    "check": "archspec.testing.harness",
    "confirm": "archspec.testing.confirming",
    "diff": "archspec.analysis.diff",
    "draw": "archspec.emit.drawing",
    "graph_from_json": "archspec.emit.graph_from_json",
    "residual_blocks": "archspec.analysis.residual_blocks",
    "signal": "archspec.analysis.signal",
    "skip_paths": "archspec.analysis.skip_paths",
    "source": "archspec.emit.source.levels",
    "verify": "archspec.verification.against",
    "write": "archspec.writing",
    "zoo": "archspec.analysis.zoo",
}


def __getattr__(name: str) -> Any:
    """What is imported when it is asked for: compiling a spec needs none of it."""
    if name not in _LATE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_LATE[name]), name)


def __dir__() -> list[str]:
    """The public names, also those that are imported late, and none of the names that this module only uses."""
    return sorted({*__all__, *(name for name in globals() if name.startswith("__"))})


@door
def build(
    spec: SpecLike,
    *,
    weights: str | os.PathLike[str] | Mapping[str, Any] | None = None,
    map: str | os.PathLike[str] | Mapping[str, Any] | None = None,
    entry: str | None = None,
    prefix: str | None = None,
    rename: Mapping[str, str] | None = None,
    transfer: bool = False,
    device: torch.device | str | None = None,
    dtype: str | torch.dtype | None = None,
    seed: int | None = None,
    flat: bool = False,
    overrides: Overrides = (),
    allow_outside: bool = False,
    limits: Limits | None = None,
) -> fx.GraphModule:
    """The model of a spec, in training mode, as torch's own constructors return theirs.

    Args:
        spec: a spec, a compiled graph, or what :func:`load` takes: a path, a zoo name, YAML text.
        weights: a state dict, a checkpoint with one, or a file of these (safetensors, ``.pt``, ``.pth``; its code never
            runs); every key must match. Without this, the model is initialized as ``init`` says.
        map: the key in the weights for each key of the spec that differs: the file that ``archspec verify --map``
            writes, its contents, or only the mapping of keys.
        entry: which state dict of a checkpoint to load, such as ``model_ema`` or ``ema.state_dict``.
        prefix: a scope such as ``visual.trunk.``; only its keys are loaded, without the scope.
        rename: new names of scopes, such as ``{"backbone.": ""}``, applied in order after ``prefix``.
        transfer: whether to load weights of which only some fit: values with the same key and shape are loaded, filters
            that read the input are summed or repeated for its channels, and the rest is initialized.
        device: the device of the weights; with ``meta``, the model has no storage, and weights are only checked.
        dtype: of parameters and running statistics, as a name (``bfloat16``) or a torch dtype; torch's by default.
        seed: for the initialization; without it, torch's global generator is used, and advances.
        flat: one graph for the whole network instead of one for each block. State dict and results are the same.
        overrides: values to set in the spec, as in :func:`load`; only for a spec that is not loaded yet.
        allow_outside: whether ``extends`` and ``import`` may read outside the spec's folder; not for a loaded spec.
        limits: how large a network may become.

    Returns:
        A ``torch.fx.GraphModule``. Input: (N, C, *spatial); output: (N, classes), or a dict by scope where the spec
        lists ``outputs``. Every fx node carries ``scope``, ``operation``, ``shape`` and ``span`` in its ``meta``, and
        ``model.meta["weights"]`` says which keys were loaded and which not (:class:`archspec.weights.Loaded`).

    Warns (UserWarning) if weights change their dtype unasked, are not finite or wrapped, or the map is another spec's.

    Raises:
        SpecError: the spec is refused, the weights do not fit it, or the map does not.
        EnvironmentFault: torch is not installed.
        TypeError: an argument of the wrong type; ``dtype`` is not a floating-point one; ``weights`` are missing.
        ValueError: the machine does not have the device, or the seed is too large for torch.

    >>> import archspec
    >>> archspec.build("resnet18", device="meta").layer4[1].conv2.weight.shape
    torch.Size([512, 512, 3, 3])
    """
    graph = compile(spec, overrides=overrides, allow_outside=allow_outside, limits=limits)
    with torch_needed(graph.files):
        from archspec.weights import building  # it imports torch
    taken: dict[str, Any] = {"map": map, "entry": entry, "prefix": prefix, "rename": rename, "transfer": transfer}
    return building.build(graph, weights=weights, **taken, device=device, dtype=dtype, seed=seed, flat=flat)


@door
def pair_keys(
    spec: SpecLike,
    weights: str | os.PathLike[str] | Mapping[str, Any],
    *,
    entry: str | None = None,
    prefix: str | None = None,
    rename: Mapping[str, str] | None = None,
    overrides: Overrides = (),
    allow_outside: bool = False,
    limits: Limits | None = None,
) -> dict[str, Any]:
    """A key map for weights whose tensors agree with the network's in order and shape, but have other keys.

    Args:
        spec: a spec, a compiled graph, or what :func:`load` takes.
        weights: a state dict, or a file of one.
        entry: which state dict of a checkpoint to use, as in :func:`build`.
        prefix: a scope of the weights, likewise.
        rename: new names of scopes, likewise.
        overrides: values to set in the spec, as in :func:`load`; only for a spec that is not loaded yet.
        allow_outside: whether ``extends`` and ``import`` may read outside the spec's folder; not for a loaded spec.
        limits: how large a network may become.

    Returns the ``map`` that :func:`build` takes, as ``archspec build --write-map`` writes it. Raises the same errors as
    :func:`build`, and a SpecError with E828 if the tensors do not agree.

    >>> import archspec
    >>> given = {f"net/{key}": value for key, value in archspec.build("resnet18").state_dict().items()}
    >>> archspec.pair_keys("resnet18", given)["keys"]["fc.bias"]
    'net/fc.bias'
    """
    from archspec.weights.pair_keys import pair_keys as paired  # the compiler starts faster without it

    graph = compile(spec, overrides=overrides, allow_outside=allow_outside, limits=limits)
    return paired(graph, weights, entry=entry, prefix=prefix, rename=rename)


@door
def save(
    model: nn.Module,
    spec: SpecLike,
    path: str | os.PathLike[str],
    *,
    force: bool = False,
    overrides: Overrides = (),
    allow_outside: bool = False,
    limits: Limits | None = None,
) -> None:
    """Write a model's weights to a file of safetensors, with the spec, its name and its hash in the metadata.

    The file is written whole or not at all: an error or an interrupt leaves what was there before.

    Args:
        model: a model that :func:`build` made of this spec, trained or not.
        spec: the spec, or its compiled graph.
        path: the file to write, which ends in ``.safetensors``.
        force: whether to replace a file that exists. The files of the spec, and those that the model's weights were
            loaded from, are never replaced.
        overrides: values to set in the spec, as in :func:`load`; only for a spec that is not loaded yet.
        allow_outside: whether ``extends`` and ``import`` may read outside the spec's folder; not for a loaded spec.
        limits: how large a network may become.

    Raises:
        SpecError: the spec is refused; E807, the model is another network.
        TypeError: an argument of the wrong type.
        ValueError: the path ends otherwise.
        EnvironmentFault: E805, the file exists; E806, it cannot be written; E809, safetensors is not installed.

    >>> import archspec
    >>> model = archspec.build("resnet20_cifar", seed=0)
    >>> archspec.save(model, "resnet20_cifar", "cifar.safetensors")
    >>> archspec.build("resnet20_cifar", weights="cifar.safetensors").conv1.weight.equal(model.conv1.weight)
    True
    """
    graph = compile(spec, overrides=overrides, allow_outside=allow_outside, limits=limits)
    with torch_needed(graph.files):
        from archspec.weights import saving  # it imports torch
    saving.save(model, graph, path, force=force)
