"""torchvision's published files of weights, as its own builders load them.

Nothing is downloaded: in its place, a builder gets a state dict of random values with the keys and shapes that the
published file has. What the builder sets when it is given weights (``transform_input``, ``aux_logits``, the number of
classes) is its own.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import archspec
from archspec.graph.state import state
from tests.support.equivalence import scramble
from tests.support.paths import SPECS
from tests.support.reference import torchvision_models

pytestmark = pytest.mark.usefixtures("freed")

QUICK = {
    "lraspp_mobilenet_v3_large",
    "googlenet",
    "inception_v3",
    "resnet50",
    "mobilenet_v3_small",
    "densenet121",
    "regnet_y_400mf",
}
AUXILIARY = {name: {"aux_logits": True, "init_weights": False} for name in ("googlenet", "inception_v3")}
"""What the networks were made with whose parameters the published files hold."""

UNCROPPED = (97, 128)
"""A size for a network of segmentation, which runs on images of any size."""

OLD = re.compile(r"^(.*denselayer\d+\.(?:norm|conv))([12]\..*)$")
"""The keys of a dense layer. The published files are from a time in which names of modules had dots."""


def specs() -> Iterator[str]:
    for path in sorted(SPECS.glob("*.yaml")):
        if re.search(r"^reference: torchvision:", path.read_text(encoding="utf-8"), re.MULTILINE):
            yield path.stem


def entries() -> Iterator[Any]:
    """Every entry of every builder, one of those that differ only in their values: all entries of one crop."""
    models = torchvision_models()
    for name in specs():
        crops: dict[tuple[int, int], list[Any]] = {}
        for entry in models.get_model_weights(name):
            crop = entry.transforms.keywords.get("crop_size", UNCROPPED)
            crops.setdefault((crop, crop) if isinstance(crop, int) else tuple(crop), []).append(entry)
        for crop, found in crops.items():
            slow = name not in QUICK or crop != next(iter(crops))
            marks = [pytest.mark.slow] if slow else []
            yield pytest.param(name, crop, found, marks=marks, id=f"{name}-{'x'.join(map(str, crop))}")


def published(name: str, *, device: str = "cpu") -> dict[str, Tensor]:
    """Random values under the keys of the published file."""
    # torchvision computes the widths of a RegNet with tensors, which must have values.
    with torch.device("cpu" if name.startswith("regnet") else "meta"):
        model: nn.Module = getattr(module_of(name), name)(**made_with(name)).to("meta")
    if device == "cpu":
        model.to_empty(device="cpu")
        for buffer in model.buffers():
            buffer.zero_()
        scramble(model)
    found = model.state_dict()
    if name.startswith("densenet"):
        counted = {key: value for key, value in found.items() if not key.endswith("num_batches_tracked")}
        return {OLD.sub(r"\1.\2", key): value for key, value in counted.items()}
    return found


def made_with(name: str) -> dict[str, Any]:
    if hasattr(torchvision_models().segmentation, name):
        return {"weights_backbone": None, **({} if name.startswith("lraspp") else {"aux_loss": True})}
    return AUXILIARY.get(name, {})


def module_of(name: str) -> Any:
    models = torchvision_models()
    return next(each for each in (models, models.video, models.segmentation) if hasattr(each, name))


@pytest.mark.parametrize(("name", "crop", "found"), list(entries()))
def test_a_published_file_gives_the_network_that_torchvision_makes_of_it(
    name: str, crop: tuple[int, int], found: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.set_num_threads(1)
    file = published(name)
    entry = found[0]
    monkeypatch.setattr(type(entry), "get_state_dict", lambda self, *args, **kwargs: copy.copy(file))
    reference = getattr(module_of(name), name)(weights=entry).eval()
    model = archspec.build(name, weights=file).eval()
    frames = archspec.load(name).input[1:-2]
    x = torch.rand(
        2, 3, *frames, *crop, generator=torch.Generator().manual_seed(0)
    )  # not around 0, as a shift would be
    with torch.no_grad():
        wanted, given = reference(x), model(x)
    pairs = [(given[key], wanted[key]) for key in wanted] if isinstance(wanted, dict) else [(given, wanted)]
    assert not isinstance(wanted, dict) or list(given) == list(wanted)
    for found, value in pairs:
        assert value.isfinite().all()
        assert not torch.equal(value[0], value[1])
        assert torch.equal(found, value)


@pytest.mark.parametrize("name", [n if n in QUICK else pytest.param(n, marks=pytest.mark.slow) for n in specs()])
def test_what_the_entries_say_of_the_network(name: str) -> None:
    """Parameters, classes, the smallest input; and that a file holds the network's tensors and what the spec skips."""
    graph = archspec.compile(name)
    wanted = {key: tensor.shape for key, tensor in state(graph).items()}
    file = published(name, device="meta")
    names = {graph.origin.published.name(key, wanted): tuple(tensor.shape) for key, tensor in file.items()}  # type: ignore[union-attr]
    beside = {key: shape for key, shape in names.items() if key not in wanted}
    assert {key: names[key] for key in wanted if key in names} == {k: s for k, s in wanted.items() if k in names}
    assert all(key.endswith("num_batches_tracked") for key in wanted if key not in names)
    assert all(graph.origin.published.skips(key) for key in beside)  # type: ignore[union-attr]
    params = archspec.analyze(graph).totals.costs.params
    heads = sum(torch.Size(shape).numel() for key, shape in beside.items() if key.endswith(("weight", "bias")))
    for entry in torchvision_models().get_model_weights(name):
        counted = params + (heads if name == "inception_v3" else 0)  # only there the figure counts the auxiliary head
        assert entry.meta["num_params"] == counted
        categories = entry.meta["categories"]  # None for features of VGG-16, whose classifier is not trained
        assert graph.output[0] == (1000 if categories is None else len(categories))
        smallest = archspec.compile(name, input=(*graph.input[:-2], *entry.meta["min_size"]))
        assert smallest.output == (*graph.output[:1], *entry.meta["min_size"][: len(graph.output) - 1])


@pytest.mark.slow
@pytest.mark.parametrize("name", AUXILIARY)
def test_a_published_file_is_loaded_wholly_with_the_auxiliary_heads(name: str) -> None:
    """Every tensor of the file is in the model, and no other."""
    file = published(name)
    model = archspec.build(name, weights=file, overrides=["params.aux=true"])
    made = model.state_dict()
    assert {key for key in made if not key.endswith("num_batches_tracked")} == {
        key for key in file if not key.endswith("num_batches_tracked")
    }
    assert all(torch.equal(made[key], file[key]) for key in file)
    assert any("aux" in key.lower() for key in file)


def test_every_network_of_a_spec_is_here() -> None:
    assert len(list(specs())) == 77
