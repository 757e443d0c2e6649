"""`archspec build`: the table and the totals against torchvision, and what `-o` saves."""

from __future__ import annotations

import re
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

import archspec
from archspec.testing.against_torch import compare_shapes
from tests.support.reference import torchvision_model
from tests.support.zoo import ZOO

from .conftest import SMALL, Run

IN_TORCHVISION = ("resnet18", "resnet34", "resnet50", "resnet101", "resnet152", "resnext50_32x4d")

KEYS = {
    *("spec", "valid", "name", "hash", "input", "output", "params", "macs", "layers", "nodes", "stages"),
    *("weights", "confirmed", "saved", "written", "diagnostics"),
}


def elements(module: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def table(text: str) -> list[tuple[str, int]]:
    """The first cell and the parameters of each row below the head. Stages may share a name, or have none."""
    rows = text.split("\n\n")[1].split("\n")[1:]
    return [(row.partition(" ")[0], int(re.split(r"  +", row)[-3].replace(",", ""))) for row in rows]


def of_torchvision(name: str) -> dict[str, int]:
    """The parameters of each stage, of what stands before and after them, and in total, on the meta device."""
    with torch.device("meta"):
        model = torchvision_model(name)
    found = {key: elements(part) for key, part in model.named_children() if key.startswith("layer")}
    total = elements(model)
    found["head"] = elements(model.get_submodule("fc"))
    found["stem"] = total - sum(found.values())
    return {**found, "total": total}


SPECS = resources.files("archspec_specs")
FAMILIES = [
    name
    for name in ZOO
    if name in IN_TORCHVISION or "\nextends:" not in SPECS.joinpath(f"{name}.yaml").read_text(encoding="utf-8")
]
"""What others of the zoo extend; those differ from them in numbers, which other tests look at."""


@pytest.mark.parametrize("name", FAMILIES)
def test_every_family_of_the_zoo_builds(name: str, run: Run) -> None:
    found = run("build", name)
    assert (found.status, found.err) == (0, "")
    *rows, (last, total) = table(found.out)
    assert (last, sum(params for _, params in rows)) == ("total", total)
    if name in IN_TORCHVISION:
        assert dict([*rows, (last, total)]) == of_torchvision(name)
    assert f"{total:,} parameters, " in found.out
    assert "every shape confirmed by torch" in found.out
    assert found.out.endswith(f"Next: `archspec build {name} -o {name}.safetensors` saves initialized weights.\n")


def test_the_table_of_resnet18(run: Run) -> None:
    """Every figure by hand: parameters from torchvision, sizes from the paper's table 1."""
    assert run("build", "resnet18").out.startswith(
        """\
resnet18: 3x224x224 to 1000

stage   block       count     output      params   share    MACs
stem    imagenet            64x56x56       9,536    0.1%   118 M
layer1  basic           2   64x56x56     147,968    1.3%   462 M
layer2  basic           2  128x28x28     525,568    4.5%   411 M
layer3  basic           2  256x14x14   2,099,712   18.0%   411 M
layer4  basic           2    512x7x7   8,393,728   71.8%   411 M
head    classifier              1000     513,000    4.4%   512 k
total                           1000  11,689,512  100.0%  1.81 G

11,689,512 parameters, 1.81 G MACs, 18 layers
"""
    )


def test_json(run: Run) -> None:
    found = run("build", "resnet18", "--format", "json")
    assert (found.status, found.err) == (0, "")
    data = found.json
    assert set(data) == KEYS
    assert (data["valid"], data["params"], data["input"], data["output"]) == (True, 11_689_512, [3, 224, 224], [1000])
    assert data["saved"] is data["weights"] is None
    expected = of_torchvision("resnet18")
    assert {row["scope"]: row["params"] for row in data["stages"]} | {"total": data["params"]} == expected
    assert all(set(row) == {"scope", "block", "count", "output", "params", "macs"} for row in data["stages"])
    assert sum(row["macs"] for row in data["stages"]) == data["macs"]
    refused = run("build", "nothing", "--format", "json")
    assert refused.status == 1
    assert refused.json["valid"] is False
    assert [each["code"] for each in refused.json["diagnostics"]] == ["E801"]


def test_what_stands_between_stages_is_a_row(here: Path, run: Run) -> None:
    Path("net.yaml").write_text(
        "archspec: 1\nname: net\ninput: [3, 16, 16]\nstem: []\nhead: []\n"
        "stages:\n  block: basic\n  count: [1, 1]\n  channels: [8, 8]\n"
        "  before: [null, [conv: {out: 4, kernel: 1, bias: true}]]\n"
    )
    rows = run("build", "net.yaml", "--format", "json").json["stages"]
    scopes = {row["scope"]: row["params"] for row in rows}
    assert list(scopes) == ["layer1", "between", "layer2"]
    assert scopes["between"] == 8 * 4 + 4


# -- saving ------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """ResNet-18's weights, saved once."""
    from archspec_cli import main

    path = tmp_path_factory.mktemp("saved") / "resnet18.safetensors"
    assert main.run(["build", "resnet18", "-o", str(path), "--seed", "1"]) == 0
    return path


def metadata(path: Path) -> dict[str, str]:
    with safe_open(path, "pt") as file:
        found: Any = file.metadata()
        return dict(found)


def test_saved_weights_fit_torchvisions_model(saved: Path) -> None:
    state = load_file(saved)
    reference = torchvision_model("resnet18")
    assert {key: value.shape for key, value in state.items()} == {
        key: value.shape for key, value in reference.state_dict().items()
    }
    reference.load_state_dict(state, strict=True)
    model = archspec.build("resnet18", weights=saved).eval()
    x = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert torch.equal(model(x), reference.eval()(x))


def test_saved_weights_are_initialized(saved: Path) -> None:
    state = load_file(saved)
    deviation = state["layer4.1.conv2.weight"].std().item()
    assert deviation == pytest.approx((2 / (512 * 9)) ** 0.5, rel=0.01)  # He et al. 2015, fan out
    assert state["bn1.weight"].unique().tolist() == [1.0]


def test_the_file_carries_its_spec(saved: Path) -> None:
    found = metadata(saved)
    assert set(found) == {"archspec", "name", "hash"}
    assert found["name"] == "resnet18"
    assert found["hash"] == archspec.compile(found["archspec"]).fingerprint == archspec.compile("resnet18").fingerprint
    rebuilt = archspec.build(found["archspec"], weights=saved).state_dict()
    state = load_file(saved)
    assert set(rebuilt) == set(state)
    assert all(torch.equal(rebuilt[key], state[key]) for key in state)


def test_the_spec_in_the_file_stands_alone(here: Path, run: Run) -> None:
    """Of a spec that extends, imports and was changed by `--set`, what was built is saved."""
    Path("blocks.yaml").write_text(
        "archspec: 1\nblocks:\n  mine:\n    residual: [layer: {out: channels, kernel: 3, stride: stride}]\n"
    )
    Path("base.yaml").write_text(SMALL.replace("basic", "mine") + "import: blocks.yaml\n")
    Path("net.yaml").write_text("archspec: 1\nname: net\nextends: base\n")
    assert run("build", "net.yaml", "--set", "classes=7", "-o", "net.safetensors").status == 0
    for name in ("blocks.yaml", "base.yaml", "net.yaml"):
        Path(name).unlink()
    model = archspec.build(metadata(Path("net.safetensors"))["archspec"], weights="net.safetensors")
    assert model(torch.zeros(2, 3, 16, 16)).shape == (2, 7)


def test_the_hash_of_a_variant_is_that_of_its_text(here: Path, run: Run) -> None:
    Path("net.yaml").write_text("archspec: 1\nname: net\nextends: resnet18\nstages: {count: 1}\nexpect: null\n")
    assert run("build", "net.yaml", "-o", "net.safetensors").status == 0
    found = metadata(Path("net.safetensors"))
    assert archspec.compile(found["archspec"]).fingerprint == found["hash"]


def test_a_seed_repeats_the_weights(small: Path, run: Run) -> None:
    torch.manual_seed(5)
    for name, options in {"a": ["--seed", "3"], "b": ["--seed", "3"], "c": ["--seed", "4"], "d": []}.items():
        assert run("build", "small.yaml", "-o", f"{name}.safetensors", *options).status == 0
    a, b, c, d = (load_file(f"{name}.safetensors") for name in "abcd")
    assert list(a) == list(b)
    assert all(torch.equal(a[key], b[key]) for key in a)
    for other in (c, d):
        assert not torch.equal(a["fc.weight"], other["fc.weight"])
    expected = archspec.build("small.yaml", seed=3).state_dict()
    assert all(torch.equal(a[key], expected[key]) for key in expected)


def test_saying_what_was_saved(small: Path, run: Run) -> None:
    found = run("build", "small.yaml", "-o", "new.safetensors", "--set", "classes=7")
    assert (found.status, found.err) == (0, "")
    *_, saved, following = found.out.splitlines()
    size = f"{Path('new.safetensors').stat().st_size / 1000:.2f}"
    assert saved == f"Saved new.safetensors: {size} kB of initialized weights, with the spec in the metadata."
    call = following.removeprefix("Next: `").partition("` ")[0]
    model = eval(call, {"archspec": archspec})  # it must do what it says
    assert model(torch.zeros(2, 3, 16, 16)).shape == (2, 7)
    data = run("build", "small.yaml", "-o", "two.safetensors", "--format", "json").json
    assert data["saved"] == "two.safetensors"


def test_the_next_command_repeats_what_changed_the_spec(small: Path, run: Run) -> None:
    found = run("build", "small.yaml", "--set", "classes=max(3, 4)", "--allow-outside", "--limit", "nodes=100")
    assert found.out.endswith(
        "Next: `archspec build small.yaml --set 'classes=max(3, 4)' --allow-outside --limit nodes=100 "
        "-o small.safetensors` saves initialized weights.\n"
    )


def test_standard_input(here: Path, run: Run) -> None:
    found = run("build", "-", "-o", "small.safetensors", stdin=SMALL)
    assert (found.status, found.err) == (0, "")
    assert "archspec.build('SPEC.yaml', weights='small.safetensors')" in found.out
    assert metadata(Path("small.safetensors"))["name"] == "small"


def test_an_expectation_that_fails_builds_nothing(small: Path, run: Run) -> None:
    small.write_text(SMALL + "expect: {params: 7}\n")
    found = run("build", "small.yaml", "-o", "small.safetensors")
    assert (found.status, found.out) == (1, "")
    assert "error[E701]" in found.err
    assert [path.name for path in Path().iterdir()] == ["small.yaml"]


def test_warnings_stand_beside_the_result(small: Path, run: Run) -> None:
    small.write_text(SMALL.replace("stem: [conv: {out: 4, kernel: 3}]", "stem: imagenet"))
    found = run("build", "small.yaml")
    assert found.status == 0
    assert "warning[W" in found.err
    assert "every shape confirmed" in found.out
    data = run("build", "small.yaml", "--format", "json")
    assert data.err == ""
    assert [each["severity"] for each in data.json["diagnostics"]] == ["warning"]


def test_a_shape_that_torch_contradicts_is_said(small: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """What only a defect of archspec can cause, so a pool of no other test is made to promise other rows."""
    from archspec.operations.discovery import operations

    pool = operations()["pool"]
    shape = pool.shape
    monkeypatch.setattr(pool, "shape", lambda self, inputs: (shape(self, inputs)[0], 2, 2))
    small.write_text(SMALL + "head: [pool: {type: avg, output: 7}]\n")
    found = run("build", "small.yaml", "-o", "small.safetensors")
    assert (found.status, found.out) == (1, "")
    assert found.err.startswith("small.yaml:7:8: error[E704]")
    assert not Path("small.safetensors").exists()


@pytest.mark.parametrize("interrupt", [KeyboardInterrupt, SystemExit])
def test_an_interrupt_that_torch_makes_another_exception_is_no_fault_of_a_shape(
    interrupt: type[BaseException], small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As compiled code does that goes on in spite of an exception: Python then raises a SystemError because of it."""

    def interrupted(self: object, input: object) -> None:
        try:
            raise interrupt
        except BaseException as error:
            raise SystemError("returned a result with an exception set") from error

    monkeypatch.setattr("torch.nn.Conv2d.forward", interrupted)
    with pytest.raises(interrupt):
        compare_shapes(archspec.compile("small.yaml"))


def test_the_spec_that_is_saved_has_the_hash_of_the_one_that_was_built(here: Path, run: Run) -> None:
    """What it imports is written into it, and means the same there."""
    Path("parts.yaml").write_text("archspec: 1\nblocks: {own: {residual: [layer: {out: channels, kernel: 3}]}}\n")
    Path("net.yaml").write_text(
        "archspec: 1\nname: net\nimport: parts.yaml\nstages: {block: own, count: 1, channels: 64}\n"
    )
    assert run("build", "net.yaml", "-o", "net.safetensors").status == 0
    with safe_open("net.safetensors", "pt") as file:
        metadata = file.metadata()
    assert "import" not in metadata["archspec"]
    assert (
        metadata["hash"]
        == archspec.compile(metadata["archspec"]).fingerprint
        == archspec.compile("net.yaml").fingerprint
    )


def test_frozen_parameters_several_outputs_and_parts_of_training_only_are_told(here: Path, run: Run) -> None:
    """As `analyze` tells them. torchvision's ResNet-18 has 9,536 parameters in the stem and 147,968 in layer1."""
    text = "archspec: 1\nname: t\nextends: resnet18\nfrozen: [stem, layer1]\nhead: null\n"
    main = "[pool: {type: avg, output: 1}, flatten, linear: {out: 7}]"
    text += f"heads: {{main: {main}, aux: [conv: {{out: 8, from: layer3}}]}}\n"
    (here / "t.yaml").write_text(text + "outputs: [main, {training: aux}]\n")
    built, analyzed = run("build", "t.yaml").out, run("analyze", "t.yaml").out
    for found in (built, analyzed):
        assert found.splitlines()[0] == "t: 3x224x224 to 7 (main), 8x14x14 (aux)"
        (row,) = [row for row in found.splitlines() if row.startswith("aux (training only) ")]
        assert row.split()[3:6] == ["8x14x14", "2,048", "0.0%"]
        assert not [row for row in found.splitlines() if "main (training only)" in row]
    assert f"\nof the parameters, 2,048 in training only and {9_536 + 147_968:,} frozen\n" in built
    assert f"2,048 of them in training only; {9_536 + 147_968:,} of them frozen;" in analyzed
    (here / "t.yaml").write_text("archspec: 1\nname: t\nextends: resnet18\n")
    assert "of the parameters" not in run("build", "t.yaml").out


def test_each_layer_of_a_part_in_training_only_is_marked(here: Path, run: Run) -> None:
    heads = "heads: {main: [norm], aux: [conv: {out: 8, from: layer3}, norm]}\nhead: null\n"
    text = f"archspec: 1\nname: t\nextends: resnet18\n{heads}"
    (here / "t.yaml").write_text(text + "outputs: [main, {training: aux}]\n")
    rows = run("analyze", "t.yaml", "--per", "layer").out.splitlines()
    assert [row.split()[0] for row in rows if "(training only)" in row] == ["aux.0", "aux.1"]
