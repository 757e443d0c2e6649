"""Files of ONNX as `archspec.write` and the command write them: options, large weights, and what is refused."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy
import onnx
import onnxruntime
import pytest
import torch

import archspec
from archspec.emit import onnx as target
from archspec.emit.onnx_file import write_model
from archspec.emit.onnx_nodes import add_tensor, needed
from tests.support.equivalence import scramble, spec

SMALL = spec("""
    summary: "Ends \\"\\"\\" </text> early \U0001f600"
    input: [3, 16, 16]
    classes: 5
    stem: cifar
    stages: {block: basic, count: 1, channels: [8, 12], stride: [1, 2]}
    """)


def session(path: Path | str) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(path, options, ["CPUExecutionProvider"])


def results(path: Path, x: torch.Tensor) -> torch.Tensor:
    loaded = session(path)
    (found,) = loaded.run(None, {loaded.get_inputs()[0].name: x.numpy()})
    return torch.from_numpy(numpy.asarray(found))


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def trained(here: Path) -> torch.nn.Module:
    """A model with weights unlike any initial ones, saved as `w.safetensors` and `w.pth`."""
    model = archspec.build(SMALL)
    scramble(model)
    archspec.save(model, SMALL, "w.safetensors")
    torch.save(model.state_dict(), "w.pth")
    return model.eval()


@pytest.mark.parametrize("weights", ["w.safetensors", "w.pth"])
def test_a_file_has_the_weights_that_are_named(weights: str, trained: torch.nn.Module, here: Path) -> None:
    written = archspec.write(SMALL, "net.onnx", weights=weights)
    assert (written.target, written.files) == ("onnx", ("net.onnx",))
    assert written.weights is not None
    assert len(written.weights.loaded) == len(trained.state_dict())
    x = torch.randn(3, 3, 16, 16)
    assert torch.allclose(results(here / "net.onnx", x), trained(x), rtol=1e-5, atol=1e-5)
    kept = {each.key: each.value for each in onnx.load("net.onnx").metadata_props}
    assert archspec.compile(kept["archspec"]).fingerprint == kept["hash"] == archspec.compile(SMALL).fingerprint


def test_initial_weights_are_those_of_the_seed(here: Path) -> None:
    archspec.write(SMALL, "net.onnx", seed=5)
    archspec.write(SMALL, "same.onnx", weights=archspec.build(SMALL, seed=5).state_dict())
    assert (here / "net.onnx").read_bytes() == (here / "same.onnx").read_bytes()


def test_half_precision_is_converted_and_reported(trained: torch.nn.Module, here: Path) -> None:
    torch.save(trained.half().state_dict(), "half.pth")
    with pytest.warns(UserWarning, match=r"converted from torch\.float16 to torch\.float32"):
        archspec.write(SMALL, "net.onnx", weights="half.pth")
    kinds = {each.data_type for each in onnx.load("net.onnx").graph.initializer if not each.name.startswith("constant")}
    assert kinds == {onnx.TensorProto.FLOAT}


@pytest.mark.parametrize("name", ["resnet20_cifar", "convnext_tiny", "googlenet"])
def test_the_file_has_the_bytes_that_protobuf_gives(name: str, here: Path) -> None:
    """Among their weights are scalars and arrays that are not contiguous."""
    graph = archspec.compile(name)
    tensors = {
        key: numpy.asfortranarray(numpy.random.default_rng(0).normal(size=tensor.shape))
        for key, tensor in needed(graph).items()
    }
    target.write_onnx(graph, tensors, here / "net.onnx")
    assert (here / "net.onnx").read_bytes() == target.to_onnx(graph, tensors).SerializeToString(deterministic=True)


@pytest.mark.parametrize("shape", [(), (0,), (3, 0, 2), (127,), (128,), (70, 70, 70), (2, 3)])
def test_an_initializer_of_any_size_is_as_protobuf_writes_it(shape: tuple[int, ...]) -> None:
    model = onnx.ModelProto(ir_version=9, producer_name="p", graph=onnx.GraphProto(name="é", doc_string="after"))
    model.opset_import.add(domain="", version=20)
    add_tensor(model.graph, "constant", numpy.arange(3))
    file, values = io.BytesIO(), numpy.arange(numpy.prod(shape), dtype="<f4").reshape(shape)
    write_model(model, [("w", values), ("v", values[:0] if shape else values)], file)
    add_tensor(model.graph, "w", values)
    add_tensor(model.graph, "v", values[:0] if shape else values)
    assert file.getvalue() == model.SerializeToString(deterministic=True)


@pytest.fixture
def lowered(monkeypatch: pytest.MonkeyPatch) -> None:
    """All weights are large."""
    monkeypatch.setattr(target, "LARGEST", 1000)


@pytest.mark.usefixtures("lowered")
def test_large_weights_are_in_a_file_beside_it(trained: torch.nn.Module, here: Path) -> None:
    written = archspec.write(SMALL, "net.onnx", weights="w.safetensors")
    assert written.files == ("net.onnx", "net.onnx.data")
    assert written.size == sum((here / name).stat().st_size for name in written.files)
    onnx.checker.check_model("net.onnx", full_check=True)
    x = torch.randn(2, 3, 16, 16)
    assert torch.allclose(results(here / "net.onnx", x), trained(x), rtol=1e-5, atol=1e-5)
    found = {each.name: onnx.numpy_helper.to_array(each) for each in onnx.load("net.onnx").graph.initializer}
    for key, value in trained.state_dict().items():
        assert key.endswith("tracked") or numpy.array_equal(found[key], value.numpy())
    before = {name: (here / name).read_bytes() for name in written.files}
    archspec.write(SMALL, "net.onnx", weights="w.safetensors", force=True)
    assert {name: (here / name).read_bytes() for name in written.files} == before


@pytest.mark.usefixtures("lowered")
def test_a_file_of_weights_that_exists_stays(trained: torch.nn.Module, here: Path) -> None:
    (here / "net.onnx.data").write_text("mine")
    before = sorted(path.name for path in here.iterdir())
    with pytest.raises(archspec.EnvironmentFault) as raised:
        archspec.write(SMALL, "net.onnx", weights="w.safetensors")
    assert raised.value.diagnostic.code == "E805"
    assert "net.onnx.data" in raised.value.diagnostic.message
    assert (here / "net.onnx.data").read_text() == "mine"
    assert sorted(path.name for path in here.iterdir()) == before


@pytest.mark.usefixtures("lowered")
@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_nothing_is_left_half_written(error: BaseException, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    added = target._add_outside

    def fails(graph: onnx.GraphProto, name: str, *rest: Any) -> None:
        added(graph, name, *rest)
        if name == "fc.bias":
            raise error

    monkeypatch.setattr(target, "_add_outside", fails)
    wanted = archspec.EnvironmentFault if isinstance(error, OSError) else KeyboardInterrupt
    with pytest.raises(wanted):
        archspec.write(SMALL, "net.onnx")
    assert list(here.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        ({"opset": 17}, "from 18 to 28"),
        ({"opset": 29}, "from 18 to 28"),
        ({"dynamic": "batches"}, "none, batch, size"),
    ],
)
def test_an_option_out_of_range_says_what_it_takes(options: Any, fault: str, here: Path) -> None:
    with pytest.raises(ValueError, match=fault):
        archspec.write(SMALL, "net.onnx", **options)
    assert list(here.iterdir()) == []


def test_the_spec_lines_that_need_a_size_are_refused_at_once(here: Path) -> None:
    text = spec("""
        input: [3, 16, 16]
        stem: [conv: {out: 4, kernel: 3}]
        stages: []
        head:
          - multiply: [[pool: {type: avg, output: 2}], [pool: {type: max, output: 2}]]
          - flatten
          - linear: {out: 3}
        """)
    with pytest.raises(archspec.SpecError) as raised:
        archspec.write(text, "net.onnx", dynamic="size")
    faults = raised.value.diagnostics
    assert [(each.code, each.span and each.span.line) for each in faults] == [("E830", 7), ("E830", 7)]
    assert list(here.iterdir()) == []


def test_a_line_that_made_many_nodes_is_refused_once(here: Path) -> None:
    text = SMALL + "act: gelu\n"
    with pytest.raises(archspec.SpecError) as raised:
        archspec.write(text, "net.onnx", opset=19)
    assert [each.code for each in raised.value.diagnostics] == ["E830"] * len(
        {each.span for each in raised.value.diagnostics}
    )
