"""The driver that looks at coverage, where atheris is installed.

``python -m tests.tools.fuzz.guided NAME RUNS SEED OUT CORPUS``, as
``python -m tests.tools.fuzz --driver atheris`` calls it.

libFuzzer ends its process itself, so the tally is written to the file OUT as the inputs go by.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path


def main() -> None:
    import atheris

    with atheris.instrument_imports(include=["archspec"]):
        from tests.tools.fuzz.clock import Clock
        from tests.tools.fuzz.harness import HARNESSES, Tally
        from tests.tools.fuzz.promise import Broken, peak, watched

    name, runs, seed, out = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4])
    harness, tally, clock = HARNESSES[name], Tally(), Clock()

    def one(data: bytes) -> None:
        case = harness.make(data)
        try:
            # Instrumented code is slower, and the fuzzer holds memory of its own: both promises are the other driver's.
            tally.count(*watched(lambda: harness.run(case), memory=False, seconds=5, clock=clock))
        except Broken as error:
            tally.inputs += 1
            tally.broken.append((case, str(error)))
        if tally.broken or tally.inputs % 100 == 0 or tally.inputs >= runs:
            write(out, tally, peak())

    def write(path: Path, tally: Tally, memory: float) -> None:
        broken = [[case.data.hex(), case.path, message] for case, message in tally.broken]
        found = {"inputs": tally.inputs, "passed": tally.passed, "slowest": tally.slowest, "memory": memory}
        path.write_text(json.dumps({**found, "broken": broken}), encoding="utf-8")

    options = [f"-runs={runs}", f"-seed={seed + 1}", f"-max_len={harness.length}", "-verbosity=0", "-rss_limit_mb=2048"]
    atheris.Setup([sys.argv[0], *options, "-len_control=0", sys.argv[5]], one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
