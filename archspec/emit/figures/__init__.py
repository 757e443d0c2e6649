"""Figures of networks: what is drawn, its layout, and the SVG, without a layout library."""
