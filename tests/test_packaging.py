"""What is written down about the tree (packages, data files, pins, commands, paths) agrees with the tree."""

from __future__ import annotations

import re
import tomllib
from fnmatch import fnmatch
from importlib import import_module, metadata, resources
from itertools import chain
from pathlib import Path
from typing import Any

import pytest

from tests.support.paths import ROOT

PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
SETUPTOOLS = PROJECT["tool"]["setuptools"]
FOLDERS = {"archspec": "archspec", "cli": "archspec_cli", "specs": "archspec_specs"}
DATA = [
    *("archspec_specs", "archspec_specs.timm"),
    *("archspec.explanations", "archspec.language.library", "archspec.vocabulary"),
]
DOCUMENTS = sorted(path.name for path in ROOT.glob("*.md")) + sorted(
    f"docs/{path.name}" for path in ROOT.glob("docs/*.md")
)


def package_of(folder: Path) -> str:
    """The package that a folder of the tree installs as."""
    top, *rest = folder.relative_to(ROOT).parts
    return ".".join([FOLDERS[top], *rest])


def files(pattern: str) -> list[Path]:
    return [path for top in FOLDERS for path in sorted((ROOT / top).rglob(pattern)) if path.is_file()]


def pins() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pinned = [line.split("==") for line in lines if line and not line.startswith("#")]
    return {normal(name): version for name, version in pinned}


def normal(distribution: str) -> str:
    return re.sub(r"[-_.]+", "-", distribution).lower()


def test_the_list_of_packages_is_the_tree() -> None:
    assert SETUPTOOLS["package-dir"] == {package: folder for folder, package in FOLDERS.items()}
    assert sorted(SETUPTOOLS["packages"]) == sorted(package_of(path.parent) for path in files("__init__.py"))


def test_no_file_stands_outside_the_packages() -> None:
    for path in [*files("*.py"), *files("*.yaml"), *files("*.md")]:
        assert (path.parent / "__init__.py").exists(), (
            f"{path.parent} has no __init__.py, so {path.name} is not installed"
        )


def test_every_data_file_is_package_data() -> None:
    found = [*files("*.yaml"), *files("*.md")]
    assert {path.parent.name for path in found} == {"explanations", "library", "specs", "timm", "vocabulary"}
    for path in found:
        globs = SETUPTOOLS["package-data"].get(package_of(path.parent), [])
        assert any(fnmatch(path.name, glob) for glob in globs), f"{path} is not installed"


def test_no_file_of_another_kind_is_left_behind() -> None:
    """A data file of a new kind would work in a checkout, and be missing from the wheel."""
    kinds = {path.suffix or path.name for path in files("*") if "__pycache__" not in path.parts}
    assert kinds <= {".md", ".py", ".yaml", ".typed"}


@pytest.mark.parametrize(
    "package",
    [
        "archspec_specs",
        "archspec_specs.timm",
        "archspec.explanations",
        "archspec.language.library",
        "archspec.vocabulary",
    ],
)
def test_an_installed_package_shows_its_data(package: str) -> None:
    (pattern,) = SETUPTOOLS["package-data"][package]
    assert [entry.name for entry in resources.files(package).iterdir() if fnmatch(entry.name, pattern)]


@pytest.mark.parametrize("package", ["archspec", "archspec_cli"])
def test_types_are_visible_to_users(package: str) -> None:
    assert resources.files(package).joinpath("py.typed").is_file()
    assert "py.typed" in SETUPTOOLS["package-data"][package]


def test_the_command_is_there() -> None:
    module, _, function = PROJECT["project"]["scripts"]["archspec"].partition(":")
    assert callable(getattr(import_module(module), function))


def test_the_installed_version_is_the_one_in_the_tree() -> None:
    """It fails after a change of version until `make test` has installed again, as it does by itself."""
    version = PROJECT["project"]["version"]
    assert metadata.version("archspec-compiler") == version
    assert re.search(
        rf"^## \[{re.escape(version)}\]", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE
    )


def test_every_dependency_is_pinned_to_what_runs_here() -> None:
    """Figures and bit-identical outputs hold for the pinned versions; under others, tests prove less than they say."""
    extras = PROJECT["project"]["optional-dependencies"].values()
    wanted = chain(PROJECT["project"]["dependencies"], *extras)
    names = {normal(re.split(r"[\[<>=!~; ]", dependency)[0]) for dependency in wanted} - {"archspec-compiler"}
    assert names | {"torchvision"} <= pins().keys()
    for name in ("torch", "torchvision", "safetensors", "numpy", "jsonschema", "pyyaml", "networkx", "click", "rich"):
        assert metadata.version(name).split("+")[0] == pins()[name], name


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_make_command_in_a_document_is_a_target(document: str) -> None:
    targets = set(re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    text = (ROOT / document).read_text(encoding="utf-8")
    named = re.findall(r"^\s*(?:\$ )?make ([a-z][a-z-]*)|`make ([a-z][a-z-]*)", text, re.MULTILINE)
    assert {first or second for first, second in named} <= targets


def test_the_readme_names_the_two_commands() -> None:
    assert {"make demo", "make test"} <= set((ROOT / "README.md").read_text(encoding="utf-8").splitlines())


def test_every_page_of_the_documentation_is_in_its_navigation() -> None:
    navigation = set(
        re.findall(r"^ +- .*: (\S+\.md)$", (ROOT / "mkdocs.yml").read_text(encoding="utf-8"), re.MULTILINE)
    )
    assert navigation == {path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").rglob("*.md")}


def test_no_path_of_a_machine_is_written_down() -> None:
    machine = re.compile(r"(?<![\w.:/-])/(?:home|root|work|Users|opt)/\w.*")
    tops = ["archspec", "cli", "specs", "tests", "docs", ".ci"]
    paths = [
        path for top in tops for path in (ROOT / top).rglob("*") if path.is_file() and "__pycache__" not in path.parts
    ]
    paths += [ROOT / name for name in ("Makefile", "pyproject.toml", "constraints.txt", "mkdocs.yml")] + list(
        ROOT.glob("*.md")
    )
    found = [
        f"{path.relative_to(ROOT)}: {match[0]}"
        for path in paths
        for match in machine.finditer(path.read_text(encoding="utf-8", errors="ignore"))
    ]
    assert not found


def test_the_source_distribution_has_what_a_packager_needs() -> None:
    """`.ci/wheel` builds it, and collects its tests."""
    lines = [line.split() for line in (ROOT / "MANIFEST.in").read_text(encoding="utf-8").splitlines()]
    named = {name for command, *names in lines if command in ("include", "graft") for name in names}
    assert {"CHANGELOG.md", "docs", "tests", "constraints.txt"} <= named
    assert [name for name in named if not (ROOT / name).exists()] == []
    needed = {path.name for path in ROOT.glob("*.md")} | {"mkdocs.yml", "Makefile"}
    assert needed - named <= {"README.md"}  # which every source distribution has


def test_the_metadata_names_each_version_of_python() -> None:
    versions = re.findall(r"Python :: (3\.\d+)$", "\n".join(PROJECT["project"]["classifiers"]), re.MULTILINE)
    assert versions == ["3.11", "3.12", "3.13", "3.14"]
    assert PROJECT["project"]["requires-python"] == f">={versions[0]}"
    assert PROJECT["project"]["authors"]
    assert not any("example" in url for url in PROJECT["project"].get("urls", {}).values())
