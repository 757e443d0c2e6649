"""The text of references: what is accepted, what is refused and how, and that nothing is evaluated."""

from __future__ import annotations

import ast
import contextlib
import inspect
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

import archspec
from archspec.verification.reference import make
from archspec.verification.reference_text import Reference, parse
from tests.support.networks import RESIDUAL, Residual, verdict

MINE = """
import torch
from torch import nn

class Block:
    @staticmethod
    def build(width=4, *, bias=True):
        return nn.Linear(3, width, bias=bias)

network = nn.Linear(3, 7)
number = 3

def fails():
    raise ValueError("too few\\nlayers")

def leaves():
    raise SystemExit(4)

def nothing():
    pass
"""


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, with a user's own modules."""
    monkeypatch.chdir(tmp_path)
    for name in ("mine_for_tests", "broken_for_tests", "needy_for_tests"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    (tmp_path / "mine_for_tests.py").write_text(MINE)
    (tmp_path / "broken_for_tests.py").write_text("x = 1 / 0")
    (tmp_path / "needy_for_tests.py").write_text("import a_package_that_nobody_has")
    return tmp_path


def refused(against: Any) -> archspec.Diagnostic:
    with pytest.raises(archspec.SpecError) as error:
        make(against)
    (diagnostic,) = error.value.diagnostics
    assert "\n" not in diagnostic.message
    return diagnostic


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("torchvision:resnet50", Reference("torchvision", "resnet50")),
        ("torchvision:googlenet()", Reference("torchvision", "googlenet")),
        (
            "torchvision:googlenet(aux_logits=False, width=-1.5, names=['a', {'b': (1, None)}])",
            Reference(
                "torchvision", "googlenet", (), {"aux_logits": False, "width": -1.5, "names": ["a", {"b": (1, None)}]}
            ),
        ),
        ("timm:resnet50.a1_in1k", Reference("timm", "resnet50.a1_in1k")),
        ("a.b.c:make.it(3, x='(')", Reference("a.b.c", "make.it", (3,), {"x": "("})),
    ],
)
def test_a_reference_is_read(text: str, wanted: Reference) -> None:
    assert parse(text) == wanted


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "resnet50",
            "torchvision:",
            ":resnet50",
            "torchvision:resnet 50",
            "a-b:c",
            "a:b:c",
            "a..b:c",
            "a:b.",
            "a/b:c",
        ),
        *("a:b(", "a:b)", "a:b(1)(2)", "a:b()()", "a:b().c", "a:b() + 1", "a:b(x=)", "a:b(1", "a:b(x=1, x=2)"),
        *("a:b(x=len)", "a:b(x=__import__('os').system('true'))", "a:b(*[1])", "a:b(**{'x': 1})", "a:b(x=1+y)"),
        *(
            "a:b(x=f'{1}')",
            "a:b(x=[i for i in (1,)])",
            "a:b(x=lambda: 1)",
            "a:b" + "(" * 900,
            "a:b(" + "[" * 1500,
            "x" * 9999,
        ),
        *("a:b(x='\0')", "\ud800:x", "\uff54orchvision:x"),
    ],
)
def test_text_that_is_not_a_reference(text: str) -> None:
    with pytest.raises(archspec.SpecError) as error:
        parse(text)
    assert [d.code for d in error.value.diagnostics] == ["E901"]


DEEP = {
    "a sum": "+".join(["1"] * 900),
    "lists": "[" * 150 + "]" * 150,
    "lists of a depth that Python reads": "[" * 17 + "]" * 17,
    "lists and tuples": "[(" * 60 + "1," + ")]" * 60,
    "dictionaries": "{1:" * 90 + "1" + "}" * 90,
    "signs": "-" * 1900 + "1",
    "negations": "not " * 450 + "1",
    "functions": "lambda:" * 270 + "1",
    "calls": "f(" * 190 + ")" * 190,
    "attributes": "x." * 900 + "y",
    "a number": "9" * 1500,
    "a number with underscores": "1_" * 700 + "1",
    "characters": "'" + "a" * 3000 + "'",
}


