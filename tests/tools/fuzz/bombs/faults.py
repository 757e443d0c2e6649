"""Bombs of faults: what is not known, missing, of the wrong type or shape, thousands of times, with its hints."""

from __future__ import annotations

from tests.tools.fuzz.bombs.bomb import Bomb, Draw, chain, family


def word(draw: Draw, number: int, length: int = 0) -> str:
    """A word that no other number gives, all alike."""
    return f"{'chanels' * (length // 7)}chanel{number:05}"


def length(draw: Draw) -> int:
    """How long the words are: short in most bombs."""
    return draw.random.choice((0, 0, 40, 90, 2_000))


@family
def unknown_keys(draw: Draw) -> Bomb:
    """Keys that the schema does not have, at each kind of place."""
    long = length(draw)
    place = draw.pick("spec", "step", "steps", "block", "expect", "naming", "init", "expect stages")
    keys = draw.mapped(lambda n: f"{word(draw, n, long)}: 1")
    whole = {
        "step": {"stem": f"[conv: {keys}]"},
        "block": {"blocks": {"b": keys}},
        "expect": {"expect": keys},
        "naming": {"naming": keys},
        "init": {"init": keys},
        "expect stages": {"expect": f"{{stages: {{layer1: {keys}}}}}"},
    }
    if place == "spec":
        return Bomb(chain() | dict(item.split(": ", 1) for item in keys[1:-1].split(", ")))
    if place == "steps":
        return Bomb(chain(stem=draw.listed(lambda n: f"conv: {{{word(draw, n, long)}: 1}}", 3)))
    return Bomb(chain() | whole[place])


@family
def wrong_types(draw: Draw) -> Bomb:
    """Values of another type than the schema has, behind many nodes, or large ones."""
    large = draw.listed(lambda n: "[1, {a: b}]", 5, 0.5)
    return Bomb(
        {
            "numbers": chain(stem=draw.listed(lambda n: str(n))),
            "texts": chain(stem=draw.listed(lambda n: "conv: 3", 2)),
            "large": chain(classes=large, input=large, naming=large),
            "keys": chain(stem=draw.listed(lambda n: "{conv: {out: 1}, act: {}, norm: {}}", 5)),
            "none": chain(stem=draw.listed(lambda n: "{}", 1)),
            "words": chain(stages={f"p{n}": "{}" for n in range(draw.some(9_000))}),
            "init": chain(init=f"{{conv: {'x' * draw.some(200_000)}}}"),
        }[draw.pick("numbers", "texts", "large", "keys", "none", "words", "init")]
    )


@family
def wrong_inside(draw: Draw) -> Bomb:
    """A fault at each level of a deep value: each error of the schema shows all below it."""
    text = f"{{act: {draw.listed(lambda n: '[1]', 2, 0.6)}}}"
    for _ in range(draw.some(18)):
        text = f"{{conv: {{}}, add: [[{text}]]}}"
    return Bomb(chain(stem=f"[{text}]"))


@family
def wrong_words(draw: Draw) -> Bomb:
    """Words that an argument, a setting or a key of a definition does not take."""
    long = length(draw)
    return Bomb(
        {
            "act": chain(stem=draw.listed(lambda n: f"act: {{type: {word(draw, n, long)}}}", 3)),
            "norm": chain(stem=draw.listed(lambda n: f"layer: {{out: 3, norm: {word(draw, n, long)}}}", 4)),
            "merge": chain(blocks=draw.mapped(lambda n: f"b{n}: {{merge: {word(draw, n, long)}, steps: []}}", 3)),
            "act of a block": chain(blocks=draw.mapped(lambda n: f"b{n}: {{act: {word(draw, n)}, steps: []}}", 3)),
            "cells": chain(stages={"activation_order": draw.listed(lambda n: word(draw, n, long))}),
        }[draw.pick("act", "norm", "merge", "act of a block", "cells")]
    )


