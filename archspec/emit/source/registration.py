"""How the parts of a definition are registered: their names, numbers and places."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from itertools import chain, count, groupby
from types import MappingProxyType

from archspec.emit.source.literals import literal
from archspec.emit.source.signatures import signature
from archspec.graph.formulas import Expression, show
from archspec.graph.patterns import DefinedPart, Definition, Leaf, Repeat, Use, runs

_MOST_FILLED = 2
"""The most places of a sequence that an ``nn.Identity`` fills; with more, the parts are given by name."""

DICT, LIST = "nn.ModuleDict", "nn.ModuleList"
Holding = Mapping[str, str]
"""What holds the modules of each scope whose modules have numbers: a list if they count from 0, else a dict.

Where one of them is a scope itself, a dict shows its number when a module is put into it.
"""
NONE: Holding = MappingProxyType({})
_OF_DICTS = frozenset(("clear", "items", "keys", "pop", "update", "values"))
"""The methods of an ``nn.ModuleDict``."""


def weight_attribute(path: str, holding: Holding = NONE) -> str:
    """The text that reads a parameter of a class, whose name may be a number."""
    scope, _, name = path.rpartition(".")
    owner = attribute(scope, holding) if scope else "self"
    return f"{owner}.{name}" if name.isidentifier() else f"getattr({owner}, {literal(name)})"


def lent(part: DefinedPart, holding: Holding) -> dict[str, str]:
    """The texts that read the module or the weights of a part that uses those of another one."""
    if isinstance(part.what, Use) or part.what.call.kind == "module":
        return {part.path: attribute(part.state, holding)}
    keys = [f".{key}" if key else "" for key in part.what.weights]
    return {f"{part.path}{key}": weight_attribute(f"{part.state}{key}", holding) for key in keys}


def is_activation(part: DefinedPart) -> bool:
    """Whether it is an activation function, which all calls of a class share as torchvision's ``self.relu`` is."""
    if isinstance(part.what, Use) or part.when is not None or "." in part.path:
        return False
    operations = [node.operation for node in part.what.nodes if node is not None]
    return all(operation.nonlinear and not operation.has_state for operation in operations)


def unused(name: str, taken: Collection[str]) -> str:
    """The name, or the name with a number if it is taken."""
    numbered = (f"{name}{number}" for number in count(2))
    return next(each for each in chain([name], numbered) if each not in taken)


def items(definition: Definition) -> Sequence[DefinedPart | Repeat]:
    return runs(definition) if definition.kind == "sequential" else definition.parts


def is_listed(definition: Definition) -> bool:
    """Whether the keys of its parts depend on which parts are present."""
    return definition.positional and any(part.when is not None for part in definition.parts)


def is_numbered(definition: Definition) -> bool:
    """Whether its parts have numbers for names, in order; where one is left out, an ``nn.Identity`` fills its place."""
    if definition.positional:
        return True
    paths = [part.path for part in definition.parts]
    if not all(path.isdecimal() and path == str(int(path)) for path in paths):
        return False
    numbers = [int(path) for path in paths]
    return numbers == sorted(numbers) and numbers[-1] < len(numbers) + _MOST_FILLED


def index(item: Repeat) -> str:
    """The name of the index of a run, if its arguments read it."""
    what = item.part.what
    values: list[Expression] = list(what.arguments.values()) if isinstance(what, Use) else []
    if isinstance(what, Leaf):
        values = [*what.call.args, *what.call.kwargs.values()]
    return "i" if any(re.search(r"\bi\b", show(value)) for value in values) else "_"


def numbered(paths: Sequence[str]) -> str:
    """The names of a run as a formatted string with the index: ``f"denselayer{i + 1}"``."""
    match = re.fullmatch(r"(.*?)(\d+)", paths[0])
    if match and list(paths) == [f"{match[1]}{int(match[2]) + offset}" for offset in range(len(paths))]:
        prefix = match[1].replace("{", "{{").replace("}", "}}")
        first = f"i + {match[2]}" if int(match[2]) else "i"
        return f'f"{prefix}{{{first}}}"' if prefix else f"str({first})"
    return f"{list(paths)!r}[i]"


def attribute(path: str, holding: Holding = NONE) -> str:
    """The text that reads a part in ``forward``. ``holding`` are the scopes of numbers."""
    text = "self"
    names = path.split(".")
    for place, name in enumerate(names):
        if name.isidentifier():
            text += f".{name}"
        elif (scope := ".".join(names[:place])) in holding:
            text += f"[{name}]" if holding[scope] == LIST else f"[{literal(name)}]"
        else:
            text = f"getattr({text}, {literal(name)})"  # also of a part that may be None
    return text


