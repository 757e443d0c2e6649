"""The state dict that the analyses speak of is the built model's: keys, order, shapes and dtypes."""

from __future__ import annotations

import pytest

import archspec
from archspec.graph.state import state
from archspec.operations.base import Buffer

# A parameter that stands in a scope itself, scopes that are opened again, a projection that comes first.
FAMILIES = (
    *("resnet18", "preact_resnet50", "convnext_tiny", "densenet121", "regnet_y_400mf", "mobilenet_v3_small"),
    *("inception_v3", "shufflenet_v2_x0_5", "efficientnet_b0", "r2plus1d_18", "vgg11_bn"),
)


@pytest.mark.parametrize("name", FAMILIES)
def test_the_state_is_that_of_the_built_model(name: str) -> None:
    graph = archspec.compile(name)
    told = [
        (key, tensor.shape, isinstance(tensor, Buffer) and tensor.dtype == "int64")
        for key, tensor in state(graph).items()
    ]
    for flat in (False, True):
        built = archspec.build(graph, device="meta", flat=flat).state_dict()
        assert told == [(key, tuple(tensor.shape), not tensor.is_floating_point()) for key, tensor in built.items()]
