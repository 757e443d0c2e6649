"""Generated specs against torch on the meta device: shapes, sizes of all weights, and MACs by the count of torch."""

from __future__ import annotations

import multiprocessing
import os
import time
from collections import Counter
from dataclasses import dataclass, field

import torch
from hypothesis import HealthCheck, Phase, given, seed, settings
from torch.utils.flop_counter import FlopCounterMode

import archspec
from archspec.graph.block_settings import setting_in_force
from archspec.graph.graph import Graph
from archspec.graph.orders import ORDERS
from archspec.language.definitions import library
from archspec.operations.discovery import operations
from archspec.strategies import SpecText, specs
from archspec.testing.against_torch import compare_shapes
from tests.tools.fuzz.promise import Broken

PIECE = 250
ENOUGH = 2_000
"""So many draws have to show every part of the language."""


def differs(graph: Graph) -> str:
    """How torch's network differs from the graph; empty where it does not."""
    found = compare_shapes(graph)
    if found:
        return str(found[0])
    costs = archspec.analyze(graph).totals.costs
    model = archspec.build(graph, device="meta").eval()
    figures: dict[str, tuple[object, object]] = {
        "params": (costs.params, sum(weight.numel() for weight in model.parameters())),
        "buffers": (costs.buffers, sum(buffer.numel() for buffer in model.buffers())),
    }
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        output = model(torch.empty(1, *graph.input, device="meta"))
    figures["flops"] = (2 * costs.macs, counter.get_total_flops())
    if graph.single:
        figures["output"] = (graph.output, tuple(output.shape[1:]))
    differing = {name: pair for name, pair in figures.items() if pair[0] != pair[1]}
    return ", ".join(f"{name}: {ours} is {theirs} in torch" for name, (ours, theirs) in differing.items())


def parts(graph: Graph) -> set[str]:
    """The parts of the language that a spec uses."""
    found = {f"rank {len(graph.input) - 1}"} | {f"operation {node.operation.name}" for node in graph.nodes}
    for stage in graph.origin.stages:
        for index, block in enumerate(stage.blocks.entries):
            for key in ("activation_order", "shortcut"):
                word = setting_in_force(graph.origin, key, stage, block, index).term.constant
                found.add(f"{key} {word}")
    return found


def wanted() -> set[str]:
    """Every operation, merge, order, shortcut of the library, and rank."""
    found = {f"rank {rank}" for rank in (1, 2, 3)} | {f"operation {name}" for name in operations()}
    found |= {f"activation_order {name}" for name in ORDERS}
    return found | {f"shortcut {name}" for name in library().visible("shortcuts")}


@dataclass
class Draws:
    """What came of some draws: how many, the distinct texts by hash, the parts of the language, and what differed."""

    count: int = 0
    texts: set[int] = field(default_factory=set)
    seen: Counter[str] = field(default_factory=Counter)
    broken: list[str] = field(default_factory=list)


def draw(task: tuple[int, int]) -> Draws:
    """So many draws from a seed, in a process of its own. Hypothesis shortens a spec that differs."""
    number, count = task
    found = Draws()
    torch.set_num_threads(1)

    @seed(number)
    @settings(
        max_examples=count,
        deadline=None,
        database=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
        print_blob=False,
    )
    @given(specs())
    def compare(spec: SpecText) -> None:
        graph = archspec.compile(spec)
        message = differs(graph)
        if message:
            raise Broken(f"{message}\n{spec}")
        found.count += 1
        found.texts.add(hash(str(spec)))
        found.seen.update(parts(graph))

    try:
        compare()
    except Exception as error:  # whatever it was, the others go on
        found.broken.append(f"{type(error).__name__}: {error}\n" + "\n".join(getattr(error, "__notes__", ())))
    return found


def compare_generated(count: int, first: int, jobs: int) -> int:
    """Draw so many specs; 1 where one differs, or where they leave out a part of the language, else 0."""
    os.environ["PYTHONHASHSEED"] = "0"  # so that texts of two processes compare
    start = time.monotonic()
    pieces = [(first * 100_000 + at, min(PIECE, count - at)) for at in range(0, count, PIECE)]
    whole = Draws()
    with multiprocessing.get_context("spawn").Pool(jobs) as pool:
        for found in pool.imap(draw, pieces):
            whole.count += found.count
            whole.texts |= found.texts
            whole.seen += found.seen
            whole.broken += found.broken
            for message in found.broken:
                print(f"  differs: {message}", flush=True)
        pool.close()
        pool.join()
    print(f"specs: {whole.count:,} drawn and equal to torch's, {len(whole.texts):,} of them distinct;", end=" ")
    print(f"{time.monotonic() - start:.0f} s")
    missing = sorted(wanted() - whole.seen.keys())
    few = ", ".join(f"{name} {n:,}" for name, n in whole.seen.most_common()[:-9:-1])
    print(f"  in {len(whole.seen)} parts of the language, the rarest: {few}; in none: {', '.join(missing) or 'none'}")
    return int(bool(whole.broken or (missing and count >= ENOUGH)))
