"""The pytest plugin, as it is installed: what it collects and reports, and that it is light where it is not asked."""

from __future__ import annotations

import importlib.metadata
import re
import subprocess
import sys
from pathlib import Path

import pytest

from archspec.testing import check
from archspec_cli.render import Terminal, render

pytest_plugins = ["pytester"]

SMALL = """\
archspec: 1
name: small
input: [3, 16, 16]
classes: 5
stem: [conv: {out: 4, kernel: 3}]
stages: {block: basic, count: [1, 1], channels: [4, 8], stride: [1, 2]}
"""

GOOD = SMALL + "expect:\n  params: 1_401\n  output: [5]\n"
WRONG = SMALL + "expect:\n  output: [5]\n  params: 7  # seven\n"


@pytest.fixture(autouse=True, scope="module")
def installed() -> None:
    for text in (WRONG, WRONG.replace("basic", "basik")):  # pytester takes back what is first imported in a run
        assert [render(each, Terminal()) for each in check(text)]
    found = [point.value for point in importlib.metadata.entry_points(group="pytest11") if point.name == "archspec"]
    assert set(found) == {"archspec_pytest"}, "install archspec again: its entry points have changed"


@pytest.fixture
def suite(pytester: pytest.Pytester) -> pytest.Pytester:
    """A suite with a test of its own and three specs in a folder, beside YAML that is no spec."""
    pytester.makepyfile(test_own="def test_own(): pass")
    folder = pytester.mkdir("nets")
    (folder / "good.yaml").write_text(GOOD)
    (folder / "wrong.yaml").write_text(WRONG)
    (folder / "refused.yaml").write_text(GOOD.replace("basic", "basik"))
    (folder / "mkdocs.yml").write_text("site_name: docs\n")
    return pytester


def outcomes(result: pytest.RunResult) -> dict[str, str]:
    """What pytest said of each item, by its id, from `-rA`."""
    return {name: word for word, name in re.findall(r"^(PASSED|FAILED|SKIPPED) (\S+::\S+)", result.stdout.str(), re.M)}


