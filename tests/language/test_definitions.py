"""Blocks, shortcuts and fragments in their lexical scope; imports; parameters; naming; and what the hash covers."""

from __future__ import annotations

from pathlib import Path

import pytest

import archspec
from archspec.diagnostics import Faults, Source
from archspec.graph.graph import Graph
from archspec.language.load import load
from archspec.language.terms import Cursor, read_template
from archspec.language.text.reader import read
from archspec.work import Work
from tests.support.equivalence import spec
from tests.support.properties import fingerprint

HEAD = "archspec: 1\nname: t\nstem: [conv: {out: 8}]\n"
STAGES = "stages: {block: basic, count: 1, channels: 8}\n"


def compiled(text: str, folder: Path | None = None) -> Graph:
    path = str(folder / "t.yaml") if folder else None
    return archspec.compile(archspec.load(Source("t.yaml", HEAD + text, path=path)))


def refusal(text: str, folder: Path | None = None) -> archspec.SpecError:
    with pytest.raises(archspec.SpecError) as caught:
        compiled(text, folder)
    return caught.value


def kinds(graph: Graph, scope: str) -> list[str]:
    return [node.operation.kind for node in graph.nodes if node.name.startswith(scope)]


# -- scope -------------------------------------------------------------------------------------------------------------

OWN_GATE = "fragments: {se: {params: {squeeze: 1}, steps: [conv: {out: in_channels}]}}\n"
LIBRARY_GATE = ["avgpool", "conv", "relu", "conv", "sigmoid", "multiply"]


def test_a_definition_of_ones_own_does_not_change_the_librarys() -> None:
    text = OWN_GATE + "stages: {block: bottleneck, count: 1, channels: 8, se: 0.25}\nhead: [{se: {}}]\n"
    graph = compiled(text)
    assert kinds(graph, "layer1.0.se") == LIBRARY_GATE
    assert kinds(graph, "se") == ["conv"]


def test_a_block_of_ones_own_sees_ones_own() -> None:
    text = (
        OWN_GATE
        + "blocks: {b: {residual: [layer: {out: channels}, se: {}]}}\nstages: {block: b, count: 1, channels: 8}\n"
    )
    assert kinds(compiled(text), "layer1.0.se") == ["conv"]


def test_an_imported_file_sees_its_own_then_its_imports_then_the_library(tmp_path: Path) -> None:
    (tmp_path / "inner.yaml").write_text("archspec: 1\nfragments: {inner: {steps: [act: {type: tanh}]}}\n")
    (tmp_path / "outer.yaml").write_text(
        "archspec: 1\nimport: inner.yaml\n" + OWN_GATE + "blocks:\n  b:\n    residual:\n"
        "      - layer: {out: channels}\n      - se\n      - inner\n"
    )
    text = (
        "import: outer.yaml\nfragments: {inner: {steps: [flatten]}}\n"
        "stages: {block: b, count: 1, channels: 8}\nhead: [{se: {squeeze: 2}}]\n"
    )
    graph = compiled(text, tmp_path)
    assert kinds(graph, "layer1.0.se") == ["conv"]
    assert kinds(graph, "layer1.0.inner") == ["tanh"]
    assert kinds(graph, "se") == ["conv"]


def test_an_imported_file_does_not_see_the_spec(tmp_path: Path) -> None:
    (tmp_path / "lib.yaml").write_text("archspec: 1\nblocks: {b: {residual: [layer: {out: channels}, mine]}}\n")
    text = "import: lib.yaml\nfragments: {mine: {steps: []}}\nstages: {block: b, count: 1, channels: 8}\n"
    (found,) = refusal(text, tmp_path).diagnostics
    assert (found.code, found.span and found.span.source.name) == ("E302", "lib.yaml")


def test_an_imported_file_does_not_see_its_neighbours(tmp_path: Path) -> None:
    (tmp_path / "one.yaml").write_text("archspec: 1\nfragments: {gate: {steps: [act]}}\n")
    (tmp_path / "two.yaml").write_text("archspec: 1\nfragments: {two: {steps: [gate]}}\n")
    (found,) = refusal("import: [one.yaml, two.yaml]\nhead: [two]\n" + STAGES, tmp_path).diagnostics
    assert (found.code, found.span and found.span.source.name) == ("E302", "two.yaml")
    (tmp_path / "two.yaml").write_text("archspec: 1\nimport: one.yaml\nfragments: {two: {steps: [gate]}}\n")
    assert kinds(compiled("import: [one.yaml, two.yaml]\nhead: [two]\n" + STAGES, tmp_path), "two") == ["relu"]


