"""`python -m tests.tools.codes_page`: compare docs/codes.md with the pages of the codes; `--write` writes it."""

from __future__ import annotations

import argparse
import sys

from archspec.codes import CODES
from archspec.explanations import read_page
from tests.support.paths import ROOT

PAGE = ROOT / "docs" / "codes.md"

HEAD = """\
# Diagnostic codes

Every error and warning has a code. This page lists what each code means, its usual causes, an example, and the example
corrected. `archspec explain CODE` prints the same text. [The groups of codes](language.md#codes) are described in the
language reference.

An example is a complete spec or a list of commands. A block that starts with `# file: NAME` is the file of that name.
"""


def page() -> str:
    return "\n".join([HEAD, *(f"## {code}: {title}\n\n{read_page(code)}" for code, title in CODES.items())])


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.tools.codes_page", description=__doc__)
    parser.add_argument("--write", action="store_true", help="write docs/codes.md")
    if parser.parse_args().write:
        PAGE.write_text(page(), encoding="utf-8")
    elif not PAGE.exists() or PAGE.read_text(encoding="utf-8") != page():
        print("docs/codes.md differs: `python -m tests.tools.codes_page --write` writes it", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
