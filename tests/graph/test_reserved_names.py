"""Every name is refused by `check`, or gives a model that builds, runs, survives copies, and has its keys."""

from __future__ import annotations

import builtins
import copy
import io
import keyword
import pickle
import re

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import fx, nn
from torch.fx.graph import _custom_builtins

import archspec
from archspec.graph.reserved_names import RESERVED
from archspec.language.terms import NAME_PART
from archspec.operations.discovery import operations
from tests.support.equivalence import codes, compiled


def attributes(*modules: nn.Module) -> set[str]:
    """What the modules and their classes have, without their children, and what their classes only announce."""
    found: set[str] = set()
    for module in modules:
        found |= {*dir(module), *vars(module)} - {*module._modules, *module._parameters, *module._buffers}
        found |= {name for base in type(module).__mro__ for name in vars(base).get("__annotations__", {})}
    return found


def modules_of_a_model() -> list[nn.Module]:
    """Every module that has children, of a model and of what torch makes of it."""
    model = archspec.build("resnet20_cifar", device="meta")
    copies = copy.deepcopy(model), pickle.loads(pickle.dumps(model)), model._replicate_for_data_parallel()
    return [module for each in (model, *copies) for module in each.modules() if module._modules]


def of_fx() -> set[str]:
    """What the generated code calls itself and what it imports; torch.fx gives every other value a free name."""
    generated = fx.symbolic_trace(nn.Flatten()).forward
    return {*_custom_builtins, generated.__func__.__code__.co_varnames[0]}


def test_what_torch_has_already_is_reserved() -> None:
    """A torch with more attributes needs more of them in the table."""
    found = attributes(nn.Module(), *modules_of_a_model())
    assert {name for name in found if not name.startswith("__")} <= RESERVED
    assert of_fx() <= RESERVED
    assert "input" in RESERVED  # what every graph calls its own input


TRIED = sorted(
    {
        *(dir(nn.Sequential()) + dir(nn.ModuleDict()) + dir(nn.ModuleList()) + dir(nn.ParameterDict())),
        *attributes(nn.Module(), nn.Sequential(), fx.symbolic_trace(nn.Flatten())),
        *(*dir(builtins), *keyword.kwlist, *keyword.softkwlist, *_custom_builtins, *RESERVED),
        *(
            "self",
            "x",
            "input",
            "output",
            "root",
            "args",
            "kwargs",
            "fx",
            "operator",
            "math",
            "wrap",
            "module",
            "layers",
        ),
        *("archspec", "archspec_emit_modules_drop_path", "drop_path", "torch_flatten", "torch_nn_functional_relu"),
        *(
            "_",
            "_0",
            "_1",
            "x_1",
            "x1",
            "conv1_1",
            "a-b",
            "a_b",
            "0",
            "7",
            "weight",
            "bias",
            "_extra_state",
            "_metadata",
        ),
    }
)


def one(name: str, key: str = "name") -> str:
    return f"input: [1, 4, 4]\nnorm: none\nstem: [conv: {{out: 1, {key}: '{name}'}}]\nstages: []\nhead: []"


def is_refused(text: str) -> bool:
    """Whether `check` refuses the spec, because of a name."""
    try:
        compiled(text)
    except archspec.SpecError as error:
        found = codes(error)
    else:
        return False
    return found == ["E305"] or pytest.fail(f"refused with {found}: {text}")


def survives(text: str, keys: list[str]) -> None:
    """The model runs, in one graph and in several, and so do its copies; its state dict has ``keys`` and loads."""
    graph = archspec.compile(text) if text.startswith("archspec:") else compiled(text)
    archspec.confirm(graph)
    for flat in (False, True):
        model = archspec.build(graph, seed=0, flat=flat).eval()
        example = torch.ones(1, *graph.input)
        expected = model(example)
        assert set(keys) <= {key.removesuffix(".weight") for key in model.state_dict()}
        stream = io.BytesIO()
        torch.save(model.state_dict(), stream)
        stream.seek(0)
        for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
            assert torch.equal(other(example), expected)
            assert list(other.state_dict()) == list(model.state_dict())
            other.load_state_dict(torch.load(stream, weights_only=True))
            stream.seek(0)


def test_every_name_of_torch_and_python_is_refused_or_works() -> None:
    """All that are not refused name the steps of one network: at the root, in a block, in scopes, and as scopes."""
    words = [name for name in TRIED if not is_refused(one(name))]
    assert {"x", "max", "print", "keys", "_", "weight"} <= set(words)
    steps = "".join(f"\n        - conv: {{out: 1, name: '{name}'}}" for name in words)
    inside = steps.replace("\n", "\n    ")
    text = f"""
      input: [1, 4, 4]
      norm: none
      stages: {{block: b, count: 2, channels: 1}}
      blocks:
        b:
          residual:{inside}
      stem:{steps}
        - sequence:
            name: scope
            steps:{inside}
      head: [flatten]
    """
    survives(text, [f"{scope}{name}" for scope in ("", "layer1.0.", "layer1.1.", "scope.") for name in words])


