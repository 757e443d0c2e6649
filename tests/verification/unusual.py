"""References of every unusual kind, all variations of one small network."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations, prune

SMALL = """
    input: [3, 6, 6]
    classes: 4
    stem: [{layer: {out: 5, kernel: 3}}]
    stages: []
    head: [{pool: {type: avg, output: 1}}, flatten, {linear: {out: classes}}]
    """


class Small(nn.Module):
    """The network of ``SMALL``, written by hand."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 5, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(5)
        self.fc = nn.Linear(5, 4)

    def forward(self, x: Tensor) -> Any:
        return self.fc(torch.relu(self.bn1(self.conv1(x))).mean((2, 3)))


class Pair(NamedTuple):
    first: Tensor
    second: Tensor


class Ended(BaseException):
    """Not even an ``Exception``."""


class Mute(Exception):
    def __str__(self) -> str:
        raise RuntimeError("mute")


def overriding(**methods: Any) -> nn.Module:
    """The small network with other methods."""
    return type("Mine", (Small,), methods)()  # type: ignore[no-any-return]


def raising(error: BaseException) -> Callable[..., Any]:
    def method(self: nn.Module, *args: Any, **kwargs: Any) -> Any:
        raise error

    return method


def returning(value: Any) -> Callable[..., Any]:
    return lambda self, *args, **kwargs: value


def around(change: Callable[[Any], Any]) -> nn.Module:
    """The small network with another result."""
    return overriding(forward=lambda self, x: change(Small.forward(self, x)))


def before(change: Callable[[Any], Any]) -> nn.Module:
    """The small network that does something first."""
    return overriding(forward=lambda self, x: (change(x), Small.forward(self, x))[1])


def with_parts(**parts: Any) -> nn.Module:
    made = Small()
    for name, part in parts.items():
        setattr(made, name, part)
    return made


def changed(change: Callable[[Small], Any]) -> nn.Module:
    made = Small()
    return change(made) or made


def endless(self: nn.Module, *args: Any) -> Any:
    return endless(self, *args)


def cuda_only(self: nn.Module, x: Tensor) -> Any:
    return Small.forward(self, x.cuda())


def buffered(tensor: Any, persistent: bool = True) -> nn.Module:
    return changed(lambda m: m.register_buffer("extra", tensor, persistent=persistent))


def hooked(m: Small) -> None:
    m.conv1.register_forward_hook(lambda module, inputs, output: output * 2)
    m.register_forward_pre_hook(lambda module, inputs: None)
    m.fc.register_full_backward_hook(lambda module, wanted, found: None)


def failing_hook(m: Small) -> None:
    m.conv1.register_forward_hook(raising(ValueError("hook")))  # type: ignore[arg-type]


def failing_state_hook(m: Small) -> None:
    m._register_state_dict_hook(raising(ValueError("hook")))


def typed(state: Small) -> nn.Module:
    state.conv1.half()
    return state


def global_state(x: Any) -> None:
    torch.set_default_dtype(torch.float64)
    torch.set_grad_enabled(False)
    torch.manual_seed(3)
    random.seed(3)
    torch.set_num_threads(2)
    print("hello")


