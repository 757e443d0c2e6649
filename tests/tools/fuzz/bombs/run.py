"""Runs bombs by the command, each in a fresh process, and tells the seconds of the processor and the most memory."""

from __future__ import annotations

import json
import math
import random
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from tests.support.paths import ROOT
from tests.tools.fuzz.bombs import definitions, faults, files, networks, reading, tables  # noqa: F401  (they register)
from tests.tools.fuzz.bombs.bomb import FAMILIES, Bomb, Draw
from tests.tools.fuzz.promise import MEBIBYTES, SECONDS


def bomb(family: str, seed: int, number: int, part: float = 1.0) -> Bomb:
    """A bomb of a family, or of two, as ``one+other``; it depends on the arguments alone."""
    made = [FAMILIES[name](Draw(random.Random(f"{name} {seed} {number}"), part)) for name in family.split("+")]
    return made[0] if len(made) == 1 else made[0].beside(made[1])


class Cost(NamedTuple):
    """What a command took: seconds of the promise, MiB, its exit status, and the end of what it printed."""

    seconds: float
    memory: float
    status: int
    said: str


def measure(bomb: Bomb, *command: str, seconds: float = 5) -> Cost:
    """Run a command on a bomb in a fresh process, which is stopped after so many seconds of the processor."""
    with tempfile.TemporaryDirectory() as folder:
        path = bomb.write(Path(folder))
        sets = [word for setting in bomb.overrides for word in ("--set", setting)]
        told = Path(folder) / "cost.json"
        with (Path(folder) / "out").open("w+", encoding="utf-8") as out:
            words = [sys.executable, "-m", "tests.tools.fuzz.bombs.child", str(told), str(seconds), *command, str(path)]
            process = subprocess.run([*words, *sets], stdout=out, stderr=out, cwd=ROOT, check=False)
            out.seek(0)
            said = out.read(200_000).replace(folder + "/", "")
        if not told.exists():
            return Cost(seconds, math.inf, process.returncode, said)
        taken, memory = json.loads(told.read_text(encoding="utf-8"))
    return Cost(taken, memory, process.returncode, said)


COMMANDS = (("check",), ("analyze",), ("test", "--level", "check", "--update"))
"""What runs on a bomb, in this order, until one of them fails."""
NODE = 30e-6
"""Seconds that commands which analyze may take for each node of the network, beside the promise's."""
TWICE = 2
"""How much longer an update may take: it reads back what it would write."""


@dataclass(frozen=True)
class Result:
    """What came of one bomb: its name, its bytes, the cost of each command, and what broke the promise."""

    name: str
    size: int
    costs: tuple[Cost, ...]
    broken: str = ""

    def __str__(self) -> str:
        told = "  ".join(f"{cost.seconds:5.2f} s {cost.memory:4.0f} MiB" for cost in self.costs)
        said = next((line for line in self.costs[0].said.splitlines() if "[E" in line or ": ok" in line), "")
        return f"{self.name:34} {self.size // 1000:4} kB  {told:48}  {self.broken or said[:60]}"


def attempt(family: str, seed: int, number: int) -> Result:
    """Run the commands on one bomb."""
    made = bomb(family, seed, number)
    costs: list[Cost] = []
    broken = ""
    for words in COMMANDS:
        if made.overrides and words[0] == "test":
            break
        cost = measure(made, *words)
        costs.append(cost)
        broken = complaint(made, words[0], cost)
        if broken or cost.status:
            break
    return Result(f"{family} {number}", len(made.data), tuple(costs), broken)


def complaint(made: Bomb, command: str, cost: Cost) -> str:
    """How a command broke the promise, or an empty text."""
    if "internal error" in cost.said or "Traceback" in cost.said or cost.status not in (0, 1):
        return f"{command}: exit status {cost.status}"
    if cost.memory > MEBIBYTES:
        return f"{command}: {cost.memory:.0f} MiB"
    most = SECONDS * (TWICE if command == "test" else 1)
    more = NODE * nodes(made) if command != "check" and cost.seconds > most else 0
    return f"{command}: {cost.seconds:.1f} s" if cost.seconds > most + more else ""


def nodes(made: Bomb) -> int:
    """How many nodes the network of a bomb has."""
    found = json.loads(measure(made, "check", "--format", "json").said)
    return int(found[0]["nodes"])


def run(families: list[str], count: int, seed: int, jobs: int, folder: Path) -> int:
    """So many bombs of each family, a line for each; 1 if one breaks the promise, which is then kept in ``folder``."""
    pairs = [random.Random(f"pair {seed} {n}").sample(sorted(FAMILIES), 2) for n in range(count * 4)]
    names = families or [*FAMILIES, *dict.fromkeys("+".join(pair) for pair in pairs)]
    cases = [(name, seed, number) for name in names for number in range(1 if "+" in name else count)]
    worst, heaviest, broken = 0.0, 0.0, 0
    with ThreadPoolExecutor(jobs) as pool:
        for case, result in zip(cases, pool.map(lambda case: attempt(*case), cases), strict=True):
            print(f"{'*' if result.broken else ' '} {result}", flush=True)
            worst = max(worst, result.costs[0].seconds)
            heaviest = max([heaviest, *(cost.memory for cost in result.costs)])
            if result.broken:
                broken += 1
                into = folder / f"bomb-{case[0]}-{case[2]}"
                into.mkdir(parents=True, exist_ok=True)
                bomb(*case).write(into)
    print(f"bombs: {len(cases):,} of {len(FAMILIES)} families; slowest check {worst:.2f} s of {SECONDS:g}, ", end="")
    print(f"most memory {heaviest:.0f} MiB of {MEBIBYTES}; {broken} broke the promise")
    return int(broken > 0)
