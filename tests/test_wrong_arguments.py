"""Every parameter of every public function with values that it does not take: what is raised names it, and is ours."""

from __future__ import annotations

import inspect
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import networkx
import numpy as np
import pytest
import torch
from torch import nn

import archspec
from archspec import passes, strategies, testing
from archspec.analysis.lengths import Lengths
from archspec.analysis.paths import Paths
from archspec.diagnostics import EnvironmentFault, SpecError
from archspec.emit.graph_json import to_json
from archspec.graph.state import state
from archspec.verification.verdict import Verdict

SPEC = "archspec: 1\nname: t\ninput: [3, 8, 8]\nclasses: 2\nstem: [conv: {out: 4}, norm]\nstages: []\n"
GRAPH = archspec.compile(SPEC)
RESIDUAL = archspec.compile("resnet20_cifar")
BLOCKS, OTHER = archspec.residual_blocks(RESIDUAL), archspec.residual_blocks("preact_resnet164_cifar")[-1:]
MODEL = archspec.build(SPEC, device="meta")
TRAINED = passes.Trained(GRAPH, {key: torch.ones(tensor.shape) for key, tensor in state(GRAPH).items()})
PATHS = archspec.analyze("resnet20_cifar").paths
VERDICT = archspec.verify(SPEC, lambda: archspec.build(SPEC), levels=["keys"])


class Odd:
    """Something that nobody expects."""

    def __repr__(self) -> str:
        raise RuntimeError("its repr fails")


class BytesPath:
    """A path that is bytes."""

    def __fspath__(self) -> bytes:
        return b"a"


class Ones:
    """Something that can be iterated over the wrong things."""

    def __iter__(self) -> Iterator[int]:
        yield 1


ODD, NUMBERS = Odd(), (1, 1.5, float("nan"), True)
SPECS = (*NUMBERS, None, b"archspec: 1", [SPEC], {}, MODEL, ODD, BytesPath(), Ones(), Path())
"""What no spec is. ``Path()`` is a folder."""
ZERO = (np.array("layer1"), np.array(3), torch.tensor(3))
"""Arrays without axes, which have the methods of a list and refuse to be one."""
LISTS = ("classes=1", b"classes=1", *NUMBERS, {"classes": 1}, [1], [None], [b"classes=1"], Ones(), ODD, *ZERO)
OVERRIDES = (
    *(value for value in LISTS if not isinstance(value, dict)),
    None,
    *({"classes": value} for value in (b"1", ODD, float("nan"), float("inf"), 10**5000, {1: 2}, np.array(ODD))),
    {1: 2},
    {"classes=1": 2},
    {None: 1},
)
INPUTS = (
    "3,224,224",
    b"3",
    5,
    1.5,
    (),
    (3,),
    (3, 8.5),
    (3, True),
    (3, 0),
    (3, "8"),
    {3: 1},
    [[3, 8]],
    ODD,
    (1,) * 9,
    *ZERO,
)
WHOLE = (1.5, float("nan"), float("inf"), "1", b"1", True, [1], 1j, ODD, torch.ones(2), np.ones(2))
FLAGS = (1, 0, 1.0, "yes", b"", [True], ODD, np.ones(2))
READING = {"overrides": OVERRIDES, "allow_outside": (*FLAGS, None)}
LIMITS = (5, 1.5, "nodes=1", {"nodes": 1}, [5], ODD, True, archspec.Limits)
TEXTS = (*NUMBERS, None, b"a", ["a"], ODD, *ZERO, np.array(["check", "run"]), torch.ones(2))
FUNCTIONS = (*NUMBERS, None, "print", b"", [print], ODD)
SELECTION = {
    "entry": (*NUMBERS, b"a", [], {}, ODD),
    "prefix": (*NUMBERS, b"a", [], {}, ODD),
    "rename": (*NUMBERS, "a=b", b"a", ["a=b"], {"a": 1}, {1: "a"}, {"a": None}, ODD),
}
PATHS_ = (*NUMBERS, None, b"a", [], ODD, BytesPath())

# For each function: how it is called with all arguments right, then the wrong values of each parameter.
Table = dict[Callable[..., Any], tuple[dict[str, Any], dict[str, tuple[Any, ...]]]]