def run(suite: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    return suite.runpytest_inprocess("-p", "no:cacheprovider", "-rA", *arguments)


def run_alone(suite: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    return suite.runpytest_subprocess("-p", "no:cacheprovider", "-rA", *arguments)


ALL = {
    "nets/good.yaml::valid": "PASSED",
    "nets/good.yaml::expect.params": "PASSED",
    "nets/good.yaml::expect.output": "PASSED",
    "nets/wrong.yaml::valid": "PASSED",
    "nets/wrong.yaml::expect.output": "PASSED",
    "nets/wrong.yaml::expect.params": "FAILED",
    "nets/refused.yaml::valid": "FAILED",
}


def test_it_is_off_unless_asked(suite: pytest.Pytester) -> None:
    assert outcomes(run(suite)) == {"test_own.py::test_own": "PASSED"}
    assert outcomes(run(suite, "nets")) == {}


def test_every_expectation_is_an_item_with_its_line(suite: pytest.Pytester) -> None:
    result = run(suite, "--archspec", "nets")
    assert outcomes(result) == ALL | {"test_own.py::test_own": "PASSED"}
    shown = result.stdout.str()
    assert "nets/wrong.yaml:9:11: error[E701]: the network has 1,401 parameters, expected 7\n" in shown
    assert "  9 |   params: 7  # seven\n    |           ^ 1,394 too many\n" in shown
    assert "nets/refused.yaml:6:17: error[E302]" in shown
    assert "Traceback" not in shown
    assert "archspec_pytest.py" not in shown
    result.assert_outcomes(passed=6, failed=2, skipped=2)  # of a spec that is refused, expectations are skipped


def test_the_line_is_where_pytest_says_that_an_item_stands(suite: pytest.Pytester) -> None:
    suite.makeconftest(
        "def pytest_collection_modifyitems(items):\n"
        "    for item in items:\n"
        "        print('AT', item.nodeid, item.location[1] + 1)\n"
    )
    shown = run(suite, "--archspec", "nets", "--collect-only", "-q", "-s").stdout.str()
    assert re.findall(r"^AT nets/wrong\S+::(\S+) (\d+)$", shown, re.M) == [
        ("valid", "2"),
        ("expect.output", "8"),
        ("expect.params", "9"),
    ]


def test_one_expectation_can_be_chosen(suite: pytest.Pytester) -> None:
    assert outcomes(run(suite, "--archspec", "nets", "-k", "params and wrong")) == {
        "nets/wrong.yaml::expect.params": "FAILED"
    }
    assert outcomes(run(suite, "--archspec", "nets", "-k", "refused and params")) == {
        "nets/refused.yaml::expect.params": "FAILED"  # and not skipped: nothing else says that the spec is refused
    }
    suite.makeini("[pytest]\narchspec = nets\n")
    assert outcomes(run(suite, "nets/good.yaml::expect.output")) == {"nets/good.yaml::expect.output": "PASSED"}


def test_the_ini_key_holds_unless_paths_are_given(suite: pytest.Pytester) -> None:
    suite.makeini("[pytest]\narchspec = nets\ntestpaths = test_own.py\n")
    assert outcomes(run(suite)) == ALL | {"test_own.py::test_own": "PASSED"}
    assert outcomes(run(suite, "test_own.py")) == {"test_own.py::test_own": "PASSED"}
    assert outcomes(run(suite, "test_own.py", "--archspec", "nets")) == ALL | {"test_own.py::test_own": "PASSED"}


def test_items_are_collected_once(suite: pytest.Pytester) -> None:
    found = run(suite, "--archspec", "nets", ".", "nets", "--collect-only", "-q").stdout.str()
    assert sorted(re.findall(r"^nets/\S+$", found, re.M)) == sorted(
        [*ALL, "nets/refused.yaml::expect.params", "nets/refused.yaml::expect.output"]
    )


def test_it_works_in_several_processes(suite: pytest.Pytester) -> None:
    assert outcomes(run_alone(suite, "--archspec", "nets", "-n", "2")) == ALL | {"test_own.py::test_own": "PASSED"}


@pytest.mark.slow
def test_torch_builds_and_runs_where_that_is_asked(suite: pytest.Pytester) -> None:
    found = outcomes(run_alone(suite, "--archspec", "nets/good.yaml", "--archspec-level", "run", "-k", "good"))
    names = ["valid", "expect.params", "expect.output", "shapes", "weights", "seed", "reload", "pass"]
    assert found == {f"nets/good.yaml::{name}": "PASSED" for name in names}


def test_what_is_not_there_is_said(suite: pytest.Pytester) -> None:
    result = run(suite, "--archspec", "nothing")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: --archspec: there is no `*nothing`"])
    suite.makeini("[pytest]\narchspec_level = deep\n")
    result = run(suite, "--archspec", "nets")
    assert "the levels are check, build, run, not 'deep'" in result.stdout.str() + result.stderr.str()


def test_a_suite_that_does_not_use_it_does_not_import_archspec(suite: pytest.Pytester) -> None:
    suite.makepyfile(
        test_own="import sys\n\ndef test_own():\n"
        "    assert 'archspec_pytest' in sys.modules\n"
        "    assert not [name for name in sys.modules if name.split('.')[0] in ('archspec', 'archspec_cli', 'yaml')]\n"
    )
    run_alone(suite).assert_outcomes(passed=1)


def test_the_plugin_imports_nothing_of_its_own() -> None:
    code = "import pytest, sys; before = set(sys.modules); import archspec_pytest; print(set(sys.modules) - before)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=Path("/"), check=True)
    assert found.stdout == "{'archspec_pytest'}\n"


# -- what is named and is not there ------------------------------------------------------------------------------------


@pytest.mark.parametrize("arguments", [(), ("test_own.py",), ("-k", "own")])
@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("netz", "there is no `*netz`"),
        ("nets nowhere/deep", "there is no `*nowhere/deep`"),
        ("nets/*.yml", "there is no `*nets/[*].yml`; it takes folders and files, and no patterns"),
        ("empty", "the folder `*empty` has no specs, which end in .yaml or .yml"),
        ("only", "the folder `*only` has no specs, *"),
        ("nets/mkdocs.yml", "`*nets/mkdocs.yml` is not a spec, *"),
        ("test_own.py", "`*test_own.py` is not a spec, *"),
    ],
)
def test_an_ini_key_that_finds_nothing_is_an_error(
    suite: pytest.Pytester, value: str, said: str, arguments: tuple[str, ...]
) -> None:
    suite.mkdir("empty")
    (suite.mkdir("only") / "mkdocs.yml").write_text("site_name: docs\n")
    suite.makeini(f"[pytest]\narchspec = {value}\n")
    result = run(suite, *arguments)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: the key `archspec` in tox.ini: {said}"])


@pytest.mark.parametrize(("value", "said"), [("netz", "there is no `*netz`"), ("empty", "*`*empty` has no specs, *")])
def test_an_option_that_finds_nothing_is_an_error(suite: pytest.Pytester, value: str, said: str) -> None:
    suite.mkdir("empty")
    result = run(suite, "--archspec", value)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: --archspec: {said}"])


@pytest.mark.parametrize("more", [(), ("-n", "1")])
def test_the_summary_has_the_place_once(suite: pytest.Pytester, more: tuple[str, ...]) -> None:
    result = suite.runpytest_subprocess("-p", "no:cacheprovider", "--archspec", "nets", *more)
    lines = [line for line in result.stdout.lines if line.startswith("FAILED ")]
    assert len(lines) == 2
    for line in lines:
        assert line.count(".yaml") == 1
        assert re.match(r"FAILED nets/\w+\.yaml::\S+ - E\d{3}: ", line)
    result.stdout.fnmatch_lines(["nets/wrong.yaml:9:11: error[[]E701[]]: *", "  9 |   params: 7  # seven"])
