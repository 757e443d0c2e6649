"""`python -m tests.zoo`: prove every spec against its reference, and compare docs/zoo.md with what was found.

One network at a time, freed before the next; a line for each as it ends. Without names it is the whole zoo. It fails
if a level does not hold, and for the whole zoo also if docs/zoo.md has other figures; `--write` writes the rows there.
`--source` compares the readable source of each with the built network instead, bit for bit, and proves it with
`archspec verify SPEC --against FILE:CLASS`, in about ten minutes.
"""

from __future__ import annotations

import argparse
import difflib
import gc
import sys
import time

import archspec
from tests.support.paths import ROOT
from tests.support.sources import assert_proved, assert_same_network
from tests.zoo.table import BEGIN, END, Row, row_of, table

SMALL = 96
"""The size at which source is compared; the smallest at which every network of the zoo runs is 75."""
PAGE = ROOT / "docs" / "zoo.md"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.zoo", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="name", help="only these specs, and with --write only their rows")
    parser.add_argument("--write", action="store_true", help="write what was found into docs/zoo.md")
    parser.add_argument("--source", action="store_true", help="compare the readable source with what `build` builds")
    arguments = parser.parse_args()
    specs = sorted((ROOT / "specs").glob("*.yaml"), key=lambda path: path.stem)
    unknown = set(arguments.names) - {path.stem for path in specs}
    if unknown:
        parser.error(f"no spec is called {', '.join(sorted(unknown))}")
    if arguments.source:
        return _sources([path.stem for path in specs if not arguments.names or path.stem in arguments.names])
    found = []
    for path in specs:
        if not arguments.names or path.stem in arguments.names:
            start = time.perf_counter()
            row = row_of(path)
            gc.collect()
            print(f"{row.name:34}{row.told}  ({time.perf_counter() - start:.1f} s)", flush=True)
            found.append(row)
    failed = [row.name for row in found if not row.held]
    if failed:
        print(f"\nnot the same as their reference: {', '.join(failed)}", file=sys.stderr)
    if arguments.names and not arguments.write:
        return int(bool(failed))
    return int(bool(failed)) | _page(found, [path.stem for path in specs], arguments.write)


def _sources(names: list[str]) -> int:
    """Compare readable source with the built network: keys, initial weights, outputs, gradients, statistics."""
    failed = []
    for name in names:
        channels, *whole = archspec.compile(name).input
        sizes = [min(each, SMALL) for each in whole]
        try:
            graph = archspec.compile(name, overrides=[f"input={[channels, *sizes]}"])
            source = archspec.source(graph)
            assert_same_network(source, graph)
            assert_proved(source, graph)
        except (AssertionError, archspec.SpecError) as error:
            failed.append(name)
            print(f"{name:34}{error}", flush=True)
        else:
            print(f"{name:34}equal bit for bit, and proved, at {'x'.join(map(str, sizes))}", flush=True)
        gc.collect()
    if failed:
        print(f"\nnot the same as their source: {', '.join(failed)}", file=sys.stderr)
    return int(bool(failed))


def _page(found: list[Row], names: list[str], write: bool) -> int:
    """Compare the table of the page with what was found, or write it; other specs of ``names`` keep their rows."""
    text = PAGE.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    old, _, after = rest.partition(END)
    lines = [*old.strip().splitlines(), *table(found).splitlines()]
    rows = {line.split("|")[1].strip(" `"): line for line in lines}
    new = "\n".join(rows[name] for name in ("spec", "---", *names) if name in rows)
    new = f"{before}{BEGIN}\n\n{new}\n\n{END}{after}"
    if write:
        PAGE.write_text(new, encoding="utf-8")
        return 0
    difference = list(difflib.unified_diff(text.splitlines(), new.splitlines(), "docs/zoo.md", "found", "", "", 0))
    print(*difference, sep="\n")
    if difference:
        print("\ndocs/zoo.md says something else: `python -m tests.zoo --write` writes what was found", file=sys.stderr)
    return int(bool(difference))


if __name__ == "__main__":
    assert archspec.__file__
    sys.exit(main())
