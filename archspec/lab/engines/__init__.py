"""Engines: what runs the cells of a grid, on this machine or on many. One engine a file; ``table.py`` lists them."""
