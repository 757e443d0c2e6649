"""`python -m tests.tools.benchmarks`: measure, and print the table of docs/benchmarks.md."""

from __future__ import annotations

import argparse
import platform
import sys

import torch

from tests.tools.benchmarks import analysis, cells, compiler, forward, targets, training, zoo
from tests.tools.benchmarks.measure import Result, measure


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.tools.benchmarks", description=__doc__)
    parser.add_argument("name", nargs="*", help="only these cases")
    parser.add_argument("--rounds", type=int, help="how many measurements of each side, instead of each case's own")
    parser.add_argument("--list", action="store_true", help="list the cases, measure nothing")
    options = parser.parse_args()
    modules = (compiler, forward, analysis, zoo, targets, training, cells)
    known = [case for module in modules for case in module.cases()]
    cases = [case for case in known if not options.name or case.name in options.name]
    if options.list or not cases:
        print("\n".join(f"{case.name:<18} {case.work}" for case in known))
        return 0 if options.list else 2
    torch.set_num_threads(1)
    print(f"Python {platform.python_version()}, torch {torch.__version__}, {platform.machine()}, one thread\n")
    print("| work | against | aim | ratio | rounds | ours | theirs |\n| --- | --- | --- | --- | --- | --- | --- |")
    results = []
    for case in cases:
        print(f"measuring {case.name} ...", file=sys.stderr, flush=True)
        results.append(measure(case, options.rounds))
        print(row(results[-1]), flush=True)
    missed = [result.case.name for result in results if not result.reached]
    for result in results:
        if result.noise:
            ratio, low, high = result.noise
            peer = f"{result.case.name}: {result.case.peer}, against itself"
            print(f"\n{peer}: {ratio:.3f}, single rounds {low:.2f} to {high:.2f}")
    told = f"; missed: {', '.join(missed)}" if missed else ""
    print(f"\n{len(results) - len(missed)} of {len(results)} reached{told}")
    return 0


def row(result: Result) -> str:
    """A row of the table; the range is that of the ratios of single rounds."""
    case = result.case
    verdict = "" if result.reached else " (missed)"
    rounds = f"{result.low:.2f} to {result.high:.2f}"
    times = f"{shown(result.ours)} | {shown(result.theirs)}"
    return f"| {case.work} | {case.peer} | {case.aim:g} | **{result.ratio:.3f}**{verdict} | {rounds} | {times} |"


def shown(seconds: float) -> str:
    """A time with three digits and its unit."""
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("us", 1e-6)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds * 1e9:.3g} ns"


if __name__ == "__main__":
    raise SystemExit(main())