PYTHON: Table = {
    archspec.load: (
        {"spec": SPEC},
        {
            "spec": (*SPECS, archspec.load(SPEC), GRAPH),
            **READING,
            "limits": LIMITS,
        },
    ),
    archspec.compile: ({"spec": SPEC}, {"spec": SPECS, "input": INPUTS, **READING, "limits": LIMITS}),
    archspec.analyze: (
        {"spec": SPEC},
        {
            "spec": SPECS,
            "input": INPUTS,
            "batch": (*WHOLE, None, 0, -1),
            "dtype": (*NUMBERS, None, b"float32", "int8", "float31", "", torch.int32, np.float32, ["float32"], ODD),
            "frozen": (*LISTS[1:], None, "nowhere", ["nowhere"]),
            "lengths": FLAGS,
            "gates": (*FLAGS, None),
            **READING,
            "limits": LIMITS,
        },
    ),
    archspec.signal: ({"spec": SPEC}, {"spec": SPECS, "input": INPUTS, **READING, "limits": LIMITS}),
    archspec.draw: (
        {"spec": SPEC},
        {
            "spec": SPECS,
            "depth": (*NUMBERS, None, "blocks", "", b"block", ["block"], ODD),
            "title": (*NUMBERS, b"a", ["a"], ODD),
            **READING,
            "limits": LIMITS,
        },
    ),
    archspec.source: (
        {"spec": SPEC},
        {
            "spec": SPECS,
            "level": (*NUMBERS, None, "lowest", "", b"readable", ["readable"], ODD),
            "width": (*WHOLE, None, 0, 59, 201),
            **READING,
            "limits": LIMITS,
        },
    ),
    archspec.skip_paths: (
        {"dag": GRAPH.to_networkx()},
        {
            "dag": (*SPECS, SPEC, GRAPH, networkx.Graph([(1, 2)]), networkx.DiGraph, [(1, 2)]),
            "to": (5, "nowhere", ["fc"], {}, ODD),
            "lengths": FLAGS,
            "gates": (*FLAGS, None),
        },
    ),
    archspec.diff: (
        {"before": SPEC, "after": SPEC},
        {"before": SPECS, "after": SPECS, **READING, "limits": LIMITS},
    ),
    archspec.residual_blocks: ({"spec": SPEC}, {"spec": SPECS, **READING, "limits": LIMITS}),
    archspec.zoo: ({}, {"pattern": TEXTS}),
    archspec.check: (
        {"spec": SPEC},
        {
            "spec": tuple(value for value in SPECS if not isinstance(value, Path)),  # what is not a spec is an outcome
            "level": (*TEXTS, "built"),
            **READING,
            "budgets": (*LISTS, None),
            "limits": LIMITS,
            "largest": (*WHOLE, None, -1),
            "wanted": FUNCTIONS,
        },
    ),
    archspec.build: (
        {"spec": SPEC},
        {
            "spec": SPECS,
            "weights": (*NUMBERS, "", "nowhere", b"a", [], ODD, MODEL, BytesPath(), Path()),
            "map": (*NUMBERS, "", "nowhere", b"a", [], ODD, BytesPath(), Path(), {1: 2}),
            **SELECTION,
            "transfer": (*FLAGS, None),
            "device": (3.2, "nope", "", b"cpu", 99, -1, True, ["cpu"], ODD, "cuda:99"),
            "dtype": (*NUMBERS, b"float32", "int8", "nope", torch.int32, torch.complex64, np.float32, torch, ODD),
            "seed": (*WHOLE, 2**64, -(2**64), 10**5000),
            "flat": (*FLAGS, None),
            **READING,
            "limits": LIMITS,
        },
    ),
    archspec.pair_keys: (
        {"spec": SPEC, "weights": {}},
        {
            "spec": SPECS,
            "weights": (*NUMBERS, None, "", "nowhere", b"a", [], ODD, MODEL, BytesPath(), Path()),
            **SELECTION,
            **READING,
            "limits": LIMITS,
        },
    ),
    archspec.save: (
        {"model": MODEL, "spec": SPEC, "path": "a.safetensors"},
        {
            "model": (*NUMBERS, None, SPEC, GRAPH, {}, nn.Linear, ODD),
            "spec": SPECS,
            "path": (*PATHS_, "a.pt", "", Path(), "a\0.safetensors"),
            "force": (*FLAGS, None),
            **READING,
            "limits": LIMITS,
        },
    ),
    archspec.write: (
        {"spec": SPEC, "path": "a.safetensors"},
        {
            "spec": SPECS,
            "path": (*PATHS_, "a.pt", "a.onx", "", Path(), "a\0.safetensors"),
            "to": (*NUMBERS, b"json", "jsn", "", ["json"], ODD),
            "force": (*FLAGS, None),
            "weights": (*NUMBERS, "", "nowhere", b"a", [], ODD, MODEL, BytesPath(), Path()),
            "map": (*NUMBERS, "", "nowhere", b"a", [], ODD, BytesPath(), Path(), {1: 2}),
            **SELECTION,
            "transfer": (*FLAGS, None),
            "seed": (*WHOLE, 2**64, -(2**64), 10**5000),
            **READING,
            "limits": LIMITS,
        },
    ),
    archspec.graph_from_json: (
        {"text": to_json(GRAPH)},
        {
            "text": (*NUMBERS, None, b"{}", "", "{}", "[", "null", "1e999", ["{}"], {}, GRAPH, ODD, Path()),
            "limits": LIMITS,
        },
    ),
    archspec.confirm: ({"spec": SPEC}, {"spec": SPECS, **READING, "limits": LIMITS, "step": FUNCTIONS}),
    archspec.verify: (
        {"spec": SPEC, "against": nn.Identity},
        {
            "spec": SPECS,
            "against": (*NUMBERS, b"a", "", "nope", ["a"], GRAPH, ODD),
            "input": INPUTS,
            "batch": (*WHOLE, None, 0, -1),
            "seed": (*WHOLE, None, 2**64),
            "tolerance": ("0", b"", None, True, -1, float("nan"), float("inf"), 1j, [0.1], ODD, np.ones(2)),
            "levels": ("keys", b"keys", 1, None, ["all"], [1], [["keys"]], {"keys": 1}, ODD, *ZERO, [np.ones(2)]),
            **READING,
            "limits": LIMITS,
            "step": FUNCTIONS,
        },
    ),
    testing.examine: ({"spec": SPEC}, {"spec": SPECS[:-1], "level": (*TEXTS, "built")}),
    testing.check: ({"spec": SPEC}, {"spec": SPECS[:-1], "level": (*TEXTS, "built")}),
    testing.mutations: ({"spec": SPEC}, {"spec": TEXTS}),
    testing.SpecText: ({"document": {}}, {"document": (*NUMBERS, None, "a: 1", b"a", [], ODD, *ZERO)}),
    testing.specs: ({}, {}),
    testing.graphs: ({}, {}),
    testing.Mutation.save: (
        {"self": testing.Mutation(SPEC, "E201", 1), "folder": "."},
        {"folder": PATHS_},
    ),
    passes.compile_spec: (
        {"spec": archspec.load(SPEC)},
        {"spec": (*SPECS, SPEC, GRAPH), "limits": LIMITS},
    ),
    passes.prune: ({"graph": GRAPH}, {"graph": (*SPECS, SPEC)}),
    passes.without_residual: (
        {"graph": RESIDUAL, "blocks": ["layer1.0"]},
        {"graph": (*SPECS, SPEC), "blocks": (*LISTS[1:], None, ["nowhere"], OTHER)},
    ),
    passes.reordered: (
        {"graph": RESIDUAL, "order": {}},
        {"graph": (*SPECS, SPEC), "order": (*LISTS, None, {1: 2}, {"layer1.0": 1}, {"layer1.0": "x"}, {"x": "x"})},
    ),
    passes.split_block: (
        {"graph": RESIDUAL, "block": BLOCKS[0]},
        {"graph": (*SPECS, SPEC), "block": (*TEXTS, "layer1.0", None, OTHER[0])},
    ),
    passes.fold_norm: (
        {"network": TRAINED},
        {
            "network": (
                *(*SPECS, GRAPH, (GRAPH, {})),
                *(passes.Trained(GRAPH, found) for found in ({}, None, 5, dict.fromkeys(TRAINED.state, 1))),
                passes.Trained(GRAPH, dict.fromkeys(TRAINED.state, torch.ones(7))),
                passes.Trained(None, TRAINED.state),  # type: ignore[arg-type]
            )
        },
    ),
    passes.run: ({"value": GRAPH, "passes": []}, {"passes": (*NUMBERS, None, "prune", passes.prune, [1], ["prune"])}),
    archspec.Source: (
        {"name": "a", "text": SPEC},
        {"name": TEXTS, "text": TEXTS, "kind": (*TEXTS, "book"), "path": (*NUMBERS, b"a", Path(), ODD)},
    ),
    archspec.Source.part: (
        {"self": archspec.Source("a", SPEC)},
        {"first": (*WHOLE, None, -1), "last": (*WHOLE, -1)},
    ),
    archspec.Source.offset: (
        {"self": archspec.Source("a", SPEC), "line": 1, "column": 1},
        {"line": (*WHOLE, None, 0), "column": (*WHOLE, None, 0)},
    ),
    archspec.Source.line: ({"self": archspec.Source("a", SPEC), "number": 1}, {"number": (*WHOLE, None)}),
    archspec.Limits: (
        {},
        dict.fromkeys(("nodes", "elements", "work"), (*WHOLE, None, 0, -1, -(10**5000))),
    ),
    archspec.Diagnostic: (
        {"code": "E201", "message": "a"},
        {
            "code": (*TEXTS, "E999", ""),
            **dict.fromkeys(("message", "hint", "help"), TEXTS),
            "span": (*NUMBERS, "1:2", (1, 2), ODD),
            **dict.fromkeys(("labels", "notes", "items", "mentions"), (*NUMBERS, None, "a", [], (1,), ODD)),
        },
    ),
    archspec.Diagnostic.listing: (
        {"code": "E201", "message": "a", "items": []},
        {
            "code": (*TEXTS, "E999"),
            "items": (*LISTS, None),
            "separator": TEXTS,
        },
    ),
    SpecError: ({"diagnostics": []}, {"diagnostics": (*LISTS, None)}),
    EnvironmentFault: ({"diagnostic": archspec.Diagnostic("E806", "a")}, {"diagnostic": (*TEXTS, "a")}),
    archspec.Graph.shape: ({"self": GRAPH, "name": "input"}, {"name": (*TEXTS, "nowhere", "")}),
    archspec.Graph.input_shapes: (
        {"self": GRAPH, "node": GRAPH.nodes[0]},
        {"node": (*TEXTS, "conv1", ("conv1",), GRAPH)},
    ),
    archspec.Graph.blocks: ({"self": GRAPH, "stage": None}, {"stage": (*TEXTS, "layer1", 0, GRAPH)}),
    archspec.Graph.to_networkx: ({"self": GRAPH}, {"plain": (*FLAGS, None)}),
    archspec.Graph.state_of: ({"self": GRAPH, "name": "conv1"}, {"name": TEXTS}),
    archspec.Graph.written_at: ({"self": GRAPH, "key": "input"}, {"key": TEXTS}),
    Verdict.holds: ({"self": VERDICT}, {"levels": ((1,), ("all",), (["keys"],), (b"keys",), (None,))}),
    Paths.surviving: (
        {"self": PATHS, "deleted": 1},
        {"deleted": (*WHOLE, None), "length": WHOLE},
    ),
    Lengths.share: (
        {"self": PATHS.in_blocks, "low": 0, "high": 3},
        {"low": (*WHOLE, None), "high": (*WHOLE, None)},
    ),
    Lengths.middle: (
        {"self": PATHS.in_blocks},
        {"share": ("0", b"", None, True, -0.1, 2, float("nan"), float("inf"), [0.1], ODD)},
    ),
}

