"""Bombs of networks: long names, many branches, deep nesting, residuals, outputs, expectations, weights."""

from __future__ import annotations

from tests.tools.fuzz.bombs.bomb import Bomb, Draw, as_key, chain, family, flow


@family
def long_names(draw: Draw) -> Bomb:
    """A name as long as the file, of each thing that has one."""
    name = draw.name(draw.random.choice((1_000, 20_000, 120_000)))
    stages = {"count": str(draw.some(draw.random.choice((1, 30, 3_000, 100_000))))}
    return Bomb(
        {
            "template": chain(naming={draw.pick("stage", "block", "step", "act"): name}, stages=stages),
            "stage": chain(stages=stages | {"name": name}),
            "block": chain(blocks={name: "{steps: [act]}"}, stages=stages | {"block": name}),
            "fragment": chain(
                fragments={name: "{steps: [act]}"}, blocks={"b": f"{{steps: [{name[:190]}]}}"}, stages=stages
            ),
            "called": chain(fragments={name: "{steps: [act]}"}, blocks={"b": f'{{steps: ["{name}"]}}'}, stages=stages),
            "branch": chain(blocks={"b": f"{{steps: [concat: {{{as_key(name)}: [act]}}]}}"}, stages=stages),
            "param": chain(params=f"{{{as_key(name)}: 1}}", stages=stages),
            "parameter": chain(
                blocks={"b": f"{{params: {{{as_key(name)}: 1}}, steps: [act]}}"}, stages=stages | {name: "2"}
            ),
            "let": chain(blocks={"b": f"{{let: {{{as_key(name)}: index}}, steps: [act]}}"}, stages=stages),
            "word": chain(params=f"{{w: {name}}}", stages=stages, naming={"block": '"{w}{index}"'}),
            "shortcut": chain(
                shortcuts={name: "{same: []}"}, shortcut=name, blocks={"b": "{residual: [act]}"}, stages=stages
            ),
            "output": chain(outputs=name),
            "meaning": chain(blocks={"b": f"{{channels: {name}, steps: [act]}}"}, stages=stages),
            "unknown": chain(stages={"block": name}),
            "expected": chain(expect=f"{{params: {name}, stages: {{{as_key(name)}: {{params: 1}}}}}}"),
            "file": Bomb().keys | chain(**{"import": name[:200_000]}),
        }[
            draw.pick(
                *("template", "stage", "block", "fragment", "called", "branch", "param", "parameter"),
                *("let", "word", "shortcut", "output", "meaning", "unknown", "expected", "file"),
            )
        ]
    )


@family
def long_paths(draw: Draw) -> Bomb:
    """Names that nest: each level adds a long part to the path of the nodes below."""
    part, depth = draw.name(draw.random.choice((190, 3_000))), draw.some(18)
    body = "act"
    for _ in range(depth):
        body = (
            f"{{concat: {{{as_key(part)}: [{body}]}}}}"
            if len(part) > 200
            else f"{{sequence: {{name: {part}, steps: [{body}, act]}}}}"
        )
    stages = {"count": str(draw.some(draw.random.choice((10, 5_000))))}
    return Bomb(chain(blocks={"b": f"{{steps: [{body}]}}"}, stages=stages))


@family
def long_templates(draw: Draw) -> Bomb:
    """A template that is long in each name, or expensive, for each of many nodes."""
    pieces = draw.random.choice((20, 400))
    text = "".join(
        "{" + draw.pick("n", "position", "index", draw.expression(("number",), 300)) + "}x" for _ in range(pieces)
    )
    scope = draw.pick("block", "step", "act", "stage", "layer")
    stages = {"count": str(draw.some(draw.random.choice((100, 10_000, 60_000))))}
    return Bomb(chain(naming={scope: f'"a{text}"'}, stages=stages, blocks={"b": "{steps: [act, layer: {out: 4}]}"}))


@family
def dotted_names(draw: Draw) -> Bomb:
    """Step names of a hundred parts."""
    name = ".".join("a" * 1 for _ in range(95))
    return Bomb(chain(stem=draw.listed(lambda n: f"act: {{name: {name}.b{n}}}", 3)))