class Wrapper(nn.Module):
    """As distributed training wraps a network."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self._fsdp_wrapped_module = module

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        return self._fsdp_wrapped_module(*args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:
            return getattr(self._fsdp_wrapped_module, name)


def lazy() -> nn.Module:
    return with_parts(fc=nn.LazyLinear(4))


def inferred() -> nn.Module:
    with torch.inference_mode():
        return Small()


def tied(m: Small) -> None:
    m.again = m.fc


def tied_weight(m: Small) -> None:
    m.again = nn.Linear(5, 4)
    m.again.weight = m.fc.weight


def quantized() -> Tensor:
    return torch.quantize_per_tensor(torch.ones(3), 0.1, 0, torch.quint8)


ERRORS = (
    *(ValueError("mine"), SystemExit(3), Ended("mine"), RecursionError("mine"), MemoryError(), Mute(), StopIteration()),
    *(GeneratorExit(), AssertionError(), NotImplementedError(), KeyError("x"), UnicodeError("\ud800\x1b[2J")),
)

METHODS = (
    *("forward", "state_dict", "train", "eval", "parameters", "named_parameters", "buffers", "named_buffers"),
    *(
        "modules",
        "named_modules",
        "children",
        "__deepcopy__",
        "__reduce_ex__",
        "__getattr__",
        "__call__",
    ),
    *("extra_repr", "_save_to_state_dict", "get_extra_state", "register_forward_hook"),
)

KINDS: dict[str, Callable[[], Any]] = {
    "a lazy module": lazy,
    "a lazy convolution": lambda: with_parts(conv1=nn.LazyConv2d(5, 3, padding=1, bias=False)),
    "a lazy norm": lambda: with_parts(bn1=nn.LazyBatchNorm2d()),
    "a scripted module": lambda: torch.jit.script(nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten())),
    "a traced module": lambda: torch.jit.trace(Small().eval(), torch.zeros(1, 3, 6, 6)),
    "a scripted part": lambda: with_parts(bn1=torch.jit.script(nn.BatchNorm2d(5))),
    "an exported program": lambda: torch.export.export(Small().eval(), (torch.zeros(2, 3, 6, 6),)),
    "the module of an exported program": lambda: torch.export.export(
        Small().eval(), (torch.zeros(2, 3, 6, 6),)
    ).module(),
    "a compiled module": lambda: torch.compile(Small(), backend="eager"),
    "a module on meta": lambda: Small().to("meta"),
    "a part on meta": lambda: with_parts(fc=nn.Linear(5, 4, device="meta")),
    "inference tensors": inferred,
    "an extra state": lambda: overriding(get_extra_state=returning({"a": 1}), set_extra_state=returning(None)),
    "an extra state that is a tensor": lambda: overriding(get_extra_state=returning(torch.ones(2))),
    "a sparse buffer": lambda: buffered(torch.eye(3).to_sparse()),
    "a sparse parameter": lambda: with_parts(p=nn.Parameter(torch.eye(3).to_sparse())),
    "a compressed buffer": lambda: buffered(torch.eye(3).to_sparse_csr()),
    "a quantized buffer": lambda: buffered(quantized()),
    "a nested buffer": lambda: buffered(torch.nested.nested_tensor([torch.ones(2), torch.ones(3)])),
    "a buffer of booleans": lambda: buffered(torch.ones(3, dtype=torch.bool)),
    "an empty buffer": lambda: buffered(torch.empty(0, 3)),
    "a buffer that is not stored": lambda: buffered(torch.ones(3), persistent=False),
    "a buffer of a number": lambda: buffered(torch.tensor(1.5)),
    "a complex buffer": lambda: buffered(torch.ones(3, dtype=torch.complex64)),
    "an expanded buffer": lambda: buffered(torch.ones(1).expand(3)),
    "a float8 buffer": lambda: buffered(torch.ones(3).to(torch.float8_e4m3fn)),
    "a complex parameter": lambda: with_parts(p=nn.Parameter(torch.ones(3, dtype=torch.complex64))),
    "a complex network": lambda: changed(lambda m: m.to(torch.complex64)),
    "an integer parameter": lambda: with_parts(p=nn.Parameter(torch.ones(3, dtype=torch.int64), requires_grad=False)),
    "frozen parameters": lambda: changed(lambda m: m.requires_grad_(False)),
    "a shared module": lambda: changed(tied),
    "a shared parameter": lambda: changed(tied_weight),
    "weight norm": lambda: changed(lambda m: parametrizations.weight_norm(m.conv1) and None),
    "spectral norm": lambda: changed(lambda m: parametrizations.spectral_norm(m.fc) and None),
    "orthogonal": lambda: changed(lambda m: parametrizations.orthogonal(m.fc) and None),
    "the old weight norm": lambda: changed(lambda m: nn.utils.weight_norm(m.conv1) and None),
    "pruned": lambda: changed(lambda m: prune.random_unstructured(m.conv1, "weight", 0.5) and None),
    "data parallel": lambda: nn.DataParallel(Small()),
    "a wrapper": lambda: Wrapper(Small()),
    "two wrappers": lambda: nn.DataParallel(Wrapper(Small())),
    "a lock": lambda: with_parts(lock=threading.Lock()),
    "a generator": lambda: with_parts(stream=(number for number in range(3))),
    "a computed attribute": lambda: with_parts(cached=nn.Linear(2, 2)(torch.ones(1, 2))),
    "a function": lambda: torch.relu,
    "a class": lambda: Small,
    "a class that needs arguments": lambda: nn.Linear,
    "a factory of a tensor": lambda: lambda: torch.ones(3),
    "a factory of a class": lambda: lambda: Small,
    "a factory of None": lambda: lambda: None,
    "nothing": lambda: nn.Identity(),
    "an empty sequence": lambda: nn.Sequential(),
    "a list of modules": lambda: nn.ModuleList([Small()]),
    "a module without forward": lambda: nn.Module(),
    "a tuple": lambda: around(lambda y: (y, y)),
    "a dict": lambda: around(lambda y: {"a": y, 1: y}),
    "a named tuple": lambda: around(lambda y: Pair(y, y)),
    "None": lambda: around(lambda y: None),
    "a string": lambda: around(lambda y: "done"),
    "an empty list": lambda: around(lambda y: []),
    "nested results": lambda: around(lambda y: [{"a": (y,)}]),
    "a scalar": lambda: around(lambda y: y.sum()),
    "a Python number": lambda: overriding(forward=lambda self, x: 3.0),
    "integers": lambda: around(lambda y: y.argmax(1)),
    "an empty tensor": lambda: around(lambda y: y[:, :0]),
    "a sparse result": lambda: around(lambda y: y.to_sparse()),
    "a complex result": lambda: around(lambda y: torch.complex(y, y)),
    "NaN": lambda: around(lambda y: y * float("nan")),
    "its input": lambda: overriding(forward=lambda self, x: x),
    "a constant": lambda: overriding(forward=lambda self, x: torch.ones(2, 4)),
    "a generator of results": lambda: around(lambda y: (each for each in y)),
    "a result in a circle": lambda: around(lambda y: (lambda made: made.append(made) or made)([y])),
    "two inputs": lambda: overriding(forward=lambda self, x, y: x),
    "no inputs": lambda: overriding(forward=lambda self: None),
    "keywords only": lambda: overriding(forward=lambda self, *, x: x),
    "forward of another name": lambda: overriding(forward=3),
    "hooks": lambda: changed(hooked),
    "a hook that fails": lambda: changed(failing_hook),
    "a hook of the state dict that fails": lambda: changed(failing_state_hook),
    "a branch of training": lambda: overriding(
        forward=lambda self, x: Small.forward(self, x) if self.training else x.mean((2, 3))
    ),
    "a failing branch of eval": lambda: overriding(
        forward=lambda self, x: Small.forward(self, x) if self.training else self.missing(x)
    ),
    "a branch on values": lambda: overriding(
        forward=lambda self, x: Small.forward(self, x) if x.sum() > 0 else self.fc(x.mean((2, 3)))
    ),
    "half": lambda: Small().half(),
    "bfloat16": lambda: Small().bfloat16(),
    "double": lambda: Small().double(),
    "float8": lambda: changed(lambda m: m.to(torch.float8_e4m3fn)),
    "mixed dtypes": lambda: changed(typed),
    "cuda only": lambda: overriding(forward=cuda_only),
    "global state": lambda: before(global_state),
    "a recursion without end": lambda: overriding(forward=endless),
    "a state dict of a list": lambda: overriding(state_dict=returning([1, 2])),
    "a state dict of None": lambda: overriding(state_dict=returning(None)),
    "a state dict of other keys": lambda: overriding(state_dict=returning({"a": torch.ones(2), 3: torch.ones(1)})),
    "a state dict of values": lambda: overriding(state_dict=returning({"a": 1, "b": "c", "d": None})),
    "a nested state dict": lambda: overriding(state_dict=returning({"a": {"b": torch.ones(2)}})),
    "an empty state dict": lambda: overriding(state_dict=returning({})),
    "a state dict without arguments": lambda: overriding(state_dict=lambda self: nn.Module.state_dict(self)),
    "parameters of None": lambda: overriding(parameters=returning(None)),
    "parameters of numbers": lambda: overriding(parameters=returning(iter([1, 2]))),
    "train of None": lambda: overriding(train=returning(None)),
    "eval of a string": lambda: overriding(eval=returning("x")),
    "writes to its parameters": lambda: overriding(
        forward=lambda self, x: (self.fc.weight.data.zero_(), Small.forward(self, x))[1]
    ),
    "makes parameters late": lambda: overriding(
        forward=lambda self, x: (setattr(self, "late", nn.Linear(2, 2)), Small.forward(self, x))[1]
    ),
    "no gradient": lambda: overriding(forward=torch.no_grad()(Small.forward)),
    "a backward that fails": lambda: around(lambda y: y.register_hook(raising(ValueError("late"))) and y),
    "quantized dynamically": lambda: torch.ao.quantization.quantize_dynamic(Small(), {nn.Linear}),
    "a large module name": lambda: changed(lambda m: m.add_module("a" * 5000, nn.Linear(1, 1))),
    "a strange module name": lambda: changed(lambda m: m.add_module("\x1b[2J ü", nn.Linear(1, 1))),
    "a parameter list": lambda: with_parts(ps=nn.ParameterList([nn.Parameter(torch.ones(2))])),
    "a tensor subclass": lambda: with_parts(p=nn.Parameter(nn.Buffer(torch.ones(2)))),
    **{
        f"{method} raises {type(error).__name__}": partial(overriding, **{method: raising(error)})
        for method in METHODS
        for error in (ERRORS if method in ("forward", "state_dict") else ERRORS[:3])
    },
}