SOURCES = {
    "step": "stem: [conv: {out: 1, name: 'NAME'}]",
    "layer": "stem: [layer: {out: 1, name: 'NAME'}]",
    "sequence": "stem: [sequence: {name: 'NAME', steps: [conv: {out: 1}]}]",
    "merge": "stem: [add: {name: 'NAME', a: [], b: [conv: {out: 1}]}]",
    "branch": "stem: [add: {'NAME': [conv: {out: 1}], other: []}]",
    "first part": "stem: [conv: {out: 1, name: 'NAME.x'}]",
    "last part": "stem: [conv: {out: 1, name: 'x.NAME'}]",
    "fragment's name": "fragments: {f: {steps: [conv: {out: 1}]}}\nstem: [f: {name: 'NAME'}]",
    "fragment": "fragments: {'NAME': {steps: [conv: {out: 1}]}}\nstem: ['NAME']",
    "fragment's template": "fragments: {f: {steps: [conv: {out: 1}]}}\nstem: [f]\nnaming: {fragment: 'NAME'}",
    "stage's name": "stages: {block: basic, count: 1, channels: 1, name: 'NAME'}",
    "part of a stage's name": "stages: {block: basic, count: 1, channels: 1, name: 'a.NAME.b'}",
    **{
        kind: "stages: [{block: b, count: 1, stride: 2, before: [conv: {out: 1}], after: [conv: {out: 1}]}]\n"
        f"blocks: {{b: {{residual: [layer: {{out: 2, stride: stride}}]}}}}\nnaming: {{{kind}: 'NAME'}}"
        for kind in ("stage", "block", "residual", "shortcut", "before", "after")
    },
    **{kind: f"naming: {{{kind}: 'NAME'}}" for kind in ("stem", "head", "conv")},
    "layers": "naming: {layer: 'NAME'}\nstem: [layer: {out: 1}]",
    "steps": "naming: {step: 'NAME'}",
    "made by an expression": "naming: {stem: \"{'NAME'}\"}",
}


def of(source: str, name: str) -> str:
    text = SOURCES[source].replace("NAME", name)
    rest = {"input": "[1, 4, 4]", "norm": "none", "stem": "[conv: {out: 1}]", "stages": "[]", "head": "[]"}
    return "".join(f"{key}: {value}\n" for key, value in rest.items() if f"\n{key}:" not in f"\n{text}") + text


@pytest.mark.parametrize("source", SOURCES)
def test_a_name_may_come_from_anywhere(source: str) -> None:
    """Where the words of a list of operations make sequences, the names of `nn.Sequential` would break the model."""
    for name in (
        "self",
        "torch",
        "nan",
        "_modules",
        "_apply",
        "_code",
        "append",
        "forward",
        "input",
        "class",
        "__init__",
    ):
        if (name, source) in (("__init__", "branch"), ("torch", "fragment")):  # `torch` as a step is the operation
            continue
        assert is_refused(of(source, name)), name
    for name in ("min", "keys", "_"):
        survives(of(source, name), [])


@settings(max_examples=30)
@given(
    st.one_of(
        st.from_regex(NAME_PART, fullmatch=True).filter(lambda name: len(name) < 100),
        st.sampled_from(TRIED).map(lambda name: f"{name}_1"),
    )
)
def test_any_name(name: str) -> None:
    if not is_refused(one(name)):
        survives(one(name), [name])


@pytest.mark.parametrize("name", ["self", "None", "Network", "_", "torch-x"])
@pytest.mark.parametrize("what", ["block", "shortcut", "spec", "parameter"])
def test_names_that_are_no_attributes_are_free(what: str, name: str) -> None:
    """The class of a block and of a network has its name, but no attribute has."""
    text = {
        "block": f"stages: {{block: '{name}', count: 1, channels: 1}}\nblocks: {{'{name}': {{residual: [norm]}}}}",
        "shortcut": f"shortcut: '{name}'\nshortcuts: {{'{name}': {{same: []}}}}\n"
        "stages: {block: basic, count: 1, channels: 1}",
        "spec": "stages: []",
        "parameter": f"params: {{{re.sub('-', '', name)}: 1}}\nstages: []",
    }[what]
    called = name if what == "spec" else "tested"
    survives(f"archspec: 1\nname: {called!r}\n{text}\ninput: [1, 4, 4]\nstem: [conv: {{out: 1}}]\nhead: []", ["conv1"])


def test_no_operation_is_called_like_an_attribute() -> None:
    for name, operation in operations().items():
        assert operation.kind not in RESERVED, name
