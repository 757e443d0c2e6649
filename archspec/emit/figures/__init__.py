"""Figures of networks: what is drawn, where it lies, and the SVG. No library lays them out."""
