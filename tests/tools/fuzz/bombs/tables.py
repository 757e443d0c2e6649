"""Bombs of the stage table: columns, stages, cells by block, rows, copies of blocks, names."""

from __future__ import annotations

from tests.tools.fuzz.bombs.bomb import Bomb, Draw, chain, family


def pairs(items: list[str]) -> dict[str, str]:
    return dict(item.split(": ", 1) for item in items)


@family
def columns_times_stages(draw: Draw) -> Bomb:
    """Many columns, each one value for all of many stages."""
    share = draw.random.choice((0.15, 0.3))
    params = draw.mapped(lambda n: f"p{n}: 1", 1, share)
    columns = pairs(draw.items(lambda n: f"p{n}: {draw.pick('2', 'index', '7')}", 1, share * 0.95))
    count = draw.listed(lambda n: "1", 1, 0.95 - 2 * share)
    return Bomb(chain(blocks={"b": f"{{params: {params}, steps: [act]}}"}, stages=columns | {"count": count}))


@family
def columns_of_lists(draw: Draw) -> Bomb:
    """Many columns, each a list, of equal or of different lengths."""
    params = draw.mapped(lambda n: f"p{n}: 1", 1, 0.3)
    other = draw.pick("[1, 2]", "[1]")
    columns = pairs(draw.items(lambda n: f"p{n}: {other if n % 2 else '[1, 2]'}", 3, 0.65))
    return Bomb(chain(blocks={"b": f"{{params: {params}, steps: [act]}}"}, stages=columns))


@family
def many_stages(draw: Draw) -> Bomb:
    """A table of thousands of stages: by column, by row, each with a name, with `before`, with several blocks."""
    kind = draw.pick("columns", "rows", "names", "before", "blocks", "counts")
    if kind == "rows":
        return Bomb(chain(stages=draw.listed(lambda n: "{block: b, count: 1, channels: 4, stride: 1}", 5)))
    if kind == "blocks":
        blocks = pairs(draw.items(lambda n: f"b{n}: {{steps: []}}", 2, 0.6))
        return Bomb(chain(blocks=blocks, stages={"block": draw.listed(lambda n: f"b{n % len(blocks)}", 1, 0.35)}))
    column = {
        "columns": ("channels", lambda n: str(n % 7 + 1)),
        "names": ("name", lambda n: f"s{n}"),
        "before": ("before", lambda n: "[act]"),
        "counts": ("count", lambda n: str(n % 5 + 1)),
    }[kind]
    return Bomb(chain(stages={column[0]: draw.listed(column[1], 2 if kind == "before" else 1)}))


@family
def rows_of_many_keys(draw: Draw) -> Bomb:
    """Rows that each have keys of their own: the table by column is their product."""
    rows = draw.listed(lambda n: f"{{block: b, count: 1, channels: 4, p{n}: 1}}", 5, 0.8)
    params = draw.mapped(lambda n: f"p{n}: 0", 1, 0.15)
    return Bomb(chain(stages=rows, blocks={"b": f"{{params: {params}, steps: [act]}}"}))


