"""State dicts: reading and writing files of them, fitting them to a network, and building a model with them."""

from archspec.weights.building import build, save
from archspec.weights.files import read
from archspec.weights.fitting import Fit, fit
from archspec.weights.keymap import KeyMap, read_map
from archspec.weights.loaded import Loaded

__all__ = ["Fit", "KeyMap", "Loaded", "build", "fit", "read", "read_map", "save"]
