"""The table of experiments: what each asks, and what it can be asked for. Nothing else names an experiment.

An experiment is one function in one file, which is imported only when it is asked for.
"""

from __future__ import annotations

from archspec.lab.experiments.experiment import Experiment
from archspec.lab.experiments.option import ExperimentOption

SETS = (
    ExperimentOption(
        "deleted",
        "How many blocks to delete at once, after training.",
        (1, 3, 5, 8, 12, 16),
        "wholes",
        least=1,
        most=1000,
    ),
    ExperimentOption("draws", "How many random sets of each size to draw.", 8, "whole", least=1, most=1000),
)
"""What experiments take that delete random sets of blocks."""

QUICK = {"seeds": 2, "trainer": {"epochs": 1, "batch": 256}}
QUICK_SETS = {**QUICK, "deleted": (1, 2), "draws": 2, "overrides": ["stages.count=2"]}

EXPERIMENTS: tuple[Experiment, ...] = (
    Experiment(
        "degradation",
        "Compares plain and residual networks at several depths: the degradation problem.",
        "archspec.lab.experiments.degradation:degradation",
        "degradation -o degradation --jobs 2",
        minutes=2,
        options=(
            ExperimentOption(
                "plain", "Blocks in each stage of the plain networks.", (3, 9), "wholes", least=1, most=1000
            ),
            ExperimentOption(
                "residual", "Blocks in each stage of the residual networks.", (3, 9, 18), "wholes", least=1, most=1000
            ),
        ),
        smallest={**QUICK, "plain": (1, 2), "residual": (1, 2)},
    ),
    Experiment(
        "ablate",
        "Varies keys of the spec and settings of the training: which choice matters, and by how much.",
        "archspec.lab.experiments.ablate:ablate",
        "ablate --over shortcut=zero-pad,projection --over lr=0.02,0.05 -o shortcuts",
        seeds=5,
        minutes=3,
        options=(
            ExperimentOption(
                "over",
                "A key of the spec or a setting of the training, and its values. You can repeat this option.",
                (),
                "texts",
            ),
            ExperimentOption(
                "preset",
                "A grid from the literature, with its claims, in place of `--over`.",
                None,
                "word",
                words=("shortcuts", "norm", "orders"),
                excludes=("over",),
            ),
        ),
        pages={name: {"preset": name} for name in ("shortcuts", "norm", "orders")},
        smallest={**QUICK, "over": ("shortcut=zero-pad,none",), "overrides": ["stages.count=1"]},
    ),
    Experiment(
        "stochastic",
        "Trains with random depth, and tests sub-networks: the ensemble view.",
        "archspec.lab.experiments.stochastic:stochastic",
        "stochastic -o stochastic --jobs 2",
        minutes=2,
        options=(
            ExperimentOption(
                "drop",
                "Probability that training drops the last block. It rises linearly from the first block.",
                0.5,
                "number",
                least=0.01,  # 0 would compare a training with itself
                most=0.99,
            ),
            *SETS,
        ),
        smallest=QUICK_SETS,
    ),
    Experiment(
        "lesion",
        "Deletes blocks of a trained network, one by one and in random sets, and reorders them.",
        "archspec.lab.experiments.lesion:lesion",
        "lesion -o lesion --jobs 2",
        minutes=2,
        options=(
            ExperimentOption(
                "weights",
                "A file of weights, in place of training the network.",
                None,
                "file",
                excludes=("overrides",),
            ),
            ExperimentOption("map", "A file with the key map of the weights.", None, "file"),
            ExperimentOption("train", "Train the network, which is the default without `--weights`.", False, "flag"),
            ExperimentOption(
                "sets", "1 deletes each block in turn; 2 also deletes each pair of blocks.", 1, "whole", 1, 2
            ),
            *SETS,
        ),
        smallest=QUICK_SETS,
    ),
    Experiment(
        "gradients",
        "Measures and predicts gradients and activations at every block, and splits the gradient by path length.",
        "archspec.lab.experiments.gradients:gradients",
        "gradients -o gradients --jobs 2",
        specs="several",
        minutes=2,
        options=(
            ExperimentOption(
                "steps",
                "After which training steps to measure gradients, besides the start and the end.",
                (20,),
                "wholes",
                least=1,
            ),
            ExperimentOption("images", "How many training images to compute the gradient for.", 128, "whole", least=2),
            ExperimentOption(
                "path_images", "How many of these images to split the gradient by path length for.", 8, "whole", least=1
            ),
        ),
        smallest={**QUICK, "images": 32, "path_images": 2, "overrides": ["stages.count=1"]},
    ),
)


def by_name() -> dict[str, Experiment]:
    """Every experiment by its name.

    >>> list(by_name())[:3]
    ['degradation', 'ablate', 'stochastic']
    """
    return {experiment.name: experiment for experiment in EXPERIMENTS}


def options() -> dict[str, ExperimentOption]:
    """Every option of an experiment by its name; those of one name differ in their default alone."""
    return {option.name: option for experiment in reversed(EXPERIMENTS) for option in experiment.options}


def takers(option: str) -> list[Experiment]:
    """The experiments that take an option."""
    return [each for each in EXPERIMENTS if any(own.name == option for own in each.options)]
