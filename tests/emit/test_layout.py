"""The printer of source text, compared with ``ruff format`` itself."""

from __future__ import annotations

import ast
import random
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from archspec.emit.source.code import laid_out
from archspec.emit.source.layout import SPACE, Group, bracket, join, render
from archspec.emit.source.literals import identifier, literal

RUFF = Path(sys.executable).parent / "ruff"

ATOMS = ["x", "channels", "in_channels", "self.growth_rate", "torch.float32", "identity", "_", "stride", "-3", "0.5"]
ATOMS += ["64", "2048", "1e-5", "True", "None", '"label"', "'a \"b\"'", '"it\'s"', '"\\\\"', '"a\\nb"']
CALLED = ["nn.Conv2d", "f", "self.relu", "torch.cat", "F.max_pool2d", "nn.Sequential", "self.layer1[0]"]
FORMS = ["O + O", "O * O", "O - O", "O // O", "O / O", "O**O", "O + O + O", "O * O + O", "O == O", "O != O", "O or O"]
FORMS += [
    "O and O",
    "O < O",
    "not O",
    "O is None",
    "-O",
    "(O, O)",
    "(O,)",
    "O if O else O",
    "[O, O]",
    "[]",
    "f(O for _ in O)",
]
FORMS += ["[O for i in range(O)]", "{'a': O, 'long_label': O}", "f(*[O for _ in range(3)])"]
CHAINS = [
    "O.add_(O)",
    "O[O]",
    "O[:, O:O]",
    "O[:, None, None]",
    "O.movedim(1, -1).view(O, O)",
    "O.shape[0]",
    "O.mean(0)",
]


def filled(form: str, parts: list[str]) -> str:
    """A form with an expression for each `O`, with the parentheses that Python needs."""
    values = iter([ast.parse(part, mode="eval").body for part in parts])

    class Filling(ast.NodeTransformer):
        def visit_Name(self, node: ast.Name) -> ast.expr:
            return next(values) if node.id == "O" else node

    return ast.unparse(Filling().visit(ast.parse(form, mode="eval").body))


