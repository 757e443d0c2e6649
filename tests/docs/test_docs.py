"""What the documentation shows is so: specs compile, commands print it, code runs, tables agree with the code.

The pages are README.md and docs/*.md. Each has a folder and a namespace of its own, in which its blocks run in order,
so that a block finds the files and names of those before it.

`yaml` is a spec, and compiles without a fault or a warning. One that begins with `# file: NAME` is written into the
folder. One without `archspec:` is a part, laid over resnet18; a list is the steps of a `stem`.

`console` has commands of archspec after `$ `, and below each what it prints, stdout and stderr together. A line `...`
stands for any number of lines. `> FILE` stores stdout.

`python` is executed; `pycon` is executed as a doctest. Any other block is not run, and `NOT_RUN` says why.

Comments right before a block say what else is expected: `<!-- over: NAME -->` what a part is laid over (`nothing` is
possible), `<!-- gives: E503 W301 -->` the codes of a spec's diagnostics, `<!-- exit: 1 -->` the status of commands.
"""

from __future__ import annotations

import contextlib
import doctest
import io
import os
import re
import shlex
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from archspec.codes import CODES
from archspec_cli.main import COMMANDS, commands, run
from tests.support.pages import PAGES, ROOT, Block, blocks, diagnostics, part, prose, text_of
from tests.support.reference import torchvision_models

# By its first line, and why it cannot run here.
NOT_RUN = {
    "make demo": "makes an environment and downloads torch",
    "make test": "would run this test again",
    "make bench": "takes minutes, on a quiet machine",
    "# .github/workflows/specs.yml": "a workflow; tests/cli/test_precommit.py runs its commands",
    "# .pre-commit-config.yaml": "a configuration; tests/cli/test_precommit.py validates it",
    "# .pre-commit-config.yaml of a repository whose specs are in networks/": "as the one before",
    ". .venv/bin/activate": "changes the reader's shell",
    "python3 -m venv .venv && . .venv/bin/activate": "makes an environment and downloads packages",
    'eval "$(archspec completion bash)"': "changes the reader's shell; test_the_completion_script runs what is inside",
    "spec.yaml ─ read ─▶ Document ─ resolve ─▶ Spec ─ lower ─▶ Graph ─┬─ emit ────▶ fx.GraphModule": "a picture",
    "curl -O https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz": "downloads CIFAR-10",
    "torchrun --nproc-per-node 2 -m archspec train resnet20_cifar -o digits.safetensors": "starts processes",
    "#!/bin/bash": "a job of SLURM",
    "archspec lab degradation -o degradation --jobs 8": "takes minutes",
    "archspec lab lesion -o lesion --jobs 2": "takes minutes",
    "archspec lab                                         # the list of experiments": "its second line takes minutes",
    "archspec lab degradation -o degradation --jobs 2": "takes minutes",
    "archspec lab stochastic -o stochastic --jobs 2": "takes minutes",
    "archspec lab ablate mine.yaml --over norm=batch,none --over lr=0.01,0.1 -o norms --jobs 2": "takes minutes",
    "archspec lab gradients -o gradients --jobs 2": "takes minutes",
    "pip install 'archspec-compiler[ray]'": "takes minutes; tests/lab/test_engines.py starts clusters",
    "export RAY_AUTH_MODE=token                            # on each machine": "as the one before",
    "pip install 'archspec-compiler[slurm]'": "needs SLURM; tests/lab/test_engines.py runs submitit",
    "torchrun --nproc-per-node 8 -m archspec train resnet110_cifar --data cifar10:cifar -o r110.safetensors": "hours",
    "equal outputs     yes  max |d| = 2.67e-05 in eval mode, 5.07e-07 in training,": "needs timm",
}


RUN_ELSEWHERE = {
    "docs/codes.md": "tests/cli/test_explain.py runs its blocks, each code in a folder of its own",
    "docs/commands.md": "tests/cli/test_examples.py runs the examples of each help text",
}


# -- running a page ----------------------------------------------------------------------------------------------------


@dataclass
class Reader:
    """Someone who follows a page: the names that its code has defined, and what was found not to be as it says."""

    namespace: dict[str, Any] = field(default_factory=dict)
    found: list[str] = field(default_factory=list)

    def yaml(self, block: Block) -> None:
        named = re.match(r"# file: (\S+)\n", block.text)
        if named:
            Path(named[1]).parent.mkdir(parents=True, exist_ok=True)
            Path(named[1]).write_text(block.text, encoding="utf-8")
        wanted = sorted(block.said.get("gives", "").split())
        codes = diagnostics(Path(named[1]) if named else part(block.text, block.said.get("over", "resnet18")))
        if codes != wanted:
            self.found.append(f"{block.page}:{block.line}: gives {codes}, not {wanted}")

    def console(self, block: Block) -> None:
        for line, shown in enumerate_commands(block):
            status, printed = command(line)
            if status != int(block.said.get("exit", 0)):
                self.found.append(f"{block.page}:{block.line}: `{line}` ends with {status}")
            if not matches(shown, printed):
                self.found.append(f"{block.page}:{block.line}: `{line}` prints\n{printed}")

    def python(self, block: Block) -> None:
        if "torchvision" in block.text:
            torchvision_models()  # a plain import fails beside a CPU build of torch
        padded = "\n" * (block.line - 1) + block.text  # so that a traceback has the page's line
        try:
            exec(compile(padded, block.page, "exec"), self.namespace)
        except Exception as error:
            self.found.append(f"{block.page}:{error.__traceback__.tb_next.tb_lineno}: {type(error).__name__}: {error}")

    def pycon(self, block: Block) -> None:
        told = io.StringIO()
        test = doctest.DocTestParser().get_doctest(block.text, {}, block.page, block.page, block.line - 1)
        test.globs = self.namespace
        doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(test, out=told.write, clear_globs=False)
        if told.getvalue():
            self.found.append(told.getvalue())


