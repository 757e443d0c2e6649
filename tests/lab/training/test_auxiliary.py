"""Auxiliary losses: those of torchvision's networks value by value, their weights by name, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

import archspec
from archspec.diagnostics import Diagnostic, SpecError
from archspec.lab.data import Data, load_data
from archspec.lab.data.split import Split
from archspec.lab.seeding import seeded
from archspec.lab.training import Progress, Settings, evaluate, for_data, train
from archspec.lab.training.order import order
from tests.support.reference import torchvision_models

SMALL = load_data("synthetic", size=8)
TEXT = """
archspec: 1
name: two
input: [3, 8, 8]
stem: [conv: {out: 4, kernel: 3}]
stages: {block: basic, count: 1, channels: [4, 8], stride: [1, 2]}
head: classifier
heads:
  first: [pool: {type: avg, output: 1, from: layer1}, flatten, dropout: {p: 0.2}, linear: {out: classes}]
  second: [flatten: {from: layer2}, linear: {out: classes}]
outputs: [{training: first}, head, {training: second}]
"""


def few(data: Data, count: int, dtype: torch.dtype = torch.float32) -> Data:
    """The data with as many images as a step takes, and as many to test with."""
    splits = [Split(each.images[:count].to(dtype), each.labels[:count]) for each in (data.train, data.test)]
    return replace(data, train=splits[0], test=splits[1])


REFERENCES = {"googlenet": (64, 0.3), "inception_v3": (299, 0.4)}


@pytest.mark.parametrize("name", ["googlenet", pytest.param("inception_v3", marks=pytest.mark.slow)])
def test_a_step_is_that_of_torchvisions_network_with_the_loss_written_by_hand(name: str) -> None:
    """The loss and every weight after the step, in float64."""
    size, weight = REFERENCES[name]
    data = few(load_data("synthetic", size=size), 4, torch.float64)
    settings = Settings(epochs=1, batch=4, lr=0.01, schedule="constant", momentum=0, weight_decay=0, auxiliary=weight)
    model = archspec.build(for_data(name, data, overrides=["params.aux=true"]), seed=0).double()
    make = getattr(torchvision_models(), name)
    theirs = make(num_classes=10, aux_logits=True, transform_input=True, init_weights=False).double()
    theirs.load_state_dict(model.state_dict())
    images, labels = (each[order(0, 0, 4)] for each in (data.train.images, data.train.labels))
    before = model.state_dict()["fc.weight"].clone()
    loss = train(model, data, settings).final.loss
    assert not torch.equal(model.state_dict()["fc.weight"], before)

    torch.manual_seed(seeded(0, 0, "layers"))
    logits, *others = theirs.train()(images)
    wanted = functional.cross_entropy(logits, labels)
    for other in others:
        wanted = wanted + weight * functional.cross_entropy(other, labels)
    wanted.backward()
    torch.optim.SGD(theirs.parameters(), lr=0.01).step()
    assert len(others) == (2 if name == "googlenet" else 1)
    assert loss == torch.tensor(wanted.item()).item()  # the history has losses in float32
    for key, value in model.state_dict().items():  # the gradients of branches are summed in another order
        assert torch.allclose(value, theirs.state_dict()[key], rtol=1e-9, atol=1e-12), key


def test_torchvisions_own_network_trains_as_ours_does() -> None:
    """It returns a named tuple, whose fields are the names."""
    data = few(load_data("synthetic", size=64), 4, torch.float64)
    make = torchvision_models().googlenet
    theirs = make(num_classes=10, aux_logits=True, transform_input=True, init_weights=False).double()
    ours = archspec.build(for_data("googlenet", data, overrides=["params.aux=true"]), seed=0).double()
    theirs.load_state_dict(ours.state_dict())
    settings = Settings(epochs=1, batch=4, lr=0.01, schedule="constant")
    first = train(ours, data, replace(settings, auxiliary={"aux1": 0.1, "aux2": 0.3}))
    second = train(theirs, data, replace(settings, auxiliary={"aux_logits1": 0.1, "aux_logits2": 0.3}))
    assert first.final.loss == second.final.loss
    assert evaluate(ours, data.test).loss == pytest.approx(evaluate(theirs, data.test).loss, rel=1e-6)  # in float32
    for key, value in ours.state_dict().items():  # the gradients of branches are summed in another order
        assert torch.allclose(value, theirs.state_dict()[key], rtol=1e-9, atol=1e-12), key
    with pytest.raises(SpecError, match="E869") as error:
        train(theirs, data, settings)
    assert error.value.diagnostics[0].message.endswith("`aux_logits2`, `aux_logits1`")


class Tuples(nn.Module):
    """A model that returns a tuple without names in training mode."""

    def __init__(self) -> None:
        super().__init__()
        self.flat = nn.Flatten()
        self.main, self.other = nn.Linear(3 * 8 * 8, 10), nn.Linear(3 * 8 * 8, 10)

    def forward(self, x: Tensor) -> Any:
        x = self.flat(x)
        return (self.main(x), self.other(x)) if self.training else self.main(x)


def test_a_tuple_has_its_positions_as_names() -> None:
    torch.manual_seed(0)
    first = Tuples()
    second = Tuples()
    second.load_state_dict(first.state_dict())
    train(first, SMALL, Settings(epochs=1, auxiliary={"1": 0.5}))
    train(second, SMALL, Settings(epochs=1, auxiliary=0.5))
    assert all(torch.equal(value, second.state_dict()[key]) for key, value in first.state_dict().items())


def gradients(returns: str, auxiliary: Any) -> dict[str, Tensor]:
    """What one step without momentum or decay subtracts from each weight, at a rate of 1."""
    data = few(SMALL, 16)
    model = archspec.build(for_data(TEXT + returns, data), seed=0)
    before = {name: value.clone() for name, value in model.named_parameters()}
    how: dict[str, Any] = {"momentum": 0, "weight_decay": 0, "lr": 1, "schedule": "constant"}
    train(model, data, Settings(epochs=1, batch=16, auxiliary=auxiliary, **how))
    return {name: before[name] - value.detach() for name, value in model.named_parameters()}


@pytest.mark.parametrize("returns", ["", "returns: tuple\n"], ids=["dict", "tuple"])
def test_each_loss_has_its_own_weight(returns: str) -> None:
    """Gradients of a head are proportional to its weight. The main output is the first of eval mode."""
    one, two = gradients(returns, {"first": 0.5, "second": 0}), gradients(returns, {"first": 0.25, "second": 1})
    assert torch.allclose(one["first.3.weight"], 2 * two["first.3.weight"], atol=1e-5)
    assert torch.equal(one["fc.weight"], two["fc.weight"])
    assert not one["second.1.weight"].any()
    assert two["second.1.weight"].any()
    assert one["first.3.weight"].any()
    same = gradients(returns, 0.5)
    assert torch.equal(same["first.3.weight"], one["first.3.weight"])


def refused(auxiliary: Any) -> Diagnostic:
    model = archspec.build(for_data(TEXT, SMALL), seed=0)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    with pytest.raises(SpecError) as error:
        train(model, SMALL, Settings(epochs=1, auxiliary=auxiliary))
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    (found,) = error.value.diagnostics
    assert found.code == "E869"
    return found


def test_what_a_weight_is_missing_for() -> None:
    """Nothing of the model has changed by then."""
    found = refused(None)
    assert found.message.endswith("`first`, `second`")
    assert "`Settings(auxiliary=0.3)`" in found.help
    found = refused({"second": 0.1})
    assert found.message.endswith(": `first`")
    assert "`Settings(auxiliary={'first': 0.3, 'second': 0.1})`" in found.help
    assert refused({"first": 1, "second": 1, "secnd": 1}).help == "did you mean `second`?"
    assert refused({"head": 1}).help == "it returns `first`, `second`"


@pytest.mark.parametrize(
    "auxiliary", ["0.3", True, -1, float("nan"), {"a": -1}, {"a": "x"}, {1: 0.3}, [0.3], {"a": {}}]
)
def test_what_a_weight_cannot_be(auxiliary: Any) -> None:
    with pytest.raises((TypeError, ValueError), match="`auxiliary` takes "):
        Settings(auxiliary=auxiliary)


def test_a_mapping_of_the_caller_may_change_afterwards() -> None:
    given = {"aux": 0.5}
    settings = Settings(auxiliary=given)
    given["aux"] = 7
    assert settings.as_data()["auxiliary"] == {"aux": 0.5}


def test_it_resumes_to_the_same_weights_and_not_with_other_ones(tmp_path: Path) -> None:
    settings = Settings(epochs=2, auxiliary={"first": 0.3, "second": 0.1})
    graph = for_data(TEXT, SMALL)
    whole, part = archspec.build(graph, seed=0), archspec.build(graph, seed=0)
    train(whole, SMALL, settings)

    def stop(progress: Progress) -> None:
        if progress.ended:
            raise KeyboardInterrupt

    again = archspec.build(graph, seed=1)
    for step in (part, again):
        callback = stop if step is part else None
        try:
            history = train(step, SMALL, settings, checkpoint=tmp_path / "c", checkpoint_every=3, progress=callback)
        except KeyboardInterrupt:
            continue
    assert history.resumed_at == 6
    assert all(torch.equal(value, again.state_dict()[key]) for key, value in whole.state_dict().items())
    with pytest.raises(SpecError, match="E867") as error:
        train(again, SMALL, replace(settings, auxiliary=0.3), checkpoint=tmp_path / "c")
    assert "`auxiliary` is {'first': 0.3, 'second': 0.1} there and 0.3 here" in error.value.diagnostics[0].message
