"""A file beside a spec is never imported in place of a library: whatever the command, and however the path names it."""

from __future__ import annotations

import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from tests.cli import process
from tests.cli.conftest import SMALL

PLANTED = """
import os, sys
open(os.path.join({folder!r}, "ran"), "a").write({name!r} + "\\n")
raise RuntimeError("planted")
"""

LIBRARIES = (
    *("torchvision", "timm", "PIL", "torch", "numpy", "safetensors", "sympy", "mpmath", "filelock", "fsspec", "jinja2"),
    *("typing_extensions", "huggingface_hub", "requests", "tqdm", "scipy", "yaml", "click", "rich", "jsonschema"),
    *("networkx", "referencing", "attrs", "attr", "rpds", "markdown_it", "pygments", "evil"),
)
OF_THE_SCRIPT = ("yaml", "jsonschema", "networkx", "referencing", "attrs", "attr", "rpds", "typing_extensions")
"""What `import archspec` and compiling import, with the path that the script has."""

STANDARD = sorted({*sys.stdlib_module_names} - {*sys.builtin_module_names, "__future__"})

NAMED = {
    "torchvision": "torchvision:resnet18(num_classes=5)",
    "timm": "timm:resnet18(num_classes=5)",
}
COMMANDS = (
    *(("check", "."), ("analyze", "small.yaml"), ("show", "small.yaml"), ("list",), ("schema",), ("explain", "E901")),
    *(
        ("test", "small.yaml", "with_timm.yaml", "--level", "build", "--jobs", "2"),
        ("build", "small.yaml", "-o", "small.safetensors"),
        ("diff", "small.yaml", "small.yaml"),
    ),
)
FROM_PYTHON = """
import archspec
verdict = archspec.verify({spec!r}, levels=["keys"])
assert verdict.reference == "torchvision:resnet18(num_classes=5)"
assert archspec.check({spec!r}, level="build").passed
"""


slow = partial(pytest.param, marks=pytest.mark.slow)


def plant(folder: Path, *names: str) -> None:
    """Modules and packages that leave the file `ran` when they run, and an entry point that torch would load."""
    for number, name in enumerate(names):
        path = folder / f"{name}.py" if number % 2 else folder / name / "__init__.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(PLANTED.format(folder=str(folder), name=name))
    info = folder / "evil-1.0.dist-info"
    info.mkdir(exist_ok=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: evil\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[torch.backends]\nevil = evil:start\n")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with specs and with planted modules."""
    plant(tmp_path, *LIBRARIES)
    (tmp_path / "small.yaml").write_text(SMALL)
    for library, reference in NAMED.items():
        text = f"{SMALL}reference: {reference}\n".replace("name: small", f"name: with_{library}")
        (tmp_path / f"with_{library}.yaml").write_text(text)
    return tmp_path


def ran(folder: Path) -> list[str]:
    path = folder / "ran"
    return path.read_text().split() if path.exists() else []


@pytest.mark.parametrize(
    ("library", "path"), [("torchvision", "."), slow("timm", ":"), slow("timm", None), ("timm", "link")]
)
def test_verify_imports_nothing_beside_the_spec(folder: Path, library: str, path: str | None) -> None:
    if path == "link":
        path = f"{folder.parent / 'link'}"
        Path(path).symlink_to(folder)
    env = {"PYTHONPATH": path, "PYTHONSAFEPATH": None}
    done = process.archspec("verify", f"with_{library}.yaml", "--level", "keys", cwd=folder, env=env)
    assert ran(folder) == []
    assert done.returncode == 1, done.stderr
    assert done.stdout.startswith(f"with_{library} against {library}:resnet18".encode())


def test_no_command_imports_anything_of_the_current_folder(folder: Path) -> None:
    plant(folder, *STANDARD)
    for arguments in COMMANDS:
        done = process.archspec(*arguments, cwd=folder, env={"PYTHONSAFEPATH": None})
        assert (ran(folder), done.returncode) == ([], 0), (arguments, done.stderr)


@pytest.mark.parametrize("how", [slow("script"), "beside the spec"])
def test_the_python_functions_import_nothing_beside_the_spec(
    folder: Path, tmp_path_factory: pytest.TempPathFactory, how: str
) -> None:
    """A script that lies in the folder has it on its path; what the script imports itself is its own affair."""
    for name in OF_THE_SCRIPT:
        for path in (folder / f"{name}.py", folder / name / "__init__.py"):
            path.unlink(missing_ok=True)
    code = FROM_PYTHON.format(spec=str(folder / "with_torchvision.yaml"))
    (folder / "script.py").write_text(code)
    cwd, env = folder, process.environment(PYTHONSAFEPATH=None)
    if how == "beside the spec":
        cwd, env = tmp_path_factory.mktemp("elsewhere"), {**env, "PYTHONPATH": str(folder)}
    command = [sys.executable, *(["script.py"] if how == "script" else ["-c", code])]
    done = subprocess.run(command, capture_output=True, cwd=cwd, env=env, timeout=3 * process.SECONDS, check=False)
    assert (ran(folder), done.returncode) == ([], 0), done.stderr


def test_against_a_module_of_ones_own_looks_into_the_current_folder(folder: Path) -> None:
    (folder / "mine.py").write_text("import torch\ndef build():\n    from helper import layer\n    return layer()\n")
    (folder / "helper.py").write_text("import torch\ndef layer():\n    return torch.nn.Linear(2, 3)\n")
    arguments = ("verify", "small.yaml", "--level", "keys", "--against")
    done = process.archspec(*arguments, "mine:build", cwd=folder)
    assert done.stdout.startswith(b"small against mine:build"), done.stderr
    for library in ("torch.nn:Identity", "timm:resnet18"):
        done = process.archspec(*arguments, library, cwd=folder)
        assert done.stdout.startswith(f"small against {library}".encode()), done.stderr
    assert "torch" not in ran(folder)
    assert "torchvision" not in ran(folder)