def assigned(path: str, text: str, holding: Holding = NONE) -> str:
    """The statement that registers a module or a parameter at a path."""
    scope, _, name = path.rpartition(".")
    owner = attribute(scope, holding) if scope else "self"
    if name.isidentifier():
        return f"{owner}.{name} = {text}"
    if holding.get(scope) == LIST:
        return f"{owner}.append({text})"
    if scope in holding and not text.startswith("nn.Parameter("):
        return f"{owner}[{literal(name)}] = {text}"
    kind = "register_parameter" if text.startswith("nn.Parameter(") else "add_module"
    return f"{owner}.{kind}({literal(name)}, {text})"


def scopes_of_numbers(paths: Sequence[str], kept: Collection[str]) -> Holding:
    """What holds the modules of the scopes that contain numbers as names, but are not modules of the plan.

    An empty text among them is the class itself, some of whose modules have numbers.

    Args:
        paths: the modules and weights of a class, in the order in which it registers them.
        kept: those for which a list has no place: weights, and parts that may be None.
    """
    children: dict[str, dict[str, None]] = {}
    for path in paths:
        names = path.split(".")
        for length in range(len(names)):
            children.setdefault(".".join(names[:length]), {}).setdefault(names[length])
    own = children.pop("", {})
    found: dict[str, str] = {}
    for scope, inside in children.items():
        if scope not in paths and all(map(str.isdecimal, inside)):
            counted = list(inside) == list(map(str, range(len(inside))))
            fits = counted and not any(f"{scope}.{name}" in kept or f"{scope}.{name}" in children for name in inside)
            found[scope] = LIST if fits else DICT
    if any(map(str.isdecimal, own)) and own.keys().isdisjoint(_OF_DICTS):
        found[""] = DICT
    return found


def holders(path: str, known: set[str], holding: Holding) -> list[str]:
    """The statements that make modules for scopes that are not modules of the plan and are not ``known``."""
    lines = []
    scopes = path.split(".")[:-1]
    for length in range(1, len(scopes) + 1):
        scope = ".".join(scopes[:length])
        if scope not in known:
            known.add(scope)
            lines.append(assigned(scope, f"{holding.get(scope, 'nn.Module')}()", holding))
    return lines


def with_lists(lines: Sequence[str]) -> list[str]:
    """The same statements; a list that is filled at once is written as one expression, with loops for equal modules."""
    found: list[str] = []
    left = deque(lines)
    while left:
        line = left.popleft()
        if line.endswith(f" = {LIST}()"):
            start = f"{line.partition(' = ')[0]}.append("
            texts = []
            while left and left[0].startswith(start):
                texts.append(left.popleft().removeprefix(start)[:-1])
            line = f"{line[:-1]}[{', '.join(_looped(texts))}])"
        found.append(line)
    return found


def _looped(texts: Sequence[str]) -> Iterator[str]:
    for text, equal in groupby(texts):
        times = len(list(equal))
        yield text if times == 1 else f"*[{text} for _ in range({times})]"


def head(definition: Definition) -> str:
    parameters = signature(definition)
    return f"def __init__(self{', ' if parameters else ''}{parameters}) -> None:"


def indented(lines: Sequence[str]) -> list[str]:
    return [f"    {line}" if line else "" for line in lines]


def renamed(definition: Definition, has_tensors: Callable[[DefinedPart], bool]) -> dict[str, str]:
    """Other names for parts without tensors that have a name Python does not allow, or a scope of another part."""
    numbers = {part.path.rpartition(".")[0] for part in definition.parts if part.path.rpartition(".")[2].isdecimal()}
    paths = {part.path for part in definition.parts}
    taken = {part.path.split(".")[0] for part in definition.parts}
    found: dict[str, str] = {}
    for part in definition.parts:
        what = part.what
        names = part.path.split(".")
        inside = any(".".join(names[:length]) in paths for length in range(1, len(names)))
        beside = len(names) > 1 and ".".join(names[:-1]) in numbers
        fits = not inside and not beside and all(name.isidentifier() for name in names)
        if isinstance(what, Use) or has_tensors(part) or fits:
            continue
        node = next(node for node in what.nodes if node is not None)
        found[part.path] = unused(names[-1] if names[-1].isidentifier() else node.operation.kind, taken)
        taken.add(found[part.path])
    return found
