"""Grids of the literature: which keys, how trained, and what the papers claim about them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from archspec.lab.experiments.runs import Runs
from archspec.lab.results.claim import LiteratureClaim, sampling
from archspec.lab.results.number import Number
from archspec.wording import Brief

HE_2015, HE_2016 = "He et al. 2015, table 3", "He et al. 2016"
IOFFE = "Ioffe and Szegedy 2015"
BJORCK = "Bjorck et al. 2018"


@dataclass(frozen=True, slots=True, repr=False)
class PresetGrid(Brief):
    """A grid with its claims. ``claims`` takes the runs, the number of test images and that of classes."""

    title: str
    question: str
    over: tuple[str, ...]
    claims: Callable[[Sequence[Runs], int, int], Iterator[LiteratureClaim]]
    look: str
    overrides: tuple[str, ...] = ()
    trainer: Mapping[str, Any] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()


def _of(runs: Sequence[Runs], **keys: str) -> Runs:
    """The runs of the network whose keys have these values."""
    return next(each for each in runs if all(each.variant.keys[key] == value for key, value in keys.items()))


def _better(one: Runs, other: Runs, images: int) -> tuple[str, Number, float]:
    """The difference of two test accuracies: what it is, its values, and its sampling error."""
    measure = f"test accuracy of {one.variant.label} minus {other.variant.label}"
    error = sampling(one.test_accuracy, other.test_accuracy, images=images)
    return measure, one.test_accuracy.minus(other.test_accuracy), error


def _lossier(one: Runs, other: Runs) -> tuple[str, Number]:
    """The difference of two training losses: what it is, and its values."""
    return f"final training loss of {one.variant.label} minus {other.variant.label}", one.loss.minus(other.loss)


def _shortcuts(runs: Sequence[Runs], images: int, classes: int) -> Iterator[LiteratureClaim]:
    a, b, c = (_of(runs, shortcut=name) for name in ("zero-pad", "projection", "projection-all"))
    worse = "A 1x1 convolution on every shortcut (option C) trains worse than an identity (option A)"
    yield LiteratureClaim(worse, f"{HE_2016}, table 1", *_lossier(c, a))
    for statement, one, other in (
        ("Projections where the shape changes (option B) are slightly better than zero padding (option A)", b, a),
        ("Projections everywhere (option C) are slightly better than where the shape changes (option B)", c, b),
    ):
        remark = "The paper compares networks of 34 layers on ImageNet."
        yield LiteratureClaim(statement, HE_2015, *_better(one, other, images), remark=remark)


def _orders(runs: Sequence[Runs], images: int, classes: int) -> Iterator[LiteratureClaim]:
    post = _of(runs, activation_order="post")
    for name in ("norm-after-add", "act-before-add"):
        statement = f"`{name}` trains worse than `post`"
        yield LiteratureClaim(statement, f"{HE_2016}, table 2", *_lossier(_of(runs, activation_order=name), post))
    pre = _of(runs, activation_order="pre")
    remark = "The paper's difference is 0.24 points at 110 layers, far less than so few test images can show."
    yield LiteratureClaim(
        "`pre` is better than `post`", f"{HE_2016}, table 2", *_better(pre, post, images), remark=remark
    )


def _norm(runs: Sequence[Runs], images: int, classes: int) -> Iterator[LiteratureClaim]:
    def accuracies(norm: str, shortcut: str) -> dict[float, Number]:
        own = [each for each in runs if each.variant.keys["norm"] == norm and each.variant.keys["shortcut"] == shortcut]
        return {float(each.variant.keys["lr"]): each.or_chance(each.test_accuracy, classes) for each in own}

    batch, none = accuracies("batch", "zero-pad"), accuracies("none", "zero-pad")
    top = max(batch)
    yield LiteratureClaim(
        f"At a learning rate of {top:g}, a residual network trains only with batch norm",
        f"{IOFFE}, section 3.3",
        f"test accuracy at {top:g} with batch norm minus without",
        batch[top].minus(none[top]),
        sampling(batch[top], none[top], images=images),
    )
    yield LiteratureClaim(
        "The best learning rate of a residual network is larger with batch norm than without",
        f"{BJORCK}, section 3",
        "powers of ten from the best rate without batch norm to the best with it",
        _best_rates(batch).minus(_best_rates(none)),
    )
    batch, none = accuracies("batch", "none"), accuracies("none", "none")
    yield LiteratureClaim(
        "A plain network of this depth trains only with batch norm",
        f"{IOFFE}, section 1",
        "test accuracy at the best rate with batch norm minus without",
        _best(batch).minus(_best(none)),
        sampling(_best(batch), _best(none), images=images),
    )


def _by_seed(found: Mapping[float, Number]) -> list[dict[float, float]]:
    """The accuracy at each rate, for each seed."""
    seeds = range(len(next(iter(found.values())).values))
    return [{lr: v for lr, each in found.items() if (v := each.values[seed]) is not None} for seed in seeds]


def _best(found: Mapping[float, Number]) -> Number:
    return Number(tuple([max(each.values(), default=None) for each in _by_seed(found)]))


def _best_rates(found: Mapping[float, Number]) -> Number:
    """The logarithm of the rate with the highest accuracy."""
    return Number(tuple([math.log10(max(each, key=each.__getitem__)) if each else None for each in _by_seed(found)]))


PRESETS: dict[str, PresetGrid] = {
    "shortcuts": PresetGrid(
        "Shortcuts A, B and C",
        "Which shortcut should a block have where its shape does not change: an identity, or a projection?",
        ("shortcut=zero-pad,projection,projection-all",),
        _shortcuts,
        "With option C, the shortcut path from the loss to the first block crosses a convolution at every block. The "
        "loss stays far above those of A and B, where this path is an identity at most blocks.",
    ),
    "norm": PresetGrid(
        "Batch norm by learning rate",
        "Does batch norm let a network train at all, or only at larger learning rates?",
        ("shortcut=zero-pad,none", "norm=batch,none", "lr=0.003,0.01,0.03,0.1,0.3,1.0"),
        _norm,
        "With batch norm, the accuracy hardly depends on the rate. Without it, the residual network fails at large "
        "rates, and the plain one at every rate.",
        overrides=("stages.count=3",),
        trainer={"epochs": 4},
        remarks=("With the one-cycle schedule, a rate is the largest of the training. Most steps use a smaller one.",),
    ),
    "orders": PresetGrid(
        "Orders of convolution, norm and activation",
        "Does it matter where the norm and the activation are in a block?",
        ("activation_order=post,norm-after-add,act-before-add,act-only-pre,pre",),
        _orders,
        "What lies on the shortcut path costs the most: `norm-after-add` puts a norm there. The other orders differ by "
        "little more than the seeds of one network do.",
    ),
}
