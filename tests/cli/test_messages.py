"""What a person reads: diagnostics as the language promises them, and a next step in every message about usage."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from archspec_cli.main import COMMANDS

from .conftest import SMALL, Run

# -- the two examples of the language, section 10 ----------------------------------------------------------------------


def test_a_misspelt_column(here: Path, run: Run) -> None:
    lines = "archspec: 1", "name: wide", "extends: resnet50", "stages:", "  chanels: [64, 128, 256, 512]"
    Path("wide.yaml").write_text("\n".join(lines) + "\n")
    found = run("check", "wide.yaml")
    title, *rest = found.err.split("\n")
    assert (found.status, found.out) == (1, "")
    assert title.startswith("wide.yaml:5:3: error[E301]: ")
    assert "`chanels`" in title
    assert rest == [
        "  5 |   chanels: [64, 128, 256, 512]",
        "    |   ^^^^^^^ did you mean `channels`?",
        "",
        "1 error",
        "",
    ]


ODD = """\
archspec: 1
name: odd
stages: {block: odd, count: [1], channels: [64]}
blocks:
  odd:
    residual:
      - layer: {out: 100, kernel: 1}
      - layer: {out: channels, kernel: 3, groups: 32}
"""


def test_a_fault_of_shapes_shows_where_the_channels_come_from(here: Path, run: Run) -> None:
    Path("odd.yaml").write_text(ODD)
    found = run("check", "odd.yaml")
    lines = found.err.split("\n")
    assert (found.status, found.out) == (1, "")
    assert lines[0].startswith("odd.yaml:8:51: error[E503]: ")
    assert lines[1:3] == [
        "  8 |       - layer: {out: channels, kernel: 3, groups: 32}",
        "    |                                                   ^^",
    ]
    assert lines[3] == "  7 |       - layer: {out: 100, kernel: 1}"
    assert re.fullmatch(r"    \|                      --- .*100 channels.*", lines[4])
    assert lines[5] == "  in layer1.0.conv2"
    assert lines[6] == "  shapes: input 3x224x224 > conv1 64x112x112 > maxpool 64x56x56 > layer1.0.conv1 100x56x56"
    assert lines[7].startswith("  help: ")
    assert lines[8:] == ["", "1 error", ""]


def test_a_variant_of_four_lines(here: Path, run: Run) -> None:
    """Wide ResNet-50-2, whose figure is torchvision's; what ResNet-50 expects is about ResNet-50."""
    Path("wrn50_2.yaml").write_text("archspec: 1\nname: wrn50_2\nextends: resnet50\nstages: {base_width: 128}\n")
    found = run("check", "wrn50_2.yaml")
    assert found.status == 0
    assert found.out == "wrn50_2.yaml: ok, 68,883,240 parameters, 11.4 G MACs, 50 layers\n"
    assert found.err == ""


def test_the_same_variant_with_a_slip(here: Path, run: Run) -> None:
    Path("wrn50_2.yaml").write_text(
        "archspec: 1\nname: wrn50_2\nextends: resnet50\nstages: {base_width: 128, chanels: [64, 128, 256, 512]}\n"
    )
    for command in ("check", "build"):
        found = run(command, "wrn50_2.yaml")
        assert (found.status, found.out) == (1, "")
        assert found.err.startswith("wrn50_2.yaml:4:27: error[E301]: ")
        assert "did you mean `channels`?" in found.err
        assert found.err.endswith("\n1 error\n")


def test_at_most_fifty_diagnostics_are_printed(here: Path, run: Run) -> None:
    columns = "".join(f"  colum{number}: 1\n" for number in range(60))
    Path("many.yaml").write_text(f"archspec: 1\nname: many\nextends: resnet18\nstages:\n{columns}")
    found = run("check", "many.yaml")
    assert found.status == 1
    assert found.err.count("error[") == 50
    assert found.err.endswith("\n60 errors; the first 50 are shown\n")
    assert len(run("check", "many.yaml", "--format", "json").json[0]["diagnostics"]) == 60