ANY = {  # parameters for which every value is right, or which only pass on what another function checks
    testing.examine: {"how"},
    testing.check: {"how"},
    passes.run: {"value"},
    archspec.Diagnostic.listing: {"message", "more"},
    testing.mutations: {"codes"},
    archspec.write: {"options"},
}
RESULTS = (archspec.Graph, archspec.Source, Verdict, archspec.Report, archspec.Outcome, archspec.Difference, Paths)


def public() -> list[Callable[..., Any]]:
    """Every public function, and every method of what these return that takes an argument."""
    modules = (archspec, testing, passes, strategies)
    found = [getattr(module, name) for module in modules for name in module.__all__ if name[0] != "_"]
    functions = [each for each in found if inspect.isfunction(each)]
    for owner in (*RESULTS, Lengths, testing.Mutation, testing.Case):
        methods = [each for name, each in vars(owner).items() if inspect.isfunction(each) and name[0] != "_"]
        functions += [each for each in methods if len(inspect.signature(each).parameters) > 1]
    makers = [archspec.Limits, archspec.Source, archspec.Diagnostic, archspec.Diagnostic.listing, testing.SpecText]
    return [*dict.fromkeys([*functions, *makers, SpecError, EnvironmentFault])]


def test_every_function_and_parameter_has_an_entry() -> None:
    """A new parameter without an entry fails here."""
    assert {each.__qualname__ for each in public()} == {each.__qualname__ for each in PYTHON}
    for function, (_, parameters) in PYTHON.items():
        expected = set(inspect.signature(function).parameters) - {"self"} - ANY.get(function, set())
        assert set(parameters) == expected, function.__qualname__


