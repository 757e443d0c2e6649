"""Hypothesis strategies that draw specs, graphs, and specs with one fault."""

from __future__ import annotations

from archspec.strategies.drawn import SpecText, graphs, specs
from archspec.strategies.mutated import Mutation, mutations

__all__ = ["Mutation", "SpecText", "graphs", "mutations", "specs"]
