"""Bombs for reading: long texts, many values, aliases, faults of YAML."""

from __future__ import annotations

from tests.tools.fuzz.bombs.bomb import HEAD, LIMITS, Bomb, Draw, as_key, chain, family


@family
def long_text(draw: Draw) -> Bomb:
    """One scalar as long as the file allows, in each style."""
    length = draw.some(LIMITS.bytes - HEAD)
    text = {
        "plain": "word " * (length // 5),
        "single": "'" + "it''s " * (length // 6) + "'",
        "double": '"' + "\\u00e9" * (length // 6) + '"',
        "escaped": '"' + "\\x20 " * (length // 5) + '"',
        "folded": ">\n" + "  word word\n" * (length // 12),
        "literal": "|\n" + "  word\n\n" * (length // 8),
        "wide": "'" + "\U0001f600" * (length // 4) + "'",
    }[draw.pick("plain", "single", "double", "escaped", "folded", "literal", "wide")]
    return Bomb(chain(summary=text))


@family
def nothing_said(draw: Draw) -> Bomb:
    """Comments, blank lines and spaces around a small spec, with each kind of line break."""
    line = draw.pick("\n", "\r\n", "# comment\n", "    \n", "#" * 5000 + "\n", "\r")
    filler = line * (draw.some(LIMITS.bytes - HEAD) // len(line))
    text = Bomb(chain(classes="0")).text
    return Bomb(raw=filler + text if draw.random.random() < 0.5 else text + filler)


@family
def aliases(draw: Draw) -> Bomb:
    """Aliases that repeat lists of aliases, up to the limit of values."""
    width = draw.random.choice((2, 3, 10, 100))
    levels = [f"a0: &a0 [{', '.join(['act'] * 10)}]"]
    size = 10
    while size * width < LIMITS.values * draw.part * 0.4 and len(levels) < 12:
        levels.append(f"a{len(levels)}: &a{len(levels)} [{', '.join([f'concat: [*a{len(levels) - 1}]'] * width)}]")
        size = (size + 2) * width
    fragments = "{" + ", ".join(level.replace(": &", ": {steps: &", 1) + "}" for level in levels) + "}"
    return Bomb({"fragments": fragments} | chain(stem=f"*a{len(levels) - 1}"))


@family
def long_aliases(draw: Draw) -> Bomb:
    """One long text, repeated by aliases where it is a fault."""
    text = '"' + draw.pick("ab ", "(", "1+") * (draw.some(60_000)) + '"'
    place = draw.pick("when: *a", "type: *a", "name: *a", "*a : 1")
    steps = draw.listed(lambda n: f"act: {{{place}}}", 3, 0.5)
    return Bomb({"notes": f"&a {text}"} | chain(stem=steps))


@family
def long_key_aliases(draw: Draw) -> Bomb:
    """A mapping with a long key, repeated by aliases."""
    key = as_key(draw.name(100_000))
    inner = draw.pick(f"{{concat: {{{key}: [act]}}}}", f"{{act: {{{key}: 1}}}}", f"{{{key}: {{}}}}")
    return Bomb(chain(stem=f"[&a {inner}, " + ", ".join(["*a"] * draw.some(2_500)) + "]"))


@family
def deep(draw: Draw) -> Bomb:
    """Nesting up to the limit, again and again."""
    depth = draw.random.choice((10, 27, 56))
    opening, closing = draw.random.choice((("{concat: [[", "]]}"), ("{sequence: {steps: [", "]}}"), ("[", "]")))
    per = 3 if closing != "]" else 1
    depth = depth // per
    return Bomb(chain(stem=draw.listed(lambda n: opening * depth + "act" + closing * depth, depth * per + 1)))


@family
def yaml_faults(draw: Draw) -> Bomb:
    """The same fault of reading, thousands of times."""
    make = {
        "twice": lambda n: "a: 1",
        "merge": lambda n: "<<: 1",
        "tag": lambda n: f"a{n}: !t 1",
        "finite": lambda n: f"a{n}: .nan",
        "number": lambda n: f"{n}: 1",
        "empty": lambda n: f"a{n}: *nothing",
        "list": lambda n: f"? [a, {n}]\n: 1",
        "escape": lambda n: f'a{n}: "\\x01"',
        "ambiguous": lambda n: f"a{n}: 01{n % 8}",
        "anchor": lambda n: f"a{n}: &b{n} 1",
        "long": lambda n: f"{'k' * 900}{n}: .nan",
    }[draw.pick("twice", "merge", "tag", "finite", "number", "empty", "list", "escape", "ambiguous", "anchor", "long")]
    return Bomb(chain(params=draw.mapped(make)))


@family
def yaml_faults_by_line(draw: Draw) -> Bomb:
    """Faults of reading, each on a line of its own, and lines without a value."""
    make = {
        "twice": lambda n: "  a: 1\n",
        "tag": lambda n: f"  a{n}: !t\n",
        "anchored": lambda n: f"  a{n}: &a{n}\n",
        "block": lambda n: f"  a{n}: !t |\n    text\n",
        "quoted": lambda n: f'  a{n}: "one\n    two"\n',
    }[draw.pick("twice", "tag", "anchored", "block", "quoted")]
    return Bomb(raw=Bomb(chain()).text + "params:\n" + "".join(draw.items(make)))


@family
def giant_numbers(draw: Draw) -> Bomb:
    """Numbers of thousands of digits, where numbers stand."""
    digits = draw.pick("9", "10", "1_0") * (draw.random.choice((10, 300, 2_000, 50_000)) // 2)
    number = draw.pick(digits, "0." + digits, digits + ".0", digits + "e9", "-" + digits)
    steps = draw.listed(lambda n: f"conv: {{out: {number}}}", 3, 0.4)
    claims = draw.listed(lambda n: number, 1, 0.4)
    return Bomb(chain(stem=steps, expect=f"{{output: {claims}, params: {number}}}"))


@family
def not_closed(draw: Draw) -> Bomb:
    """A text that stops being YAML at its end."""
    return Bomb(raw=Bomb(chain()).text + "head: [" + ", ".join(draw.items(lambda n: "act: {type: relu}", 3)))


@family
def values_at_the_end(draw: Draw) -> Bomb:
    """Values that end with the text, which has no line break there."""
    return Bomb(raw=Bomb(chain(notes="x " * draw.some(100_000))).text + "head:\n" + "- " * draw.some(60) + "act")


@family
def strange_bytes(draw: Draw) -> Bomb:
    """Text that may not be in a spec, at its very end."""
    bad = draw.pick("\x00", "\udcff", "\u2028", "\ufeff", "\x85")
    return Bomb(raw=Bomb(chain(notes="é " * draw.some(80_000))).text + "# " + bad)
