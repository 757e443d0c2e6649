"""Scopes and node names, by the naming templates of the spec.

A scope is a prefix of state-dict keys. Its counters number its nodes and scopes; equal paths share one scope.
"""

from __future__ import annotations

import functools
import keyword
import re
from collections.abc import Mapping

from archspec.diagnostics import Diagnostic, Label, Span, SpecError, cut
from archspec.language.expressions.closures import ScaleWidth
from archspec.language.expressions.parser import Expression, parse
from archspec.language.expressions.values import ExpressionFault, Value
from archspec.language.spec import Template
from archspec.language.terms import NAME_HELP, NAME_PART
from archspec.operations.base import Operation
from archspec.work import ENTRIES, NAMES, Work

POSITIONAL = frozenset({"layer", "shortcut", "residual", "stem", "head", "before", "after"})
"""Scopes that name their steps by position where a template opens them, as ``torch.nn.Sequential`` does."""

ATTRIBUTES = frozenset(
    {
        *("T_destination", "_apply", "_backward_hooks", "_backward_pre_hooks", "_boxed_call", "_buffers"),
        *("_call_impl", "_code", "_compiled_call_impl", "_create_node_hooks", "_deepcopy_hooks", "_deepcopy_init"),
        *("_erase_node_hooks", "_forward_hooks", "_forward_hooks_always_called", "_forward_hooks_with_kwargs"),
        *("_forward_pre_hooks", "_forward_pre_hooks_with_kwargs", "_get_backward_hooks", "_get_backward_pre_hooks"),
        *("_get_item_by_idx", "_get_name", "_graph", "_is_full_backward_hook", "_is_replica", "_lineno_map"),
        *("_load_from_state_dict", "_load_state_dict_post_hooks", "_load_state_dict_pre_hooks"),
        *("_maybe_warn_non_full_backward_hook", "_modules", "_named_members", "_non_persistent_buffers_set"),
        *("_parameters", "_prologue_start", "_recompile_submodules", "_register_create_node_hook"),
        *("_register_deepcopy_hook", "_register_erase_node_hook", "_register_load_state_dict_pre_hook"),
        *("_register_replace_node_hook", "_register_state_dict_hook", "_replace_hooks"),
        *("_replicate_for_data_parallel", "_save_to_state_dict", "_set_replace_hook", "_slow_forward"),
        *("_state_dict_hooks", "_state_dict_pre_hooks", "_tracer_cls", "_tracer_extras"),
        *("_unregister_create_node_hook", "_unregister_deepcopy_hook", "_unregister_erase_node_hook"),
        *("_unregister_replace_node_hook", "_version", "_wrapped_call", "_wrapped_call_impl", "add_module"),
        *("add_submodule", "append", "apply", "bfloat16", "buffers", "call_super_init", "children", "code"),
        *("compile", "cpu", "cuda", "delete_all_unused_submodules", "delete_submodule", "double", "dump_patches"),
        *("eval", "extend", "extra_repr", "float", "forward", "from_dict", "get_buffer", "get_extra_state"),
        *("get_parameter", "get_submodule", "graph", "half", "input", "insert", "ipu", "load_state_dict", "meta"),
        *("modules", "mtia", "named_buffers", "named_children", "named_modules", "named_parameters", "parameters"),
        *("pop", "print_readable", "recompile", "register_backward_hook", "register_buffer", "register_forward_hook"),
        *("register_forward_pre_hook", "register_full_backward_hook", "register_full_backward_pre_hook"),
        *("register_load_state_dict_post_hook", "register_load_state_dict_pre_hook", "register_module"),
        *("register_parameter", "register_state_dict_post_hook", "register_state_dict_pre_hook", "replace"),
        *("requires_grad_", "set_extra_state", "set_submodule", "shape_env", "share_memory", "state_dict", "to"),
        *("to_empty", "to_folder", "train", "training", "type", "xpu", "zero_grad"),
    }
)
"""Attributes of a module, a sequence or a graph module, of every version of torch that archspec accepts."""

