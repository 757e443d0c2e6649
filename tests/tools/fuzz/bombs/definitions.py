"""Bombs of definitions: blocks, shortcuts and fragments with many parameters, `let` and calls."""

from __future__ import annotations

from tests.tools.fuzz.bombs.bomb import Bomb, Draw, chain, family


@family
def lets_of_blocks(draw: Draw) -> Bomb:
    """Many `let`, or parameters, of a block, evaluated for each block."""
    kind = draw.pick("let", "params")
    long = draw.random.choice((8, 8, 60, 450))
    terms = draw.mapped(lambda n: f'v{n}: "{draw.expression(("index", "number", "in_channels"), long)}"')
    stages = {"count": str(draw.some(draw.random.choice((100, 3_000, 30_000, 140_000))))}
    blocks = {"b": f"{{{kind}: {terms}, steps: [conv: {{out: 4 + 0*index}}]}}"}
    return Bomb(chain(blocks=blocks, stages=stages))


@family
def lets_in_a_chain(draw: Draw) -> Bomb:
    """`let` each of which reads the next one, or the one before; or all in a circle."""
    step = draw.random.choice((1, -1))
    circle = draw.random.random() < 0.3
    count = draw.some(16_000 if draw.part == 1 else 17_000)
    lets = [f"v{n}: v{(n + step) % count if circle else n + step}" for n in range(count)]
    if not circle:
        lets[0 if step == -1 else -1] = "last: 1"
        lets = [
            text.replace(f"v{0 if step == -1 else count - 1}", "last") if n in (1, count - 2) else text
            for n, text in enumerate(lets)
        ]
    text = "{" + ", ".join(lets) + "}"
    return Bomb(chain(blocks={"b": f"{{let: {text}, steps: [act]}}"}))


@family
def calls_of_many_params(draw: Draw) -> Bomb:
    """Calls of a fragment that has many parameters, in each block."""
    params = draw.mapped(lambda n: f"v{n}: 1", 1, draw.random.choice((0.2, 0.5, 0.7)))
    calls = draw.random.choice(("f", "f: {v0: 2}", "f: {when: index < 0}"))
    steps = draw.listed(lambda n: calls, 1 if calls == "f" else 3, 0.25)
    stages = {"count": str(draw.some(draw.random.choice((1, 10, 100, 1_000)))), "channels": "4 + 0*index"}
    body = draw.pick("[act]", "[]")
    return Bomb(
        chain(
            fragments={"f": f"{{params: {params}, steps: {body}}}"}, blocks={"b": f"{{steps: {steps}}}"}, stages=stages
        )
    )


@family
def calls_with_arguments(draw: Draw) -> Bomb:
    """Calls that give a fragment all of its parameters, as long expressions."""
    per = draw.random.choice((20, 200, 2_000))
    params = "{" + ", ".join(f"v{n}: null" for n in range(per)) + "}"
    long = draw.random.choice((5, 100))
    call = "f: {" + ", ".join(f'v{n}: "{draw.expression(("index", "number"), long)}"' for n in range(per)) + "}"
    steps = draw.listed(lambda n: call, per + 3, 0.8)
    stages = {"count": str(draw.some(1_000))}
    return Bomb(
        chain(fragments={"f": f"{{params: {params}, steps: []}}"}, blocks={"b": f"{{steps: {steps}}}"}, stages=stages)
    )


@family
def doubling(draw: Draw) -> Bomb:
    """Fragments that call each other twice or more, level by level; with conditions, arguments, or neither."""
    width = draw.random.choice((2, 3, 10, 100))
    when = draw.pick("", "", "{when: in_channels < 0}", "{when: in_channels > 0}", "{k: k + 1}")
    params = "params: {k: 0}, " if "k:" in when else ""
    after = f": {when}" if when else ""
    found, size, level = {"f0": f"{{{params}steps: [{draw.pick('act', 'layer: {out: 4}', '')}]}}"}, 1, 0
    while size * width < 19_000 * draw.part:
        found[f"f{level + 1}"] = f"{{{params}steps: [{', '.join([f'f{level}{after}'] * width)}]}}"
        size, level = size * width + 1, level + 1
    stages = {
        "count": str(draw.some(draw.random.choice((1, 1_000, 100_000)))),
        "channels": draw.pick("4", "4 + 0*index"),
    }
    return Bomb(chain(fragments=found, blocks={"b": f"{{steps: [f{level}]}}"}, stages=stages))


