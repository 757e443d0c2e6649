"""Bombs of several files: chains of `extends`, imports, overrides."""

from __future__ import annotations

from tests.tools.fuzz.bombs.bomb import Bomb, Draw, chain, document, family


def definitions(draw: Draw, number: int, share: float = 1.0) -> str:
    """The text of a full file of definitions."""
    form = draw.pick("[]", "[act]", '[conv: {out: "in_channels + 0"}]')
    values = 2 + form.count("act") + 3 * form.count("conv")
    items = draw.items(lambda n: f"f{number}_{n}: {{steps: {form}}}", values, share)
    return f"archspec: 1\nfragments: {{{', '.join(items)}}}\n"


@family
def extended(draw: Draw) -> Bomb:
    """A chain of specs that extend each other, each as large as a file may be."""
    depth = draw.random.choice((3, 31))
    kind = draw.pick("params", "columns", "rows", "comments", "definitions", "same")
    make = {
        "params": lambda n, i: {"params": draw.mapped(lambda k: f"v{n if i else 0}_{k}: {k}")},
        "same": lambda n, i: {"params": draw.mapped(lambda k: f"v{k}: {n}")},
        "columns": lambda n, i: {"stages": draw.mapped(lambda k: f"p{k}: {n}")},
        "rows": lambda n, i: {"stages": draw.listed(lambda k: "{block: b, count: 1, channels: 4}", 4)},
        "comments": lambda n, i: {"notes": "x " * draw.some(120_000)},
        "definitions": lambda n, i: {"fragments": draw.mapped(lambda k: f"f{n}_{k}: {{steps: [act]}}", 3)},
    }[kind]
    files = {}
    for number in range(depth):
        below = {"extends": f"base{number + 1}.yaml"} if number + 1 < depth else chain()
        files[f"base{number}.yaml"] = document(
            {**make(number, 1), **below} if "stages" not in make(number, 0) else {**below, **make(number, 1)}
        )
    return Bomb({"extends": "base0.yaml"} | make(99, 1), files=files)


@family
def imported(draw: Draw) -> Bomb:
    """As many imports as a spec may have, each file full."""
    count = draw.random.choice((5, 63))
    files = {f"d{n}.yaml": definitions(draw, n) for n in range(count)}
    return Bomb(chain(**{"import": "[" + ", ".join(f"d{n}.yaml" for n in range(count)) + "]"}), files=files)


@family
def diamonds(draw: Draw) -> Bomb:
    """Files that import all of the files after them."""
    count = draw.some(draw.random.choice((20, 31)))
    files = {}
    for number in range(count):
        uses = ", ".join(f"d{n}.yaml" for n in range(number + 1, count))
        files[f"d{number}.yaml"] = f"archspec: 1\nimport: [{uses}]\n" * bool(uses) or "archspec: 1\n"
        files[f"d{number}.yaml"] += f"fragments: {{f{number}: {{steps: []}}}}\n"
    return Bomb(chain(**{"import": "[" + ", ".join(files) + "]"}), files=files)


@family
def imported_again(draw: Draw) -> Bomb:
    """One file, imported thousands of times."""
    text = "archspec: 1\nfragments: {f: {steps: []}}\n# " + "x" * draw.some(250_000)
    return Bomb(chain(**{"import": draw.listed(lambda n: "d.yaml")}), files={"d.yaml": text})


@family
def overridden(draw: Draw) -> Bomb:
    """Many overrides of a large spec."""
    params = draw.mapped(lambda n: f"v{n}: 1")
    count = draw.some(draw.random.choice((10, 200)))
    kind = draw.pick("params", "classes", "deep", "long")
    settings = {
        "params": tuple(f"params.v{n}={n}" for n in range(count)),
        "classes": tuple(f"classes={n + 1}" for n in range(count)),
        "deep": tuple(f"stages.channels={n + 1}" for n in range(count)),
        "long": ("stem=" + draw.listed(lambda n: "act", 1, 0.4),)
        if draw.part < 1
        else ("stem=[" + "act, " * 15_000 + "act]",),
    }[kind]
    return Bomb(chain(params=params), overrides=settings)


@family
def faulty_overrides(draw: Draw) -> Bomb:
    """Many overrides that do not fit, beside many names that would."""
    params = draw.mapped(lambda n: f"chanels{n:05}: 1")
    settings = tuple(f"params.chanel{n:05}=1" for n in range(draw.some(200)))
    return Bomb(chain(params=params), overrides=settings)
