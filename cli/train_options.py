"""The options of ``archspec train`` that say how to train."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar, cast

import click

from archspec.arguments import number
from archspec.diagnostics import cut
from archspec.lab.experiments.setting_text import read_setting

from . import options

if TYPE_CHECKING:
    from archspec.lab.training import Settings

F = TypeVar("F", bound=Callable[..., Any])

OPTIMIZERS = ("sgd", "adamw")
SCHEDULES = ("one-cycle", "steps", "constant")
PRECISIONS = ("float32", "bfloat16", "float16")

AUXILIARY = (
    "The weight of the losses of outputs that the network has in training only: a number such as 0.3, or one for each "
    "as '{aux1: 0.3, aux2: 0.2}'. A network with such outputs needs it."
)


class Trainer(NamedTuple):
    """How to train, as options say it: the keys of :class:`archspec.lab.training.Settings`, and the device."""

    keys: dict[str, Any]
    device: str

    def settings(self) -> Settings:
        """The settings.

        Raises:
            click.UsageError: a value is out of range.
        """
        from archspec.lab.training import Settings  # it imports torch

        if self.keys["warmup"] > 0 and self.keys["schedule"] == "one-cycle":
            message = "`--warmup` has no effect on the schedule `one-cycle`, which begins with a rise of its own"
            raise click.UsageError(f"{message}; choose `--schedule steps` or `constant`, or leave it out")
        try:
            given = self.keys["auxiliary"]
            return Settings(**{**self.keys, "auxiliary": None if given is None else _weights(given)})
        except ValueError as error:
            name, _, reason = str(error).removeprefix("`").partition("`")
            raise click.UsageError(f"`--{name.replace('_', '-')}`{reason}") from None


def _weights(text: str) -> Any:
    """The weights of auxiliary losses, from their text.

    Raises:
        click.UsageError: it is neither a number nor a mapping of numbers.
    """
    try:
        found = read_setting(text.strip())
        for each in found.values() if isinstance(found, dict) else [found]:
            number(each, "auxiliary")
    except (TypeError, ValueError):
        message = (
            f"`--auxiliary` takes a number such as 0.3, or one for each output as '{{NAME: 0.3}}'; got `{cut(text)}`"
        )
        raise click.UsageError(message) from None
    return found


def trainer(function: F) -> F:
    """The options of the trainer. The command gets them together, as a :class:`Trainer`."""

    @click.option(
        "--epochs", type=click.IntRange(1), default=8, show_default=True, metavar="N", help="How many epochs to train."
    )
    @click.option(
        "--batch",
        type=click.IntRange(1),
        default=64,
        show_default=True,
        metavar="N",
        help="Images per step, over all processes.",
    )
    @click.option("--lr", type=float, default=0.05, show_default=True, metavar="X", help="The largest learning rate.")
    @click.option(
        "--optimizer",
        type=options.Word("optimizer", OPTIMIZERS),
        default="sgd",
        show_default=True,
        help="SGD with momentum 0.9, or AdamW.",
    )
    @click.option(
        "--schedule",
        type=options.Word("schedule", SCHEDULES),
        default="one-cycle",
        show_default=True,
        help="The learning rate rises and falls, is divided by 10 after 1/2 and 3/4 of the epochs, or stays constant.",
    )
    @click.option(
        "--warmup",
        type=float,
        default=0.0,
        metavar="EPOCHS",
        help="Let the rate rise linearly over these epochs, for `steps` and `constant`.",
    )
    @click.option("--weight-decay", type=float, default=1e-4, show_default=True, metavar="X", help="The weight decay.")
    @click.option("--no-decay-norms", is_flag=True, help="Leave norms and biases out of the weight decay.")
    @click.option("--auxiliary", metavar="WEIGHT", help=AUXILIARY)
    @click.option(
        "--precision",
        type=options.Word("precision", PRECISIONS),
        default="float32",
        show_default=True,
        help="The precision; `bfloat16` and `float16` are mixed precision.",
    )
    @click.option(
        "--device",
        default="auto",
        show_default=True,
        metavar="NAME",
        help="Where to train: `cpu`, `cuda`, `cuda:1` or `mps`; `auto` uses an accelerator if there is one.",
    )
    @functools.wraps(function)
    def command(*, no_decay_norms: bool, device: str, **others: Any) -> Any:
        names = ("epochs", "batch", "lr", "optimizer", "schedule", "warmup", "weight_decay", "auxiliary", "precision")
        keys = {**{name: others.pop(name) for name in names}, "decay_norms": not no_decay_norms}
        return function(trainer=Trainer(keys, device), **others)

    return cast(F, command)
