"""Hostile bytes where a spec is expected: every command refuses them alike, at once and in little memory."""

from __future__ import annotations

import json
import os
import re
import sys
import time
from pathlib import Path

import pytest

from tests.cli import process
from tests.cli.conftest import Run
from tests.support.timing import allowed

HEAD = b"archspec: 1\nname: t\n"
STAGES = b"stages: {block: basic, count: 1, channels: 8}\n"
LAUGHS = b"a: &a [x, x, x, x, x, x, x, x, x]\n" + b"".join(
    b"%c: &%c [%s]\n" % (name, name, b", ".join([b"*%c" % (name - 1)] * 9)) for name in b"bcdefghi"
)

HOSTILE: dict[str, tuple[bytes, str]] = {
    # what is no text
    "nothing": (b"", "E109"),
    "a mark alone": (b"\xef\xbb\xbf", "E109"),
    "many marks": (b"\xef\xbb\xbf" * 9 + HEAD + STAGES, "E101"),
    "a mark inside": (HEAD + b"\xef\xbb\xbf" + STAGES, "E101"),
    "zeros": (bytes(1000), "E101"),
    "a zero inside": (HEAD + b"# \0\n" + STAGES, "E101"),
    "UTF-16": ((HEAD + STAGES).decode().encode("utf-16"), "E101"),
    "UTF-32": ((HEAD + STAGES).decode().encode("utf-32"), "E101"),
    "latin 1": (HEAD + b"summary: caf\xe9\n" + STAGES, "E101"),
    "a surrogate": (HEAD + b"summary: \xed\xa0\x80\n" + STAGES, "E101"),
    "an overlong character": (HEAD + b"summary: \xc0\xaf\n" + STAGES, "E101"),
    "a cut character": (HEAD + STAGES + b"# \xe2\x82", "E101"),
    "an escape of a terminal": (HEAD + b"summary: \x1b[2J\n" + STAGES, "E101"),
    # what is no document
    "a comment": (b"# archspec: 1\n" * 1000, "E109"),
    "a word": (b"archspec", "E109"),
    "a list": (b"- archspec: 1\n", "E109"),
    "two documents": (HEAD + STAGES + b"---\n" + HEAD + STAGES, "E109"),
    "HTML": (b"<!DOCTYPE html>\n<html><script>alert(1)</script></html>\n", "E109"),
    "a wheel": (b"PK\x03\x04\x14\0\0\0\x08\0", "E101"),
    # what is too much
    "large": (b"#" * 300_000, "E103"),
    "many values": (HEAD + b"tags: [" + b"x, " * 20_100 + b"]\n", "E103"),
    "brackets": (HEAD + b"tags: " + b"[" * 200_000, "E103"),
    "braces": (HEAD + b"tags: " + b"{" * 200_000, "E103"),
    "dashes": (b"- " * 100_000, "E103"),
    "questions": (b"? " * 100_000, "E103"),
    "steps of indentation": (b"".join(b" " * n + b"a:\n" for n in range(500)), "E103"),
    "a billion laughs": (HEAD + LAUGHS, "E103"),
    "one alias very often": (HEAD + b"a: &a [" + b"x, " * 1000 + b"]\nb: [" + b"*a, " * 30_000 + b"]\n", "E103"),
    "a value in itself": (HEAD + b"tags: &a [*a]\n" + STAGES, "E106"),
    "a mapping in itself": (HEAD + b"params: &a {b: *a}\n" + STAGES, "E106"),
    "merge keys": (HEAD + b"a: &a {x: 1}\nparams: {<<: *a}\n" + STAGES, "E105"),
    "a list of merge keys": (HEAD + b"a: &a {x: 1}\nparams: {<<: [" + b"*a, " * 100 + b"]}\n" + STAGES, "E105"),
    # what is no value
    "digits": (HEAD + b"classes: " + b"9" * 200_000 + b"\n" + STAGES, "E111"),
    "not a number": (HEAD + b"drop_path: .nan\n" + STAGES, "E111"),
    "infinity": (HEAD + b"drop_path: -.inf\n" + STAGES, "E111"),
    "base sixty": (HEAD + b"classes: 1" + b":1" * 100_000 + b"\n" + STAGES, "E110"),
    "octal": (HEAD + b"classes: 010\n" + STAGES, "E110"),
    "a tag that runs": (HEAD + b"summary: !!python/object/apply:os.system [id]\n" + STAGES, "E107"),
    "a tag of bytes": (HEAD + b"summary: !!binary aGk=\n" + STAGES, "E107"),
    "a key that is a list": (HEAD + b"? [a, b]\n: 1\n" + STAGES, "E108"),
    "a key that is null": (HEAD + b"~: 1\n" + STAGES, "E108"),
    "keys again and again": (HEAD + b"classes: 1\n" * 300 + STAGES, "E104"),
    "a quote that never ends": (HEAD + b'summary: "' + b"x\n" * 60_000, "E102"),
    "a tab": (HEAD + b"params:\n\ta: 1\n" + STAGES, "E102"),
    "an escape beyond Unicode": (HEAD + b'summary: "\\UFFFFFFFF"\n' + STAGES, "E102"),
    # what is no spec
    "a very long word": (HEAD + b"act: " + b"x" * 200_000 + b"\n" + STAGES, "E204"),
    "thousands of keys": (HEAD + b"".join(b"key%d: 1\n" % n for n in range(500)) + STAGES, "E201"),
    "a name that is code": (HEAD[:12] + b"name: \"x=__import__('os').system('id')\"\n" + STAGES, "E305"),
    "a script": (HEAD[:12] + b"name: </script><script>alert(1)</script>\n" + STAGES, "E305"),
    "power": (HEAD + b"classes: 99**4000000\n" + STAGES, "E401"),
    "an attribute": (HEAD + b"classes: (1).__class__\n" + STAGES, "E401"),
}

