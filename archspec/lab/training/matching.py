"""The network of a spec for some data."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from archspec.diagnostics import Diagnostic, Mention, Source, Span, SpecError, cut
from archspec.display import counted
from archspec.door import door
from archspec.graph.graph import Graph
from archspec.graph.scopes import HEAD
from archspec.lab.data.split import Data
from archspec.language.load import load
from archspec.language.overrides import Overrides
from archspec.language.spec import Spec
from archspec.language.standalone import standalone
from archspec.language.text.yaml_writer import to_yaml
from archspec.operations.shapes import Shape, show_shape
from archspec.passes.compiling import SpecLike, compile, readable
from archspec.work import Limits

SIZES = (8, 16, 32, 64, 96, 128, 224, 256, 299, 384, 512)
"""The sizes of images that a help may suggest."""


@door
def for_data(
    spec: SpecLike,
    data: Data,
    *,
    overrides: Overrides = (),
    allow_outside: bool = False,
    limits: Limits | None = None,
) -> Graph:
    """The network of a spec with the input and the classes of some data.

    Args:
        spec: a spec, a compiled graph, or what :func:`archspec.load` takes.
        data: the data, as :func:`archspec.lab.data.load_data` gives it.
        overrides: values to set in the spec, as in :func:`archspec.load`; only for a spec that is not loaded yet.
        allow_outside: whether ``extends`` and ``import`` may read outside the spec's folder; not for a loaded spec.
        limits: how large a network may become.

    Raises:
        SpecError: E864, the network cannot have such an input, for example because it shrinks to nothing; E863, it does
            not give one number for each class; either one, if an override differs from the data; E864, the spec's own
            input is not that of images; or the spec is refused.

    >>> from archspec.lab.data import load_data
    >>> from archspec.lab.training import for_data
    >>> graph = for_data("resnet20_cifar", load_data("digits"), overrides={"params.width": 8})
    >>> graph.input, graph.output, graph.stages[0].result, graph.shape("conv1")
    ((1, 8, 8), (10,), 'layer1.2.relu2', (8, 8, 8))
    """
    settings, allow_outside = readable(spec, overrides, allow_outside)
    limits, origin = Limits.of(limits), spec.origin if isinstance(spec, Graph) else spec
    if isinstance(spec, Graph) and origin is None:
        return _checked(spec, data)
    text = _text(origin) if isinstance(origin, Spec) else origin
    sources = [each if isinstance(each, Source) else Source("overrides", each, "override") for each in settings]
    if fixed := {key: each for each in sources if (key := each.text.partition("=")[0].strip()) in ("classes", "input")}:
        asked = load(text, overrides=sources, allow_outside=allow_outside, limits=limits)  # type: ignore[arg-type]  # a graph has an origin here
        _refuse_others(fixed, data, asked)

    _refuse_other_dimensions(load(text, overrides=sources, allow_outside=allow_outside, limits=limits), data)  # type: ignore[arg-type]  # a graph has an origin here

    def at(input: Shape | None) -> Graph:
        asked = [] if input is None else [f"classes={len(data.classes)}", f"input={list(input)}"]
        sources = [*settings, *(Source("data", each, "override") for each in asked)]
        return compile(load(text, overrides=sources, allow_outside=allow_outside, limits=limits), limits=limits)  # type: ignore[arg-type]  # a graph has an origin here

    try:
        found = at(data.input)
    except SpecError as error:
        if not error.diagnostics[0].code.startswith("E5"):  # no fault of shapes: the input is not to blame
            raise
        at(None)  # the spec may be wrong by itself
        raise SpecError([_does_not_fit(each, data, at) for each in error.diagnostics[:1]]) from None
    return _checked(found, data)


def _refuse_others(fixed: Mapping[str, Source], data: Data, spec: Spec) -> None:
    """Refuse an input or classes that are set and differ from the data's, in place of ignoring them."""
    for key, code, own in (("classes", "E863", len(data.classes)), ("input", "E864", list(data.input))):
        if key in fixed and (value := spec.document.value.get(key)) != own:
            message = f"`{key}` is set to {value}, but `{data.name}` has {own}"
            help = "leave it out: the network gets the input and the classes of the data"
            raise SpecError([Diagnostic(code, message, fixed[key].part(), help=help)])


