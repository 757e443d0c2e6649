"""`python -m tests.tools.signal_check`: print predictions beside measurements, and their ratios.

Without options it trains nothing. `--train FILE` trains random networks, a line of FILE for each, and `--losses FILE`
compares the score with the losses in it.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Iterator
from pathlib import Path
from statistics import mean

import torch

import archspec
from tests.tools.signal_check import measure, nets

SEEDS, EXAMPLES, TRAINED, SEED = 5, 32, 200, 1
DEPTHS = (20, 56, 110)
KINDS = {
    "plain": "shortcut=none",
    "post, A": "shortcut=zero-pad",
    "post, B": "shortcut=projection",
    "post, C": "shortcut=projection-all",
    **{order: f"activation_order={order}" for order in ("pre", "norm-after-add", "act-before-add", "act-only-pre")},
}


def network(kind: str, depth: int, norm: str = "batch", size: int = 16) -> archspec.Spec:
    """A CIFAR network of few channels, so that it is measured in seconds."""
    settings = [
        f"stages.count={(depth - 2) // 6}",
        "stages.channels=[8, 16, 32]",
        "stem={use: cifar, width: 8}",
        f"input=[1, {size}, {size}]",
        f"norm={norm}",
        KINDS[kind],
    ]
    return archspec.load("resnet56_cifar", overrides=settings)


def row(cells: list[object]) -> None:
    """A row of a table in Markdown."""
    print(
        "| " + " | ".join(f"{cell:.3g}" if isinstance(cell, float) else str(cell) for cell in cells) + " |", flush=True
    )


def head(*names: str) -> None:
    row([*names])
    row(["---"] * len(names))


def check_gradients(depths: tuple[int, ...], seeds: int) -> None:
    """The norm of the gradient at the first block over that at the last."""
    spread = ("least to largest", "largest / least")
    head("norm", "network", "layers", "predicted", "measured", *spread, "predicted / measured")
    for norm in ("batch", "none"):
        for kind in KINDS:
            if norm == "none" and kind == "norm-after-add":
                continue  # without norms it is the post-activation
            for depth in depths:
                spec = network(kind, depth, norm)
                predicted = archspec.signal(spec).blocks[0].gradient_norm
                runs = [measure.gradients(spec, seed, EXAMPLES).norms for seed in range(seeds)]
                ratios = [norms[0] / norms[-1] for norms in runs]
                found = mean(ratios)
                low, high = min(ratios), max(ratios)
                around = [f"{low:.3g} to {high:.3g}", f"{high / low:.1f}"]
                row([norm, kind, depth, predicted, found, *around, f"{predicted / found:.2f}"])


def check_fields(seeds: int) -> None:
    """The deviation of the effective receptive field."""
    head("network", "layers", "predicted", "measured", "predicted / measured")
    for kind in ("plain", "post, A", "post, B", "post, C", "pre"):
        for depth in (20, 56):
            spec = network(kind, depth, size=128)
            field = archspec.signal(spec).effective_receptive_field
            found = mean([measure.field(spec, seed, 4) for seed in range(seeds)])
            predicted = float(field.deviation) if field and not isinstance(field.deviation, tuple) else math.nan
            row([kind, depth, predicted, found, f"{predicted / found:.2f}"])


def check_lengths(seeds: int) -> None:
    """The mean length of the gradient's paths."""
    head("network", "layers", "predicted", "measured", "predicted / measured")
    for kind in list(KINDS)[1:]:
        for depth in (56, 110):
            spec = network(kind, depth)
            lengths = archspec.signal(spec).path_length
            found = mean([measure.mean_length(spec, seed, 16) for seed in range(seeds)])
            predicted = lengths.mean if lengths else math.nan
            row([kind, depth, predicted, found, f"{predicted / found:.2f}"])


def check_score(file: Path) -> None:
    """Spearman's correlation with the final loss."""
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    found = list(_scored(rows))
    head("networks", "number", "score", "depth alone", "depth over width")
    for name, chosen in (("all", found), ("with batch norm", [each for each in found if each[4]])):
        losses = [each[0] for each in chosen]
        row([name, len(chosen), *[f"{spearman([e[i] for e in chosen], losses):.2f}" for i in (1, 2, 3)]])
    print(f"CPU seconds: {sum(each['seconds'] for each in rows):.0f}")


def _scored(rows: list[dict[str, object]]) -> Iterator[tuple[float, float, float, float, bool]]:
    """Of each network: loss, score, layers, layers over width, and whether it has batch norm."""
    for each in rows:
        settings, loss = each["settings"], each["loss"]
        assert isinstance(settings, list)
        assert isinstance(loss, float)
        graph = archspec.compile(nets.load(settings))
        layers = sum(node.operation.weighted for node in graph.nodes)
        score = archspec.signal(graph).score
        yield loss, score or 0.0, layers, layers / graph.nodes[0].shape[0], "norm=batch" in settings


def spearman(first: list[float], other: list[float]) -> float:
    """The correlation of ranks; equal values share theirs."""
    a, b = _ranks(first), _ranks(other)
    middle = (len(a) - 1) / 2
    up = sum((x - middle) * (y - middle) for x, y in zip(a, b, strict=True))
    return up / math.sqrt(sum((x - middle) ** 2 for x in a) * sum((y - middle) ** 2 for y in b))


def _ranks(values: list[float]) -> list[float]:
    ordered = sorted(values)
    first = {value: place for place, value in reversed(list(enumerate(ordered)))}
    return [first[value] + (ordered.count(value) - 1) / 2 for value in values]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.tools.signal_check", description=__doc__)
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--depths", type=int, nargs="+", default=list(DEPTHS))
    parser.add_argument("--train", type=Path, metavar="FILE")
    parser.add_argument("--networks", type=int, default=TRAINED, metavar="N", help="how many `--train` trains")
    parser.add_argument("--losses", type=Path, metavar="FILE")
    given = parser.parse_args()
    torch.set_num_threads(1)
    if given.train:
        nets.train_all(SEED, given.networks, given.train)
    elif given.losses:
        check_score(given.losses)
    else:
        check_gradients(tuple(given.depths), given.seeds)
        print()
        check_fields(given.seeds)
        print()
        check_lengths(given.seeds)


if __name__ == "__main__":
    main()