def enumerate_commands(block: Block) -> Iterator[tuple[str, list[str]]]:
    """Each command of a console block, with the lines below it."""
    assert block.text.startswith("$ ")
    for entered in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]:
        line, *shown = entered.splitlines()
        yield line, shown


def command(line: str) -> tuple[int, str]:
    """The exit status of a command, and what a terminal would show."""
    program, *words = shlex.split(line)
    assert program == "archspec", f"`{line}` cannot be run here"
    shown = stored = io.StringIO()
    target = ""
    if len(words) > 2 and words[-2] == ">":
        *words, _, target = words
        stored = io.StringIO()
    with contextlib.redirect_stdout(stored), contextlib.redirect_stderr(shown):
        status = run(words)
    if target:
        Path(target).write_text(stored.getvalue(), encoding="utf-8")
    return status, shown.getvalue()


def matches(shown: list[str], printed: str) -> bool:
    """Whether `printed` is what is shown. Blank lines at its end are not told apart."""
    pattern = "".join(r"(?:.*\n)*?" if line == "..." else re.escape(line) + "\n" for line in shown)
    return re.fullmatch(pattern, printed.rstrip("\n") + "\n" if printed.strip() else "") is not None


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(page, marks=pytest.mark.slow) if page == "docs/strategies.md" else page
        for page in PAGES
        if page not in RUN_ELSEWHERE
    ],
)
def test_what_a_page_shows_is_so(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if page == "README.md":  # its reader stands in a checkout
        shutil.copytree(ROOT / "specs", tmp_path / "specs", ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    reader = Reader({"__name__": page})
    for block in blocks(page):
        if block.language in ("yaml", "console", "python", "pycon"):
            getattr(reader, block.language)(block)
    assert not reader.found, "\n\n".join(reader.found)


def test_every_block_is_run_or_listed() -> None:
    left = {
        block.text.partition("\n")[0].rstrip()
        for page in PAGES
        for block in blocks(page)
        if block.language not in ("yaml", "console", "python", "pycon")
    }
    assert left == NOT_RUN.keys()
    for page in PAGES:
        fences = re.findall(r"^\s*(?:```|~~~)", text_of(page), re.MULTILINE)
        assert len(fences) == 2 * len(list(blocks(page))), f"{page}: a block that is not read"


def test_the_completion_script(capsys: pytest.CaptureFixture[str]) -> None:
    for shell in ("bash", "zsh", "fish"):
        assert run(["completion", shell]) == 0
        assert "_ARCHSPEC_COMPLETE" in capsys.readouterr().out


# -- what is named exists ----------------------------------------------------------------------------------------------


def test_commands_and_options_in_the_text_exist() -> None:
    for page in PAGES:
        for words in re.findall(r"`archspec ([^`]+)`", prose(page)):
            name = words.split()[0]
            if name == "COMMAND":  # any of them, as in the help
                continue
            assert name in COMMANDS or name.startswith("-"), f"{page}: archspec {words}"
            known = commands.get_command(None, name) if name in COMMANDS else commands
            options = {option for each in known.params for option in each.opts} | {"--help"}
            assert set(re.findall(r"(?<=\s)--?[a-z][a-z-]*", words)) <= options, f"{page}: archspec {words}"


def test_options_that_stand_alone_in_the_text_exist() -> None:
    every = [commands, *(commands.get_command(None, name) for name in COMMANDS)]
    options = {option for known in every for each in known.params for option in each.opts} | {"--help"}
    for page in PAGES:
        assert set(re.findall(r"`(--[a-z][a-z-]*)", prose(page))) <= options, page


def test_codes_in_the_text_exist() -> None:
    for page in PAGES:
        assert set(re.findall(r"\b[EW][0-9]{3}\b", text_of(page))) <= CODES.keys(), page


def test_files_in_the_text_exist() -> None:
    pattern = r"`((?:archspec|cli|specs|tests|docs|emit|graph|language|operations|analysis|testing)/[\w./-]*)`"
    for page in PAGES:
        for name in re.findall(pattern, prose(page)):
            assert (ROOT / name).exists() or (ROOT / "archspec" / name).exists(), f"{page}: {name}"


def anchors(page: str) -> set[str]:
    """The anchors of a page's headings, as MkDocs and GitHub make them."""
    headings = re.findall(r"^#+ (.*)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


def test_links_inside_the_documentation_resolve() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
            if target.startswith("https://"):
                continue
            path, _, anchor = target.partition("#")
            to = (ROOT / page).parent / path if path else ROOT / page
            assert to.is_file(), f"{page}: {target}"
            name = os.path.relpath(to, ROOT)
            assert not anchor or anchor in anchors(name), f"{page}: {target}"
            assert page == "README.md" or name.startswith("docs/"), f"{page}: {target} is not on the site"