def _refuse_other_dimensions(spec: Spec, data: Data) -> None:
    """Refuse a spec of sequences or volumes, in place of making a network for images of it."""
    own, sizes = spec.document.value.get("input"), len(data.input) - 1
    if not isinstance(own, list) or len(own) - 1 == sizes:
        return
    images = f"the images of `{data.name}` have {sizes}, {show_shape(data.input)}"
    message = f"the input of `{cut(spec.name)}` has {counted(len(own) - 1, 'size')} besides its channels, but {images}"
    set_it = Mention("overrides", f"`overrides=['input={list(data.input)}']`", f"'input={list(data.input)}'")
    help = f"choose a spec for images; {set_it.text} makes a network for images of this one"
    raise SpecError([Diagnostic("E864", message, spec.document.span(("input",)), help=help, mentions=(set_it,))])


def _text(spec: Spec) -> Source:
    """The text of a spec that is loaded already, as it would be written alone; imports are found from its folder."""
    written = to_yaml(standalone(spec), comments=False)
    return replace(spec.document.source, name=spec.name, text=written)


def _checked(graph: Graph, data: Data) -> Graph:
    """The graph, if it has the input and the classes of the data."""
    if graph.input != data.input:
        message = f"`{cut(graph.name)}` has the input {show_shape(graph.input)}, but `{data.name}` has images of "
        raise SpecError(
            [Diagnostic("E864", message + show_shape(data.input), help="compile the network for this input")]
        )
    always = [label for label in graph.outputs if label not in graph.training]
    if len(always) > 1:
        raise SpecError([_several(graph, always, data)])
    wrong = [label for label, name in graph.outputs.items() if graph.shape(name) != (len(data.classes),)]
    if wrong:
        raise SpecError([_other_classes(graph, label, data) for label in wrong])
    return graph


def _several(graph: Graph, always: Sequence[str], data: Data) -> Diagnostic:
    """E863 of a model that returns several values in both modes."""
    message = f"`{cut(graph.name)}` gives {len(always)} outputs in a {graph.returns}, but training takes one, with a "
    message += "number for each class; others may be returned in training only"
    listed = graph.origin.outputs if graph.origin else ()
    names, wanted = {each.label: each.name for each in listed}, (len(data.classes),)
    fits = [names.get(label, label) for label in always if graph.shape(graph.outputs[label]) == wanted]
    help = "end a head with `linear: {out: classes}`, and name it alone under `outputs`"
    help = f"write `outputs: {cut(fits[0])}`" if fits else help
    return Diagnostic("E863", message, graph.written_at("outputs" if listed else "heads"), help=help)


def _other_classes(graph: Graph, label: str, data: Data) -> Diagnostic:
    """E863 of an output that does not have a number for each class."""
    only = label in graph.training
    gives = _numbers(graph.shape(graph.outputs[label])) + (f" as `{cut(label)}` in training" if only else "")
    message = f"`{cut(graph.name)}` gives {gives}, but `{data.name}` has {len(data.classes)} classes"
    span, part = _ending(graph, label)
    return Diagnostic("E863", message, span, help=f"end {part} with `linear: {{out: classes}}`")


def _ending(graph: Graph, label: str) -> tuple[Span | None, str]:
    """Where the spec writes what the model returns under a label, and what that is."""
    if graph.origin is None:
        return None, "the head"
    listed = {each.label: each for each in graph.origin.outputs}
    name = listed[label].name if label in listed else label
    if name in graph.origin.heads:
        return graph.origin.document.span(("heads", name)), "the head"
    if label in listed and name != HEAD:
        return listed[label].span, "a head, or what is returned here,"
    return graph.written_at("head"), "the head"


def _numbers(shape: Shape) -> str:
    return counted(shape[0], "number") if len(shape) == 1 else f"an output of {show_shape(shape)}"


def _does_not_fit(fault: Diagnostic, data: Data, at: Callable[[Shape | None], Graph]) -> Diagnostic:
    """E864, from what the compiler said about the data's input; the help has a size that fits, if any does."""
    channels, *sides = data.input
    larger = [size for size in SIZES if size > max(sides)]
    size = next((size for size in larger if _compiles(at, (channels, size, size))), None)
    if size is None:
        help, mentions = fault.help, fault.mentions
    else:
        resize = Mention("size", f"`load_data({data.name!r}, size={size})`", str(size))
        help = f"resize the images with {resize.text}, or set fewer strides before this step"
        mentions = (resize,)
    span = next((label.span for label in fault.labels), fault.span)
    message = f"the network does not fit the images of `{data.name}`, {show_shape(data.input)}: {fault.message}"
    return Diagnostic("E864", message, span, fault.hint, notes=fault.notes, help=help, mentions=mentions)


def _compiles(at: Callable[[Shape | None], Graph], input: Shape) -> bool:
    try:
        at(input)
    except SpecError:
        return False
    return True
