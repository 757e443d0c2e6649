"""What a pickle of tensors refers to, found without running it: its names, and the storages that it asks for."""

from __future__ import annotations

import pickletools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO, NamedTuple

BYTES = {
    **dict.fromkeys(("Byte", "Char", "Bool", "QInt8", "QUInt8", "QUInt4x2", "QUInt2x4", "Untyped"), 1),
    **dict.fromkeys(("Half", "BFloat16", "Short"), 2),
    **dict.fromkeys(("Float", "Int", "QInt32"), 4),
    **dict.fromkeys(("Double", "Long", "ComplexFloat"), 8),
    "ComplexDouble": 16,
}
"""The bytes of an element in torch's storages, by the beginning of their names."""

FROM_TORCH = {
    "torch.storage": {"TypedStorage", "UntypedStorage"},
    "torch.serialization": {"_get_layout"},
    "torch.nn.parameter": {"Parameter"},
    "torch._tensor": {"_rebuild_from_type_v2"},
    "torch._utils": {
        "_rebuild_parameter",
        "_rebuild_parameter_with_state",
        "_rebuild_tensor",
        "_rebuild_tensor_v2",
        "_rebuild_tensor_v3",
    },
}
"""What a pickle of dense tensors takes from the modules of torch, besides ``torch`` itself. torch itself allows more:
functions that copy a tensor, and a tensor of a few bytes may be a view of any size."""

NOT_DENSE = {
    "_rebuild_sparse_tensor": "a sparse tensor",
    "_rebuild_qtensor": "a quantized tensor",
    "_rebuild_nested_tensor": "a nested tensor",
    "_rebuild_meta_tensor_no_storage": "a tensor on the meta device",
}
"""What else ``torch.save`` writes, by the function that makes it."""

PUSHED = ("EMPTY_DICT", "EMPTY_LIST", "EMPTY_SET", "NONE", "NEWTRUE", "NEWFALSE")
VALUES = ("BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT", "BINUNICODE", "SHORT_BINSTRING")
TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
FROM_MARK = ("SETITEMS", "APPENDS", "ADDITEMS")
POPS = {"APPEND": 1, "BUILD": 1, "SETITEM": 2}

MAX_OPCODES = 20_000_000


class StrangePickle(ValueError):
    """A pickle that ``torch.save`` does not write of tensors."""


class Storage(NamedTuple):
    """A storage that a pickle asks for: its key, and its size in bytes."""

    key: str
    size: int


@dataclass(frozen=True, slots=True)
class _Name:
    """A class or function that a pickle refers to."""

    module: str
    name: str


class _Again(str):
    """A text that the pickle uses again."""

    __slots__ = ()


_MARK, _AGAIN = object(), object()


def storages(stream: BinaryIO) -> Iterator[Storage]:
    """The storages that the next pickle of a stream asks for. The stream is then at the end of the pickle.

    Raises:
        StrangePickle: the pickle does more than tensors need, such as making an array of any size.
    """
    try:
        yield from _Machine().run(stream)
    except (IndexError, KeyError, ValueError, OverflowError, MemoryError) as error:
        if isinstance(error, StrangePickle):
            raise
        raise StrangePickle("it is not a pickle of tensors") from None


class _Machine:
    """A pickle's stack, with a placeholder for everything that is not needed to find the storages."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}

    def run(self, stream: BinaryIO) -> Iterator[Storage]:
        for number, (opcode, value, _) in enumerate(pickletools.genops(stream)):
            if number > MAX_OPCODES:
                raise StrangePickle("it has too many parts")
            if opcode.name == "BINPERSID":
                yield _storage(self.stack.pop())
                self.stack.append(None)
            elif opcode.name != "STOP":
                self.step(opcode.name, value)

    def step(self, name: str, value: Any) -> None:
        stack = self.stack
        if name in VALUES:
            stack.append(value)
        elif name in PUSHED:
            stack.append(None)
        elif name == "EMPTY_TUPLE":
            stack.append(())
        elif name == "MARK":
            stack.append(_MARK)
        elif name == "GLOBAL":
            stack.append(_named(value))
        elif name in ("BINPUT", "LONG_BINPUT"):
            self.memo[value] = stack[-1]
        elif name in ("BINGET", "LONG_BINGET"):
            found = self.memo[value]
            stack.append(_AGAIN if found is None else _Again(found) if isinstance(found, str) else found)
        elif name == "TUPLE":
            stack.append(tuple(self.to_mark()))
        elif name in TUPLES:
            count = TUPLES[name]
            stack[-count:] = [tuple(stack[-count:])]
        elif name in FROM_MARK:
            self.to_mark()
        elif name in POPS:
            del stack[-POPS[name] :]
        elif name in ("REDUCE", "NEWOBJ"):
            _check_call(*stack[-2:])
            stack[-2:] = [None]
        elif name != "PROTO":
            raise StrangePickle(f"it uses the pickle instruction {name}, which tensors do not need")

    def to_mark(self) -> list[Any]:
        found: list[Any] = []
        while (top := self.stack.pop()) is not _MARK:
            found.append(top)
        return found[::-1]


def _named(value: str) -> _Name:
    module, _, name = value.partition(" ")
    if module == "torch._utils" and name in NOT_DENSE:
        raise StrangePickle(f"it contains {NOT_DENSE[name]}; save dense tensors with values")
    if name == "bytearray" or (module.startswith("torch.") and name not in FROM_TORCH.get(module, ())):
        raise StrangePickle(f"it refers to `{module}.{name}`")
    return _Name(module, name)


def _check_call(function: Any, arguments: Any) -> None:
    """Refuse calls that make more than the pickle has: tensors of any size, and copies of what it uses again."""
    if not isinstance(function, _Name) or not isinstance(arguments, tuple):
        raise StrangePickle("it calls something that is not a function with its arguments")
    own = function.module.partition(".")[0] == "torch"
    strangers = [each for each in arguments if isinstance(each, _Name) and not each.module.startswith("torch")]
    copies = [each for each in arguments[:1] if each is _AGAIN or isinstance(each, _Again)]
    latin = function.name != "encode" or arguments[1:] == ("latin1",)
    if strangers or (own and function.name.endswith("Tensor")) or (not own and (copies or not latin)):
        raise StrangePickle(f"it calls `{function.module}.{function.name}` with arguments that tensors do not need")


def _storage(found: Any) -> Storage:
    """The storage of a persistent id: `("storage", type, key, location, number of elements, ...)`."""
    if not isinstance(found, tuple) or len(found) < 5 or found[0] != "storage":
        raise StrangePickle("it refers to something other than a storage")
    _, kind, key, _, count = found[:5]
    name = kind.name.removesuffix("Storage") if isinstance(kind, _Name) else ""
    if name not in BYTES or not isinstance(key, str) or type(count) is not int or count < 0:
        raise StrangePickle("it has a storage of unknown size")
    return Storage(key, count * BYTES[name])
