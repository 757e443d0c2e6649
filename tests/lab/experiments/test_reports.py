"""Reports say the same for every claim: the verdict, the effect beside its margin, and why, in words."""

from __future__ import annotations

import math

import pytest

from archspec.lab.experiments.option import ExperimentOption
from archspec.lab.results.claim import AGREES, DISAGREES, UNRESOLVED, LiteratureClaim
from archspec.lab.results.drawing import drawn
from archspec.lab.results.number import Number
from archspec.lab.results.plot import Curve, Plot, PlotPanel
from archspec.lab.results.report import in_words


@pytest.mark.parametrize(
    ("values", "verdict", "why"),
    [
        ((0.5, 0.6, 0.5), AGREES, "above 0 by more than its margin, so it agrees."),
        ((-0.5, -0.6, -0.5), DISAGREES, "below 0 by more than its margin: here, the opposite is true."),
        ((0.5, -0.6, 0.1), UNRESOLVED, "so chance alone could explain it."),
        ((0.5,), UNRESOLVED, "One seed shows no spread, so nothing can be concluded. Run more seeds"),
        ((0.0, 0.0), UNRESOLVED, "It is exactly 0 in every seed"),
        ((None, None), UNRESOLVED, "Measured: the gain. No run gives it."),
        ((None, 0.5, 0.5), AGREES, "(by seed: none, 0.500, 0.500)"),
    ],
)
def test_every_verdict_is_told_in_words(values: tuple[float | None, ...], verdict: str, why: str) -> None:
    claim = LiteratureClaim("Deep is good", "a paper", "the gain", Number(values), remark="It is a short paper.")
    told = in_words(claim)
    assert claim.verdict == verdict
    assert told.startswith("Deep is good (a paper). ")
    assert why in told
    assert told.endswith("It is a short paper.")
    if claim.effect.mean is not None:
        margin = f"{claim.margin:.3f}" if math.isfinite(claim.margin) else "an unknown margin"
        assert f"is {claim.effect.mean:.3f} ± {margin}" in told


def test_a_legend_names_what_dashes_mean_once() -> None:
    """Four networks with a prediction each have five entries, not eight."""
    curves = [Curve(f"net {i}", (0, 1), (i, i + 1), i) for i in range(4)]
    guesses = [Curve(f"net {i}, predicted", (0, 1), (i, i + 1), i, dashed=True) for i in range(4)]
    panel = PlotPanel("a", "x", "y", (*curves, *guesses), dashed="predicted")
    text = drawn(Plot("p", "P", (panel, PlotPanel("b", "x", "y", tuple(curves))), ""))[".svg"].decode()
    assert text.count("predicted</text>") == 1
    assert all(text.count(f">net {i}</text>") == 1 for i in range(4))


def test_an_option_says_its_name_in_python() -> None:
    with pytest.raises(ValueError, match="`path_images` takes"):
        ExperimentOption("path_images", "", 1, "whole", least=1).check(0)
