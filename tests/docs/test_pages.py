"""The pages that are made from the code: the commands from their help, and the Python API from the docstrings."""

from __future__ import annotations

import inspect
import re

import archspec
from archspec_cli.main import COMMANDS
from tests.support.paths import ROOT
from tests.tools import commands_page

API = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")


def test_the_page_of_commands_is_as_the_help() -> None:
    """`python -m tests.tools.commands_page --write` writes it."""
    assert commands_page.PAGE.read_text(encoding="utf-8") == commands_page.page()


def test_the_page_of_commands_has_each_option_of_each_command() -> None:
    sections = dict(
        re.findall(r"^## `archspec (\w+)`\n(.*?)(?=^## |\Z)", commands_page.page(), re.MULTILINE | re.DOTALL)
    )
    assert list(sections) == list(COMMANDS)
    context = commands_page.click.Context(commands_page.commands)
    for name, text in sections.items():
        command = commands_page.commands.get_command(context, name)
        assert command is not None
        for option in (option for each in command.params if each.param_type_name == "option" for option in each.opts):
            assert option in text, f"{name}: {option}"
        assert re.search(r"^\$ .*archspec", text, re.MULTILINE), f"{name} has no example"


def test_the_page_of_the_api_has_every_public_name_once() -> None:
    named = re.findall(r"^::: archspec\.(\w+)$", API, re.MULTILINE)
    without_page = {"SpecLike", "__version__"}  # a union of types, and a text
    assert sorted(named) == sorted(set(archspec.__all__) - without_page)


def test_the_readme_has_the_full_signature_of_build_and_links_every_page() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    (shown,) = re.findall(r"full signature is\s+`archspec\.build\(([^`]*)\)`", text)
    parameters = inspect.signature(archspec.build).parameters.values()
    ours = [each.name if each.default is each.empty else f"{each.name}={each.default!r}" for each in parameters]
    assert re.split(r",\s+", shown) == [ours[0], "*", *ours[1:]]
    linked = set(re.findall(r"\]\((docs/\w+\.md)\)", text))
    without_link = {"index.md", "commands.md"}  # the site's first page, and what the README has as a table
    assert linked == {f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md") if path.name not in without_link}


def test_every_public_name_has_an_example() -> None:
    functions = [name for name in archspec.__all__ if name.islower() and not name.startswith("_")]
    assert not [name for name in functions if ">>> " not in (getattr(archspec, name).__doc__ or "")]


def test_an_example_of_a_grouped_bottleneck_says_how_wide_its_groups_are() -> None:
    """`groups: 32` alone is 32 groups of 64 channels: a ResNet-50 with 667 million parameters, which nobody wants."""
    written = re.compile(r"stages: *\{[^}\n]*groups: 32.*|stages:\n(?: .*\n)*?.*\bgroups: 32(?: .*)?\n.*")
    folders = [f"{folder}/**/*.{kind}" for folder in ("docs", "cli", "archspec") for kind in ("md", "py")]
    bare = []
    for path in [ROOT / "README.md", *(path for folder in folders for path in ROOT.glob(folder))]:
        text = path.read_text(encoding="utf-8")
        found = [*written.findall(text), *re.findall(r".*stages\.groups=32.*", text)]
        bare += [f"{path.relative_to(ROOT)}: {each}" for each in found if "base_width" not in each]
    assert not bare