@family
def words_beside_params(draw: Draw) -> Bomb:
    """Words that are unknown where thousands of names are in scope."""
    params = draw.mapped(lambda n: f"{word(draw, n)}: 1", 1, 0.5)
    return Bomb(chain(params=params, stem=draw.listed(lambda n: f"act: {{type: chanels{n:05}}}", 3, 0.5)))


@family
def unknown_steps(draw: Draw) -> Bomb:
    """Steps that nothing defines, beside many fragments."""
    fragments = draw.mapped(lambda n: f"{word(draw, n)}: {{steps: []}}", 2, 0.5)
    steps = draw.listed(lambda n: f"chanels{n:05}", 1, 0.45)
    return Bomb(chain(fragments=fragments, stem=steps))


@family
def unknown_fragments(draw: Draw) -> Bomb:
    """`before` of many stages, each with a fragment that nothing defines."""
    fragments = draw.mapped(lambda n: f"{word(draw, n)}: {{steps: []}}", 2, 0.5)
    return Bomb(chain(fragments=fragments, stages={"before": draw.listed(lambda n: f"chanels{n:05}", 1, 0.45)}))


@family
def unknown_blocks(draw: Draw) -> Bomb:
    """Stages of blocks that nothing defines, beside many blocks; with columns that nothing reads."""
    blocks = draw.mapped(lambda n: f"{word(draw, n)}: {{steps: []}}", 2, 0.35)
    stages = {"block": draw.listed(lambda n: f"chanels{n:05}", 1, 0.3)}
    columns = dict(item.split(": ") for item in draw.items(lambda n: f"{word(draw, n)}: 1", 1, 0.3))
    return Bomb(chain(blocks=blocks, stages=stages | columns if draw.random.random() < 0.7 else stages))


@family
def unknown_columns(draw: Draw) -> Bomb:
    """Columns that no block has as a parameter, where a block has many."""
    params = draw.mapped(lambda n: f"param{n:05}: 1", 1, 0.5)
    columns = dict(item.split(": ") for item in draw.items(lambda n: f"params{n:05}: 1", 1, 0.45))
    return Bomb(chain(blocks={"b": f"{{params: {params}, steps: [act]}}"}, stages=columns))


@family
def unknown_arguments(draw: Draw) -> Bomb:
    """Arguments that a fragment of many parameters does not have, in one call or in many."""
    params = draw.mapped(lambda n: f"param{n:05}: 1", 1, 0.5)
    fragments = {"f": f"{{params: {params}, steps: [act]}}"}
    many = draw.listed(lambda n: f"f: {{params{n:05}: 1}}", 3, 0.45)
    one = f"[f: {draw.mapped(lambda n: f'params{n:05}: 1', 1, 0.45)}]"
    return Bomb(chain(fragments=fragments, stem=many if draw.random.random() < 0.5 else one))


@family
def missing_arguments(draw: Draw) -> Bomb:
    """Calls of a fragment that leave out all of its many parameters."""
    params = draw.mapped(lambda n: f"p{n}: null", 1, 0.5)
    return Bomb(chain(fragments={"f": f"{{params: {params}, steps: [act]}}"}, stem=draw.listed(lambda n: "f", 1, 0.45)))


@family
def unknown_names(draw: Draw) -> Bomb:
    """Expressions of many names that are not defined, beside many that are."""
    params = draw.mapped(lambda n: f"{word(draw, n)}: 1", 1, 0.4)
    per = draw.random.choice((1, 10, 60))
    sums = draw.listed(lambda n: f"conv: {{out: {' + '.join(f'x{n}_{i}' for i in range(per))}}}", 3, 0.55)
    return Bomb(chain(params=params, stem=sums))


@family
def unparsed(draw: Draw) -> Bomb:
    """Expressions that do not parse, at many places."""
    bad = draw.pick("1 +", "(" * 40, "a..b", "2 ** 3", "f(" * 30, "'open", "1 1 " * 100, "x" * 400 + " y")
    return Bomb(chain(stem=draw.listed(lambda n: f'conv: {{out: "{bad}{n}"}}', 3)))


