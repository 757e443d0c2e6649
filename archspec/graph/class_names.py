"""Names of classes: from the names of the spec, else from what a sequence holds."""

from __future__ import annotations

import builtins
import keyword
import re
from collections.abc import Sequence

from archspec.graph.definitions import Leaf, Use
from archspec.graph.nesting import Module

SPELLED = {"se": "SqueezeExcite", "mbconv": "MBConv", "fused_mbconv": "FusedMBConv", "convnext": "ConvNeXt"}
"""Names of the library and of the zoo that a person spells in another way."""
MOST_WORDS = 3
PREFIX = {"block": "Block", "shortcut": "Shortcut"}
"""What goes before a name that starts with a digit, or that is one letter."""

TAKEN = frozenset({"Tensor", "Module", "Sequential", "Parameter", "F", "OrderedDict", "Any", "Callable", "Mapping"})
"""Names that source imports, beside those of modules in torch."""


class ClassNames:
    """The class names of one network so far; ``taken`` are those that no class may have."""

    def __init__(self, targets: set[str]) -> None:
        self.taken = {target.rpartition(".")[2] for target in targets} | TAKEN

    def of(self, modules: list[Module], whats: Sequence[Leaf | Use]) -> str:
        """A name for the class of modules that become one definition, by the spec, their parts, or their path."""
        regions = [module.region for module in modules]
        names = dict.fromkeys([each.name if each and each.kind not in ("layer", "stage") else "" for each in regions])
        first = modules[0]
        if first.kind == "model":
            return self._unique(camel(first.name) or "Network")
        name = next((name for name in names if name), "") if "" not in names else ""
        if name:
            kind = regions[0].kind if regions[0] else "fragment"
            return self._unique(
                camel(name) if camel(name)[:1].isalpha() else f"{PREFIX.get(kind, 'Part')}{camel(name)}"
            )
        alone = len(modules) == 1 and not first.path.rpartition(".")[2].isdecimal()
        return self._unique(("" if alone else _by_parts(first, whats)) or _by_path(first))

    def _unique(self, name: str) -> str:
        wanted, number = name, 2
        while name in self.taken or keyword.iskeyword(name) or hasattr(builtins, name):
            name, number = f"{wanted}{number}", number + 1
        self.taken.add(name)
        return name


def camel(name: str) -> str:
    """A name of the spec as that of a class, of ASCII letters and digits; empty if it has none of them.

    >>> camel("squeeze_excite"), camel("2plus1d"), camel("avg-projection"), camel("…")
    ('SqueezeExcite', '2plus1d', 'AvgProjection', '')
    """
    words = re.split(r"[^0-9A-Za-z]+", name)
    return SPELLED.get(name) or "".join([word[:1].upper() + word[1:] for word in words])


def _by_parts(module: Module, whats: Sequence[Leaf | Use]) -> str:
    """``ConvNormAct``, for a short sequence."""
    if module.kind != "sequential" or not 2 <= len(whats) <= MOST_WORDS or sum(isinstance(w, Use) for w in whats) > 1:
        return ""
    words = []
    for what in whats:
        if isinstance(what, Use):
            words.append(what.definition.class_name)
        else:
            words += [camel(node.operation.name) for node in what.nodes if node][:1]
    return "".join(words)


def _by_path(module: Module) -> str:
    """The last name on the way to a module, with the numbers after it: ``Features1``."""
    parts = module.path.split(".")
    last = max([place for place, part in enumerate(parts) if not part.isdecimal()], default=0)
    found = camel("_".join(parts[last:]))
    return found if found[:1].isalpha() else f"Part{found}"
