"""The tracer: ``torch.fx``'s, which also knows the shape of every value, as far as a network's code asks for shapes.

``torch.fx`` refuses a network that takes the length of a list of parts, or loops over parts or sizes. At an example
input these are known. A branch is still refused: which way it goes for other sizes would not be compared.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.fx.proxy import Attribute

from archspec.tracing.copies import copied_functions
from archspec.tracing.rules import module_rule

PARTS = frozenset(
    {
        *("chunk", "split", "split_with_sizes", "tensor_split", "unbind", "hsplit", "vsplit", "dsplit"),
        *("unsafe_chunk", "unsafe_split", "unsafe_split_with_sizes"),
    }
)
"""Functions and methods that return a tuple of parts. While tracing it is a real tuple, which Python can slice."""


FACTORIES = (torch.zeros, torch.ones, torch.full, torch.empty, torch.arange, torch.linspace, torch.eye)
"""Functions that take sizes and no tensors. ``torch.fx`` traces them only if they are wrapped."""


class Tracer(fx.Tracer):
    """A tracer that does not enter modules that have a rule, and that treats buffers like parameters.

    Args:
        example: an input on the meta device. Without one, shapes are not known.

    ``specialized`` says whether the trace depends on a shape, so that it holds for this example's shape only.
    """

    proxy_buffer_attributes = True

    def __init__(self, example: Tensor | None = None) -> None:
        super().__init__(autowrap_functions=FACTORIES)
        self._autowrap_search.append(torch)  # they are called as `torch.zeros`
        self.example = example
        self.specialized = False
        self._shapes: Shapes | None = None
        self._running = False

    def trace(self, root: Any, concrete_args: dict[str, Any] | None = None) -> fx.Graph:
        self._autowrap_function_ids.update(map(id, copied_functions(root)))
        return super().trace(root, concrete_args)

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return module_rule(type(m)) is not None or super().is_leaf_module(m, module_qualified_name)

    def proxy(self, node: fx.Node) -> fx.Proxy:
        return _Proxy(node, self)

    def create_proxy(self, kind: str, target: Any, *args: Any, **kwargs: Any) -> Any:
        made: Any = super().create_proxy(kind, target, *args, **kwargs)
        name = target if isinstance(target, str) else getattr(target, "__name__", "")
        if kind in ("call_function", "call_method") and name in PARTS:
            with contextlib.suppress(Exception):  # the trace has the call as it is
                if isinstance(parts := self.shape_of(made), tuple | list):
                    self.specialized = True
                    return tuple([made[number] for number in range(len(parts))])
        return made

    def getattr(self, attr: str, attr_val: Any, parameter_proxy_cache: Any) -> Any:
        return attr_val if self._running else super().getattr(attr, attr_val, parameter_proxy_cache)

    def call_module(self, m: nn.Module, forward: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        return forward(*args, **kwargs) if self._running else super().call_module(m, forward, args, kwargs)

    def shape_of(self, proxy: fx.Proxy) -> Any:
        """A value of the network at the example, with its tensors on the meta device."""
        node = proxy.node  # an attribute makes its node now
        if self._shapes is None:
            self._shapes = Shapes(self)
        self._running = True
        try:
            with torch.no_grad():
                return self._shapes.value(node)
        finally:
            self._running = False

    def known(self, proxy: fx.Proxy) -> Any:
        """The same, for a value without tensors, such as a size; the trace then holds for this example's shape.

        Raises:
            TypeError: it has tensors, or the example is not known.
        """
        found = self.shape_of(proxy)
        if isinstance(found, Tensor):
            raise TypeError("the value of a tensor is not known in a trace")
        self.specialized = True
        return found

    def iter(self, obj: fx.Proxy) -> Iterator[Any]:
        with contextlib.suppress(Exception):
            length = len(self.shape_of(obj))
            self.specialized = True
            return iter([obj[number] for number in range(length)])  # type: ignore[index]  # Proxy has the operators
        return super().iter(obj)


class _Proxy(fx.Proxy):
    """A value of the traced network whose length, or whose value as a size, Python code may ask for."""

    tracer: Tracer

    def __getattr__(self, k: str) -> Any:
        return _Attribute(self, k)

    def __len__(self) -> int:
        with contextlib.suppress(Exception):
            length = len(self.tracer.shape_of(self))
            self.tracer.specialized = True
            return length
        return super().__len__()

    def __index__(self) -> int:
        found = self.tracer.known(self)
        if not isinstance(found, int):
            raise TypeError(f"{type(found).__name__} is not a whole number")
        return found

    def __int__(self) -> int:
        return int(self.tracer.known(self))

    def __float__(self) -> float:
        return float(self.tracer.known(self))


class _Attribute(Attribute, _Proxy):
    """An attribute or a method of a value."""


class Run(fx.Interpreter):
    """Runs a graph on the meta device and keeps every result.

    Inputs with a default value were traced with that, and are not given.
    """

    def __init__(self, root: nn.Module, graph: fx.Graph) -> None:
        super().__init__(root, garbage_collect_values=False, graph=graph)

    def placeholder(self, target: Any, args: Any, kwargs: Any) -> Any:
        return next(self.args_iter, None)

    def get_attr(self, target: Any, args: Any, kwargs: Any) -> Any:
        found = super().get_attr(target, args, kwargs)
        values = isinstance(found, Tensor) and not found.is_meta
        return torch.empty_like(found, device="meta") if values else found

    def call_function(self, target: Any, args: Any, kwargs: Any) -> Any:
        made = {**kwargs, "device": "meta"} if target in FACTORIES else kwargs
        return super().call_function(target, args, made)


class Shapes(Run):
    """Runs a graph while it grows."""

    def __init__(self, tracer: Tracer) -> None:
        super().__init__(tracer.root, tracer.graph)
        self.args_iter = iter([] if tracer.example is None else [tracer.example])
        self.last: fx.Node | None = None

    def value(self, node: fx.Node) -> Any:
        """The value of a node. Every node runs once, and those before it run first."""
        while node not in self.env:
            following = next(iter(self.graph.nodes)) if self.last is None else self.last.next
            self.env[following] = self.run_node(following)
            self.last = following
        return self.env[node]

    def call_module(self, target: Any, args: Any, kwargs: Any) -> Any:
        with weightless(self.fetch_attr(target)):
            return super().call_module(target, args, kwargs)


@contextlib.contextmanager
def weightless(module: nn.Module) -> Iterator[None]:
    """Keep the parameters and buffers of a network on the meta device, so that running it computes no values."""
    kept = []
    empty: dict[int, Tensor] = {}

    def without_values(tensor: Tensor | None) -> Tensor | None:
        if tensor is None or tensor.is_meta:
            return tensor
        if id(tensor) not in empty:
            made = torch.empty_like(tensor, device="meta")
            empty[id(tensor)] = nn.Parameter(made, False) if isinstance(tensor, nn.Parameter) else made
        return empty[id(tensor)]

    try:
        for part in module.modules():
            for held in (part._parameters, part._buffers):
                kept.append((held, dict(held)))
                for name, tensor in kept[-1][1].items():
                    held[name] = without_values(tensor)  # type: ignore[assignment]
        with torch.no_grad():
            yield
    finally:
        for held, before in kept:
            for name, tensor in before.items():  # a scripted module has no `update`
                held[name] = tensor  # type: ignore[assignment]