# Each command with the spec in the place of SPEC, and whether its refusal is JSON.
COMMANDS = [
    ["check", "SPEC"],
    ["check", "SPEC", "--format", "sarif"],
    ["check", "SPEC", "--format", "github"],
    ["analyze", "SPEC"],
    ["show", "SPEC"],
    ["draw", "SPEC", "-o", "-"],
    ["build", "SPEC", "--weights", "w.pth", "-o", "out.safetensors"],
    ["diff", "resnet18", "SPEC"],
    ["diff", "SPEC", "resnet18", "--format", "json"],
    ["verify", "SPEC", "--against", "torchvision:resnet18", "--map", "out.json"],
]


@pytest.mark.parametrize("name", HOSTILE)
def test_every_command_refuses_it(name: str, here: Path, run: Run) -> None:
    data, code = HOSTILE[name]
    path = here / "spec.yaml"
    path.write_bytes(data)
    for command in COMMANDS:
        start = time.process_time()
        found = run(*[path.name if word == "SPEC" else word for word in command])
        assert time.process_time() - start < allowed(1), command
        assert found.status == 1, (command, found.err)
        told = found.err if "--format" not in command else found.out
        assert code in re.findall(r"\b[EW][0-9]{3}\b", told), (command, told[:300])
        assert len(found.err) < 60_000
        assert all(line.isprintable() for line in (found.out + found.err).split("\n"))
        if command[-1] in ("json", "sarif"):
            json.loads(found.out)
        elif command[-1] != "github":
            assert found.out == ""
        assert "internal error" not in found.err
        assert os.listdir() == [path.name]  # noqa: PTH208


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not limit memory so")
def test_all_of_it_in_one_process_with_little_memory(tmp_path: Path) -> None:
    """300 MiB of addresses for everything; and a crash of the parser would end the process."""
    for number, (data, _) in enumerate(HOSTILE.values()):
        (tmp_path / f"{number}.yaml").write_bytes(data)
    (tmp_path / "good.yaml").write_bytes(HEAD + STAGES)
    names = [*(f"{number}.yaml" for number in range(len(HOSTILE))), "good.yaml"]
    limited = f'ulimit -v {300 * 1024} && "$@"'
    arguments = ["check", *names, "--format", "json"]
    result = process.shell(limited, *arguments, env=process.UNMEASURED, cwd=tmp_path)
    assert (result.returncode, result.stderr) == (1, b"")
    found = json.loads(result.stdout)
    for each, (_, code) in zip(found, HOSTILE.values(), strict=False):
        assert code in {fault["code"] for fault in each["diagnostics"]}
    assert found[-1]["valid"]


@pytest.mark.parametrize(
    ("producer", "codes"),
    [
        ("cat /dev/zero", {"E103"}),
        ("yes 'archspec: 1'", {"E103"}),
        ("yes '['", {"E103"}),
        ("head -c 5000 /dev/zero", {"E101"}),
        ("printf 'archspec: 1\\nname: \\377'", {"E101"}),
        ("printf '\\357\\273\\277'", {"E109"}),
    ],
)
def test_what_a_pipe_sends(producer: str, codes: set[str]) -> None:
    """Also without an end: no more is read than a spec may have."""
    found = process.shell(f'{producer} 2> /dev/null | "$@"', "check", "-", "--format", "json")
    assert found.returncode == 1
    assert {fault["code"] for each in json.loads(found.stdout) for fault in each["diagnostics"]} == codes
    assert b"Traceback" not in found.stderr