@family
def doubling_past_the_limit(draw: Draw) -> Bomb:
    """Fragments that double up to the limit of levels, defined from the last to the first, many of them faulty."""
    count = draw.some(draw.random.choice((30, 60, 300)))
    width = draw.random.choice((2, 20, 60))
    found = {f"f{n}": f"{{steps: [{', '.join([f'f{n + 1}'] * width)}]}}" for n in range(count)}
    return Bomb(chain(fragments=found | {f"f{count}": "{steps: [act]}"}, stem="[f0]"))


@family
def all_call_all(draw: Draw) -> Bomb:
    """Fragments each of which calls all: circles everywhere."""
    count = draw.some(130)
    names = [f"{draw.pick('f', 'f' * 8)}{n}" for n in range(count)]
    return Bomb(chain(fragments={name: f"{{steps: [{', '.join(names)}]}}" for name in names}))


@family
def deep_calls(draw: Draw) -> Bomb:
    """Calls as deep as they may be, of fragments of many parameters, in each block."""
    depth, per = 50, draw.some(300)
    params = "{" + ", ".join(f"v{n}: 1" for n in range(per)) + "}"
    found = {f"f{n}": f"{{params: {params}, steps: [f{n + 1}]}}" for n in range(depth)} | {
        f"f{depth}": "{steps: [act]}"
    }
    stages = {"count": str(draw.some(5_000)), "channels": "4 + 0*index"}
    return Bomb(chain(fragments=found, blocks={"b": "{steps: [f0]}"}, stages=stages))


@family
def false_conditions(draw: Draw) -> Bomb:
    """Steps that an expensive condition leaves out, in each block."""
    names = ("index", "number", "in_channels")
    long = draw.random.choice((30, 480))
    steps = draw.listed(lambda n: f'act: {{when: "{draw.condition(names, long)}"}}', 3, draw.random.choice((0.05, 0.9)))
    kind = draw.pick("steps", "residual")
    stages = {"count": str(draw.some(draw.random.choice((50, 6_000, 60_000))))}
    return Bomb(chain(blocks={"b": f"{{{kind}: [act, {steps[1:]}}}"}, stages=stages))


@family
def false_layers(draw: Draw) -> Bomb:
    """Layers that a condition leaves out: each layer looks ahead for the last one, through fragments."""
    steps = draw.listed(lambda n: 'layer: {out: 4, when: "index < 0"}', 4, 0.4)
    depth = draw.random.choice((1, 10, 20))
    inner = "layer: {out: 4}, " + steps[1:-1]
    for _ in range(depth):
        inner = f"sequence: {{steps: [layer: {{out: 4}}, {inner}]}}"
    stages = {"count": str(draw.some(draw.random.choice((10, 1_000))))}
    return Bomb(chain(blocks={"b": f"{{steps: [{inner}]}}"}, stages=stages))


@family
def false_calls(draw: Draw) -> Bomb:
    """Layers that look ahead through calls of fragments of many `let`, whose layers are left out."""
    lets = draw.mapped(lambda n: f"v{n}: {n}", 1, 0.3)
    fragments = {"f": f'{{let: {lets}, steps: [layer: {{out: 4, when: "v0 > 0"}}]}}'}
    steps = draw.listed(lambda n: "f", 1, 0.1)
    stages = {"count": str(draw.some(20)), "channels": "4 + 0*index"}
    return Bomb(chain(fragments=fragments, blocks={"b": f"{{steps: [layer: {{out: 4}}, {steps[1:]}}}"}, stages=stages))


@family
def unused_definitions(draw: Draw) -> Bomb:
    """Definitions that nothing uses: many small ones, or with long expressions, or with settings."""
    long = draw.random.choice((5, 470))
    text = {
        "blocks": lambda n: f'b{n}: {{residual: [conv: {{out: "{draw.expression(("channels",), long)}"}}]}}',
        "shortcuts": lambda n: f"s{n}: {{same: [], change: [act]}}",
        "fragments": lambda n: f"f{n}: {{steps: [f{n - 1}]}}" if n % 40 else f"f{n}: {{steps: []}}",
    }
    section = draw.pick(*text)
    found = dict(item.split(": ", 1) for item in draw.items(text[section], 4.5))
    more = {"b": "{steps: [act]}"} if section == "blocks" else {}
    return Bomb(chain() | {section: found | more})


