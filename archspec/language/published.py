"""What a spec says of published files of weights: the scopes beside the network's, and other names of parts of keys."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Published:
    """The spec's ``weights``.

    ``skip`` are scopes that a file may hold and the network does not have. ``aliases`` gives the network's name for a
    part of a key, a run of words between dots, that a file may call otherwise. ``trimmed`` are keys that the network
    would have without its ``outputs``.
    """

    skip: tuple[str, ...] = ()
    aliases: Mapping[str, str] = field(default_factory=dict)
    trimmed: frozenset[str] = frozenset()

    def skips(self, key: object) -> bool:
        """Whether a key lies in a scope to skip, or was trimmed.

        >>> Published(("aux",)).skips("aux.fc.weight"), Published(("aux",)).skips("auxiliary.weight")
        (True, False)
        """
        return self.trims(key) or any(str(key) == scope or str(key).startswith(f"{scope}.") for scope in self.skip)

    def trims(self, key: object) -> bool:
        """Whether a key, or the network's name for it, was trimmed.

        >>> Published(aliases={"norm.1": "norm1"}, trimmed=frozenset(["layer2.norm1.bias"])).trims("layer2.norm.1.bias")
        True
        """
        return bool(self.trimmed) and isinstance(key, str) and self.name(key, self.trimmed) in self.trimmed

    def name(self, key: str, expected: Collection[str]) -> str:
        """The expected key that is called ``key`` in a file; ``key`` itself if there is none.

        >>> Published(aliases={"norm.1": "norm1"}).name("layer2.norm.1.bias", {"layer2.norm1.bias"})
        'layer2.norm1.bias'
        """
        if not self.aliases or key in expected:
            return key
        found = f".{key}."
        for old, new in self.aliases.items():
            found = found.replace(f".{old}.", f".{new}.")
        return found[1:-1] if found[1:-1] in expected else key


NOTHING = Published()
"""What a spec without ``weights`` says."""
