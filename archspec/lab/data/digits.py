"""scikit-learn's handwritten digits: 1,797 images of 1x8x8."""

from __future__ import annotations

from archspec.lab.data.packaged import digits_in
from archspec.lab.data.unsplit import Asked, Unsplit

NAMES = tuple(map(str, range(10)))


def read(asked: Asked) -> Unsplit:
    """The digits of the UCI data set, as ``sklearn.datasets.load_digits`` gives them, divided by 16."""
    install = "pip install scikit-learn"
    return Unsplit(digits_in("digits", "sklearn", "datasets/data/digits.csv.gz", 8, 16, install), NAMES)