@family
def settings_of_blocks(draw: Draw) -> Bomb:
    """Blocks that each set or fix a shortcut, beside many shortcuts."""
    shortcuts = dict(item.split(": ", 1) for item in draw.items(lambda n: f"s{n}: {{same: []}}", 2, 0.5))
    form = draw.pick("{shortcut: s0, steps: []}", "{fixed: {shortcut: s0}, residual: []}")
    blocks = dict(item.split(": ", 1) for item in draw.items(lambda n: f"b{n}: {form}", 4, 0.45))
    return Bomb(chain(shortcuts=shortcuts, blocks=blocks | {"b": "{steps: [act]}"}))


@family
def params_beside_definitions(draw: Draw) -> Bomb:
    """Many parameters of the spec, which each of many definitions, blocks or calls has in scope."""
    params = draw.mapped(lambda n: f"v{n}: 1", 1, draw.random.choice((0.3, 0.5)))
    fragments = dict(item.split(": ", 1) for item in draw.items(lambda n: f"f{n}: {{steps: []}}", 2, 0.4))
    kind = draw.pick("definitions", "calls", "blocks", "steps", "stages")
    found = chain(params=params)
    if kind == "definitions":
        found |= {"fragments": fragments}
    if kind == "calls":
        found |= {"fragments": {"f": "{steps: []}"}, "stem": draw.listed(lambda n: "f", 1, 0.5)}
    if kind == "steps":
        found |= {"stem": draw.listed(lambda n: "sequence: {steps: []}", 3, 0.5)}
    if kind == "blocks":
        found = chain(params=params, stages={"count": str(draw.some(30_000)), "channels": "4 + 0*index"})
    if kind == "stages":
        found = chain(params=params, stages={"count": draw.listed(lambda n: "1", 1, 0.45)})
    return Bomb(found)


@family
def long_expressions(draw: Draw) -> Bomb:
    """As many different long expressions as fit, at each place that takes one."""

    def text() -> str:
        return f'"{draw.expression(("classes",), 490)}"'

    return Bomb(
        {
            "params": chain(params=draw.mapped(lambda n: f'v{n}: "{n} + {draw.expression(("1",), 480)}"')),
            "steps": chain(stem=draw.listed(lambda n: f"conv: {{out: {text()}}}", 3)),
            "lists": chain(stem=draw.listed(lambda n: f"conv: {{out: 4, kernel: [{text()}, {text()}]}}", 6)),
            "cells": chain(stages={"count": draw.listed(lambda n: text(), 1)}),
            "settings": chain(stages={"drop_path": draw.listed(lambda n: f'"0*{text()[1:]}', 1)}),
            "templates": chain(
                naming={"block": f'"{"".join("{" + draw.expression(("index",), 480) + "}" for _ in range(500))}"'}
            ),
        }[draw.pick("params", "steps", "lists", "cells", "settings", "templates")]
    )


@family
def expressions_of_blocks(draw: Draw) -> Bomb:
    """A few long expressions, evaluated for each of many blocks: cells, settings, arguments, shortcuts."""
    names = ("index", "number")
    text = f'"4 + 0*({draw.expression(names, 480)})"'
    stages = {"count": str(draw.some(draw.random.choice((3_000, 30_000, 100_000))))}
    kind = draw.pick("channels", "stride", "drop_path", "argument", "shortcut", "act")
    if kind in ("channels", "stride"):
        return Bomb(chain(stages=stages | {kind: text if kind == "channels" else text.replace("4 +", "1 +", 1)}))
    if kind == "drop_path":
        return Bomb(
            chain(
                stages=stages | {kind: text.replace("4 +", "0.1 +", 1)},
                shortcut="identity",
                blocks={"b": "{residual: [act]}"},
            )
        )
    if kind == "act":
        return Bomb(chain(stages=stages, act=f"\"'relu' if {draw.expression(names, 450)} >= 0 else 'silu'\""))
    if kind == "argument":
        steps = ", ".join([f"conv: {{out: {text}}}"] * 10)
        return Bomb(chain(stages=stages, blocks={"b": f"{{steps: [{steps}]}}"}))
    shortcuts = {"s": f'{{same: [act: {{when: "{draw.condition(names)}"}}], change: []}}'}
    return Bomb(chain(stages=stages, shortcuts=shortcuts, shortcut="s", blocks={"b": "{residual: [act]}"}))