CASES = [
    pytest.param(function, right, name, value, id=f"{function.__qualname__}-{name}-{number}")
    for function, (right, parameters) in PYTHON.items()
    for name, values in parameters.items()
    for number, value in enumerate(values)
]


@pytest.mark.parametrize(("function", "right", "name", "value"), CASES)
def test_what_is_wrong_is_said(
    function: Callable[..., Any],
    right: dict[str, Any],
    name: str,
    value: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    arguments = {**right, name: value}
    if name == "map":
        arguments["weights"] = dict.fromkeys(TRAINED.state, torch.ones(1))
    variable = [p.name for p in inspect.signature(function).parameters.values() if p.kind is p.VAR_POSITIONAL]
    positional = arguments.pop(name) if name in variable else ()
    if "self" in arguments:
        positional = (arguments.pop("self"), *positional)
    with pytest.raises((TypeError, ValueError, SpecError, EnvironmentFault)) as raised:
        function(*positional, **arguments)
    last = traceback.extract_tb(raised.value.__traceback__)[-1].filename
    assert "/archspec/" in last, last
    assert type(raised.value) in (TypeError, ValueError, SpecError, EnvironmentFault)
    if isinstance(raised.value, TypeError | ValueError):
        assert name.rstrip("s") in str(raised.value)
        assert "object at 0x" not in str(raised.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("codes", [("E999",), (1,), (None,), (["E201"],), (b"E201",)])
def test_codes_of_mutations(codes: tuple[Any, ...]) -> None:
    with pytest.raises(ValueError, match="`codes`"):
        testing.mutations(SPEC, *codes)


# -- what is taken -----------------------------------------------------------------------------------------------------


def test_numbers_and_flags_of_numpy_are_taken() -> None:
    five = np.int64(5)
    report = archspec.analyze(SPEC, batch=five, input=np.array([3, 16, 16]), gates=np.bool_(True))
    assert (report.memory.batch, report.input) == (5, (3, 16, 16))
    assert type(report.memory.batch) is type(report.input[1]) is int
    assert archspec.compile(SPEC, limits=archspec.Limits(nodes=np.int32(50))).output == (2,)
    model = archspec.build(SPEC, seed=five, flat=np.bool_(True))
    assert torch.equal(model.fc.weight, archspec.build(SPEC, seed=5).fc.weight)
    found = archspec.verify(SPEC, lambda: archspec.build(SPEC, seed=5), batch=np.int8(2), tolerance=np.float32(0))
    assert found.holds()


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "bfloat16"])
def test_a_dtype_is_named_or_one_of_torch(dtype: str) -> None:
    own = getattr(torch, dtype)
    for given in (dtype, f"torch.{dtype}", own):
        assert archspec.build(SPEC, dtype=given).fc.weight.dtype is own
        assert archspec.analyze(SPEC, dtype=given).memory.dtype == dtype


