"""The two functions of a definition, as lines: one that computes its value, and one that makes its parameters."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from archspec.emit.source.by_mode import by_mode
from archspec.emit.source.header import escaped, one_line
from archspec.emit.source.signatures import signature, use
from archspec.emit.source.statements import Statement, counted, formula, joined, rendered, shown
from archspec.emit.source.straight import Forward
from archspec.emit.source.terms import SourceText, called, condition, substituted, written
from archspec.graph.formulas import Condition, Expression, show
from archspec.graph.patterns import DefinedPart, Definition, Leaf, Repeat, Use, runs
from archspec.graph.summaries import summary_of

if TYPE_CHECKING:
    from archspec.emit.source.functions import Functions

_Given = Mapping[str, Expression]
_EXTRA = "`extra` counts the layers that not every block has: keys number the layers that are there."
_MOST_LINES = 4
"""The most lines of a formula."""


class Making(NamedTuple):
    """A statement that makes parameters, under a condition or in a loop; ``run`` is the number of the loop."""

    head: str
    text: str
    run: int = 0


class Body(Forward):
    """The functions of one definition."""

    def __init__(self, functions: Functions, definition: Definition) -> None:
        self.functions = functions
        self.statements: list[Statement] = []
        self.makers: list[Making] = []
        """Its own weights first, as in the state dict."""
        self.runs = 0
        """How many loops it has."""
        self.own = 0
        """How many of them make weights of its own."""
        self.reads: dict[str, None] = {}
        self.needs: dict[str, None] = {}
        """The parameters that the two functions read."""
        self.extra = False
        super().__init__(functions.graph, definition, {})
        made = " ".join([f"{each.head} {each.text}" for each in self.makers])
        done = " ".join([f"{each.condition} {each.text} {each.loop}" for each in self.statements])
        names = [parameter.name for parameter in definition.parameters]
        self.reads = {name: None for name in names if re.search(rf"\b{name}\b", done)}
        self.needs = {name: None for name in names if re.search(rf"\b{name}\b", made)}
        self.trains = bool(re.search(r"\btraining\b", done))
        self.weighs = bool(re.search(r"\bp\b|\bis_frozen\(", done))

    @property
    def name(self) -> str:
        return self.functions.names[id(self.definition)]

    def _free(self, name: str, index: int) -> str:
        own = {parameter.name for parameter in self.definition.parameters}
        return super()._free(f"{name}_out" if name in self.functions.taken | own else name, index)

    def _write(self) -> None:
        prefix = "" if self.definition.kind == "model" else "{name}"
        positions = Positions(self.definition)
        for index, part in enumerate(self.parts):
            key = joined(prefix, part.state or positions.of(part))
            name = self._name(part, index)
            self._part(part, [self.names[path] for path in part.inputs], name, key, {})
            if positions.counts(part):
                self._count(part.when, {})
            self.names[part.path] = name

    def _count(self, when: Condition | None, given: _Given) -> None:
        """Count an optional part of a sequence, whose members are numbered without those that are absent."""
        assert when is not None
        if not self.extra:
            self.statements.insert(0, Statement("extra", "0", plain=True))
            self.makers.insert(0, Making("", "extra = 0"))
        self.extra = True
        test = show(condition(when, given))
        self.statements.append(Statement("", "extra += 1", condition=test))
        self.makers.append(Making(f"if {test}:", "extra += 1"))

    def _part(self, part: DefinedPart, inputs: list[str], name: str, key: str, given: _Given) -> None:
        """Add the statements of a part: those that compute its value, and those that make its parameters."""
        when = condition(part.when, given) if part.when is not None else None
        what = part.what
        if isinstance(what, Use) and id(what.definition) in self.functions.inline:
            self._sequence(what, inputs[0], name, key, given)
            return
        if isinstance(what, Use):
            computing, making, plain = self._use(what, inputs, key, given)
        elif what.call.kind == "module":
            text, making = self.functions.call(what, given, shown(key))
            computing, plain = (
                text.replace("{}", inputs[0], 1),
                all(node.operation.nonlinear for node in what.nodes if node) and not making,
            )
        else:
            weights = [f"p[{shown(f'{key}.{each}' if each else key)}]" for each in what.weights]
            computing = called(_out_of_place(what), [SourceText(each) for each in inputs], weights, given).text
            making, plain = "", False
            for each, shape in what.weights.items():
                node = next(node for node in what.nodes if node is not None)
                start = node.operation.weights(self.graph.input_shapes(node))[each].start(self.graph.init)
                size = written(substituted(shape, given))
                making = f"p[{shown(f'{key}.{each}' if each else key)}] = torch.full({size}, {written(start)})"
        making = "" if part.state else making
        own = any(part is each for each in self.parts)  # in a nested sequence, the value before remains
        otherwise = (self.names[part.instead] if own else inputs[0]) if when is not None else ""
        maker = Making(f"if {show(when)}:" if when is not None else "", making)
        if making and own and isinstance(what, Leaf) and "" in what.weights and "." not in part.path:
            self.makers.insert(self.own, maker)
            self.own += 1
        elif making:
            self.makers.append(maker)
        self._add(name, computing, when, otherwise, plain=plain and len(inputs) == 1)

    def _add(self, name: str, computing: str, when: Condition | None, otherwise: str, *, plain: bool) -> None:
        if when is None:
            self.statements.append(Statement(name, computing, plain))
        elif otherwise == name:
            self.statements.append(Statement(name, computing, condition=show(when)))
        else:
            self.statements.append(Statement(name, f"{computing} if {show(when)} else {otherwise}"))

    def _use(self, what: Use, inputs: list[str], key: str, given: _Given) -> tuple[str, str, bool]:
        body = self.functions.bodies[id(what.definition)]
        arguments = {name: substituted(value, given) for name, value in what.arguments.items()}
        own = [*inputs, *(["p", shown(key)] if body.weighs else []), *(["training"] if body.trains else [])]
        computing = f"{body.name}({', '.join([*own, *body.given(body.reads, arguments)])})"
        making = f"new_{body.name}({', '.join(['p', shown(key), *body.given(body.needs, arguments)])})"
        return computing, making if body.makers else "", False

    def given(self, names: Mapping[str, None], arguments: _Given) -> list[str]:
        """The arguments of one of the two functions, which takes the parameters with these names."""
        text = self._named(use(self._with(names), "", {name: arguments[name] for name in names}))
        return [text[1:-1]] if text != "()" else []

    def _with(self, names: Mapping[str, None]) -> Definition:
        return replace(
            self.definition, parameters=tuple([each for each in self.definition.parameters if each.name in names])
        )

    def _named(self, text: str) -> str:
        """A signature or a use, with functions in place of classes."""
        for name, function in self.functions.activations.items():
            text = re.sub(rf"(?<![\w.]){re.escape(name)}\b", function, text)
        return text.replace("type[nn.Module]", "Callable[[Tensor], Tensor]")

    def _sequence(self, what: Use, source: str, name: str, key: str, given: _Given) -> None:
        """The members of a sequence that is used at one place, each a statement."""
        inner = {each: substituted(value, given) for each, value in what.arguments.items()}
        positions = Positions(what.definition)
        value = source
        for item in what.definition.parts if what.definition.positional else runs(what.definition):
            part = item.part if isinstance(item, Repeat) else item
            if not isinstance(item, Repeat):
                if part.when is not None and value != name:
                    self.statements.append(Statement(name, value, plain=True))
                    value = name
                self._part(part, [value], name, joined(key, positions.of(part)), inner)
                if positions.counts(part):
                    self._count(part.when, inner)
                value = name
                continue
            numbered = counted(item)
            if numbered is None or value != name:
                for number, path in enumerate(item.paths):
                    self._part(part, [value], name, joined(key, path), {**inner, "i": number})
                    value = name
                continue
            loop, path = numbered
            before, made = len(self.statements), len(self.makers)
            self._part(part, [value], name, joined(key, path), inner)
            self.runs += 1
            run = self.runs
            self.statements[before:] = [replace(each, loop=loop, run=run) for each in self.statements[before:]]
            self.makers[made:] = [
                each if each.head else Making(f"{loop}:", each.text, run) for each in self.makers[made:]
            ]

    def making(self) -> list[str]:
        """The function that makes the parameters; no lines if it has no parameters to make."""
        if not self.makers:
            return []
        parameters = self._named(signature(self._with(self.needs)))
        head = f"def new_{self.name}(p: Params, name: str{', ' if parameters else ''}{parameters}) -> None:"
        return [head, f'    """The parameters of `{self.name}`."""', *_indented(list(map(self._named, self.made())))]

    def made(self) -> list[str]:
        """The statements that make the parameters."""
        lines: list[str] = []
        last = ("", 0)
        for head, text, run in self.makers:
            if not head:
                lines.append(text)
            else:
                lines += [f"    {text}"] if (head, run) == last else [head, f"    {text}"]
            last = (head, run)
        return lines

    def computing(self) -> list[str]:
        """The function that computes the value."""
        reads = [f"{name}: Tensor" for name in self.definition.inputs]
        own = [*reads, *(["p: Params", "name: str"] if self.weighs else [])]
        if self.definition.kind == "model":
            own = ["x: Tensor", "p: Params", "training: bool = False"]
        elif self.trains:
            own.append("training: bool")
        parameters = self._named(signature(self._with(self.reads)))
        name = "forward" if self.definition.kind == "model" else self.name
        head = f"def {name}({', '.join([*own, *([parameters] if parameters else [])])}) -> {self.definition.type}:"
        return [head, *self._docstring(), *_indented(list(map(self._named, self._computed())))]

    def _docstring(self) -> list[str]:
        uses = len(self.definition.uses)
        if self.definition.kind == "model":
            return ['    """The network: logits of a batch of examples."""']
        first = self.definition.uses[0].path
        where = f"`{first}`" if uses == 1 else f"`{first}` and {uses - 1} more"
        width = self.functions.width - 8
        summary = textwrap.wrap(
            escaped(one_line(summary_of(self.graph, self.definition))), width, break_long_words=False
        )
        lines = textwrap.wrap(f"y = {formula(self.definition, self.functions.inline)}.", width, break_long_words=False)
        if len(lines) > _MOST_LINES or max(map(len, lines)) > width:
            lines = []
        told = [*lines, "", f"{where}."] if lines else [f"The parts of {where}, in order."]
        told = [*summary, "", *told] if summary else told
        told += ["", *textwrap.wrap(_EXTRA, width)] if self.extra else []
        if len(told) == 1:
            return [f'    """{told[0]}"""']
        return [f'    """{told[0]}', *[f"    {each}" if each else "" for each in told[1:]], '    """']

    def _computed(self) -> list[str]:
        returned = self.definition.returned(self.names)
        lines = rendered(self.statements, returned)
        if not self.definition.training:
            return lines
        return by_mode(lines[:-1], "training", self.definition.returned(self.names, training=False), returned)


class Positions:
    """The keys of the parts of a definition; those of a sequence that lacks parts in some uses count what is there."""

    def __init__(self, definition: Definition) -> None:
        self.definition = definition
        self.later = False
        self.place = 0

    def of(self, part: DefinedPart) -> str:
        """The key of the next part."""
        if not self.definition.positional:
            return part.path
        always, self.place = self.place, self.place + (part.when is None)
        if not self.later:
            found = str(always)
        else:
            found = f"{{extra + {always}}}" if always else "{extra}"
        self.later = self.later or part.when is not None
        return found

    def counts(self, part: DefinedPart) -> bool:
        """Whether later parts have another key if this one is absent."""
        return self.definition.positional and part.when is not None and part is not self.definition.parts[-1]


def _out_of_place(leaf: Leaf) -> Leaf:
    """A sum or a product that overwrites nothing, as in a formula."""
    name = {"add_": "operator.add", "mul_": "operator.mul", "sub_": "operator.sub"}.get(leaf.call.target)
    return leaf if name is None else replace(leaf, call=replace(leaf.call, kind="function", target=name))


def _indented(lines: Sequence[str]) -> list[str]:
    return [f"    {line}" if line else "" for line in lines]
