"""What `import archspec` offers, and that only `build` needs torch."""

from __future__ import annotations

import inspect
import pickle
import subprocess
import sys
import typing
from importlib.metadata import version
from pathlib import Path

import pytest
import torch
from torch import fx

import archspec
from archspec.diagnostics import Source
from tests.support.equivalence import spec

TEXT = spec("""
    input: [3, 16, 16]
    classes: 5
    stem: cifar
    stages: {block: basic, count: 1, channels: [16, 24], stride: [1, 2]}
    """)


def run(code: str) -> str:
    """The output of a process of its own."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_names_are_public_and_documented() -> None:
    assert len(set(archspec.__all__)) == len(archspec.__all__)
    for name in archspec.__all__:
        thing = getattr(archspec, name)
        assert name.startswith("_") or inspect.getdoc(thing), name
        if inspect.isfunction(thing):
            assert thing.__doc__
            for parameter in inspect.signature(thing).parameters:
                assert f"{parameter}:" in thing.__doc__, f"{name} does not say what `{parameter}` is"


def test_everything_public_has_an_example() -> None:
    """What `__all__` names, and what a graph offers as a method; `tests/docs/test_docstrings.py` runs the examples."""
    alias = "SpecLike"  # a union of types has the docstring of `types.UnionType`
    offered = {name: getattr(archspec, name) for name in archspec.__all__ if name[0] != "_" and name != alias}
    assert [name for name, thing in offered.items() if ">>>" not in (thing.__doc__ or "")] == []
    methods = [name for name, thing in vars(archspec.Graph).items() if inspect.isfunction(thing) and name[0] != "_"]
    shown = [line for line in (archspec.Graph.__doc__ or "").splitlines() if ">>>" in line]
    assert [name for name in methods if not any(f"graph.{name}(" in line for line in shown)] == []


def test_dir_shows_what_is_public_and_nothing_else() -> None:
    """In a fresh process, where nothing is imported late yet."""
    shown = run("import archspec; print(*(name for name in dir(archspec) if not name.startswith('__')))").split()
    assert shown == [name for name in sorted(archspec.__all__) if not name.startswith("__")]


def test_defaults_are_shown_by_name() -> None:
    signatures = [inspect.signature(function) for function in (archspec.check, archspec.confirm, archspec.verify)]
    assert not any("<lambda>" in str(signature) for signature in signatures)


def test_version_is_that_of_the_distribution() -> None:
    assert archspec.__version__ == version("archspec-compiler")


def test_build_is_declared_as_it_is_used() -> None:
    """The signature is a promise: everything but the spec by name, nothing required."""
    parameters = inspect.signature(archspec.build).parameters
    loading = ["weights", "map", "entry", "prefix", "rename", "transfer"]
    assert list(parameters) == [
        "spec",
        *loading,
        "device",
        "dtype",
        "seed",
        "flat",
        "overrides",
        "allow_outside",
        "limits",
    ]
    assert all(p.kind is p.KEYWORD_ONLY for name, p in parameters.items() if name != "spec")
    assert {name: p.default for name, p in parameters.items() if name != "spec"} == {
        **dict.fromkeys(["weights", "map", "entry", "prefix", "rename", "device", "dtype", "seed", "limits"]),
        **dict.fromkeys(["transfer", "flat", "allow_outside"], False),
        "overrides": (),
    }
    assert typing.get_type_hints(archspec.compile)["return"] is archspec.Graph


@pytest.mark.parametrize("kind", ["text", "path", "str path", "spec", "graph", "source"])
def test_a_spec_may_come_as_anything(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "tested.yaml"
    path.write_text(TEXT)
    given = {
        "text": TEXT,
        "path": path,
        "str path": str(path),
        "spec": archspec.load(TEXT),
        "graph": archspec.compile(TEXT),
        "source": archspec.load(Source("elsewhere", TEXT)),
    }[kind]
    model = archspec.build(given, seed=0)
    assert isinstance(model, fx.GraphModule)
    assert model(torch.zeros(2, 3, 16, 16)).shape == (2, 5)
    if kind != "graph":
        graph = archspec.compile(given)
        assert isinstance(graph, archspec.Graph)
        assert graph.output == (5,)


def test_a_graph_can_be_built_again_and_again() -> None:
    """Building changes nothing about the compiled graph, and models share nothing."""
    graph = archspec.compile(TEXT)
    before = (graph.nodes, dict(graph.outputs), graph.regions)
    one, two = archspec.build(graph, seed=1), archspec.build(graph, seed=1)
    assert (graph.nodes, dict(graph.outputs), graph.regions) == before
    with torch.no_grad():
        one.fc.weight.zero_()
    assert two.fc.weight.any()
    assert one.layer1[0].graph is not two.layer1[0].graph


def test_limits_are_obeyed() -> None:
    with pytest.raises(archspec.SpecError) as error:
        archspec.compile("resnet18", limits=archspec.Limits(nodes=10))
    assert [d.code for d in error.value.diagnostics] == ["E601"]


def test_a_refused_spec_is_refused_by_all_three() -> None:
    text = TEXT.replace("count", "cuont")
    errors = []
    for function in (archspec.load, archspec.compile, archspec.build):
        with pytest.raises(archspec.SpecError) as error:
            function(text)
        errors.append([(d.code, d.span.line if d.span else 0) for d in error.value.diagnostics])
    assert errors[0] == errors[1] == errors[2]
    assert errors[0][0][1] == 6
    assert isinstance(pickle.loads(pickle.dumps(error.value)), archspec.SpecError)


@pytest.mark.slow
def test_only_build_imports_torch() -> None:
    code = (
        "import sys, archspec\n"
        "archspec.compile(archspec.load('resnet50'))\n"
        "print(sorted({'torch', 'numpy', 'safetensors', 'click', 'rich'} & set(sys.modules)))\n"
        "archspec.build('resnet18', device='meta')\n"
        "print('torch' in sys.modules)"
    )
    assert run(code).split("\n") == ["[]", "True"]


def test_without_torch_build_says_what_to_install() -> None:
    code = (
        "import sys\n"
        "sys.modules['torch'] = None\n"
        "import archspec\n"
        "graph = archspec.compile('resnet18')\n"
        "try:\n"
        "    archspec.build(graph)\n"
        "except archspec.EnvironmentFault as error:\n"
        "    print(error.diagnostic.code, error.diagnostic.help)"
    )
    assert run(code) == "E809 pip install 'archspec-compiler[torch]'"
