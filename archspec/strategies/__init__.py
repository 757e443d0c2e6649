"""Hypothesis strategies that draw specs, graphs, and specs with one fault."""

from __future__ import annotations

from archspec.strategies.mutated import Mutation, mutations
from archspec.strategies.specs import SpecText, graphs, specs

__all__ = ["Mutation", "SpecText", "graphs", "mutations", "specs"]
