"""The totals in the data of a difference are those of torch, before and after."""

from __future__ import annotations

import archspec
from tests.support.equivalence import spec


def test_totals_before_and_after() -> None:
    texts = [
        spec(f"""
        input: [3, 16, 16]
        stem: {{use: cifar, width: 8}}
        stages: {{block: basic, count: [1, 1], channels: [8, {wide}], stride: [1, 2]}}
        classes: {classes}
        """)
        for wide, classes in ((16, 10), (24, 7))
    ]
    totals = archspec.diff(*texts).as_data()["totals"]
    for side, text in zip(("before", "after"), texts, strict=True):
        model = archspec.build(text)
        assert totals["params"][side] == sum(weight.numel() for weight in model.parameters())