def test_lists_may_be_anything_that_gives_texts() -> None:
    for overrides in (["classes=7"], ("classes=7",), (text for text in ["classes=7"]), {"classes=7"}):
        assert archspec.load(SPEC, overrides=overrides).classes == 7
    assert archspec.check(SPEC, budgets=(text for text in ["params<1"])).valid is False
    assert archspec.verify(SPEC, lambda: archspec.build(SPEC), levels=iter(["keys", "graph"])).outputs is None


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (
            lambda: archspec.load("resnet18", overrides="stages.count=1"),
            "`overrides` takes texts such as ['classes=10'], or a mapping such as {'classes': 10}, got a single text: "
            "write ['stages.count=1']",
        ),
        (lambda: archspec.analyze("resnet18", batch=float("nan")), "`batch` takes a whole number, got nan"),
        (
            lambda: archspec.load(50),  # type: ignore[arg-type]
            "`spec` takes a path, the name of a spec that ships with archspec, YAML text or an archspec.Source, got 50",
        ),
        (lambda: archspec.Limits(nodes=-1), "`nodes` takes a whole number of at least 1, got -1"),
        (lambda: archspec.build("resnet18", seed=1.5), "`seed` takes a whole number from"),  # type: ignore[arg-type]
    ],
)
def test_how_it_is_said(call: Callable[[], Any], said: str) -> None:
    with pytest.raises((TypeError, ValueError)) as raised:
        call()
    assert str(raised.value).startswith(said)


def test_a_spec_error_as_text_says_what_to_do() -> None:
    with pytest.raises(SpecError) as raised:
        archspec.load("resnet18", overrides=["stages.count", "classes=0"])
    assert str(raised.value).splitlines() == [
        "overrides:1:1: error[E313]: `stages.count` sets nothing",
        "  1 | stages.count",
        "    | ^^^^^^^^^^^^",
        "  help: write `overrides=['key.path=value']`",
        "",
        "overrides:1:9: error[E205]: `classes` must be at least 1, not 0",
        "  1 | classes=0",
        "    |         ^",
    ]