@pytest.mark.parametrize("limit", [0, 120])
@pytest.mark.parametrize("argument", DEEP.values(), ids=DEEP)
def test_long_and_deep_arguments(argument: str, limit: int) -> None:
    """Refused in a short message, even for a program that sets a low limit to recursion."""
    depth, before = len(inspect.stack(0)), sys.getrecursionlimit()
    sys.setrecursionlimit(depth + limit if limit else before)
    try:
        with pytest.raises(archspec.SpecError) as error:
            parse(f"a:b(x={argument})")
    finally:
        sys.setrecursionlimit(before)
    (found,) = error.value.diagnostics
    assert found.code == "E901"
    assert len(found.message) < 200


@pytest.mark.parametrize(
    "argument", ["(" * 150 + "1" + ")" * 150, "[" * 16 + "]" * 16, "9" * 100, "'(((((((((((((((('"]
)
def test_what_is_long_and_means_little_is_read(argument: str) -> None:
    assert parse(f"a:b(x={argument})").kwargs == {"x": ast.literal_eval(argument)}


def test_the_place_of_a_long_argument(tmp_path: Path) -> None:
    path = tmp_path / "net.yaml"
    path.write_text(f"archspec: 1\nname: a\nextends: resnet18\nreference: 'torchvision:resnet18(x={DEEP['a sum']})'\n")
    with pytest.raises(archspec.SpecError) as error:
        archspec.verify(str(path))
    (found,) = error.value.diagnostics
    assert (found.code, found.span and found.span.line, found.span and found.span.column) == ("E901", 4, 12)


@given(st.text(max_size=40), st.text(alphabet="()[]{}=,'\"1a. -*", max_size=40))
def test_any_text_is_read_or_refused(text: str, arguments: str) -> None:
    for reference in (text, f"{text}:{text}", f"a:b({arguments}", f"a:b({arguments})"):
        with contextlib.suppress(archspec.SpecError):
            assert isinstance(parse(reference), Reference)


@pytest.mark.parametrize(
    ("text", "code", "hint"),
    [
        ("torchvision:resnet5o", "E902", "resnet50"),
        ("torchvision:", "E901", ""),
        ("timm:resnetv2_5O", "E902", "resnetv2_50"),
        ("torchvision:resnet18(18)", "E901", ""),
        ("torchvision:resnet18(nmu_classes=3)", "E904", ""),
        ("mine_for_test:network", "E902", "mine_for_tests"),
        ("mine_for_tests.deeper:network", "E902", ""),
        ("mine_for_tests:netwrok", "E902", "network"),
        ("mine_for_tests:Block.biuld", "E902", "build"),
        ("mine_for_tests:number", "E905", ""),
        ("mine_for_tests:nothing", "E905", ""),
        ("mine_for_tests:fails", "E904", ""),
        ("mine_for_tests:leaves", "E904", ""),
        ("mine_for_tests:Block.build(width='wide')", "E904", ""),
        ("mine_for_tests:Block.build(1, 2, 3)", "E904", ""),
        ("broken_for_tests:x", "E903", ""),
        ("needy_for_tests:x", "E903", ""),
    ],
)
def test_a_bad_reference_is_refused(mine: Path, text: str, code: str, hint: str) -> None:
    found = refused(text)
    assert found.code == code
    assert hint in found.hint
    assert not hint or found.hint


def test_the_exception_of_a_factory_is_reported_with_its_place(mine: Path) -> None:
    found = refused("mine_for_tests:fails")
    assert found.message == "`mine_for_tests:fails` raises ValueError: too few"
    assert found.help == "the exception was raised in mine_for_tests.py, line 14"
    assert "a_package_that_nobody_has" in refused("needy_for_tests:x").help


