"""Files of weights: reading them, fitting them to a network, building it with them, saving them."""

from archspec.weights.building import build
from archspec.weights.files import read
from archspec.weights.fitting import Fit, fit
from archspec.weights.keymap import KeyMap, read_map
from archspec.weights.loaded import Loaded
from archspec.weights.pair_keys import pair_keys
from archspec.weights.saving import save, write

__all__ = ["Fit", "KeyMap", "Loaded", "build", "fit", "pair_keys", "read", "read_map", "save", "write"]