@family
def cells_by_block(draw: Draw) -> Bomb:
    """A list in a cell, one value for each of thousands of blocks; for one column or for some."""
    columns = draw.random.choice((1, 4, 30))
    count = draw.some(17_500 // columns)
    params = ", ".join(f"p{n}: 1" for n in range(columns))
    kind = draw.pick("words", "expressions", "blocks", "numbers", "settings")
    cell = {
        "words": lambda n: "index",
        "expressions": lambda n: f"{n} + 0",
        "blocks": lambda n: "b",
        "numbers": lambda n: str(n % 3 + 1),
        "settings": lambda n: ("relu", "silu")[n % 2],
    }[kind]
    key = {"blocks": "block", "settings": "act"}.get(kind)
    text = "[[" + ", ".join(cell(n) for n in range(count)) + "]]"
    stages = {key: text} if key else {f"p{n}": text for n in range(columns)}
    lists = {"count": f"[{count}]"}
    return Bomb(chain(blocks={"b": f"{{params: {{{params}}}, steps: [act]}}"}, stages=stages | lists))


@family
def blocks_times_params(draw: Draw) -> Bomb:
    """A cell of thousands of blocks, of many parameters."""
    params = draw.mapped(lambda n: f"p{n}: 1", 1, 0.5)
    names = draw.items(lambda n: "b", 1, 0.45)
    stages = {"block": f"[[{', '.join(names)}]]", "count": f"[{len(names)}]"}
    return Bomb(chain(blocks={"b": f"{{params: {params}, steps: [act]}}"}, stages=stages))


@family
def copies(draw: Draw) -> Bomb:
    """As many copies of a block as the network may have, of one node or of some, with scopes inside."""
    steps = draw.random.choice((1, 3, 30, 3_000))
    inner = draw.pick("act", "layer: {out: channels}", "sequence: {name: s, steps: [act]}", "norm")
    body = f"[{', '.join([inner] * steps)}]"
    per = steps * (3 if "layer" in inner else 1)
    kind, shortcut = draw.random.choice((("steps", "none"), ("residual", "identity")))
    stages = {"count": str(draw.some(148_000 // (per + (1 if kind == "residual" else 0))))}
    naming = draw.pick("torchvision", "sequential", "timm")
    return Bomb(chain(blocks={"b": f"{{{kind}: {body}}}"}, shortcut=shortcut, stages=stages, naming=naming))


@family
def copies_by_stage(draw: Draw) -> Bomb:
    """Thousands of stages of some blocks each."""
    counts = draw.listed(lambda n: draw.pick("1", "3", "8"), 1, 0.9)
    return Bomb(chain(stages={"count": counts}, shortcut="projection", blocks={"b": "{residual: [act]}"}))


@family
def more_than_the_network_may_have(draw: Draw) -> Bomb:
    """Numbers of blocks, depths and scales past the limits."""
    number = draw.pick("150000", "149999", "1000000000000", "10**3", "5000 * 30", "750000")
    stages = {"count": number}
    more = {"scale": f"{{depth: {draw.pick('1.5', '1e9', '0.0001', '3')}}}"} if draw.random.random() < 0.5 else {}
    body = draw.pick("[]", "[act]", "[act: {when: index > 0}]", "[act: {when: index < 0}]", "[norm, act]")
    channels = draw.pick("4", "4 + 0*index", "index + 1")
    return Bomb(chain(stages=stages | {"channels": channels}, blocks={"b": f"{{steps: {body}}}"}, **more))


@family
def quantized(draw: Draw) -> Bomb:
    """The rule of RegNet at its limit, with as many stages as it gives, and many columns beside."""
    rule = draw.pick(
        "{depth: 1000, w_0: 8, w_a: 36, w_m: 1.001}",
        "{depth: 1000, w_0: 8, w_a: 1000000, w_m: 1.0000001}",
        "{depth: 1000, w_0: 24, w_a: 8, w_m: 1.01, group_width: 8}",
    )
    params = draw.mapped(lambda n: f"p{n}: 1", 1, 0.45)
    columns = pairs(draw.items(lambda n: f"p{n}: 2", 1, 0.45))
    stages = columns | {"quantized_linear": rule, "count": "null", "channels": "null"}
    body = draw.pick("[act]", "[layer: {out: channels}]")
    return Bomb(chain(stages=stages, blocks={"b": f"{{params: {params}, steps: {body}}}"}))


@family
def sides(draw: Draw) -> Bomb:
    """`before` and `after` of thousands of stages, with fragments, and orders that look around."""
    fragments = {"f": "{params: {k: 1}, steps: [act, act]}"}
    side = draw.pick("f", "[act]", "{use: f, k: 1}", "[norm, act]")
    values = {"f": 1, "[act]": 2, "{use: f, k: 1}": 3, "[norm, act]": 3}[side]
    stages = {"before": draw.listed(lambda n: side, values, 0.45), "after": draw.listed(lambda n: side, values, 0.45)}
    return Bomb(chain(stages=stages, fragments=fragments, activation_order=draw.pick("pre", "post")))
