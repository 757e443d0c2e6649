"""Graph to source for study, with only tensors and functions: every parameter is an entry of a dict."""

from __future__ import annotations

import re

from archspec.emit.source.auxiliary import auxiliary, names_of_auxiliary
from archspec.emit.source.code import laid_out
from archspec.emit.source.freezing import CONSTANT, constant
from archspec.emit.source.functions import Functions
from archspec.emit.source.header import docstring, provenance
from archspec.emit.source.snippets import closure, of_rank, snippets, wrapped
from archspec.graph.graph import Graph
from archspec.graph.patterns import patterns
from archspec.operations.base import INIT

_DRAWS = {
    "he-fan-out": "he_fan_out",
    "he-fan-in": "he_fan_in",
    "xavier": "xavier",
    "normal": "normal",
    "truncated-normal": "truncated_normal",
    "torch": "uniform_fan_in",
}
_BIASES = {"torch": "uniform_bias", "zero": "zero_bias"}
_TRAINING = ("trainable", "loss_of", "sgd_step")
_FROZEN = "is_frozen"
_TOLD = "Only tensors and functions: a dict has every parameter under its key in the network's state dict."


def lowlevel_source(graph: Graph, *, command: str = "", width: int = 120) -> str:
    """The source of a network as functions of tensors that read their parameters from a dict.

    Args:
        graph: the network.
        command: the command that wrote the file, for a comment at its top.
        width: the maximum length of a line.

    Raises:
        SpecError: E830, no function is written for the torch module of an operation.

    >>> import archspec
    >>> text = lowlevel_source(archspec.compile("resnet18"))
    >>> "nn.Module" in text, "def batch_norm(" in text, "def basic(" in text
    (False, True, True)
    """
    init = {kind: str(graph.init.get(kind, INIT[kind][0])) for kind in INIT}
    drawn = {
        "draw_conv": _DRAWS[init["conv"]],
        "draw_linear": _DRAWS[init["linear"]],
        "draw_bias": _BIASES[init["bias"]],
    }
    rank = len(graph.input) - 1 or 2
    training = {**snippets("training"), **(snippets("frozen") if graph.frozen else {})}
    taken = {*_DRAWS.values(), *_BIASES.values(), *_TRAINING, *names_of_auxiliary(), "forward", "new_params", "extra"}
    taken |= {_FROZEN, CONSTANT, "torch", "math", "F", "x", "Params", "Size", "Sides", "Tensor", "Callable"}
    functions = Functions(graph, patterns(graph), taken | _all_names(graph), width)
    own = ["\n".join(lines) for lines in functions.lines()]
    own[-1:] = [_new_params(functions), own[-1]]
    used = [of_rank(each.text, rank, drawn) for each in functions.used.values()]
    written = "\n".join([*own, *used])
    copied = auxiliary(set(re.findall(r"\w+", written)) & names_of_auxiliary() - functions.used.keys(), width)
    draws = closure(re.findall(r"\w+", written), {name: each.text for name, each in snippets("draws").items()})
    ending = [training[name].text for name in _TRAINING if name != "loss_of"]
    ending.insert(1, _loss(graph, training["loss_of"].text))
    if graph.frozen:
        copied = [constant(graph), training[_FROZEN].text, *copied]
    copies = [wrapped(each, width) for each in (*draws, *used)]
    ending = [wrapped(each, width) for each in ending]
    body = "\n\n\n".join([*copies, *copied, *own, *ending, _main(graph)])
    top = "\n".join([docstring(graph, width, _TOLD), "", provenance(graph, command, width)])
    return laid_out(f"{top}\n\n{_imports(body)}\n\n{_aliases(body)}\n\n\n{body}\n", width)


def _all_names(graph: Graph) -> set[str]:
    """The names of all functions of the operations of a network."""
    return {name for operation in {node.operation.name for node in graph.nodes} for name in snippets(operation)}


def _imports(body: str) -> str:
    lines = ["import math"] if re.search(r"\bmath\.", body) else []
    lines += ["from collections.abc import Callable"] if "Callable[" in body else []
    used = ["import torch", *(["import torch.nn.functional as F"] if re.search(r"\bF\.", body) else [])]
    return "\n".join([*lines, *([""] if lines else []), *used, "from torch import Tensor"])


def _aliases(body: str) -> str:
    aliases = {"Size": "int | tuple[int, ...]", "Sides": "tuple[int, ...] | str"}
    used = [f"{name} = {meaning}" for name, meaning in aliases.items() if re.search(rf"\b{name}\b", body)]
    return "\n".join(["Params = dict[str, Tensor]", *used])


def _new_params(functions: Functions) -> str:
    made = functions.bodies[id(functions.model)].made()
    for value, keys in functions.exceptions().items():
        shown = ", ".join([f'"{key}"' for key in keys])
        made += [f"for key in [{shown}]:", f"    p[key].fill_({value!r})"]
    lines = ["torch.manual_seed(seed)", "p: Params = {}", *made, "return p"]
    head = [
        "def new_params(seed: int = 0) -> Params:",
        '    """All parameters by their keys, with initial values."""',
    ]
    return "\n".join([*head, *[f"    {line}" for line in lines]])


def _loss(graph: Graph, text: str) -> str:
    """The loss function; if the network does not classify, the mean square of its outputs."""
    if graph.single and len(graph.output) == 1:
        return text
    values = "[y]" if graph.single else "y.values()" if graph.returns == "dict" else "y"
    return "\n".join(
        [
            "def loss_of(x: Tensor, target: Tensor, p: Params) -> Tensor:",
            '    """loss = the mean square of the outputs in training: put your own here, with `target`."""',
            "    y = forward(x, p, training=True)",
            f"    return sum([each.square().mean() for each in {values}], torch.zeros(()))",
        ]
    )


def _main(graph: Graph) -> str:
    shape = ", ".join(map(str, graph.input))
    classes = graph.output[0]
    return "\n".join(
        [
            'if __name__ == "__main__":',
            "    p = new_params()",
            f"    x = torch.randn(4, {shape})",
            f"    target = torch.randint({classes}, (4,))",
            "    velocity: Params = {}",
            "    for step in range(2):",
            '        print(f"step {step}: loss {sgd_step(x, target, p, velocity, rate=0.01):.4f}")',
        ]
    )