def test_the_later_import_comes_first(tmp_path: Path) -> None:
    for name in ("relu", "tanh"):
        (tmp_path / f"{name}.yaml").write_text(f"archspec: 1\nfragments: {{f: {{steps: [act: {{type: {name}}}]}}}}\n")
    assert kinds(compiled("import: [relu.yaml, tanh.yaml]\nhead: [f]\n" + STAGES, tmp_path), "f") == ["tanh"]


@pytest.mark.parametrize(
    "imports", ["[gates, blocks]", "[blocks, gates]", "gates", "[outer, blocks]", "[blocks, outer]", "[outer, more]"]
)
def test_the_library_comes_after_every_import(imports: str, tmp_path: Path) -> None:
    (tmp_path / "gates.yaml").write_text("archspec: 1\n" + OWN_GATE)
    (tmp_path / "outer.yaml").write_text("archspec: 1\nimport: [gates, blocks]\n")
    for name in ("blocks", "more"):
        (tmp_path / f"{name}.yaml").write_text(f"archspec: 1\nblocks: {{{name}: {{residual: []}}}}\n")
    assert kinds(compiled(f"import: {imports}\nhead: [se]\n" + STAGES, tmp_path), "se") == ["conv"]


def test_a_shortcut_is_looked_up_where_the_setting_is_written(tmp_path: Path) -> None:
    (tmp_path / "lib.yaml").write_text(
        "archspec: 1\nshortcuts: {beside: {same: [act: {type: tanh}], change: none}}\n"
        "blocks: {b: {fixed: {shortcut: beside}, residual: [layer: {out: channels}]}}\n"
    )
    text = (
        "import: lib.yaml\nshortcuts: {beside: {same: none, change: none}}\nstages: {block: b, count: 1, channels: 8}\n"
    )
    assert "tanh" in kinds(compiled(text, tmp_path), "layer1.0")


@pytest.mark.parametrize(
    ("text", "circle"),
    [
        ("fragments: {a: {steps: [a]}}", "a > a"),
        ("fragments: {a: {steps: [b]}, b: {steps: [sequence: {steps: [{c: {}}]}]}, c: {steps: [b]}}", "b > c > b"),
        ("fragments: {se: {steps: [se]}}", "se > se"),
        ("fragments: {a: {steps: [add: [[], [layer: {of: [a]}]]]}}", "a > a"),
    ],
)
def test_fragments_in_a_circle(text: str, circle: str) -> None:
    found = refusal(text + "\n" + STAGES).diagnostics
    assert [d.code for d in found] == ["E307"]
    assert found[0].message.endswith(circle)


def test_arguments_are_evaluated_where_they_are_written_and_defaults_inside() -> None:
    text = (
        "fragments:\n  inner: {params: {width: 3, twice: width * 2}, steps: [conv: {out: width}, conv: {out: twice}]}\n"
        "  outer: {params: {width: 5}, steps: [{inner: {width: width + 10}}]}\n"
    )
    graph = compiled(text + "head: [outer]\n" + STAGES) if "width * 2" not in text else None
    if graph is None:
        found = refusal(text + "head: [outer]\n" + STAGES).diagnostics
        assert [d.code for d in found] == ["E402"]  # a default sees no other parameter: `let` is for that
    graph = compiled(
        text.replace("twice: width * 2}", "}, let: {twice: width * 2}").replace("3, }", "3}")
        + "head: [outer]\n"
        + STAGES
    )
    assert [node.shape[0] for node in graph.nodes if node.name.startswith("outer")] == [15, 30]


def test_let_follows_dependence_and_not_the_order_of_writing() -> None:
    text = "blocks: {b: {let: {c: b + 1, b: a + 1, a: channels}, steps: [conv: {out: c}]}}\n"
    text += STAGES.replace("basic", "b")
    assert compiled(text).by_name["layer1.0.conv1"].shape[0] == 10


@pytest.mark.parametrize("let", ["{a: a}", "{a: b, b: a}", "{a: b + 1, b: c, c: d, d: b, e: 1}"])
def test_let_in_a_circle(let: str) -> None:
    text = f"blocks: {{b: {{let: {let}, steps: [conv: {{out: 3}}]}}}}\nstages: {{block: b, count: 1, channels: 8}}\n"
    assert [d.code for d in refusal(text).diagnostics] == ["E308"]


@pytest.mark.parametrize(
    "name", ["relu", "batch", "pre", "none", "min", "scaled", "if", "classes", "stride", "out_channels"]
)
def test_no_parameter_is_named_like_a_word_of_the_language(name: str) -> None:
    assert [d.code for d in refusal(f"params: {{{name}: 1}}\n{STAGES}").diagnostics] == ["E312"]