GENERATED = frozenset({"NoneType", "device", "fx_pytree", "inf", "nan", "pytree", "self", "torch"})
"""What the code that ``torch.fx`` generates for a module calls itself and its globals."""

RESERVED = ATTRIBUTES | GENERATED
"""What no name in a model may be: data, as archspec checks specs without torch. A test compares it with torch."""


class NameScope:
    """A prefix of names, with counters of what it already has."""

    __slots__ = ("counts", "labels", "path", "position", "positional")

    def __init__(self, path: str, positional: bool = False) -> None:
        self.path = path
        self.positional = positional
        self.counts: dict[str, int] = {}
        self.labels: set[str] = set()
        self.position = 0

    @property
    def fresh(self) -> bool:
        """Whether it is still empty."""
        return not self.position and not self.counts

    def count(self, kind: str) -> tuple[int, int]:
        """Count one more of ``kind``: which one it is, from 1, and its position among all, from 0."""
        number = self.counts[kind] = self.counts.get(kind, 0) + 1
        position = self.position
        self.position += 1
        return number, position

    def label(self, label: str, kind: str, number: int) -> str:
        """The label of a bare step, the ``number``-th of its kind, or of the next number whose label is free.

        The sixth ``relu`` and the first ``relu6`` have one label.
        """
        found = _labelled(label, kind, number)
        while found in self.labels:
            number += 1
            further = _labelled(label, kind, number)
            if further == found:  # a label without its number
                break
            found = further
        self.counts[kind] = number
        self.labels.add(found)
        return found


