"""``python -m tests.tools.branches REPORT``: the branches that no test took, from coverage's JSON; fails below 95 %."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

LEAST = 0.95


def share(summary: dict[str, Any]) -> float:
    """Of the branches; of the lines where there are none."""
    if summary["num_branches"]:
        return float(summary["covered_branches"] / summary["num_branches"])
    return float(summary["percent_covered"]) / 100


def missed(file: dict[str, Any]) -> str:
    """Where branches were not taken: the line of the condition, and the line that was not reached from there."""
    found = [f"{first} to {'the end' if last <= 0 else last}" for first, last in file["missing_branches"]]
    return ", ".join(found)


def main() -> int:
    report = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    for name, file in sorted(report["files"].items()):
        if file["missing_branches"]:
            print(f"{name}: {share(file['summary']):.0%}; not taken: {missed(file)}")
    totals = report["totals"]
    print(f"{totals['covered_branches']:,} of {totals['num_branches']:,} branches, {share(totals):.1%}; ", end="")
    print(f"{totals['covered_lines']:,} of {totals['num_statements']:,} lines")
    return int(share(totals) < LEAST)


if __name__ == "__main__":
    sys.exit(main())
