"""The experiments, one a file. ``experiments.py`` is the table of them."""
