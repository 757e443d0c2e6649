"""Max pooling's indices, against torchvision's own networks as torch runs them."""

from __future__ import annotations

import pytest
import torch
from torch import fx, nn

import archspec
from archspec.analysis.report import analyze
from tests.analysis.families import family
from tests.analysis.measure import inference_peak, saved_for_backward
from tests.support.reference import torchvision_model

pytestmark = pytest.mark.usefixtures("freed")

PEAKS = {"alexnet": 1_334_272, "squeezenet1_0": 7_921_536}


def without_initial_values(model: nn.Module) -> nn.Module:
    """A model from the meta device with weights of zero: memory does not depend on them, and drawing takes long."""
    model.to_empty(device="cpu")
    with torch.no_grad():
        for tensor in (*model.parameters(), *model.buffers()):
            tensor.zero_()
    return model


@pytest.mark.parametrize("name", PEAKS)
def test_indices_are_made_in_inference_too(name: str) -> None:
    graph = family(name)
    found = analyze(graph).memory
    with torch.device("meta"):
        reference = torchvision_model(name)
    traced = fx.symbolic_trace(without_initial_values(reference))
    model = without_initial_values(archspec.build(graph, device="meta", flat=True))
    example = torch.zeros(1, 3, 224, 224)
    assert found.inference_peak == PEAKS[name]
    assert inference_peak(traced, example) == PEAKS[name]
    assert inference_peak(model, example) == PEAKS[name]
    assert found.saved_for_backward == saved_for_backward(model, example) == saved_for_backward(traced, example)


@pytest.mark.parametrize("name", ["densenet121", "mobilenet_v2", "regnet_y_400mf"])
def test_whole_networks(name: str) -> None:
    graph = family(name)
    found = analyze(graph).memory
    model = without_initial_values(archspec.build(graph, device="meta", flat=True))
    example = torch.zeros(1, 3, 224, 224)
    assert found.inference_peak == inference_peak(model, example)
    assert found.saved_for_backward == saved_for_backward(model, example)
