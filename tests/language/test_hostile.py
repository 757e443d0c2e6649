"""What a spec may not do: run code, read elsewhere, take forever. Each class of fault with several inputs."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import archspec
from archspec.diagnostics import Source
from archspec.language.load import load
from tests.support.timing import allowed

HEAD = "archspec: 1\nname: t\n"
STAGES = "stages: {block: basic, count: 1, channels: 8}\n"


def refused(action: Callable[[], object], within: float = 1.0) -> list[str]:
    """The codes with which an action is refused, in less than a second of the processor."""
    start = time.process_time()
    with pytest.raises(archspec.SpecError) as caught:
        action()
    assert time.process_time() - start < allowed(within)
    for found in caught.value.diagnostics:
        for text in (found.message, found.hint, found.help, *found.notes):
            assert text.isprintable()
            assert len(text) < 500
    return [d.code for d in caught.value.diagnostics]


# -- names that reach torch.fx -----------------------------------------------------------------------------------------

NAMES = [
    'x=__import__("os").system("echo")',
    "__import__('os')",
    "x; import os",
    "x\\nimport os",
    "a b",
    "a-",
    "-a",
    "1a",
    "a..b",
    ".a",
    "a.",
    "self.x()",
    "x[0]",
    "x,y",
    "x:y",
    "{x}",
    "#x",
    "\uff41",
    "\u00e9",
    "a\u200b",
    "\u202ea",
    "class",
    "None",
    "a.lambda.b",
    "__class__",
    "__init__",
]


@pytest.mark.parametrize("name", NAMES, ids=lambda name: ascii(name)[:24])
@pytest.mark.parametrize(
    "text",
    [
        'stem: [conv: {{out: 8, name: "{}"}}]',
        'stem: [sequence: {{steps: [conv: {{out: 8}}], name: "{}"}}]',
        'stem: [concat: {{"{}": [conv: {{out: 8}}]}}]',
        'naming: {{conv: "{}"}}',
        'naming: {{stage: "{}"}}',
    ],
    ids=["step", "sequence", "branch", "operation", "stage"],
)
def test_no_name_of_a_spec_reaches_a_model_unchecked(text: str, name: str) -> None:
    written = text.format(name.replace('"', '\\"'))
    codes = refused(lambda: archspec.compile(f"{HEAD}{written}\n{STAGES}"))
    assert set(codes) <= {"E305", "E206", "E401", "E402"}


@pytest.mark.parametrize("name", NAMES, ids=lambda name: ascii(name)[:24])
def test_no_stage_and_no_fragment_has_such_a_name(name: str) -> None:
    quoted = '"' + name.replace('"', '\\"') + '"'
    table = f"stages: {{block: basic, count: 1, channels: 8, name: {quoted}}}\n"
    assert set(refused(lambda: archspec.compile(HEAD + table))) <= {"E305", "E401", "E402"}
    fragments = f"fragments: {{{quoted}: {{steps: [conv: {{out: 8}}]}}}}\nstem: [{quoted}]\n"
    assert set(refused(lambda: archspec.compile(HEAD + fragments + STAGES))) <= {"E305", "E302", "E206"}


def test_ordinary_names_pass() -> None:
    for name in ("a", "A_1", "0", "branch1.0.conv", "_x"):
        graph = archspec.compile(f'{HEAD}stem: [conv: {{out: 8, name: "{name}"}}]\n{STAGES}')
        assert graph.nodes[0].name == name


# -- files -------------------------------------------------------------------------------------------------------------


def spec(folder: Path, reference: str, key: str = "extends", name: str = "spec") -> Path:
    path = folder / f"{name}.yaml"
    stages = STAGES if key == "import" else ""
    path.write_text(f"archspec: 1\nname: {name}\n{key}: {reference}\n{stages}", encoding="utf-8")
    return path


KEYS = pytest.mark.parametrize("key", ["extends", "import"])


@KEYS
@pytest.mark.parametrize("length", [1, 2, 5])
def test_circles(tmp_path: Path, key: str, length: int) -> None:
    for number in range(length):
        path = tmp_path / f"s{number}.yaml"
        name = f"name: s{number}\n" if key == "extends" else ""
        path.write_text(f"archspec: 1\n{name}{key}: s{(number + 1) % length}.yaml\n")
    start = tmp_path / "s0.yaml" if key == "extends" else spec(tmp_path, "s0.yaml", "import")
    with pytest.raises(archspec.SpecError) as caught:
        load(start)
    (found,) = caught.value.diagnostics
    assert found.code == "E303"
    chain = [Path(part).stem for part in found.message.rpartition(": ")[2].split(" > ")]
    assert chain[-length - 1 :] == [*(f"s{number}" for number in range(length)), "s0"]


@KEYS
def test_chains(tmp_path: Path, key: str) -> None:
    for number in range(100):
        name = f"name: s{number}\n" if key == "extends" else ""
        (tmp_path / f"s{number}.yaml").write_text(f"archspec: 1\n{name}{key}: s{number + 1}.yaml\n")
    start = tmp_path / "s0.yaml" if key == "extends" else spec(tmp_path, "s0.yaml", "import")
    assert refused(lambda: load(start)) == ["E303"]


@KEYS
@pytest.mark.parametrize(
    "reference",
    ["../outside.yaml", "/etc/passwd.yaml", "sub/../../outside.yaml", "../spec/../outside.yaml", "link.yaml"],
)
def test_paths_outside_the_folder(tmp_path: Path, key: str, reference: str) -> None:
    (tmp_path / "outside.yaml").write_text(f"{HEAD}{STAGES}" if key == "extends" else "archspec: 1\n")
    folder = tmp_path / "spec"
    (folder / "sub").mkdir(parents=True)
    (folder / "link.yaml").symlink_to(tmp_path / "outside.yaml")
    path = spec(folder, reference, key)
    assert refused(lambda: load(path)) == ["E802"]
    if "etc" not in reference:
        load(path, allow_outside=True)


@KEYS
def test_links_in_a_loop(tmp_path: Path, key: str) -> None:
    (tmp_path / "a.yaml").symlink_to("b.yaml")
    (tmp_path / "b.yaml").symlink_to("a.yaml")
    assert refused(lambda: load(spec(tmp_path, "a.yaml", key))) == ["E801"]
    assert refused(lambda: load(tmp_path / "a.yaml")) == ["E801"]


@KEYS
@pytest.mark.skipif(sys.platform == "win32", reason="no pipes in the file system")
def test_pipes_and_devices(tmp_path: Path, key: str) -> None:
    os.mkfifo(tmp_path / "pipe.yaml")
    (tmp_path / "zero.yaml").symlink_to("/dev/zero")
    assert refused(lambda: load(spec(tmp_path, "pipe.yaml", key))) == ["E803"]
    assert refused(lambda: load(spec(tmp_path, "zero.yaml", key), allow_outside=True)) == ["E803"]
    assert refused(lambda: load(spec(tmp_path, "zero.yaml", key))) == ["E802"]


@KEYS
@pytest.mark.parametrize(
    ("reference", "code"),
    [
        ("x" * 5000 + ".yaml", "E801"),
        ("x" * 5000, "E801"),
        ("'a/' ", "E801"),
        ("sub/", "E803"),
        ("./", "E803"),
        ("é.yaml", "E801"),
        ("'a\\b.yaml'", "E801"),
        ("'~/x.yaml'", "E801"),
        ("'$HOME/x.yaml'", "E801"),
        ("'http://127.0.0.1/x.yaml'", "E801"),
        ("' '", "E801"),
        ("''", "E206"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_names_of_no_file(tmp_path: Path, key: str, reference: str, code: str) -> None:
    (tmp_path / "sub").mkdir()
    path = spec(tmp_path, reference, key)
    with pytest.raises(archspec.SpecError) as caught:
        load(path)
    (found,) = caught.value.diagnostics
    assert found.code == code
    assert found.span is not None
    assert found.span.line == 3  # the line that names the file


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="file names are Unicode there")
def test_names_that_are_not_utf_8(tmp_path: Path) -> None:
    odd = Path(os.fsdecode(os.fsencode(tmp_path) + b"/spec\xff.yaml"))
    odd.write_text(HEAD + STAGES)
    assert load(odd).name == "t"
    assert refused(lambda: load(spec(tmp_path, "spec_.yaml"))) == ["E801"]  # the odd name may be the nearest one
    odd.write_text("archspec: 2")
    assert refused(lambda: load(odd)) == ["E207"]


@pytest.mark.parametrize(
    "reference", ["", " ", "\0", "a\0.yaml", "x" * 5000, "no/such.yaml", "\ud800.yaml", "resnet5O", "."]
)
def test_specs_that_are_no_file(reference: str) -> None:
    assert refused(lambda: load(reference)) in (["E801"], ["E803"])


def test_many_files_that_import_each_other(tmp_path: Path) -> None:
    """A name that nobody defines is looked for in each file once, not along every way to it."""
    for number in range(60):
        uses = ", ".join(f"s{n}.yaml" for n in range(number + 1, min(number + 4, 60)))
        (tmp_path / f"s{number}.yaml").write_text(f"archspec: 1\nimport: [{uses}]\n")
    path = spec(tmp_path, f"[{', '.join(f's{n}.yaml' for n in range(59, -1, -1))}]", "import")
    path.write_text(path.read_text(encoding="utf-8") + "stem: nowhere\n", encoding="utf-8")
    assert refused(lambda: load(path), within=2) == ["E302"]


def test_too_many_files(tmp_path: Path) -> None:
    for number in range(100):
        (tmp_path / f"s{number}.yaml").write_text("archspec: 1\n")
    names = ", ".join(f"s{number}.yaml" for number in range(100))
    assert refused(lambda: load(spec(tmp_path, f"[{names}]", "import"))) == ["E103"]


@pytest.mark.parametrize("size", [0, 250_000])
@pytest.mark.parametrize("name", ["d.yaml", "./d.yaml", "d"])
def test_one_file_imported_thousands_of_times(tmp_path: Path, name: str, size: int) -> None:
    (tmp_path / "d.yaml").write_text(f"archspec: 1\nfragments: {{f: {{steps: []}}}}\n# {'x' * size}\n")
    names = ", ".join([name] * 15_000)
    assert refused(lambda: load(spec(tmp_path, f"[{names}]", "import"))) == ["E603"]
    load(spec(tmp_path, f"[{name}, {name}]", "import"))


# -- resources ---------------------------------------------------------------------------------------------------------

BIG = ["1000000000", "999999999999999", "1000000 * 1000000"]


@pytest.mark.parametrize("number", [*BIG, "1e9", "10000000000000000", "99999999999999999999999", "99**4000000"])
@pytest.mark.parametrize(
    "text",
    [
        "stages: {block: basic, count: 'NUMBER', channels: 8}",
        "stages: {block: basic, count: [1, 'NUMBER'], channels: 8}",
        "stages: {block: basic, count: 1, channels: 'NUMBER'}",
        "stages: {block: bottleneck, count: 1, channels: 64, expansion: 'NUMBER'}",
        "stem: [conv: {out: 'NUMBER', kernel: 3}]\n" + STAGES,
        "stem: {use: imagenet, width: 'NUMBER'}\n" + STAGES,
        "input: ['NUMBER', 'NUMBER', 'NUMBER']\n" + STAGES,
        "stem: [conv: {out: 8, padding: 'NUMBER'}]\n" + STAGES,
        "classes: 'NUMBER'\nstages: {block: basic, count: 1, channels: 512}",
    ],
    ids=["count", "counts", "channels", "expansion", "out", "width", "input", "padding", "classes"],
)
def test_huge_numbers(text: str, number: str) -> None:
    written = text.replace("NUMBER", number).replace("'1000000000'", "1000000000")
    codes = refused(lambda: archspec.compile(f"{HEAD}{written}\n"))
    assert set(codes) <= {"E202", "E205", "E401", "E403", "E405", "E501", "E601", "E602"}


LEAVES = ["[conv: {out: 8}]", "[]", "[norm: {when: 1 > 2}]", "[layer: {out: 8, when: 1 > 2}]", "[flatten]"]


@pytest.mark.parametrize("leaf", LEAVES)
@pytest.mark.parametrize(
    "use",
    [
        "stem: f0\n" + STAGES,
        "stem: [f0]\n" + STAGES,
        "head: {use: f0}\n" + STAGES,
        "stem: [sequence: {steps: [add: [[], [f0]]]}]\n" + STAGES,
        "stages: {block: basic, count: 1, channels: 8, before: f0}\n",
        "stages: {block: basic, count: 1, channels: 8, after: [[f0]]}\n",
        "blocks: {b: {residual: [f0]}}\nstages: {block: b, count: 1}\n",
        "shortcuts: {s: {same: [f0], change: [f0]}}\nstages: {block: basic, count: 1, channels: 8, shortcut: s}\n",
    ],
    ids=["stem", "list", "head", "nested", "before", "after", "block", "shortcut"],
)
def test_fragments_that_double_at_each_of_thirty_levels(use: str, leaf: str) -> None:
    doubling = "".join(f"  f{n}: {{steps: [f{n + 1}, f{n + 1}]}}\n" for n in range(30))
    text = f"{HEAD}fragments:\n{doubling}  f30: {{steps: {leaf}}}\n{use}"
    assert refused(lambda: load(text)) == ["E601"]


def test_lists_of_calls_are_counted_together() -> None:
    """No definition is large by itself, but one sequence calls it a thousand times."""
    steps = ", ".join(["{conv: {out: 8}}"] * 100)
    text = f"{HEAD}fragments: {{f: {{steps: [{steps}]}}}}\nstem: [{', '.join(['f'] * 1000)}]\n{STAGES}"
    assert refused(lambda: load(text)) == ["E601"]


@pytest.mark.parametrize("inner", ["sequence: {steps: [%s]}", "add: [[], [%s]]", "layer: {of: [%s]}"])
def test_steps_nested_through_fragments(inner: str) -> None:
    """Deep nesting hidden in sixty fragments, each of which is shallow, would exhaust the stack."""
    step = "f{}"
    for _ in range(12):
        step = "{" + inner.replace("%s", step) + "}"
    text = HEAD + "fragments:\n"
    for number in range(60):
        text += f"  f{number}: {{steps: [{step.replace('{}', str(number + 1))}]}}\n"
    assert set(refused(lambda: load(f"{text}  f60: {{steps: []}}\nstem: f0\n{STAGES}"))) == {"E103"}
    backwards = text.splitlines(keepends=True)
    text = "".join([*backwards[:3], "  f60: {steps: []}\n", *reversed(backwards[3:])])
    assert set(refused(lambda: load(f"{text}stem: f0\n{STAGES}"))) == {"E103"}


def test_sixty_levels_are_no_fault() -> None:
    chain = "".join(f"  f{number}: {{steps: [f{number + 1}]}}\n" for number in range(60))
    archspec.compile(f"{HEAD}fragments:\n{chain}  f60: {{steps: [conv: {{out: 8}}]}}\nstem: f0\n{STAGES}")


@pytest.mark.parametrize(
    "text",
    [
        "params: {" + ", ".join(f"p{n}: 1" for n in range(4000)) + "}\nclasses: " + "p" * 50,
        "fragments: {" + ", ".join(f"f{n}: {{steps: [g{n}]}}" for n in range(3000)) + "}",
        "blocks: {" + ", ".join(f"b{n}: {{steps: [conv: {{out: q{n}}}]}}" for n in range(2000)) + "}",
        "stem: [" + ", ".join(["cnov"] * 15_000) + "]",
        "".join(f"chanel{n}: 1\n" for n in range(9_000)),
        "stages: {block: [" + ", ".join(["basc"] * 9000) + "], count: 1}",
        "stages: {" + ", ".join(f"k{n}: 1" for n in range(9000)) + "}",
        "blocks: {b: {let: {" + ", ".join(f"v{n}: v{n + 1}" for n in range(5000)) + ", v5000: v0}, steps: []}}",
    ],
    ids=["params", "fragments", "blocks", "operations", "keys", "table", "columns", "let"],
)
def test_thousands_of_faults_take_no_time(text: str) -> None:
    stages = "" if text.startswith("stages") else STAGES
    assert refused(lambda: load(f"{HEAD}{text}\n{stages}"), within=4)


def test_the_library_is_not_harmed_by_a_spec_that_is_nested_too_deep() -> None:
    """The library is read once for all specs, so never in the light of one."""
    chain = "".join(f"  f{number}: {{steps: [f{number + 1}]}}\n" for number in range(61))
    deep = f"{HEAD}fragments:\n{chain}  f61: {{steps: [{{se: {{squeeze: 1}}}}]}}\nstem: f0\n{STAGES}"
    shallow = f"{HEAD}stem: [conv: {{out: 8}}, se: {{squeeze: 1}}]\n{STAGES}"
    script = (
        "import archspec\n"
        f"try: archspec.load({deep!r})\n"
        "except archspec.SpecError as error: print({d.code for d in error.diagnostics})\n"
        f"print(len(archspec.compile({shallow!r}).nodes))\n"
    )
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert found.stdout.split() == ["{'E103'}", "17"]


def test_a_spec_from_elsewhere_cannot_extend_a_file() -> None:
    for reference in ("../x.yaml", "/etc/passwd.yaml", "x.yaml"):
        text = f"{HEAD}extends: {reference}\n"
        assert refused(lambda text=text: load(Source("-", text))) == ["E801"]  # type: ignore[misc]


@pytest.mark.parametrize("properties", ["!a " * 80_000, "!a\n  " * 50_000, "&a !b " * 40_000])
def test_a_value_with_thousands_of_tags(properties: str) -> None:
    assert refused(lambda: load(Source("-", f"a:\n  {properties}x\n")))[0] in ("E102", "E107")


# -- what repeats a name, or a fault -----------------------------------------------------------------------------------


def test_a_block_of_many_parameters_named_for_thousands_of_blocks() -> None:
    params = ", ".join(f"p{n}: 1" for n in range(8_000))
    names = ", ".join(["b"] * 8_000)
    stages = f"stages: {{block: [[{names}]], count: [8000], channels: 4}}\n"
    text = f"{HEAD}shortcut: none\nblocks: {{b: {{params: {{{params}}}, steps: [act]}}}}\n{stages}"
    start = time.process_time()
    assert load(text).stages[0].blocks.at(7_999).name == "b"
    assert time.process_time() - start < allowed(1.5)


def test_many_overrides_that_nearly_name_a_parameter() -> None:
    params = ", ".join(f"chanels{n:05}: 1" for n in range(15_000))
    wrong = tuple(f"params.chanel{n:05}=1" for n in range(200))
    text = f"{HEAD}{STAGES}params: {{{params}}}\n"
    assert refused(lambda: load(text, overrides=wrong), within=2) == ["E313"] * 200
