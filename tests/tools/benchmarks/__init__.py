"""Ratios of archspec against a named peer, both measured in one run: `make bench`."""
