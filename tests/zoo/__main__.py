"""`python -m tests.zoo`: prove every spec against its reference, and compare the pages with what was found.

One network at a time, freed before the next; a line for each as it ends. Without names it is the whole zoo. It fails
if a level does not hold, and for the whole zoo also if docs/zoo.md or docs/timm.md has other figures; `--write` writes
the rows there.
`--source` compares the readable source of each with the built network instead, bit for bit, and proves it with
`archspec verify SPEC --against FILE:CLASS`, in about ten minutes.
"""

from __future__ import annotations

import argparse
import gc
import sys
import time
from pathlib import Path

import archspec
from tests.support.paths import ROOT, SPECS
from tests.support.sources import SUMS, assert_source
from tests.zoo import timm
from tests.zoo.page import Page
from tests.zoo.table import Row, row_of

SMALL = 96
"""The size at which source is compared; the smallest at which every network of the zoo runs is 75."""
PAGES = ROOT / "docs"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.zoo", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="name", help="only these specs, and with --write only their rows")
    parser.add_argument("--write", action="store_true", help="write what was found into the pages")
    parser.add_argument("--quick", action="store_true", help="of timm's networks only the smallest of each module")
    parser.add_argument("--source", action="store_true", help="compare the readable source with what `build` builds")
    arguments = parser.parse_args()
    own, theirs = (sorted(folder.glob("*.yaml"), key=lambda path: path.stem) for folder in (SPECS, timm.FOLDER))
    unknown = set(arguments.names) - {path.stem for path in (*own, *theirs)}
    if unknown:
        parser.error(f"no spec is called {', '.join(sorted(unknown))}")
    if arguments.names:
        own, theirs = ([path for path in paths if path.stem in arguments.names] for paths in (own, theirs))
    elif arguments.quick:
        theirs = [path for path in theirs if path.stem in timm.smallest(PAGES / "timm.md")]
    if arguments.source:
        return _sources([path.stem for path in (*own, *theirs)])
    again = [path for path in own if path.stem in timm.also() and not arguments.quick]
    found = {
        "zoo": [_proved(path) for path in own],
        "timm": [_proved(path, largest=timm.LARGEST) for path in theirs]
        + [_proved(path, timm.also()[path.stem], largest=timm.LARGEST) for path in again],
    }
    failed = [f"{row.name} ({row.reference})" for rows in found.values() for row in rows if not row.held]
    if failed:
        print(f"\nnot the same as their reference: {', '.join(failed)}", file=sys.stderr)
    pages = {
        "zoo": Page(PAGES / "zoo.md", sorted(path.stem for path in SPECS.glob("*.yaml"))),
        "timm": timm.page(PAGES / "timm.md"),
    }
    if arguments.write:
        for name, page in pages.items():
            page.write(found[name])
    elif not arguments.names:
        return int(bool(failed)) | max([page.differs(found[name]) for name, page in pages.items()])
    return int(bool(failed))


def _proved(path: Path, reference: str = "", largest: int | None = None) -> Row:
    """What is found of a spec, printed when it ends."""
    start = time.perf_counter()
    row = row_of(path, reference, largest=largest)
    gc.collect()
    print(f"{row.name:34}{row.told}  ({time.perf_counter() - start:.1f} s)", flush=True)
    return row


def _sources(names: list[str]) -> int:
    """Compare readable source with the built network: keys, initial weights, outputs, gradients, statistics."""
    failed = []
    for name in names:
        channels, *whole = archspec.compile(name).input
        sizes = [min(each, SMALL) for each in whole]
        try:
            graph = archspec.compile(name, overrides=[f"input={[channels, *sizes]}"])
            exactly = assert_source(graph)
        except Exception as error:  # whatever a source raises, the next network is compared too
            failed.append(name)
            print(f"{name:34}{type(error).__name__}: {error}", flush=True)
        else:
            told = "equal bit for bit" if exactly else f"equal outputs, and gradients within {SUMS:g}"
            print(f"{name:34}{told}, and proved, at {'x'.join(map(str, sizes))}", flush=True)
        gc.collect()
    if failed:
        print(f"\nnot the same as their source: {', '.join(failed)}", file=sys.stderr)
    return int(bool(failed))


if __name__ == "__main__":
    assert archspec.__file__
    sys.exit(main())
