"""Figures about a graph: costs, memory, paths, and how two graphs differ."""
