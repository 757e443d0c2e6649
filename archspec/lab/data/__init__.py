"""Labeled images by name, ready for training. One source a file; ``sources.py`` is the table of them."""

from archspec.lab.data.loading import load_data
from archspec.lab.data.sources import SOURCES, DataSource
from archspec.lab.data.split import Data, Split

__all__ = ["SOURCES", "Data", "DataSource", "Split", "load_data"]