class Drawn:
    """Statements drawn by a seed: Hypothesis takes seconds for what ruff formats in milliseconds."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def expression(self, depth: int) -> str:
        kind = self.random.random() if depth else 0.0
        if kind < 0.2:
            return self.random.choice(ATOMS)
        if kind < 0.55:
            written = [self.expression(depth - 1) for _ in range(self.random.randint(0, 4))]
            named = self.random.sample(["bias", "padding", "stride", "eps"], self.random.randint(0, 2))
            written += [f"{name}={self.expression(depth - 1)}" for name in named]
            return f"{self.random.choice(CALLED)}({', '.join(written)})"
        form = self.random.choice(CHAINS if kind < 0.7 else FORMS)
        parts = [self.expression(depth - 1) for _ in range(form.count("O"))]
        if kind < 0.7:
            parts[0] = self.random.choice(["x", "self.weight", "(first + second)", f"f({parts[0]})"])
        return filled(form, parts)

    def statement(self) -> str:
        form = self.random.choice(STATEMENTS)
        return form.format(*[self.expression(self.random.randint(1, 4)) for _ in range(form.count("{}"))])


STATEMENTS = ["x = {}\n", "self.conv1 = {}  # a comment\n", "first, second = {}\n", "x: Tensor = {}\n", "x += {}\n"]
STATEMENTS += ["{}\n", "if {}:\n    x = {}\nelse:\n    f({})\n", "for i in {}:\n    raise {}\n", "return {}\n"]


def formatted(source: str, width: int) -> str:
    command = [RUFF, "format", "--isolated", "--line-length", str(width), "-"]
    done = subprocess.run(command, input=source, text=True, capture_output=True, check=False)
    assert not done.returncode, f"{done.stderr}\n{source}"
    return done.stdout


def lines(text: str) -> list[str]:
    """Without blank ones: those are the writer's, not the printer's."""
    return [line for line in text.splitlines() if line.strip()]


EXAMPLES = """\
x = not f(first_argument_of_all, second_argument_of_all) + second_argument_of_all < third_argument
x = torch.cat(channels, 1, self.growth_rate, _) and self.relu(eps=None)
x = nn.Conv2d(torch.float32, 'a "b"', 1, None) + in_channels[:, None, None]
x = [_ and x or f('a')[self.relu(64, 0, _, channels, padding=64, stride=1)] for i in f]
x = -(64**64) + 0.5 ** -"label"
x = f(0 if 1 else very_long_name_of_a_value if True else another_long_name_of_a_value, 12345)
self.downsample = nn.Sequential(nn.Conv2d(64, 256, 1), nn.BatchNorm2d(256)) if in_channels != channels else None
"""


@given(st.integers(0, 2**32), st.integers(60, 120))
@settings(max_examples=12)
def test_statements_are_laid_out_as_ruff_does(seed: int, width: int) -> None:
    drawn = Drawn(seed)
    source = EXAMPLES + "".join([drawn.statement() for _ in range(100)])
    found = laid_out(source, width)
    assert lines(found) == lines(formatted(found, width))
    assert laid_out(found, width) == found
    assert ast.dump(ast.parse(found)) == ast.dump(ast.parse(source))


OPERANDS = ["x", "x.a.b", "1", "1.5", "2j", "None", "True", "...", "'a'", "'a'.b", "x[0]", "x[0].a", "f()", "f().a"]
OPERANDS += ["(x**y)", "x**y", "(x + y).a"]
OPERANDS += [f"({sign}{each})" for sign in ("-", "~", "not ", "--", "-~") for each in ("x", "x.a", "1", "'a'", "f()")]
OPERANDS += ["(-x).a", "(-x).a.b", "(not x).a", "(-1).a", "(-(-x).a)"]


def test_powers_are_laid_out_as_ruff_does() -> None:
    """With spaces or without: that depends on both operands. Parentheses that nothing needs are not written."""
    source = "".join([f"x = {left} ** {right}\n" for left in OPERANDS for right in OPERANDS])
    found = laid_out(source, 88)
    assert lines(found) == lines(formatted(found, 88))
    assert ast.dump(ast.parse(found)) == ast.dump(ast.parse(source))


HEADERS = """\
class Bottleneck(nn.Module):
    \"\"\"A docstring, which stays as it is   .\"\"\"

    expansion: int = 4

    @staticmethod
    def forward(self, x: Tensor, first: int, second: float = 0.1, *rest: int, third: str = "a", **more: int) -> Tensor:
        # A comment.
        while first != second or third == "a long text that does not fit" and not more.get("another text of it"):
            return x
        if first:
            pass
        elif second:
            x = x.add_(first)
        return x, first

    def keyword_only(self, *, in_channels: int, out_channels: int, stride: int) -> nn.Module:
        return self


def short(x): return x
"""


@pytest.mark.parametrize("width", [40, 60, 88, 120])
def test_headers_are_laid_out_as_ruff_does(width: int) -> None:
    source = HEADERS.replace("short(x): return x", "short(x):\n    return x")
    found = laid_out(source, width)
    assert lines(found) == lines(formatted(found, width))


def test_own_files_stay_as_they_are() -> None:
    """All statements of archspec's own files that have no comment inside, laid out again."""
    import archspec.emit.modules as modules

    source = Path(modules.__file__).read_text(encoding="utf-8")
    start = source.index("class DropPath")
    assert laid_out(source[start:], 120) == source[start:]


@given(st.text() | st.text("'\"\\\n{}#"))
@example("\ud800")
def test_a_text_is_a_string_that_ruff_leaves_alone(text: str) -> None:
    assert ast.literal_eval(literal(text)) == text
    assert "\n" not in literal(text)


@given(st.floats(allow_nan=False) | st.integers() | st.tuples(st.integers()) | st.booleans() | st.none())
def test_a_constant_is_read_back(value: object) -> None:
    assert repr(ast.literal_eval(literal(value))) == repr(value)


@given(st.text())
@example("")
@example("None")
@example("match")
@example("2plus1d")
def test_an_identifier_is_one(text: str) -> None:
    found = identifier(text)
    assert found.isidentifier()
    assert found.isascii()
    compile(f"{found} = 0", "found", "exec")


def test_a_document_breaks_where_it_does_not_fit() -> None:
    call = bracket("f(", Group(join((",", SPACE), ["first", "second"])), ")")
    assert render(call, 16) == "f(first, second)"
    assert render(call, 15) == "f(\n    first,\n    second\n)"
    assert render(("x = ", call), 20, indent=4) == "x = f(\n        first, second\n    )".replace(
        "first, ", "first,\n        "
    )
