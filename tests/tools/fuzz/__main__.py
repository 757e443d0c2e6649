"""``python -m tests.tools.fuzz``: many inputs, and a table of how far they came. Exit status 1 on a find."""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import json
import multiprocessing
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.tools.fuzz.harness import HARNESSES, Case, Tally
from tests.tools.fuzz.minimise import minimise
from tests.tools.fuzz.promise import MEBIBYTES, SECONDS, Broken, watched
from tests.tools.fuzz.seeded import data_of, work

SHARES = {"bytes": 0.3, "structured": 0.4, "expressions": 0.3}
PIECE = 500
SEEDS = 300


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.tools.fuzz", description=__doc__)
    parser.add_argument(
        "harness", nargs="*", default=[], help=f"of {', '.join((*HARNESSES, *OTHERS))}; without: the first three"
    )
    parser.add_argument("--count", type=int, help="inputs in all (default 10000, of cost 500); bombs: of each family")
    parser.add_argument("--family", action="append", default=[], help="bombs of this family only, or of two: one+other")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=1, help="processes (default 1)")
    parser.add_argument("--driver", choices=("seeded", "atheris"), default="seeded")
    parser.add_argument("--found", type=Path, default=Path("build/fuzz"), help="where broken inputs go, minimised")
    parser.add_argument("--json", type=Path, help="write the table's figures to this file too")
    given = parser.parse_args()
    for name in given.harness:
        if name not in (*HARNESSES, *OTHERS):
            parser.error(f"no harness is called {name}")
    return given


def specs(given: argparse.Namespace) -> int:
    from tests.tools.fuzz.generated import compare_generated  # it needs torch

    return compare_generated(given.count or 10_000, given.seed, given.jobs)


def bombs(given: argparse.Namespace) -> int:
    from tests.tools.fuzz.bombs.run import run  # the other harnesses do without the families

    return run(given.family, given.count or 3, given.seed, given.jobs, given.found)


def cost(given: argparse.Namespace) -> int:
    from tests.tools.fuzz.cost import run  # likewise

    return run(given.count or 500, given.seed, given.jobs, given.found)


OTHERS = {"specs": specs, "bombs": bombs, "cost": cost}


def seeded(name: str, count: int, seed: int, jobs: int) -> Tally:
    pieces = [(name, seed, range(first, min(first + PIECE, count))) for first in range(0, count, PIECE)]
    tally = Tally()
    # Fresh processes: the memory of one worker is that of its own inputs.
    with multiprocessing.get_context("spawn").Pool(jobs) as pool:
        for done, part in enumerate(pool.imap(work, pieces), 1):
            tally.add(part)
            if sys.stderr.isatty():
                print(f"\r{name}: {min(done * PIECE, count):,} of {count:,}", end="", file=sys.stderr)
    if sys.stderr.isatty():
        print("\r\033[K", end="", file=sys.stderr)
    return tally


def guided(name: str, count: int, seed: int) -> Tally:
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "tally.json"
        for number in range(SEEDS):  # the fuzzer begins with these
            (Path(folder) / "corpus").mkdir(exist_ok=True)
            (Path(folder) / "corpus" / str(number)).write_bytes(data_of(name, seed, number))
        command = [
            sys.executable,
            "-m",
            "tests.tools.fuzz.guided",
            name,
            str(count),
            str(seed),
            str(out),
            f"{folder}/corpus",
        ]
        process = subprocess.run(command, capture_output=True, text=True, check=False)
        if not out.exists():
            raise SystemExit(process.stderr)
        found = json.loads(out.read_text(encoding="utf-8"))
    broken = [(Case(bytes.fromhex(data), path), message) for data, path, message in found["broken"]]
    if process.returncode:
        broken.append((Case(b""), f"the fuzzer ended with {process.returncode}: {process.stderr[-2000:]}"))
    return Tally(found["inputs"], found["passed"], found["slowest"], found["memory"], broken)


def keep(name: str, case: Case, message: str, folder: Path) -> Path:
    """Write a broken input, minimised; only the kind of the fault has to stay."""
    harness, kind = HARNESSES[name], message.split(":")[0].split(" ")[-1]

    def breaks(data: bytes) -> bool:
        try:
            watched(lambda: harness.run(Case(data, case.path)), memory=False)
        except Broken as error:
            return kind in str(error)
        return False

    data = minimise(case.data, breaks) if breaks(case.data) else case.data
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}-{hashlib.sha256(data).hexdigest()[:8]}.{harness.suffix}"
    path.write_bytes(data)
    return path


def show(name: str, tally: Tally) -> None:
    phases = HARNESSES[name].phases
    came = ", ".join(
        f"{phase} {n:,} ({n / max(tally.inputs, 1):.0%})" for phase, n in zip(phases, tally.passed, strict=False)
    )
    print(f"{name}: {tally.inputs:,} inputs; passed {came}")
    print(
        f"  slowest {tally.slowest:.2f} s of {SECONDS:g}, most memory {tally.memory:.0f} MiB of {MEBIBYTES}", flush=True
    )


def main() -> int:
    given = arguments()
    names = given.harness or list(HARNESSES)
    if given.driver == "atheris" and importlib.util.find_spec("atheris") is None:
        print("atheris is not installed here: `--driver seeded` needs nothing", file=sys.stderr)
        return 3
    status, figures, start = 0, {}, time.monotonic()
    for name in names:
        if name in OTHERS:
            status |= OTHERS[name](given)
            continue
        share = round((given.count or 10_000) * SHARES[name] / sum(SHARES[n] for n in names if n in SHARES))
        tally = (
            guided(name, share, given.seed)
            if given.driver == "atheris"
            else seeded(name, share, given.seed, given.jobs)
        )
        show(name, tally)
        figures[name] = {"inputs": tally.inputs, "slowest": tally.slowest, "memory": tally.memory}
        figures[name]["passed"] = dict(zip(HARNESSES[name].phases, tally.passed, strict=False))
        for case, message in tally.broken:
            status = 1
            print(f"  broken: {message}\n    {keep(name, case, message, given.found)}", flush=True)
        if name == "structured" and tally.passed[1] * 2 < tally.inputs:
            status = 1
            print("  fewer than half pass the schema: this tests the reader only")
    if given.json:
        given.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    print(f"{time.monotonic() - start:.0f} s")
    return status


if __name__ == "__main__":
    sys.exit(main())