@family
def shape_faults(draw: Draw) -> Bomb:
    """Faults of shapes behind many nodes: each tells the chain of shapes that led to it."""
    fault = {
        "groups": lambda n: f"conv: {{out: 5, groups: {n + 7}}}",
        "kernel": lambda n: f"conv: {{out: 5, kernel: {n + 500}, padding: 0}}",
        "slice": lambda n: f"slice: {{start: {n + 9}, stop: {n + 5}}}",
        "branches": lambda n: f"add: [[], [conv: {{out: {n + 11}}}]]",
    }[draw.pick("groups", "kernel", "slice", "branches")]
    steps = draw.random.choice((1, 4, 20))
    stages = {"count": str(draw.some(120_000 // steps))}
    blocks = {"b": f"{{steps: [{', '.join(['act'] * steps)}]}}"}
    return Bomb(chain(stages=stages, blocks=blocks, head=draw.listed(fault, 4, 0.9, 5_000)))


@family
def unknown_outputs(draw: Draw) -> Bomb:
    """Outputs that the network does not have, beside many that it has."""
    long = length(draw)
    outputs = draw.listed(lambda n: f"layr{'x' * long}{n}", 1, 0.9)
    stages = {"count": str(draw.some(draw.random.choice((10, 1_000, 30_000))))}
    return Bomb(chain(outputs=outputs, stages=stages))


@family
def unknown_claims(draw: Draw) -> Bomb:
    """Expectations of stages that the network does not have, beside many that it has."""
    stages = {"count": draw.listed(lambda n: "1", 1, 0.4)}
    return Bomb(chain(stages=stages, expect=f"{{stages: {draw.mapped(lambda n: f'layr{n}: {{params: 1}}', 3, 0.55)}}}"))


@family
def wrong_claims(draw: Draw) -> Bomb:
    """Expectations that do not hold, of thousands of stages."""
    stages = {"count": draw.listed(lambda n: "1", 1, 0.25)}
    claim = draw.pick("{output: [1]}", "{params: 5, macs: 5, activations: {min: 9}}", "{layers: 1}", "{params: x}")
    values = 3 if "macs" not in claim else 6
    claims = draw.mapped(lambda n: f"layer{n + 1}: {claim}", values, 0.7)
    return Bomb(chain(stages=stages, expect=f"{{stages: {claims}}}"))


@family
def same_names(draw: Draw) -> Bomb:
    """Nodes that all want one name."""
    name = draw.name(190)
    return Bomb(chain(naming=draw.pick("{act: a}", f"{{step: {name}}}"), stem=draw.listed(lambda n: "act")))


@family
def many_warnings(draw: Draw) -> Bomb:
    """Warnings by the thousand."""
    orders = draw.listed(lambda n: ("pre", "post")[n % 2], 1, 0.9)
    counts = draw.listed(lambda n: "1", 1, 0.45)
    kind = draw.pick("orders", "stages", "widths", "zero")
    block = "{residual: [layer: {out: channels, kernel: 3}]}"
    if kind == "orders":
        count = orders.count(",") + 1
        return Bomb(chain(blocks={"b": block}, stages={"count": f"[{count}]", "activation_order": f"[{orders}]"}))
    if kind == "stages":
        stages = {"count": counts, "activation_order": draw.listed(lambda n: ("pre", "post")[n % 2], 1, 0.45)}
        return Bomb(chain(blocks={"b": block}, stages=stages))
    if kind == "widths":
        return Bomb(chain(scale="{width: 1.1}", stages={"channels": draw.listed(lambda n: f"{9 * n + 3}", 1, 0.9)}))
    stages = {"count": counts}
    return Bomb(
        chain(init="{zero_init_residual: true}", stages=stages, shortcut="identity", blocks={"b": "{residual: [act]}"})
    )