def test_a_network_in_the_current_folder(mine: Path) -> None:
    before = list(sys.path)
    made, name = make("mine_for_tests:Block.build(5, bias=False)")
    assert isinstance(made, nn.Linear)
    assert (made.out_features, made.bias, name) == (5, None, "mine_for_tests:Block.build(5, bias=False)")
    assert make("mine_for_tests:network")[0].out_features == 7
    assert sys.path == before


def test_the_current_folder_may_be_gone(mine: Path) -> None:
    (mine / "gone").mkdir()
    os.chdir(mine / "gone")
    (mine / "gone").rmdir()
    assert refused("a_module_that_nobody_has:network").code == "E902"
    assert make("torch.nn:Identity")[1] == "torch.nn:Identity"


def test_a_seed_decides_the_weights(mine: Path) -> None:
    one, two, three = (make("mine_for_tests:Block.build", seed)[0].weight for seed in (1, 1, 2))
    assert torch.equal(one, two)
    assert not torch.equal(one, three)


def test_a_python_function_as_the_reference() -> None:
    assert verdict(Residual).graph.held  # type: ignore[arg-type]
    assert refused(lambda: 3).code == "E905"
    assert refused(lambda: 1 / 0).code == "E904"


@pytest.mark.parametrize("library", ["torchvision", "timm"])
def test_a_missing_library_says_what_to_install(library: str, tmp_path: Path) -> None:
    code = (
        "import sys\n"
        f"sys.modules[{library!r}] = None\n"
        "import archspec\n"
        "try:\n"
        f"    archspec.verify('resnet18', '{library}:resnet18')\n"
        "except archspec.EnvironmentFault as error:\n"
        "    print(error.diagnostic.code, error.diagnostic.help)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.stdout.strip(), done.returncode) == ("E809 pip install 'archspec-compiler[reference]'", 0), done.stderr


@pytest.mark.parametrize(
    "options", [{"batch": 0}, {"tolerance": -1.0}, {"tolerance": float("nan")}, {"levels": ("all",)}]
)
def test_invalid_options(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"batch|levels"):
        verdict(Residual(), RESIDUAL, **options)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("no_such_file.py:build", ""),
        ("no_such_file.py:build(classes=10)", ""),
        ("./no_such_file.py:build", ""),
        ("nets/no_such_file.py:Net(3)", ""),
        ("mine.Net", "mine:Net"),
        ("nets.mine.Net(10)", "nets.mine:Net(10)"),
        ("torchvision.models.resnet18", "torchvision:resnet18"),
        ("torchvision.models.resnet18(num_classes=10)", "torchvision:resnet18(num_classes=10)"),
        ("torchvision.models.resnet.resnet18", "torchvision:resnet18"),
        ("torchvision.resnet18", "torchvision:resnet18"),
        ("torchvision/resnet18", "torchvision:resnet18"),
        ("torchvision: resnet18", "torchvision:resnet18"),
        ("timm.models.resnet18", "timm:resnet18"),
        ("timm.create_model('resnet18.a1_in1k')", "timm:resnet18.a1_in1k"),
        ("timm/resnet18.a1_in1k", "timm:resnet18.a1_in1k"),
        ("resnet50", ""),
        ("mine.py", ""),
        ("a..b", ""),
    ],
)
def test_a_reference_written_as_in_python_is_suggested(text: str, meant: str) -> None:
    assert refused(text).hint == (f"did you mean `{meant}`?" if meant else "")


@pytest.mark.parametrize("text", ["torchvision.models:resnet18", "torchvision.models.resnet18", "torchvision.resnet18"])
def test_a_spec_that_names_a_library_as_in_python_gets_the_same_hint(text: str) -> None:
    with pytest.raises(archspec.SpecError, match="did you mean `torchvision:resnet18`"):
        archspec.verify(f"archspec: 1\nname: t\nextends: resnet18\nreference: {text}\n")