def test_params_of_the_spec_reach_every_expression(tmp_path: Path) -> None:
    (tmp_path / "lib.yaml").write_text("archspec: 1\nfragments: {f: {steps: [conv: {out: width}]}}\n")
    text = (
        "import: lib.yaml\nparams: {width: 6, function: tanh, wide: true}\nclasses: width\n"
        "blocks: {b: {steps: [conv: {out: width * 2, bias: wide}, act: {type: function}, f]}}\n"
        'stages: {block: b, count: width // 3}\nnaming: {block: "b{index + width}"}\n'
    )
    graph = compiled(text, tmp_path)
    assert [node.shape[0] for node in graph.nodes if node.name.startswith("layer1.b6")] == [12, 12, 6]
    assert kinds(graph, "layer1.b7") == ["conv", "tanh", "conv"]
    assert graph.output == (6,)


# -- naming ------------------------------------------------------------------------------------------------------------


def template(text: str) -> tuple[list[str], list[str]]:
    """The parts of a template, and the codes of its faults."""
    faults = Faults(Work())
    found = read_template(Cursor(read(Source("t", f"a: '{text}'"))).child("a"), faults)
    return [part if isinstance(part, str) else part.text for part in found.parts], [d.code for d in faults]


@pytest.mark.parametrize(
    ("text", "parts", "codes"),
    [
        ("layer", ["layer"], []),
        ("", [], []),
        ("layer{stage}", ["layer", "stage"], []),
        ("{stage}.{index + 1}x", ["stage", ".", "index + 1", "x"], []),
        ("{letter(index)}", ["letter(index)"], []),
        ("a{", ["a{"], ["E401"]),
        ("a}", ["a}"], ["E401"]),
        ("{{a}}", ["{", "a", "}"], ["E401"]),
        ("{}", [], ["E401"]),
        ("{1 +}", [], ["E401"]),
    ],
)
def test_templates(text: str, parts: list[str], codes: list[str]) -> None:
    assert template(text) == (parts, codes)


def names(text: str) -> list[str]:
    return [node.name for node in compiled(text + STAGES).nodes]


def test_conventions_and_templates_over_them() -> None:
    assert "layer1.0.conv1" in names("")
    assert "features.1.0.0" in names("naming: sequential\n")
    assert "features.1.conv.0.0" in names("naming: {convention: sequential, residual: conv}\n")
    assert "trunk.block1-0.f.conv_a" in names(
        'naming: {stage: trunk, block: "block{stage}-{index}", residual: f, conv: "conv_{letter(n - 1)}"}\n'
    )


@pytest.mark.parametrize(
    ("naming", "code"),
    [
        ("torchvison", "E302"),
        ("{convention: tm}", "E302"),
        ("{stage: '{'}", "E401"),
        ("{stage: '{foo}'}", "E402"),
        ("{stage: '{stage / 0}'}", "E404"),
        ("{conv: same}", "E304"),
        ("{block: 'a b'}", "E305"),
        ("{block: 'é'}", "E305"),
        ("{stage: forward}", "E305"),
        ("{stage: lambda}", "E305"),
        ("{conv: '__class__'}", "E305"),
        ("[]", "E202"),
    ],
)
def test_faulty_naming(naming: str, code: str) -> None:
    assert {d.code for d in refusal(f"naming: {naming}\n{STAGES}").diagnostics} == {code}


# -- the hash ----------------------------------------------------------------------------------------------------------

BRANCHES = "x: [conv: {out: 4}], y: [conv: {bias: true, out: 4}]"
SPEC = """\
archspec: 1
name: t
input: [3, 32, 32]
classes: 10
stem: {use: cifar, width: 8}
params: {a: 1}
blocks:
  b:
    channels: output width
    residual:
      - layer: {out: channels, kernel: 3}
      - concat: {x: [conv: {out: 4}], y: [conv: {bias: true, out: 4}]}
shortcuts: {s: {same: [], change: none}}
stages: {block: b, count: 2, channels: [8], shortcut: s}
"""


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("archspec: 1\n", "# a comment\narchspec: 1\n\n"),
        ("name: t\n", "name: t\nsummary: text\npaper: x\nnotes: y\ntags: [z]\n"),
        ("    channels: output width\n", "    summary: what it is\n"),
        ("shortcuts: {s: {", "shortcuts: {s: {summary: why, "),
        ("classes: 10", "classes: 10\nexpect: {params: 3}"),
        ("classes: 10", "classes: 10\nreference: torchvision:resnet18"),
        ("classes: 10", "classes: 5 * 2"),
        ("{out: channels, kernel: 3}", "{kernel: 3, out: channels}"),
        ("count: 2, channels: [8]", "channels: [8], count: [2]"),
        (
            "stages: {block: b, count: 2, channels: [8], shortcut: s}",
            "stages: [{count: 2, block: b, shortcut: s, channels: 8}]",
        ),
        ("shortcut: s}", "shortcut: s, stride: 1, dilation: [null]}"),
        ("shortcut: s}", "shortcut: s, stride: 2}"),  # the block does not read it
        ("a: 1", "a: 2"),  # nothing reads it
        ("change: none", "change: []"),  # no shape changes
    ],
)
def test_the_hash_is_blind_to_how_a_spec_is_written(old: str, new: str) -> None:
    assert old in SPEC
    assert fingerprint(load(SPEC.replace(old, new))) == fingerprint(load(SPEC))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("[3, 32, 32]", "[3, 32, 33]"),
        ("classes: 10", "classes: 11"),
        ("width: 8}", "width: 9}"),
        ("kernel: 3", "kernel: 5"),
        ("count: 2", "count: 3"),
        ("shortcut: s}", "shortcut: none}"),
        ("classes: 10", "classes: 10\nact: gelu"),
        ("classes: 10", "classes: 10\ninit: {bias: zero}"),
        ("classes: 10", "classes: 10\noutputs: [layer1]"),
        ("classes: 10", "classes: 10\nnaming: sequential"),
        ("classes: 10", "classes: 10\nscale: {width: 2}"),
        (BRANCHES, ", ".join(reversed(BRANCHES.split(", ", 1)))),
    ],
)
def test_the_hash_covers_what_changes_the_network(old: str, new: str) -> None:
    assert old in SPEC
    assert fingerprint(load(SPEC.replace(old, new))) != fingerprint(load(SPEC))


