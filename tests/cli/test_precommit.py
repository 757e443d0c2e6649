"""The hook for other repositories, tried by pre-commit itself, and the workflow and configurations of `docs/ci.md`."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.pages import ROOT, blocks

from . import process
from .conftest import SMALL, Run

MANIFEST = ROOT / ".pre-commit-hooks.yaml"
YAML = [block.text for block in blocks("docs/ci.md") if block.language == "yml"]
CONFIGURATIONS = [text for text in YAML if "pre-commit" in text.splitlines()[0]]


# Neither the settings of whoever runs the tests, nor those of a hook that runs them, reach these repositories.
GIT: dict[str, str | None] = dict.fromkeys(name for name in os.environ if name.startswith("GIT_"))
GIT |= {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}


def pre_commit(*arguments: str, cwd: Path, **env: str | None) -> subprocess.CompletedProcess[bytes]:
    home = {"PRE_COMMIT_HOME": str(cwd / ".pre-commit"), "PRE_COMMIT_COLOR": "never"}
    return subprocess.run(
        [sys.executable, "-m", "pre_commit", *arguments],
        capture_output=True,
        cwd=cwd,
        env=process.environment(**GIT, **home, **env),
        timeout=process.SECONDS,
        check=False,
    )


def test_the_manifest_is_valid(tmp_path: Path) -> None:
    assert pre_commit("validate-manifest", str(MANIFEST), cwd=tmp_path).returncode == 0
    spoilt = tmp_path / "spoilt.yaml"
    spoilt.write_text(MANIFEST.read_text(encoding="utf-8").replace("language: python", "language: pithon"))
    assert pre_commit("validate-manifest", str(spoilt), cwd=tmp_path).returncode == 1


def test_the_configurations_on_the_page_are_valid(tmp_path: Path, small: Path, run: Run) -> None:
    """And their hook exists, and takes the arguments that it gets there."""
    (hook,) = yaml.safe_load(MANIFEST.read_text(encoding="utf-8"))
    assert len(CONFIGURATIONS) == 2
    for text in CONFIGURATIONS:
        config = tmp_path / "config.yaml"
        config.write_text(text, encoding="utf-8")
        assert pre_commit("validate-config", str(config), cwd=tmp_path).returncode == 0
        ((used,),) = (each["hooks"] for each in yaml.safe_load(text)["repos"])
        assert used["id"] == hook["id"]
        program, command = hook["entry"].split()
        assert program == "archspec"
        folder, *options = used.get("args", hook["args"])
        Path(folder).mkdir()
        shutil.copy(small, folder)
        assert run(command, folder, *options).out.startswith(f"{folder}/small.yaml: ok")


def test_the_workflow_on_the_page_does_what_it_says(small: Path, run: Run) -> None:
    """Its commands are run, less the installation; what it uploads is what a command wrote."""
    workflow: dict[Any, Any] = yaml.safe_load(YAML[0])
    assert workflow[True] == ["push", "pull_request"]  # PyYAML reads `on` as YAML 1.1 does
    assert workflow["permissions"]["security-events"] == "write"
    steps = workflow["jobs"]["check"]["steps"]
    Path("specs").mkdir()
    shutil.copy(small, "specs")
    commands = [step["run"] for step in steps if step.get("run", "").startswith("archspec")]
    assert len(commands) == 2
    written = set()
    for status, text in ((0, SMALL), (1, SMALL.replace("basic", "basik"))):
        Path("specs/small.yaml").write_text(text)
        for line in commands:
            _, *words = shlex.split(line)
            if words[-2] == ">":
                written.add(words[-1])
                del words[-2:]
            found = run(*words)
            assert (found.status, found.err) == (status, "")
            assert ("E302" in found.out) == (status == 1 or "sarif" in words)
    (upload,) = (step for step in steps if "upload-sarif" in step.get("uses", ""))
    assert {upload["with"]["sarif_file"]} == written
    assert upload["if"].startswith("always()")


# -- for real ----------------------------------------------------------------------------------------------------------


def git(folder: Path, *arguments: str) -> bytes:
    identity = ["-c", "user.name=Tester", "-c", "user.email=tester@example.com", "-c", "commit.gpgsign=false"]
    command = ["git", *identity, *arguments]
    env = process.environment(**GIT)
    return subprocess.run(command, cwd=folder, capture_output=True, check=True, env=env).stdout


def committed(folder: Path) -> str:
    git(folder, "init", "--quiet")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "all")
    return git(folder, "rev-parse", "HEAD").decode().strip()


def installed(folder: Path) -> str:
    """What is installed here as a folder, less archspec, which the hook's environment has of its own."""
    folder.mkdir()
    for path in Path(yaml.__file__).parent.parent.iterdir():
        if "archspec" not in path.name and path.suffix != ".pth":
            (folder / path.name).symlink_to(path)
    return str(folder)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("git") is None, reason="pre-commit needs git")
def test_the_hook_at_a_commit(tmp_path: Path) -> None:
    """pre-commit clones archspec, makes an environment, installs archspec there, and runs the hook, all offline."""
    source, user = tmp_path / "archspec", tmp_path / "user"
    source.mkdir()
    for name in ("archspec", "cli", "specs"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE", MANIFEST.name):
        shutil.copy(ROOT / name, source)
    config = yaml.safe_load(CONFIGURATIONS[0])
    config["repos"][0] |= {"repo": str(source), "rev": committed(source)}
    (user / "specs").mkdir(parents=True)
    (user / "specs/small.yaml").write_text(SMALL)
    (user / "specs/variant.yaml").write_text("archspec: 1\nname: variant\nextends: small\nclasses: 3\n")
    (user / "other.yaml").write_text("on: push\n")
    (user / ".pre-commit-config.yaml").write_text(yaml.safe_dump(config))
    committed(user)
    offline = {"PYTHONPATH": installed(tmp_path / "packages"), "PIP_NO_INDEX": "1", "PIP_NO_DEPS": "1"}
    offline |= {"PIP_NO_BUILD_ISOLATION": "0"}  # how pip spells that there is none

    def commit() -> tuple[int, str]:
        git(user, "add", "--all")
        found = pre_commit("run", "archspec-check", "--verbose", cwd=user, **offline)
        return found.returncode, found.stdout.decode()

    (user / "other.yaml").write_text("on: pull_request\n")
    status, out = commit()
    assert (status, "Skipped" in out) == (0, True), out
    (user / "specs/small.yaml").write_text(SMALL.replace("classes: 5", "classes: 7"))
    status, out = commit()
    assert (status, "Passed" in out) == (0, True), out
    assert "specs/small.yaml: ok" in out
    (user / "specs/small.yaml").write_text(SMALL.replace("channels: [4, 8]", "channels: [0, 8]"))
    status, out = commit()
    assert (status, "Failed" in out) == (1, True), out
    assert out.count("error[E") >= 1
    assert "0 of 2 specs are valid" in out  # the variant did not change, and is broken too
