"""Frozen scopes: what a file has in addition where the spec freezes something."""

from torch import Tensor

Params = dict[str, Tensor]
FROZEN: tuple[str, ...] = ()


def is_frozen(name: str) -> bool:
    """Whether a layer or a parameter is in a scope that does not train, and whose norms stay in eval mode."""
    return f"{name}.".startswith(FROZEN)


def trainable(p: Params) -> list[str]:
    """The keys of what is trained: all but frozen scopes, statistics of norms, and norms that do not count batches."""
    statistics = ("running_mean", "running_var", "num_batches_tracked")
    norms, counting = ({key.rpartition(".")[0] for key in p if key.endswith(end)} for end in statistics[1:])
    scopes = {key: key.rpartition(".") for key in p if not is_frozen(key)}
    return [key for key, (scope, _, name) in scopes.items() if name not in statistics and scope not in norms - counting]
