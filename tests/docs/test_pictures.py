"""The figures of the documentation are what the code draws, and every one of them is shown."""

from __future__ import annotations

from tests.support.paths import ROOT
from tests.tools.pictures import FOLDER, PICTURES, outdated


def test_the_figures_are_what_the_code_draws() -> None:
    assert outdated() == [], "`python -m tests.tools.pictures --write` draws them"


def test_every_figure_is_shown() -> None:
    pages = [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
    shown = "".join(page.read_text(encoding="utf-8") for page in pages)
    files = {file.name for file in FOLDER.glob("*.svg")}
    assert files == {picture.file for picture in PICTURES}
    assert all(f"assets/{name}" in shown for name in files)
    assert "(docs/assets/resnet50.svg)" in (ROOT / "README.md").read_text(encoding="utf-8")
