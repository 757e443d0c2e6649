"""``archspec explain``: every code has a page, whose example gives that code, and whose correction gives none.

The blocks of a page are run in order, in one folder. `yaml` is a spec to check; one that begins with `# file: NAME` is
written there and used by what follows, as is `python`. Of a `console` block the last command gives the code.
"""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from archspec.codes import CODES
from archspec.diagnostics import SpecError
from archspec.explanations import read_page
from tests.language.test_bad_specs import FILES
from tests.support.pages import Block, blocks
from tests.support.paths import ROOT
from tests.tools import codes_page

from .conftest import Run

FOLDER = ROOT / "archspec" / "explanations"

NOT_RUN = {
    "E002": "needs a machine with little memory; tests/cli/faults/test_process.py",
    **dict.fromkeys(("E001", "E704", "E705", "E707"), "a defect of archspec, which no input is known to provoke"),
    "E804": "the superuser can read every file; tests/cli/test_process.py",
    **dict.fromkeys([f"E{n}" for n in range(880, 886)], "a grid takes long, and two runs: tests/lab/test_cells.py"),
    **dict.fromkeys([f"W{n}" for n in range(880, 883)], "a grid takes long: tests/lab/test_cells.py"),
    **dict.fromkeys(
        ("E873", "E874", "E890", "E891", "E892", "E893"), "an experiment takes minutes: tests/lab/experiments"
    ),
    "E809": "needs an environment without torch; tests/cli/test_imports.py",
}
"""Codes whose example a test cannot run, and why."""


@pytest.fixture(autouse=True)
def modules_of_the_page(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """`mine.py` of one page is not that of another."""
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    sys.modules.pop("mine", None)
    yield
    sys.modules.pop("mine", None)


def halves(code: str) -> tuple[list[Block], list[Block]]:
    """The blocks of the example, and those of the correction."""
    parted = read_page(code).partition("\nCorrected:\n")[0].count("\n")
    found = list(blocks(f"archspec/explanations/{code}.md"))
    return [block for block in found if block.line < parted], [block for block in found if block.line > parted]


def given(block: Block, run: Run) -> list[set[str]] | None:
    """The codes that a block gives, for each of its commands; None where it is only written to a file."""
    if named := re.match(r"# file: (\S+)\n", block.text):
        Path(named[1]).write_text(block.text, encoding="utf-8")
        sys.modules.pop("mine", None)
        return None
    if block.language == "yaml":
        Path("spec.yaml").write_text(block.text, encoding="utf-8")
        return [codes(run, "archspec check spec.yaml")]
    return [codes(run, line.removeprefix("$ ")) for line in block.text.splitlines()]


def codes(run: Run, line: str) -> set[str]:
    program, *words = shlex.split(line)
    if program == "python":  # in this process, which has torch already
        sys.path.insert(0, "")
        try:
            exec(words[1], {})
        except SpecError as error:
            return {each.code for each in error.diagnostics}
        finally:
            sys.path.remove("")
        return set()
    if program != "archspec":
        subprocess.run(line, shell=True, check=True)
        return set()
    found = run(*words)
    told = set(re.findall(r"^(?:.*: )?(?:error|warning)\[(\w+)\]: ", found.err, re.MULTILINE))
    assert found.status == 0 or told, f"{line}\n{found.err}"
    return told


@pytest.mark.parametrize("code", [code for code in CODES if code not in NOT_RUN])
def test_the_example_gives_the_code_and_its_correction_does_not(code: str, here: Path, run: Run) -> None:
    example, correction = halves(code)
    wanted = [found for block in example if (found := given(block, run)) is not None]
    assert wanted
    for found in wanted:
        assert found == [*(set() for _ in found[1:]), {code}], (code, found)
    clean = [found for block in correction if (found := given(block, run)) is not None]
    assert clean
    assert not set().union(*(each for found in clean for each in found)), (code, clean)


def test_every_code_has_a_page() -> None:
    assert {path.stem for path in FOLDER.glob("*.md")} == CODES.keys()
    assert NOT_RUN.keys() <= CODES.keys()


@pytest.mark.parametrize("code", CODES)
def test_a_page_has_its_parts(code: str) -> None:
    """What the code means, its usual causes, an example and its correction, in this order."""
    text = read_page(code)
    prose = r"(?:.+\n)+"
    shown = r"\n```(?:.*\n)+```\n"
    assert re.fullmatch(f"{prose}\nUsual causes: {prose}\nExample:\n{shown}\nCorrected:\n{shown}", text)
    without_blocks = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    assert max(map(len, without_blocks.splitlines())) <= 80
    assert all(halves(code))


def test_an_example_is_no_copy_of_a_bad_spec() -> None:
    """So that `tests/specs/bad` and the pages provoke a code in two ways."""
    comment = re.compile(r"^#.*\n", re.MULTILINE)
    bad = {comment.sub("", path.read_text(encoding="utf-8")).strip() for path in FILES}
    shown = {comment.sub("", block.text).strip() for code in CODES for block in halves(code)[0]}
    assert not bad & shown


def test_explain_knows_every_code(run: Run) -> None:
    listed = run("explain").out
    assert re.findall(r"^([EW]\d{3})  \S", listed, re.MULTILINE) == list(CODES)
    for code in CODES:
        found = run("explain", code.lower())
        assert (found.status, found.err) == (0, "")
        title, _, text = found.out.partition("\n\n")
        assert title == f"{code}: {CODES[code]}"
        assert "```" not in text
        assert [line.strip() for line in text.splitlines() if line] == [
            line.strip() for line in read_page(code).splitlines() if line and not line.startswith("```")
        ]


def test_a_block_is_indented_and_can_be_copied(run: Run) -> None:
    assert run("explain", "E301").out.endswith(
        """\
Corrected:

    archspec: 1
    name: grouped
    extends: resnet50
    stages:
      groups: 32
      base_width: 4
"""
    )


def test_the_page_of_the_documentation_has_every_page() -> None:
    """`python -m tests.tools.codes_page --write` writes it."""
    assert codes_page.PAGE.read_text(encoding="utf-8") == codes_page.page()
