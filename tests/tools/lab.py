"""`python -m tests.tools.lab`: run the experiments that the documentation shows, and write docs/learn/figures/.

`--smallest` runs each in seconds and writes no figures. Runs are kept in build/lab/, so that a second call continues.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from pathlib import Path

from archspec.lab.experiments.experiment import Experiment
from archspec.lab.experiments.experiments import EXPERIMENTS
from archspec.lab.results.results import Results
from tests.support.paths import ROOT

FIGURES = ROOT / "docs" / "learn" / "figures"
RUNS = ROOT / "build" / "lab"


def run(experiment: Experiment, name: str, folder: Path, jobs: int, smallest: bool) -> Results:
    """One of the runs that an experiment shows, in a folder; ``smallest`` in seconds."""
    arguments = experiment.shown[name]
    given = {**(experiment.smallest_with(arguments) if smallest else {}), **arguments}
    begun = time.monotonic()
    results = experiment.load()(**given, folder=folder, jobs=jobs)
    print(f"{name}: {time.monotonic() - begun:.0f} s")
    for claim in results.claims:
        print(f"  {claim.verdict}: {claim.statement}")
    for lost in results.lost:
        print(f"  no result: {lost}")
    return results


def publish(name: str, folder: Path, figures: Path = FIGURES) -> None:
    """Copy the figures of a run to the pages."""
    figures.mkdir(parents=True, exist_ok=True)
    for path in sorted(folder.glob("*.svg")):
        shutil.copyfile(path, figures / f"{name}-{path.name}")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.tools.lab", description=__doc__)
    parser.add_argument("names", nargs="*", help="only these, such as `shortcuts`")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--smallest", action="store_true")
    given = parser.parse_args()
    for experiment in EXPERIMENTS:
        for name in experiment.shown:
            if given.names and name not in given.names:
                continue
            folder = RUNS / (f"{name}-smallest" if given.smallest else name)
            folder.parent.mkdir(parents=True, exist_ok=True)
            run(experiment, name, folder, given.jobs, given.smallest)
            if not given.smallest:
                publish(name, folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