class Names:
    """The scopes of one network and the names given so far.

    ``work`` is what making names draws on, and ``scale`` what ``scaled`` does with a width.
    """

    def __init__(self, naming: Mapping[str, Template], work: Work, scale: ScaleWidth) -> None:
        self.naming = naming
        self.work = work
        self.scale = scale
        self.root = NameScope("")
        self._scopes: dict[str, NameScope] = {"": self.root}
        self.opened: list[NameScope] = []
        self._taken: dict[str, Span | None] = {}
        self._checked: set[str] = set()

    def render(self, template: Template, values: Mapping[str, Value]) -> str:
        """The name that a template gives. Raises SpecError where one of its expressions has no value."""
        self.work.spend(NAMES, template.cost + len(values) // ENTRIES, template.span)
        try:
            return template.render(values, self.scale)
        except ExpressionFault as fault:
            message = f"in a name template: {fault.message}"
            raise SpecError([Diagnostic(fault.code, message, template.span, help=fault.help)]) from None

    def open(self, parent: NameScope, kind: str, values: Mapping[str, Value], span: Span, name: str = "") -> NameScope:
        """The scope that the template for ``kind`` opens in ``parent``, or that ``name`` opens where it is given.

        An empty template, or none, opens no scope.
        """
        template = self.naming.get(kind)
        if not name:
            if template is None or not template.parts:
                return parent
            number, position = parent.count(kind)
            name = self.render(template, {"name": kind, **values, "n": number, "position": position})
            span = _author(template, span)
        return self._scope(parent, name, template is not None and kind in POSITIONAL, span)

    def _scope(self, parent: NameScope, name: str, positional: bool, span: Span) -> NameScope:
        if not name:
            return parent
        path = f"{parent.path}.{name}" if parent.path else name
        self.work.spend(NAMES, 1 + len(path) // ENTRIES, span)
        found = self._scopes.get(path)
        if found is None:
            if name not in self._checked:
                self._check(name, span)
            found = self._scopes[path] = NameScope(path, positional)
            self.opened.append(found)
            self._claim_scope(path, span)
        return found

    def reopen(self, scope: NameScope, path: str) -> None:
        """Open at ``path`` a scope whose counters are those of ``scope``."""
        copy = self._scopes.setdefault(path, NameScope(path, scope.positional))
        copy.counts, copy.labels, copy.position = dict(scope.counts), set(scope.labels), scope.position

    def take(self, path: str, span: Span | None) -> None:
        """Give a node the name ``path``. Raises SpecError, E304, if the name is taken."""
        if path in self._taken or path in self._scopes:
            raise _taken_twice(path, span, self._taken.get(path))
        self._taken[path] = span

    def _claim_scope(self, path: str, span: Span) -> None:
        """A scope may not stand where a node does, nor under one."""
        self.work.spend(NAMES, path.count(".") * (3 + len(path) // ENTRIES), span)
        while path:
            if path in self._taken:
                raise _taken_twice(path, span, self._taken[path])
            if path not in self._scopes:
                self._scopes[path] = scope = NameScope(path)
                self.opened.append(scope)
            path = path.rpartition(".")[0]

    def node(self, scope: NameScope, operation: Operation, name: str, values: Mapping[str, Value], span: Span) -> str:
        """The name of a new node: ``name`` where the step gives one, else by template, position or kind.

        Raises:
            SpecError: E304 for a name that is taken, E305 for one that cannot be an attribute.
        """
        automatic = not name
        if automatic:
            name = self._automatic(scope, operation, values)
        if name not in self._checked:
            template = self.naming.get(operation.name) or self.naming.get("step")
            self._check(name, _author(template, span) if automatic else span)
        path = f"{scope.path}.{name}" if scope.path else name
        if "." in name:
            self._claim_scope(path.rpartition(".")[0], span)
        self.take(path, span)
        return path

    def _automatic(self, scope: NameScope, operation: Operation, values: Mapping[str, Value]) -> str:
        kind = operation.kind
        number, position = scope.count(kind)
        template = self.naming.get(operation.name)
        if template is None:
            if scope.positional:
                return str(position)
            template = self.naming.get("step")
        if template is None:
            return scope.label(operation.label, kind, number)
        return self.render(template, {**values, "name": kind, "kind": kind, "n": number, "position": position})

    def _check(self, name: str, span: Span) -> None:
        for part in name.split("."):
            if not NAME_PART.fullmatch(part):
                message = f"`{cut(name)}` cannot be a name in a model"
                raise SpecError([Diagnostic("E305", message, span, help=NAME_HELP)])
            if keyword.iskeyword(part) or part in RESERVED or part.startswith("__"):
                message = f"`{cut(part)}` cannot be a name: {_why(part)}"
                raise SpecError([Diagnostic("E305", message, span, help="choose another name")])
        self._checked.add(name)


def _why(reserved: str) -> str:
    """Why a part of a name is refused."""
    if keyword.iskeyword(reserved):
        return "it is a Python keyword"
    if reserved in GENERATED:
        return "the code that torch generates for every model uses it"
    return "every model already has an attribute with this name"


def _author(template: Template | None, span: Span) -> Span:
    """Where a name was written: in the spec's own template, else at the step that got it."""
    return span if template is None or template.span.source.kind == "library" else template.span


def _taken_twice(path: str, span: Span | None, first: Span | None) -> SpecError:
    labels = (Label(first, "the first stands here"),) if first and first != span else ()
    help = "give one a `name:`, or change the `naming` template"
    return SpecError([Diagnostic("E304", f"two nodes would be called `{cut(path)}`", span, labels=labels, help=help)])


@functools.cache
def _label(text: str) -> tuple[str | Expression, ...]:
    """The parts of an operation's label: text, and expressions over ``kind`` and ``n``."""
    pieces = re.split(r"\{([^}]*)\}", text)
    return tuple(parse(piece) if number % 2 else piece for number, piece in enumerate(pieces) if piece)


@functools.lru_cache(4096)
def _labelled(label: str, kind: str, number: int) -> str:
    if not label:
        between = "_" if kind[-1].isdigit() else ""
        return f"{kind}{between}{number}" if number > 1 else kind
    values: dict[str, Value] = {"kind": kind, "n": number}
    return "".join(part if isinstance(part, str) else str(part.evaluate(values)) for part in _label(label))