@family
def branches(draw: Draw) -> Bomb:
    """A merge of thousands of branches, or many merges, named or not."""
    merge = draw.pick("add", "multiply", "concat")
    per = draw.random.choice((2, 10, 1_000, 20_000))
    inner = draw.pick("[act]", "[]", "[act, act]")
    if draw.random.random() < 0.3:
        one = "{" + ", ".join(draw.items(lambda n: f"x{n}: {inner}", 2, 0.9, per)) + "}"
    else:
        one = draw.listed(lambda n: inner, 2, 0.9, per)
    many = draw.listed(lambda n: f"{merge}: {one}", one.count(",") * 2 + 4)
    stages = {"count": str(draw.some(draw.random.choice((1, 10))))}
    return Bomb(chain(stem=many, stages=stages))


@family
def gates(draw: Draw) -> Bomb:
    """Multiplications by many small maps."""
    gate = "[pool: {type: avg, output: 1}]"
    return Bomb(chain(stem=f"[multiply: [[], {draw.listed(lambda n: gate, 5)[1:]}]"))


@family
def nested_branches(draw: Draw) -> Bomb:
    """Merges in merges, wide at each level."""
    width, body = draw.random.choice((2, 5)), "act"
    depth = {2: 11, 5: 5}[width]
    merge = draw.pick("add", "concat", "multiply")
    for _ in range(depth):
        body = f"{merge}: [{', '.join([f'[{body}]'] * width)}]"
    return Bomb(chain(stem=f"[{body}]"))


@family
def ladder(draw: Draw) -> Bomb:
    """Blocks that concatenate, so that each reads all before; or merges one after the other."""
    kind = draw.pick("dense", "adds", "residuals", "gated")
    if kind == "dense":
        block = "{merge: concat, fixed: {shortcut: identity}, residual: [conv: {out: 1}]}"
        return Bomb(chain(blocks={"b": block}, stages={"count": str(draw.some(15_000))}))
    if kind == "adds":
        return Bomb(chain(stem=draw.listed(lambda n: "add: [[], [act]]", 5)))
    if kind == "gated":
        block = "{residual: [act, multiply: [[], [pool: {type: avg, output: 1}]]]}"
        return Bomb(chain(blocks={"b": block}, shortcut="identity", stages={"count": str(draw.some(30_000))}))
    block = draw.pick("{residual: [act]}", "{residual: [layer: {out: channels, kernel: 3}]}")
    stages = {"count": str(draw.some(40_000)), "channels": draw.pick("4", "4 + 0*index")}
    return Bomb(chain(blocks={"b": block}, shortcut="identity", stages=stages))


@family
def parallel_residuals(draw: Draw) -> Bomb:
    """Many blocks whose merges are not the ends of sections: branches hold the residuals."""
    inner = "add: [[], [conv: {out: 4}]]"
    steps = ", ".join([inner] * 40)
    stages = {"count": str(draw.some(500))}
    return Bomb(
        chain(
            stem="[conv: {out: 4}]",
            blocks={"b": f"{{residual: [add: [[{steps}], [{steps}], []]]}}"},
            shortcut="identity",
            stages=stages,
        )
    )


@family
def many_outputs(draw: Draw) -> Bomb:
    """Outputs of thousands of scopes that exist."""
    stages = {"count": str(draw.some(18_000))}
    outputs = draw.listed(lambda n: f"layer1.{n}", 1, 0.9)
    return Bomb(chain(outputs=outputs, stages=stages))


@family
def no_outputs_needed(draw: Draw) -> Bomb:
    """A long network of which the output needs nearly nothing."""
    return Bomb(chain(outputs="layer1.0", stages={"count": str(draw.some(140_000))}, head=draw.listed(lambda n: "act")))


