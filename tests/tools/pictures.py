"""`python -m tests.tools.pictures`: compare the figures of the documentation with the code; `--write` draws them."""

from __future__ import annotations

import argparse
import sys
from typing import NamedTuple

import archspec
from archspec.emit.figures.contents import Depth
from tests.support.paths import ROOT

FOLDER = ROOT / "docs" / "assets"


class Picture(NamedTuple):
    file: str
    spec: str
    depth: Depth
    title: str

    def text(self) -> str:
        return archspec.draw(self.spec, depth=self.depth, title=self.title).svg


PICTURES = (
    Picture("resnet50.svg", "resnet50", "block", "ResNet-50"),
    Picture("densenet121.svg", "densenet121", "block", "DenseNet-121"),
    Picture("googlenet.svg", "googlenet", "block", "GoogLeNet"),
    Picture("efficientnet_b0.svg", "efficientnet_b0", "block", "EfficientNet-B0"),
    Picture("resnet50_model.svg", "resnet50", "model", "ResNet-50"),
)


def outdated() -> list[str]:
    """The files that are not what the code draws."""
    files = {picture.file: FOLDER / picture.file for picture in PICTURES}
    texts = {name: file.read_text(encoding="utf-8") if file.exists() else "" for name, file in files.items()}
    return [picture.file for picture in PICTURES if texts[picture.file] != picture.text()]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.tools.pictures", description=__doc__)
    parser.add_argument("--write", action="store_true", help="write the files of docs/assets")
    if parser.parse_args().write:
        for picture in PICTURES:
            (FOLDER / picture.file).write_text(picture.text(), encoding="utf-8")
    elif found := outdated():
        print(f"{', '.join(found)} differ: `python -m tests.tools.pictures --write` draws them", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
