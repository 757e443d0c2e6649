"""Settings of the interpreter: a call gives the same result with each, and never an internal error."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from archspec.analysis.numbers import decimal

from . import process
from .conftest import SMALL

MAIN = "from archspec_cli.main import main; sys.argv[0] = 'archspec'; sys.exit(main())"

LONG = "9" * 1000

SPECS = {
    "classes": SMALL.replace("classes: 5", f"classes: {LONG}"),
    "input": SMALL.replace("[3, 16, 16]", f"[{LONG}, 16, 16]"),
    "fraction": SMALL.replace("classes: 5", f"classes: 1.{LONG}"),
    "exponent": SMALL.replace("classes: 5", f"classes: 1e{LONG}"),
    "zeros": SMALL.replace("classes: 5", f"classes: 0{'7' * 90}"),
    "expression": SMALL.replace("out: 4", f'out: "{"9" * 490} // 2"'),
    "version": SMALL.replace("archspec: 1", f"archspec: {LONG}"),
    "key": f"{SMALL}{LONG}: 1\n",
    "params": f"{SMALL}expect: {{params: '{LONG}'}}\n",
    "power": f"{SMALL}expect: {{skip_paths: '2^9999'}}\n",
    "large_power": f"{SMALL}expect: {{skip_paths: '2^{LONG}'}}\n",
    "reference": f"{SMALL}reference: 'torchvision:resnet18(x={LONG})'\n",
    "deep": SMALL.replace("count: [1, 1]", "count: [900, 900]"),
    "deeper": SMALL.replace("count: [1, 1]", "count: [1200, 1200]"),
}

SETTINGS: dict[str, tuple[list[str], dict[str, str | None]]] = {
    "few digits": ([], {"PYTHONINTMAXSTRDIGITS": "640"}),
    "any number of digits": ([], {"PYTHONINTMAXSTRDIGITS": "0"}),
    "warnings are errors": (["-W", "error"], {}),
    "bytes are not text": (["-bb"], {}),
    "no assertions": (["-O"], {}),
    "no docstrings": (["-OO"], {}),
    "optimized by the environment": ([], {"PYTHONOPTIMIZE": "2"}),
    "a seed of hashes": ([], {"PYTHONHASHSEED": "7"}),
    "another seed of hashes": ([], {"PYTHONHASHSEED": "8"}),
    "ASCII": ([], {"PYTHONUTF8": "0", "LC_ALL": "C", "PYTHONCOERCECLOCALE": "0"}),
    "no home": ([], {"HOME": None, "XDG_CACHE_HOME": None}),
    "isolated": (["-I"], {}),
}

CALLS = (
    ["check", ".", "--format", "json", "--expect", f"params<={LONG}", "--expect", "skip_paths<=2^9000"],
    ["diff", ".deep/deep.yaml", ".deep/deeper.yaml", "--format", "json"],
    ["check", "power.yaml", "--limit", f"nodes={LONG}"],
)

Streams = tuple[int, bytes, bytes]
"""The status and what was written."""


def called(
    arguments: list[str], folder: Path, flags: list[str], env: dict[str, str | None]
) -> tuple[int, bytes, bytes]:
    """The status and the streams of a call; `-I` ignores PYTHONPATH, so the path is given in the code."""
    code = f"import sys; sys.path[:0] = {[each for each in sys.path if each]}; {MAIN}"
    command = [sys.executable, *flags, "-c", code, *arguments]
    found = subprocess.run(
        command, cwd=folder, capture_output=True, env=process.environment(**env), timeout=120, check=False
    )
    return found.returncode, found.stdout, found.stderr


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("specs")
    for name, text in SPECS.items():
        place = made / (".deep" if name.startswith("deep") else "")  # a search leaves out hidden folders
        place.mkdir(exist_ok=True)
        (place / f"{name}.yaml").write_text(text)
    return made


@pytest.fixture(scope="module")
def usual(folder: Path) -> list[Streams]:
    return [called(arguments, folder, [], {}) for arguments in CALLS]


@pytest.mark.slow
@pytest.mark.parametrize("setting", SETTINGS)
def test_a_setting_changes_nothing(setting: str, folder: Path, usual: list[Streams]) -> None:
    for arguments, wanted in zip(CALLS, usual, strict=True):
        found = called(arguments, folder, *SETTINGS[setting])
        assert found == wanted, arguments
        assert found[0] in (0, 1, 2)
        assert b"E001" not in found[1] + found[2]
        assert b"internal error" not in found[2]


@pytest.mark.parametrize("number", [0, 7, 10**599, 10**600, 10**600 - 1, 2**2001, 10**1800 + 5, 41**2613])
def test_the_digits_of_a_number(number: int) -> None:
    assert decimal(number) == str(number)
