"""Spec to Graph: lowering, names and shapes."""
