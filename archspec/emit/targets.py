"""The table of targets: the kinds of file that a network can be written as, and what each one needs.

A target is one function in one file, which is imported only when it is needed. Only this table names the targets.
"""

from __future__ import annotations

from collections.abc import Mapping

from archspec.emit.target import Option, Target

DEPTH = Option(
    "depth",
    "How much a figure shows: stages; their blocks; also the inside of each kind of block; or every operation.",
    default="block",
    words=("model", "stage", "block", "op"),
)
WIDTH = Option("width", "The maximum length of a line of source.", "120", least=60, most=200)
CAIRO = "cairo: `apt install libcairo2`, `brew install cairo`"
TITLE = Option("title", "The text above a figure.", default="the network's name")

DYNAMIC = Option(
    "dynamic",
    "Which dimensions of the input may vary: none, the batch, or the batch and the spatial sizes.",
    "batch",
    words=("none", "batch", "size"),
)

TARGETS: tuple[Target, ...] = (
    Target(
        "safetensors",
        ".safetensors",
        "Weights under the keys of the state dict, with the spec in the metadata.",
        "archspec.weights.saving:write_weights",
        reads="model",
        extra="torch",
        packages=("safetensors",),
        contents="{kind}weights, with the spec in the metadata",
        use="`archspec.build({spec}, weights={file})` gives the model with these weights",
    ),
    Target(
        "onnx",
        ".onnx",
        "ONNX for inference. Weights keep their keys, and nodes are named after their scopes.",
        "archspec.emit.onnx:write_onnx",
        reads="tensors",
        extra="onnx",
        packages=("onnx",),
        options=(
            DYNAMIC,
            Option("opset", "The version of the ONNX operator set.", "20", least=18, most=28),
        ),
        contents="ONNX with {kind}weights",
        use="`onnxruntime.InferenceSession({file})` runs it",
    ),
    Target(
        "pt2",
        ".pt2",
        "A program exported by torch.export, with its weights, for one mode.",
        "archspec.emit.pt2:write_pt2",
        reads="model",
        extra="torch",
        options=(
            DYNAMIC,
            Option("mode", "The mode of the program, which cannot change.", "eval", words=("eval", "training")),
        ),
        contents="an exported program with {kind}weights",
        use="`torch.export.load({file}).module()` runs it",
    ),
    Target(
        "python",
        ".py",
        "Source code to read and edit, with a class for each distinct block. It needs only torch.",
        "archspec.emit.python:python_source",
        text=True,
        signed=True,
        options=(WIDTH,),
        contents="Python source",
        use="archspec.emit.python:how_to_import",
    ),
    Target(
        "lowlevel",
        ".py",
        "Source code for study: only tensors and functions, with the parameters in a dict.",
        "archspec.emit.lowlevel:lowlevel_source",
        text=True,
        signed=True,
        options=(WIDTH,),
        contents="Python source with only tensors and functions",
        use="`python {path}` prints the loss before and after a step of SGD",
    ),
    Target(
        "json",
        ".json",
        "The graph as data, with shapes, costs, regions and places in the spec.",
        "archspec.emit.graph_json:to_json",
        text=True,
        contents="JSON, the graph with its shapes and costs",
        use="`archspec.graph_from_json(open({file}).read())` reads the graph back",
    ),
    Target(
        "svg",
        ".svg",
        "A figure of the architecture. Its colors, light or dark, follow the viewer's setting.",
        "archspec.emit.figure:to_svg",
        text=True,
        options=(DEPTH, TITLE),
        contents="SVG, a figure of the architecture",
        use="open `{path}` in a browser, or put it in a README or a notebook",
    ),
    Target(
        "png",
        ".png",
        "The figure as an image.",
        "archspec.emit.png:to_png",
        extra="figure",
        packages=("cairosvg",),
        library=CAIRO,
        options=(DEPTH, TITLE),
        contents="PNG, a figure of the architecture",
        use="open `{path}` in an image viewer, or put it in a document",
    ),
    Target(
        "pdf",
        ".pdf",
        "The figure as a page of vector graphics and text.",
        "archspec.emit.pdf:to_pdf",
        extra="figure",
        packages=("cairosvg",),
        library=CAIRO,
        options=(DEPTH, TITLE),
        contents="PDF, a figure of the architecture",
        use="open `{path}` in a PDF viewer, or put it in a document",
    ),
    Target(
        "dot",
        ".dot",
        "The figure as a graph for Graphviz.",
        "archspec.emit.dot:to_dot",
        text=True,
        options=(DEPTH, TITLE),
        contents="DOT, a graph of the architecture",
        use="`dot -Tsvg {path}` draws it",
    ),
    Target(
        "mermaid",
        ".mmd",
        "The figure as a flowchart for Mermaid, which GitHub draws in Markdown.",
        "archspec.emit.mermaid:to_mermaid",
        text=True,
        options=(DEPTH, TITLE),
        contents="Mermaid, a flowchart of the architecture",
        use="paste the text of `{path}` into a `mermaid` code block in Markdown",
    ),
)
"""Every target. The first with a suffix is the one that the suffix chooses; the others need their name."""


def by_name() -> Mapping[str, Target]:
    """Every target by its name."""
    return {target.name: target for target in TARGETS}


def suffixes() -> Mapping[str, Target]:
    """The target that each suffix chooses."""
    found: dict[str, Target] = {}
    for target in TARGETS:
        found.setdefault(target.suffix, target)
    return found


def options() -> Mapping[str, Option]:
    """Every option of a target, by its name."""
    return {option.name: option for target in TARGETS for option in target.options}


def takers(option: str) -> list[Target]:
    """The targets that take an option."""
    return [target for target in TARGETS if option in {each.name for each in target.options}]