# -- usage -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["chek"], "did you mean `check`?"),
        (["nonsense"], ", ".join(COMMANDS)),
        (["resnet50"], "`archspec check resnet50`"),
        (["wide.yaml"], "`archspec build wide.yaml`"),
        (["-"], "`archspec check -`"),
        (["check"], "`archspec list`"),
        (["build"], "`archspec list`"),
        (["show"], "`-` for standard input"),
        (["check", "resnet18", "--sett", "a=1"], "--set"),
        (["check", "-", "-"], "standard input"),
        (["check", "resnet18", "--format", "jsn"], "did you mean `json`?"),
        (["show", "resnet18", "--format", "xml"], "the formats are yaml, json"),
        (["check", "resnet18", "--limit", "node=3"], "did you mean `nodes`?"),
        (["check", "resnet18", "--limit", "zzz=3"], "`nodes`, `elements` and `work`"),
        (["check", "resnet18", "--limit", "nodes"], "`--limit nodes=N`"),
        (["check", "resnet18", "--limit", "nodes=many"], "`--limit nodes=N`"),
        (["check", "resnet18", "--limit", "nodes=0"], "at least 1"),
        (["build", "resnet18", "resnet34"], "resnet34"),
        (["build", "resnet18", "--to", "safetensors"], "`-o FILE`"),
        (["build", "resnet18", "--seed", "-1"], "from 0"),
        (["build", "resnet18", "--seed", str(2**63)], "2^63 - 1"),
        (["build", "resnet18", "--seed", "x"], "--seed"),
        (["list", "operation"], "did you mean `operations`?"),
        (["list", "specs"], "zoo, blocks, shortcuts, fragments, operations, namings, targets"),
        (["explain", "X123"], "`archspec explain` lists all codes"),
        (["explain", "E3O1"], "did you mean `E301`?"),
        (["completion", "bsh"], "did you mean `bash`?"),
    ],
    ids=lambda value: " ".join(value)[:40] if isinstance(value, list) else "",
)
def test_wrong_usage_gets_status_2_and_a_next_step(arguments: list[str], said: str, run: Run) -> None:
    found = run(*arguments)
    assert (found.status, found.out) == (2, "")
    assert said in found.err
    assert re.search(r"^Usage: archspec ", found.err)
    assert re.search(r"^Try 'archspec( \w+)? --help' for help\.$", found.err, re.MULTILINE)
    assert re.search(r"^Error: .+", found.err, re.MULTILINE)


def test_without_a_command_there_is_help(run: Run) -> None:
    found = run()
    assert found.status == 2
    assert found.err == run("--help").out


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(command: str, run: Run) -> None:
    found = run(command, "--help")
    assert (found.status, found.err) == (0, "")
    assert found.out.startswith(f"Usage: archspec {command}")
    example = found.out.partition("Example")[2]
    assert f"archspec {command}" in example.partition("Options")[0]
    assert max(map(len, found.out.split("\n"))) <= 100


def test_help_names_every_command(run: Run) -> None:
    found = run("--help")
    assert found.status == 0
    listed = re.findall(r"^  (\w+)  +\S", found.out.partition("Commands:")[2], re.MULTILINE)
    assert listed == list(COMMANDS)
    assert run("-h") == found


def test_every_option_that_reads_a_spec_has_set(run: Run) -> None:
    for command in ("check", "build", "show"):
        assert "--set KEY=VALUE" in run(command, "--help").out


def test_the_version_is_the_installed_one(run: Run) -> None:
    from importlib.metadata import version

    assert run("--version").out == f"archspec {version('archspec-compiler')}\n"


# -- specs that are not there ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["check", "build", "show"])
def test_a_misspelt_name_gets_the_nearest(command: str, here: Path, run: Run) -> None:
    found = run(command, "resnet5O")
    assert (found.status, found.out) == (1, "")
    assert found.err.startswith("error[E801]: ")
    assert "did you mean `resnet50`?" in found.err


def test_a_folder_is_no_spec(small: Path, run: Run) -> None:
    for command in ("build", "show"):
        found = run(command, ".")
        assert (found.status, found.out) == (1, "")
        assert "error[E803]" in found.err
        assert "`archspec check .`" in found.err


@pytest.mark.parametrize("name", ["x.yaml", "no/x.yaml", "x" * 300 + ".yaml", "a\x1b[31m.yaml", "a\nb.yaml"])
def test_a_file_that_is_not_there(name: str, here: Path, run: Run) -> None:
    found = run("check", name)
    assert (found.status, found.out) == (1, "")
    assert found.err.startswith("error[E801]: ")
    assert all(line.isprintable() for line in found.err.split("\n"))


def test_a_fault_of_an_override_points_into_it(small: Path, run: Run) -> None:
    found = run("check", "small.yaml", "--set", "stages.groupz=3")
    assert found.status == 1
    lines = found.err.split("\n")
    assert re.match(r"--set:1:\d+: error\[E301\]", lines[0])
    assert lines[1] == "  1 | stages.groupz=3"
    assert "^" in lines[2]


def test_terminal_output_of_a_hostile_spec_is_harmless(here: Path, run: Run) -> None:
    """What a spec says may stand in a message, a comment or a table; nothing of it may steer the terminal."""
    bad = "\\e[31m\\u202E"
    Path("bad.yaml").write_text(
        SMALL + f'summary: "{bad}"\nnotes: "a{bad}"\ntags: ["{bad}"]\nparams: {{"a{bad}": 1}}\nact: "{bad}"\n'
    )
    Path("fine.yaml").write_text(SMALL + f'summary: "\\u202E{"x" * 9}"\ntags: ["a\\u2066b"]\n')
    outputs = [run(command, name) for command in ("check", "show") for name in ("bad.yaml", "fine.yaml")]
    assert [each.status for each in outputs] == [1, 0, 1, 0]
    for each in outputs:
        assert all(line.isprintable() for line in (each.out + each.err).split("\n"))
