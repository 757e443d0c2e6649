"""`python -m tests.tools.words_page`: compare docs/coming_from.md with the table of words; `--write` writes it."""

from __future__ import annotations

import argparse
import sys

from archspec.vocabulary import ForeignWords, vocabulary
from tests.support.paths import ROOT

PAGE = ROOT / "docs" / "coming_from.md"

HEAD = """\
# Coming from torch, Keras, timm or Ultralytics

This page lists words from other libraries and papers, and what to write in archspec instead. The compiler gives the
same answers, and prefers them to similar spellings. Case, `_` and `-`, a prefix such as `nn.`, and an ending
`1d`, `2d` or `3d` make no difference.

Three differences explain most of the tables. You never write an input width or a batch, because archspec infers every
shape from `input`. A convolution with an odd kernel keeps the size by default. And a network is a `stem`, a table of
`stages` and a `head`; the table has one column for each property of a block. See [Authoring a network](authoring.md).
"""

TITLES = {
    "spec": "Keys of a spec",
    "stages": "Columns of the stage table",
    "steps": "Steps",
    "sequences": "Stems and heads",
    "act": "Activations",
    "norm": "Norms",
    "specs": "Networks",
    "names": "Names in expressions",
    "functions": "Functions in expressions",
    "arguments": "Arguments of every step",
}


def page() -> str:
    return "\n".join([HEAD, *(section(place, entries) for place, entries in vocabulary().items())])


def section(place: str, entries: tuple[ForeignWords, ...]) -> str:
    kind, _, name = place.partition(" of ")
    written = f"{kind.capitalize()} of `{name}`" if name and not name.startswith("a ") else place.capitalize()
    rows = "\n".join(f"| {', '.join(map(_code, entry.words))} | {_answer(entry)} |" for entry in entries)
    return f"## {TITLES.get(place, written)}\n\n| there | here |\n| --- | --- |\n{rows}\n"


def _answer(entry: ForeignWords) -> str:
    meant = f"`{entry.meant}`" if entry.meant else ""
    say = entry.say[:1].upper() + entry.say[1:]
    told = ". ".join(filter(None, (meant, say, entry.write and _code(entry.write))))
    return told.replace("|", "\\|")


def _code(text: str) -> str:
    return f"`{text}`"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.tools.words_page", description=__doc__)
    parser.add_argument("--write", action="store_true", help="write docs/coming_from.md")
    if parser.parse_args().write:
        PAGE.write_text(page(), encoding="utf-8")
    elif not PAGE.exists() or PAGE.read_text(encoding="utf-8") != page():
        print("docs/coming_from.md differs: `python -m tests.tools.words_page --write` writes it", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
