"""Files of weights: reading them, fitting them to a network, building it with them, saving them.

The names here need no torch; ``building`` and ``saving`` do.
"""

from archspec.weights.arrays import arrays, needs_torch
from archspec.weights.files import read
from archspec.weights.fitting import Fit, fit
from archspec.weights.keymap import KeyMap, read_map
from archspec.weights.loaded import Loaded
from archspec.weights.pair_keys import pair_keys

__all__ = ["Fit", "KeyMap", "Loaded", "arrays", "fit", "needs_torch", "pair_keys", "read", "read_map"]
