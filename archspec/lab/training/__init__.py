"""Training: a bare loop that resumes exactly, on one device or on many processes of ``torchrun``."""

from archspec.lab.training.devices import choose_device
from archspec.lab.training.divergence import Diverged
from archspec.lab.training.evaluation import Score, evaluate
from archspec.lab.training.history import Epoch, History, Progress
from archspec.lab.training.loop import train
from archspec.lab.training.matching import for_data
from archspec.lab.training.settings import Settings

__all__ = [
    "Diverged",
    "Epoch",
    "History",
    "Progress",
    "Score",
    "Settings",
    "choose_device",
    "evaluate",
    "for_data",
    "train",
]
