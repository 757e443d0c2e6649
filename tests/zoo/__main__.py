"""`python -m tests.zoo`: prove every spec against its reference, and compare docs/zoo.md with what was found.

One network at a time, freed before the next; a line for each as it ends. Without names it is the whole zoo, and fails
where a level does not hold or a figure of docs/zoo.md is another; `--write` puts what was found there.
"""

from __future__ import annotations

import argparse
import difflib
import gc
import sys
import time

import archspec
from tests.support.paths import ROOT
from tests.zoo.table import BEGIN, END, Row, row_of, table

PAGE = ROOT / "docs" / "zoo.md"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.zoo", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="name", help="only these specs; docs/zoo.md is left alone")
    parser.add_argument("--write", action="store_true", help="write the table of docs/zoo.md")
    arguments = parser.parse_args()
    specs = sorted((ROOT / "specs").glob("*.yaml"), key=lambda path: path.stem)
    unknown = set(arguments.names) - {path.stem for path in specs}
    if unknown:
        parser.error(f"no spec is called {', '.join(sorted(unknown))}")
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
    if arguments.names:
        return int(bool(failed))
    return int(bool(failed)) | _page(found, arguments.write)


def _page(found: list[Row], write: bool) -> int:
    """Compare the table of the page with what was found, or write it."""
    text = PAGE.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    new = f"{before}{BEGIN}\n\n{table(found)}\n\n{END}{after}"
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
