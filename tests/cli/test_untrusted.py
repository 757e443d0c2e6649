"""What a spec, a folder of specs and a weights file may not do, beyond what the tests of each part try."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

import archspec
from tests.cli import process
from tests.cli.conftest import SMALL, Run
from tests.support.timing import allowed

SECRET = "archspec: 1\nname: secret\npassword: a-word-that-nobody-may-see\n"


@pytest.fixture
def secret(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file outside the folder of the specs that looks like one."""
    path = tmp_path_factory.mktemp("elsewhere") / "secret.yaml"
    path.write_text(SECRET)
    return path


COMMANDS = (
    *(("check", "."), ("check", ".", "--format", "json"), ("test", ".", "--level", "check"), ("analyze", ".")),
    *(("check", ".", "--format", "sarif"), ("check", ".", "--format", "github"), ("test", ".", "--update")),
)


def test_a_folder_shows_no_file_that_a_link_leads_out_to(run: Run, small: Path, secret: Path) -> None:
    (small.parent / "link.yaml").symlink_to(secret)
    (small.parent / "inside.yaml").symlink_to(small)
    (small.parent / "folder").symlink_to(secret.parent)
    for command in COMMANDS:
        found = run(*command)
        assert "nobody" not in found.out + found.err, command
    assert run("check", ".").out.count(": ok") == 2
    assert secret.read_text() == SECRET


def test_the_pytest_plugin_follows_no_link_out_of_the_folder(small: Path, secret: Path) -> None:
    (small.parent / "link.yaml").symlink_to(secret)
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--archspec", "."]
    done = subprocess.run(command, capture_output=True, cwd=small.parent, env=process.environment(), check=False)
    assert (done.returncode, b"nobody" in done.stdout) == (0, False), done.stdout


@pytest.mark.parametrize("key", ["extends", "import"])
@pytest.mark.parametrize(
    "target", ["/proc/self/environ", "/proc/self/mem", "/dev/stdin", "/etc/passwd", "/proc/self/fd/0"]
)
def test_no_file_of_the_system_is_read(run: Run, here: Path, key: str, target: str) -> None:
    Path("link.yaml").symlink_to(target)
    for written in ("link.yaml", target, f"..{target}", "./link.yaml"):
        Path("spec.yaml").write_text(f'{SMALL}{key}: "{written}"\n')
        found = run("check", "spec.yaml")
        assert found.status == 1
        assert "E802" in found.err or "E801" in found.err
        assert "root:" not in found.err
        assert "PATH=" not in found.err


@pytest.mark.parametrize("command", ["check", "show", "analyze", "build", "test"])
def test_a_sparse_file_of_any_size_is_not_read(run: Run, here: Path, command: str) -> None:
    with Path("spec.yaml").open("wb") as stream:
        stream.truncate(2**40)
    begun = time.process_time()
    found = run(command, "spec.yaml")
    assert (found.status, "E103" in found.err) == (1, True)
    assert time.process_time() - begun < allowed(5)


@pytest.mark.parametrize(
    "text",
    [
        SMALL.replace("name: small", "name: ../small"),
        SMALL.replace("name: small", "name: /tmp/small"),
        SMALL + "outputs: [../layer1]\n",
        SMALL + 'outputs: ["/tmp/layer1"]\n',
        SMALL + "summary: ../../x.safetensors\n",
        SMALL + "expect: {output: ../x}\n",
    ],
)
def test_no_text_of_a_spec_names_a_file_to_write(run: Run, here: Path, text: str) -> None:
    Path("spec.yaml").write_text(text)
    run("build", "spec.yaml", "-o", "out.safetensors")
    run("verify", "spec.yaml", "--against", "torch.nn:Identity", "--level", "keys")
    run("test", "spec.yaml")
    assert {path.name for path in here.iterdir()} <= {"spec.yaml", "out.safetensors"}
    assert not Path("/tmp/small.safetensors").exists()


class _Tags(HTMLParser):
    """The tags of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: set[str] = set()
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.found.add(tag)
        assert not attrs


def test_a_table_in_a_notebook_shows_names_as_text(here: Path) -> None:
    name = "<script>alert(1)<"
    Path(f"{name}.yaml").write_text(SMALL + "expect: {params: 1}\n")
    found = (
        archspec.check(f"{name}.yaml"),
        archspec.analyze(f"{name}.yaml"),
        archspec.diff(f"{name}.yaml", "resnet20_cifar"),
        archspec.verify(f"{name}.yaml", lambda: archspec.build(f"{name}.yaml"), levels=["keys"]),
    )
    pages = [result._repr_html_() for result in found if hasattr(result, "_repr_html_")]
    assert len(pages) >= 2
    for page in pages:
        assert _Tags(page).found <= {"table", "caption", "br", "thead", "tbody", "tfoot", "tr", "td", "th", "p"}


def test_a_defect_shows_no_variable_of_the_environment(run: Run, small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARCHSPEC_DEBUG", "1")
    monkeypatch.setenv("HF_TOKEN", "a-word-that-nobody-may-see")

    def fails(*arguments: Any, **more: Any) -> Any:
        token = os.environ["HF_TOKEN"]
        raise RuntimeError(f"a text of {len(token)} characters")

    monkeypatch.setattr(archspec, "load", fails)
    found = run("check", "small.yaml")
    monkeypatch.setattr("archspec_cli.options.archspec.check", fails)
    more = run("check", "small.yaml")
    for text in (found.err, more.err):
        assert "nobody" not in text
