"""From whatever says which network is meant to its graph."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace

from archspec import arguments
from archspec.diagnostics import Diagnostic, Label, Source, SpecError, cut
from archspec.door import door
from archspec.graph.graph import INPUT, Graph, Node
from archspec.language.load import SPEC, load
from archspec.language.overrides import Overrides, mention, settings_of
from archspec.language.silence import audible, unless_meant
from archspec.language.spec import Spec
from archspec.operations.shapes import Shape, show_shape
from archspec.passes.pipeline import compile_spec
from archspec.work import Limits

SpecLike = Graph | Spec | Source | str | os.PathLike[str]
"""What a function takes as a spec: a compiled graph, a spec, or what :func:`archspec.load` takes: a path, the name of a
spec that ships with archspec, YAML text, or a :class:`archspec.Source`."""


@door
def compile(
    spec: SpecLike,
    *,
    input: Sequence[int] | None = None,
    overrides: Overrides = (),
    allow_outside: bool = False,
    limits: Limits | None = None,
) -> Graph:
    """The graph of a spec, with every shape inferred; torch is not imported.

    Args:
        spec: a spec, or what :func:`load` takes: a path, a zoo name, YAML text. A compiled graph is returned as it is.
        input: another input than the spec's, of the same rank: channels and one to three sizes.
        overrides: values to set in the spec, as in :func:`load`; only for a spec that is not loaded yet.
        allow_outside: whether ``extends`` and ``import`` may read outside the spec's folder; not for a loaded spec.
        limits: how large a network may become.

    Raises:
        SpecError: with every fault of the phase that refused the spec; or the input is of another rank.
        TypeError: an argument of the wrong type.
        ValueError: an invalid input, or an input for a graph that has no spec; or overrides for a loaded spec.

    >>> import archspec
    >>> graph = archspec.compile("resnet50", input=(3, 320, 320))
    >>> graph.by_name["layer4.2.conv3"].shape
    (2048, 10, 10)
    """
    limits = Limits.of(limits)
    settings, allow_outside = readable(spec, overrides, allow_outside)
    if isinstance(spec, Graph):
        return spec if input is None else _with_warning(compile_spec(with_input(spec.origin, input), limits), spec)
    if not isinstance(spec, Spec):
        spec = load(spec, overrides=settings, allow_outside=allow_outside, limits=limits)
    if input is None:
        return compile_spec(spec, limits)
    found = compile_spec(with_input(spec, input), limits)
    try:
        return _with_warning(found, compile_spec(spec, limits))
    except SpecError:  # the network compiles only with the other input, so that there is nothing to compare
        return found


def _with_warning(graph: Graph, before: Graph) -> Graph:
    """The graph, with a warning if a layer reads more or fewer features than with the spec's own input."""
    for node in graph.nodes:
        if not node.operation.weighted or node.name not in before.by_name:
            continue
        now, own = _reads(graph, node), _reads(before, before.by_name[node.name])
        if len(now) == len(own) == 1 and now != own:
            shown = show_shape(graph.input)
            message = f"`{node.name}` reads {now[0]:,} features with the input {shown}"
            message = f"{message}, and {own[0]:,} with the spec's, {show_shape(before.input)}"
            advice = "weights of one network do not fit the other; a global pool before `flatten` prevents that"
            place = Source("input", shown, "argument").part()
            warning = Diagnostic("W508", message, place, help=unless_meant("W508", advice))
            told = audible([warning], graph.origin.document) if graph.origin else (warning,)
            return replace(graph, warnings=(*graph.warnings, *told))
    return graph


def _reads(graph: Graph, node: Node) -> Shape:
    """The shape of a node's first input."""
    name = node.inputs[0]
    return graph.input if name == INPUT else graph.by_name[name].shape


def readable(
    spec: SpecLike, overrides: Overrides, allow_outside: bool, name: str = "spec"
) -> tuple[tuple[str | Source, ...], bool]:
    """How a caller wants the spec read that it passed under this name.

    Raises:
        TypeError: one of these is of the wrong type.
        ValueError: the spec is read already, and would not change.
    """
    settings, allow_outside = settings_of(overrides), arguments.flag(allow_outside, "allow_outside")
    checked(spec, name)
    if isinstance(spec, Graph | Spec) and (settings or allow_outside):
        asked = "overrides" if settings else "allow_outside"
        kind = type(spec).__name__
        raise ValueError(f"`{asked}` is for a spec that is not loaded yet, and `{name}` is a {kind}: pass it to `load`")
    return settings, allow_outside


def checked(spec: SpecLike, name: str = "spec") -> SpecLike:
    """What a caller passed under this name, if it can be a spec.

    Raises:
        TypeError: it cannot.
    """
    given: object = spec
    if not isinstance(given, Graph | Spec | Source | str | os.PathLike):
        raise arguments.wrong(name, f"{SPEC}, or a Spec or Graph of archspec", given)
    if isinstance(given, os.PathLike):
        arguments.path(given, name, SPEC)
    return spec


def with_input(spec: Spec | None, input: Sequence[int]) -> Spec:
    """The spec of the same network for another input: channels and sizes.

    Args:
        spec: where the network comes from, such as a graph's ``origin``.
        input: channels, and as many sizes as the spec's.

    Raises:
        SpecError: E506, the input has not as many sizes as the spec's.
        ValueError: the input is not channels and one to three sizes, each at least 1; or the graph has no spec to
            compile again.
    """
    if spec is None:
        raise ValueError("another input needs a spec to compile again, and this graph has no spec")
    sizes = _sizes(input)
    place = Source("input", show_shape(sizes), "argument").part()
    if len(sizes) == len(spec.input):
        return replace(spec, input=sizes, authors=spec.authors.given_also(place))
    message = (
        f"the input {show_shape(sizes)} has {len(sizes)} numbers, and that of `{cut(spec.name)}` has {len(spec.input)}"
    )
    written = ("input",) in spec.document.places
    labels = (Label(spec.document.span(("input",)), show_shape(spec.input)),) if written else ()
    rank = mention(f"input={list(sizes)}")
    help = f"if you mean another rank, write {rank.text}"
    hint = f"channels come first, as in `{show_shape(spec.input)}`"
    raise SpecError([Diagnostic("E506", message, place, hint, labels, help=help, mentions=(rank,))])


def _sizes(input: Sequence[int]) -> tuple[int, ...]:
    """Channels and sizes as whole numbers of Python."""
    given: object = input
    listed = None if isinstance(given, str | bytes | Mapping) else arguments.items(given)
    found = listed or ()
    try:
        sizes = tuple([arguments.whole(size, "input", 1) for size in found])
    except (TypeError, ValueError):
        sizes = ()
    if not 2 <= len(sizes) <= 4:
        told = arguments.given(input) if listed is None else found
        raise ValueError(f"an input is channels and one to three sizes, such as (3, 224, 224), not {told}")
    return sizes