def test_the_hash_covers_what_is_imported_but_not_its_name(tmp_path: Path) -> None:
    """A block's `fixed` shortcut means what the imported file defines: changing that changes the network."""
    text = "archspec: 1\nblocks: {b: {fixed: {shortcut: s}, residual: [layer: {out: channels}]}}\n"
    text += "shortcuts: {s: {same: [], change: none}}\n"
    (tmp_path / "one.yaml").write_text(text)
    (tmp_path / "same.yaml").write_text("# renamed\n" + text.replace("archspec: 1\n", "archspec: 1\nsummary: x\n"))
    (tmp_path / "other.yaml").write_text(text.replace("same: []", "same: none"))
    hashes = []
    for name in ("one", "same", "other"):
        spec = f"{HEAD}import: {name}.yaml\nstages: {{block: b, count: 1, channels: 8}}\n"
        hashes.append(fingerprint(load(Source("t", spec, path=str(tmp_path / "t.yaml")))))
    assert hashes[0] == hashes[1] != hashes[2]


def test_the_hash_of_an_extending_spec_is_that_of_the_whole(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text(SPEC)
    (tmp_path / "over.yaml").write_text("archspec: 1\nname: t\nextends: base\nclasses: 12\n")
    assert fingerprint(load(tmp_path / "over.yaml")) == fingerprint(load(SPEC.replace("classes: 10", "classes: 12")))


def test_the_hash_covers_generated_tables() -> None:
    text = HEAD + "stages: {block: basic, quantized_linear: {depth: 4, w_0: 8, w_a: 8, w_m: %s}}\n"
    assert fingerprint(load(text % 2)) != fingerprint(load(text % 3))


def test_a_naming_may_be_imported(tmp_path: Path) -> None:
    (tmp_path / "names.yaml").write_text('archspec: 1\nnaming: {mine: {stage: "s{stage}"}}\n')
    text = "archspec: 1\nname: t\nimport: names.yaml\nnaming: %s\nstages: {block: basic, count: 1, channels: 64}\n"
    (tmp_path / "net.yaml").write_text(text % "mine")
    assert archspec.compile(tmp_path / "net.yaml").stages[0].scope == "s1"
    (tmp_path / "net.yaml").write_text(text % "mien")
    with pytest.raises(archspec.SpecError) as refused:
        archspec.load(tmp_path / "net.yaml")
    assert [(d.code, d.hint) for d in refused.value.diagnostics] == [("E302", "did you mean `mine`?")]


def test_a_listed_word_is_no_name() -> None:
    """`over: channels` means the channels in a block too, and a fragment may have a parameter `channels`."""
    text = """
        input: [3, 8, 8]
        stem: [gate: {channels: 5}]
        stages: {block: own, count: 1, channels: 8}
        blocks: {own: {channels: width, steps: [conv: {out: channels}, mean: {over: channels}, conv: {out: 8}]}}
        fragments:
          gate:
            params: {channels: 4}
            steps: [conv: {out: channels}, max: {over: channels}, max: {over: "'channels' if channels > 4 else 'end'"}]
    """
    found = archspec.compile(spec(text))
    assert [node.shape for node in found.nodes][:3] == [(5, 8, 8), (1, 8, 8), (1, 8, 8)]
    assert [node.operation.name for node in found.nodes].count("mean") == 1
