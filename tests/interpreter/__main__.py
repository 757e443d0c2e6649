"""python -m tests.interpreter --count N --seed S --jobs J: generated specs by archspec and by the interpreter."""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import time
from pathlib import Path

from tests.interpreter.features import wanted
from tests.interpreter.run import SOURCES, Tally, piece, smaller, tasks

ENOUGH = 2_000
"""So many random specs have to show every part of the language."""
MINIMIZED = 5
SAVED = Path("build/interpreter")


def summary(source: str, tally: Tally) -> str:
    """What came of the specs of one source."""
    words = ", ".join(f"{number:,} {kind}" for kind, number in tally.outcomes.most_common())
    accepted = tally.accepted / max(tally.count, 1)
    return (
        f"{source}: {tally.count:,} specs, {len(tally.texts):,} distinct, "
        f"{tally.accepted:,} accepted ({accepted:.0%}); "
        f"{words}; {tally.exact:,} the same bit for bit; {len(tally.features):,} features; "
        f"{len(tally.differences)} differences"
    )


def main(arguments: list[str] | None = None) -> int:
    """The exit status: 1 if anything differs or if the random specs leave out a part of the language."""
    parser = argparse.ArgumentParser(prog="python -m tests.interpreter", description=__doc__)
    parser.add_argument("--count", type=int, default=1000, help="specs of each source")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--source", choices=[*SOURCES, "both"], default="both")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="no new piece is counted after so long")
    given = parser.parse_args(arguments)
    chosen = list(SOURCES) if given.source == "both" else [given.source]
    tallies = {source: Tally() for source in chosen}
    todo = [task for source in chosen for task in tasks(source, given.seed, given.count)]
    started = time.perf_counter()
    with multiprocessing.get_context("spawn").Pool(given.jobs) as pool:
        for done, (source, tally) in enumerate(pool.imap_unordered(piece, todo), 1):
            tallies[source].add(tally)
            differences = sum(len(each.differences) for each in tallies.values())
            seconds = time.perf_counter() - started
            print(f"{done} of {len(todo)} pieces, {differences} differences, {seconds:.0f} s", flush=True)
            for what, spec in tally.differences:
                print(f"{what}\n{spec.text}", flush=True)
            if seconds > given.seconds:
                break
    for source, tally in tallies.items():
        print(summary(source, tally))
    missing = sorted(wanted() - set(tallies["random"].features)) if "random" in tallies else []
    print("never used: " + ", ".join(missing) if missing else "every feature was used")
    for number, (what, spec) in enumerate(each for tally in tallies.values() for each in tally.differences):
        if number < MINIMIZED:
            spec = smaller(spec)
        folder = SAVED / f"{given.seed}-{number}"
        folder.mkdir(parents=True, exist_ok=True)
        path = spec.save(folder)
        print(f"\n{what}\n{path}:\n{spec.text}" if number < MINIMIZED else f"{what} ({path})")
    failed = any(tally.differences for tally in tallies.values())
    enough = "random" in tallies and tallies["random"].count >= ENOUGH
    return int(failed or (bool(missing) and enough))


if __name__ == "__main__":
    sys.exit(main())
