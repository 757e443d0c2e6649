"""``python -m tests.tools.mutants``: a sample of mutants, which of them survive the tests, and the score."""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.support.paths import ROOT
from tests.tools.mutants.faults import Mutant, mutants, mutated
from tests.tools.mutants.running import measured, tests_pass, warm

TARGETS = ("archspec/graph/lower.py", "archspec/operations", "archspec/analysis")
TESTS = (
    *("tests/graph", "tests/operations", "tests/analysis"),
    *("tests/language/test_bad_specs.py", "tests/testing/test_expectations.py"),
    *("tests/networks/test_orders_and_shortcuts.py", "tests/language/test_table.py", "tests/language/test_rounding.py"),
    *("tests/cli/test_analyze.py", "tests/cli/test_diff.py"),
)
EQUIVALENT = Path(__file__).parent / "equivalent.txt"
SCORE = 0.85
SECONDS = 90.0
"""Of tests for one mutant, as they take without it: the quickest that run its line come first."""
FIRST = 40
"""How many of them run by themselves, since most mutants need no more, and collecting thousands takes seconds."""


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.tools.mutants", description=__doc__)
    parser.add_argument("target", nargs="*", default=list(TARGETS), help="files and folders of archspec")
    parser.add_argument("--sample", type=int, default=200, help="mutants in all; 0 is every one (default 200)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--lines", type=Path, help="keep here which tests run which lines, and read it if it is there")
    parser.add_argument("--list", action="store_true", help="name the mutants, and run nothing")
    return parser.parse_args()


def chosen(targets: list[str], sample: int, seed: int) -> list[Mutant]:
    """A sample over all files together, so that each counts by its size."""
    found = []
    for target in targets:
        path = ROOT / target
        for file in sorted(path.glob("*.py")) if path.is_dir() else [path]:
            found += mutants(file, ROOT)
    if 0 < sample < len(found):
        found = sorted(random.Random(seed).sample(found, sample), key=lambda m: (m.path, m.number))
    return found


def equivalents() -> set[str]:
    """The mutants that change nothing which can be seen; each stands on a line of its own, its reason above it."""
    lines = EQUIVALENT.read_text(encoding="utf-8").splitlines()
    return {line for line in lines if line and not line.startswith("#")}


def fitting(mutant: Mutant, known: dict[str, Any]) -> list[str]:
    """The tests that run the mutant's lines, quickest first; where an import runs these, those of file and folder.

    Some operations are imported in a test, which is then the only one that is seen to run such a line; and what reads
    the arguments of an operation need not run it.
    """
    by_line = known["lines"].get(mutant.path, {})
    numbers = [str(line) for line in range(mutant.first, mutant.last + 1)]
    found = set() if mutant.imported else {test for number in numbers for test in by_line.get(number, ())}
    if not found:
        folder = f"tests/{Path(mutant.path).parent.name}/"
        found = {test for tests in by_line.values() for test in tests}
        found |= {test for test in known["seconds"] if mutant.imported and test.startswith(folder)}
        found -= set(known["failed"])
    tests, left = [], SECONDS
    for test in sorted(found, key=lambda test: (known["seconds"].get(test, 0.0), test)):
        left -= known["seconds"].get(test, 0.0)
        if left < 0 and tests:
            break
        tests.append(test)
    return tests


def survives(mutant: Mutant, known: dict[str, Any]) -> bool:
    path = Path(mutant.path)
    module = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    tests, tree = fitting(mutant, known), mutated(path, mutant.number)
    for some in (tests[:FIRST], tests[FIRST:]):
        seconds = 20 + 3 * sum(known["seconds"].get(test, 0.0) for test in some)
        if some and not tests_pass(module, path, tree, some, seconds):
            return False
    return True


def main() -> int:
    given = arguments()
    found = chosen(given.target, given.sample, given.seed)
    if given.list:
        print("\n".join(mutant.name for mutant in found))
        return 0
    os.chdir(ROOT)
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    warm()
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["HYPOTHESIS_STORAGE_DIRECTORY"] = folder
        lines = given.lines or Path(folder) / "lines.json"
        known = json.loads(lines.read_text(encoding="utf-8")) if lines.exists() else measured(TESTS, lines, 3600)
        print(f"{len(found)} mutants; {time.monotonic() - start:.0f} s to see which tests run which lines", flush=True)
        for test in known["failed"]:
            print(f"fails without any mutant, and is left out: {test}")
        same, survivors = equivalents(), []
        for mutant in found:
            if mutant.name in same:
                continue
            if survives(mutant, known):
                survivors.append(mutant)
                print(f"survives: {mutant.name} (line {mutant.first})", flush=True)
    counted = [mutant for mutant in found if mutant.name not in same]
    score = 1 - len(survivors) / max(len(counted), 1)
    print(f"{len(counted) - len(survivors)} of {len(counted)} mutants killed, {score:.1%};", end=" ")
    print(f"{len(found) - len(counted)} equivalent ones left out; {time.monotonic() - start:.0f} s")
    return int(score < SCORE)


if __name__ == "__main__":
    sys.exit(main())
