"""The zoo in ONNX: every network is valid, onnxruntime computes what torch does, and so does torch's own exporter."""

from __future__ import annotations

import contextlib
import io
import logging
import math
import time
import warnings

import numpy
import onnx
import onnxruntime
import pytest
import torch

import archspec
from archspec.emit.onnx import to_onnx
from archspec.emit.onnx_nodes import needed, without_weights
from archspec.graph.graph import Graph
from archspec.graph.state import state
from archspec.operations.shapes import Shape
from tests.emit.test_onnx import compare, pair
from tests.support.paths import SPECS

NAMES = sorted(path.stem for path in SPECS.glob("*.yaml"))

SAMPLE = ["resnet20_cifar", "resnet18_1d", "squeezenet1_1", "shufflenet_v2_x0_5", "mobilenet_v3_small"]

FAMILIES = ["resnet18", "resnext50_32x4d", "shufflenet_v2_x0_5", "convnext_tiny", "regnet_y_400mf", "r2plus1d_18"]
"""Some that torch's exporter, which takes seconds for each, is quick with."""

DEEPEST = "resnet1202_cifar"
"""With weights that are drawn as the others' are, its values overflow in torch too."""

MOST_RUN = 12_000_000
"""Parameters of the networks that are run here; larger ones of the same families take minutes to initialize."""


def shapes(graph: Graph) -> dict[str, Shape]:
    return {key: tensor.shape for key, tensor in state(graph).items()}


def small(name: str) -> Graph:
    """A network on a small input, where it has the same weights there."""
    graph = archspec.compile(name)
    for size in (64, 96):
        if max(graph.input[1:]) > size and len(graph.input) == 3:
            with contextlib.suppress(archspec.SpecError):
                other = archspec.compile(name, overrides=[f"input=[{graph.input[0]}, {size}, {size}]"])
                if shapes(other) == shapes(graph):
                    return other
    return graph


def size_of(graph: Graph) -> int:
    return sum(map(math.prod, shapes(graph).values()))


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_every_network_of_the_zoo_is_valid(name: str) -> None:
    """With its weights as inputs, which have shapes as they do, and take no memory."""
    graph = archspec.compile(name)
    model = without_weights(graph, "batch", 20)
    for key, tensor in needed(graph).items():
        model.graph.input.append(onnx.helper.make_tensor_value_info(key, onnx.TensorProto.FLOAT, tensor.shape))
    onnx.checker.check_model(model, full_check=True)


def agrees(name: str) -> None:
    graph = small(name)
    model, exported = pair(graph)
    assert compare(model, exported, (1, *graph.input), (3, *graph.input)) < 1e-5


@pytest.mark.parametrize("name", SAMPLE)
def test_a_network_is_what_torch_computes(name: str) -> None:
    agrees(name)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in NAMES if name != DEEPEST])
def test_every_network_of_the_zoo_is_what_torch_computes(name: str) -> None:
    if size_of(archspec.compile(name)) <= MOST_RUN:
        agrees(name)


def exported_by_torch(model: torch.nn.Module, x: torch.Tensor) -> onnx.ModelProto:
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            free = ({0: torch.export.Dim("batch")},)
            found = torch.onnx.export(model, (x,), dynamo=True, dynamic_shapes=free, verbose=False)
    finally:
        logging.disable(logging.NOTSET)
    assert found is not None
    return found.model_proto


def run(model: onnx.ModelProto, x: numpy.ndarray) -> numpy.ndarray:
    options = onnxruntime.SessionOptions()
    options.log_severity_level, options.intra_op_num_threads = 3, 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, ["CPUExecutionProvider"])
    (found,) = session.run(None, {session.get_inputs()[0].name: x})
    return numpy.asarray(found)


@pytest.mark.slow
@pytest.mark.parametrize("name", FAMILIES)
def test_the_exporter_of_torch_gives_the_same_in_more_time(name: str) -> None:
    graph = small(name)
    model, _ = pair(graph)
    tensors = {key: value.numpy() for key, value in model.state_dict().items()}
    start = time.process_time()
    ours = to_onnx(graph, tensors)
    middle = time.process_time()
    theirs = exported_by_torch(model, torch.zeros(2, *graph.input))
    end = time.process_time()
    for batch in (1, 3):
        x = numpy.random.default_rng(batch).standard_normal((batch, *graph.input), "float32")
        found, wanted = run(ours, x), run(theirs, x)
        assert abs(found - wanted).max() <= 1e-5 * abs(wanted).max()
    assert middle - start < 0.1 * (end - middle)
