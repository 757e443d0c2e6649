"""What ``archspec train`` shows: a line for each epoch, a bar for a person, and the history as JSON."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import archspec
from archspec.diagnostics import Diagnostic
from archspec.display import plain, short
from archspec.graph.graph import Graph
from archspec.operations.shapes import show_shape

from .progress import counting
from .render import Terminal, show
from .signals import end_if_asked
from .spelling import as_json
from .streams import put
from .tables import put_blocks

if TYPE_CHECKING:
    from archspec.lab.data import Data
    from archspec.lab.training import Epoch, History, Progress, Settings
    from archspec.weights import Loaded

HEAD = f"{'epoch':>9}  {'loss':>8}  {'accuracy':>8}  {'test loss':>9}  {'test accuracy':>13}  {'seconds':>8}"


def put_start(graph: Graph, data: Data, device: str, found: Iterable[Diagnostic], loaded: Loaded | None) -> None:
    """Print what is trained, on what, and which weights it begins from."""
    show(found)
    costs = archspec.analyze(graph, lengths=False).totals.costs
    network = f"{graph.name}: {show_shape(graph.input)} to {show_shape(graph.output)}, {costs.params:,} parameters"
    images = f"{len(data.train):,} images to train with, {len(data.test):,} to test with"
    safe = Terminal.of(sys.stdout).safe
    put(safe(network))
    put(safe(f"{data.name}: {images}, {len(data.classes)} classes; on {device}"))
    put("")
    if loaded:
        put_blocks(loaded.text())
        put("")


@contextlib.contextmanager
def telling(form: str, speaks: bool) -> Iterator[Callable[[Progress], None]]:
    """What to call with the progress: it prints a line for each epoch as text, and moves a bar for a person.

    Args:
        form: the output format.
        speaks: whether this process tells anything: of several, one does.
    """
    with counting(speaks) as bar:
        begun = False

        def tell(progress: Progress) -> None:
            nonlocal begun
            end_if_asked()
            bar.at(progress.step, progress.steps, _words(progress))
            if progress.ended and speaks and form == "text":
                with bar.aside():
                    if not begun:
                        put(HEAD)
                    put(_line(progress, progress.ended))
                begun = True

        yield tell


def _words(progress: Progress) -> str:
    minutes, seconds = divmod(round(progress.left), 60)
    shares = f"loss {progress.loss:.4g}, accuracy {progress.accuracy:.1%}"
    return f"epoch {progress.epoch} of {progress.epochs}, {shares}, {minutes}:{seconds:02} left"


def _line(progress: Progress, epoch: Epoch) -> str:
    number = f"{progress.epoch}/{progress.epochs}"
    return (
        f"{number:>9}  {epoch.loss:8.4f}  {epoch.accuracy:8.1%}  {epoch.test_loss:9.4f}  {epoch.test_accuracy:13.1%}  "
        f"{epoch.seconds:8.1f}"
    )


def put_end(history: History, output: Path | None) -> None:
    """Print where the training continued, and what was saved."""
    put("")
    if history.resumed_at:
        reached = f"{history.final.test_accuracy:.1%}"
        put(f"The training continued from step {history.resumed_at:,}, and its test accuracy is {reached}.")
    if output:
        size = short(output.stat().st_size)
        put(Terminal.of(sys.stdout).safe(f"Saved {output}: {size}B of trained weights, with the spec."))


def train_json(
    spec: str,
    graph: Graph,
    data: Data,
    settings: Settings,
    history: History,
    found: Iterable[Diagnostic],
    **more: Any,
) -> dict[str, Any]:
    """The history as plain data, for JSON."""
    return {
        "spec": spec,
        "valid": True,
        "name": graph.name,
        "hash": graph.fingerprint,
        **plain(graph, "input", "output"),
        "data": {"name": data.name, "fingerprint": data.fingerprint, "train": len(data.train), "test": len(data.test)},
        "classes": list(data.classes),
        "settings": settings.as_data(),
        **more,
        "resumed_at": history.resumed_at,
        "epochs": history.as_data(),
        "diagnostics": as_json(found),
    }
