"""What a file of source says about frozen scopes."""

from __future__ import annotations

from archspec.emit.source.literals import literal
from archspec.graph.frozen import frozen_scopes
from archspec.graph.graph import Graph

CONSTANT = "FROZEN"
"""The name of the tuple with the beginnings of what is frozen."""


def constant(graph: Graph) -> str:
    """The statement that lists the beginnings of the names of what is frozen."""
    shown = ", ".join([literal(f"{scope}.") for scope in frozen_scopes(graph)])
    return f'{CONSTANT} = ({shown},)\n"""The beginnings of names: what does not train, and stays in eval mode."""'


def freezes(graph: Graph) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The end of the model's ``__init__``, and its method that sets its mode; both empty if nothing is frozen."""
    return (_STATEMENTS, ("", *_METHOD)) if graph.frozen else ((), ())


_STATEMENTS = (
    "for name, parameter in self.named_parameters():",
    f'    parameter.requires_grad_(not f"{{name}}.".startswith({CONSTANT}))',
    "self.train()",
)
_METHOD = (
    "def train(self, mode: bool = True) -> Self:",
    '    """Set the mode; frozen parts stay in eval mode."""',
    "    super().train(mode)",
    "    for name, module in self.named_modules():",
    f'        if f"{{name}}.".startswith({CONSTANT}):',
    "            module.eval()",
    "    return self",
)
