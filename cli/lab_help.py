"""``archspec lab NAME --help``: what one experiment asks, its example, and the options that it takes."""

from __future__ import annotations

import click

from archspec.lab.experiments.experiment import Experiment
from archspec.lab.experiments.experiments import by_name, options

from .lab_options import spelled
from .options import SpecCommand

NAMED = "archspec.lab.experiment"


class LabCommand(SpecCommand):
    """The command whose help is that of an experiment, if its name comes before ``--help``."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ctx.meta[NAMED] = by_name().get(args[0]) if args else None
        return super().parse_args(ctx, args)

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        experiment = _named(ctx)
        if experiment is None:
            return super().collect_usage_pieces(ctx)
        return ["[OPTIONS]", experiment.name, "[SPEC]..." if experiment.specs == "several" else "[SPEC]"]

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        experiment = _named(ctx)
        if experiment is None:
            super().format_help_text(ctx, formatter)
            return
        about = (
            f"{experiment.summary} It takes about {experiment.minutes:g} minutes on two free cores; `--smallest` takes "
            "seconds. Without a SPEC, the network is `resnet56_cifar` with 8, 16 and 32 channels.",
            f"\b\nExample:\n  archspec lab {experiment.example}",
            "Then open `report.md` in the folder. `archspec lab --help` describes the other files.",
        )
        with formatter.indentation():
            for text in about:
                formatter.write_paragraph()
                formatter.write_text(text)

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """All parameters; in the help of an experiment, without the options of others."""
        found, experiment = super().get_params(ctx), _named(ctx)
        if experiment is None or not ctx.meta.get(f"{NAMED}.help"):
            return found
        foreign = {spelled(name) for name in options()} - {spelled(option.name) for option in experiment.options}
        return [each for each in found if not foreign & {*each.opts}]

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        ctx.meta[f"{NAMED}.help"] = True
        super().format_options(ctx, formatter)
        ctx.meta[f"{NAMED}.help"] = False


def _named(ctx: click.Context) -> Experiment | None:
    found: Experiment | None = ctx.meta.get(NAMED)
    return found