@family
def many_claims(draw: Draw) -> Bomb:
    """Expectations of thousands of stages, that hold."""
    claim = draw.pick("{output: [4, 224, 224]}", "{params: 0, macs: 0, activations: 0}", "{macs: {min: 0, max: 9}}")
    values = {"{o": 6, "{p": 5, "{m": 5}[claim[:2]]
    share = 1 / (values + 1)
    blocks = {"b": f"{{steps: [{', '.join(['act'] * draw.random.choice((1, 8)))}]}}"}
    stages = {"count": draw.listed(lambda n: "1", 1, share * 0.95)}
    claims = draw.mapped(lambda n: f"layer{n + 1}: {claim}", values, 0.95 - share)
    return Bomb(chain(stem="[conv: {out: 4}]", blocks=blocks, stages=stages, expect=f"{{stages: {claims}}}"))


@family
def claims_of_everything(draw: Draw) -> Bomb:
    """Expectations of all figures, of a network as large as it may be."""
    names = ("params", "macs", "activations", "layers", "skip_paths", "receptive_field")
    claims = flow(dict.fromkeys(names, "{min: 0}"))
    stages = {"count": str(draw.some(draw.random.choice((2_000, 30_000))))}
    return Bomb(
        chain(
            expect=claims,
            stem="[conv: {out: 4}]",
            stages=stages,
            shortcut="identity",
            blocks={"b": "{residual: [conv: {out: 4, kernel: 3}]}"},
        )
    )


@family
def distinct_weights(draw: Draw) -> Bomb:
    """Layers that all differ, so that no operation was seen before."""
    stages = {"count": str(draw.some(draw.random.choice((5_000, 30_000)))), "channels": "index % 300 + 1"}
    block = draw.pick(
        "{steps: [conv: {out: channels}]}", "{steps: [conv: {out: channels, kernel: [1, 2], padding: 1}]}"
    )
    return Bomb(chain(blocks={"b": block}, stages=stages))


@family
def shapes(draw: Draw) -> Bomb:
    """Operations of every kind, of large sizes and windows, one after the other."""
    step = draw.pick(
        *("pool: {type: max, kernel: 3, stride: 1, padding: 1}", "subsample: {stride: 1}", "layer_scale"),
        *("scale: {by: 0.5}", "slice: {start: 0}", "pad_channels: {out: 4}", "dropout", "drop_path: {p: 0.1}"),
        *("norm: {type: group, groups: 1}", "channel_shuffle: {groups: 1}", "pool: {type: avg, output: 224}"),
    )
    values = 3 + step.count(":")
    stages = {"count": str(draw.some(4_000))}
    blocks = {"b": f"{{steps: [{', '.join([step] * 10)}]}}"}
    if draw.random.random() < 0.5:
        return Bomb(chain(stem="[conv: {out: 4}]", blocks=blocks, stages=stages))
    return Bomb(chain(stem=f"[conv: {{out: 4}}, {draw.listed(lambda n: step, values)[1:]}"))


@family
def zero_init(draw: Draw) -> Bomb:
    """Residuals that start at zero, whose norm is far from their end or missing."""
    steps = draw.random.choice((1, 100, 5_000))
    body = ", ".join(["norm"] + ["act"] * steps)
    stages = {"count": str(draw.some(100_000 // (steps + 3))), "channels": draw.pick("4", "4 + 0*index")}
    return Bomb(
        chain(
            init="{zero_init_residual: true}",
            shortcut="identity",
            blocks={"b": f"{{residual: [{body}]}}"},
            stages=stages,
        )
    )


@family
def scaled_widths(draw: Draw) -> Bomb:
    """Widths that are all scaled and rounded."""
    steps = draw.listed(lambda n: f"conv: {{out: scaled({n % 300 + 1})}}", 3, 0.5)
    stages = {"count": str(draw.some(10_000)), "channels": "index % 200 + 1"}
    return Bomb(
        chain(
            stem=steps,
            stages=stages,
            scale=f"{{width: {draw.pick('1.1', '0.001', '1e3')}, divisor: {draw.pick('8', '1', '1000000')}}}",
            blocks={"b": "{steps: [conv: {out: channels}]}"},
        )
    )
