"""The axes of a grid: keys of the spec and settings of the training, each with its values."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from archspec import arguments
from archspec.diagnostics import Diagnostic, Label, Mention, Source, SpecError, cut
from archspec.lab.experiments.inquiry import Inquiry
from archspec.lab.experiments.setting_text import parted, read_setting
from archspec.lab.training import Settings
from archspec.language.text.yaml_writer import flow
from archspec.wording import Brief

MAX_NETWORKS = 1000
NO_EFFECT = "this has no effect"
OVER = "a mapping such as {'shortcut': ['zero-pad', 'none']}, or texts such as ['lr=0.02,0.05']"
FORM = Mention("over", "`over=['KEY=V1,V2']`", "KEY=V1,V2")


@dataclass(frozen=True, slots=True, repr=False)
class GridAxis(Brief):
    """A key and the texts of its values. ``trained``: it is a setting of the training, and not of the spec."""

    key: str
    values: tuple[str, ...]
    trained: bool

    def overrides(self, value: str) -> list[Source]:
        """What sets the key of a spec to a value."""
        return [] if self.trained else [Source("--over", f"{self.key}={value}", "override")]

    def settings(self, value: str) -> dict[str, Any]:
        """What sets the training to a value."""
        return {self.key: read_setting(value)} if self.trained else {}


@dataclass(frozen=True, slots=True, repr=False)
class GridPoint(Brief):
    """One network of a grid: the text of each key's value."""

    keys: Mapping[str, str]
    overrides: tuple[Source, ...]
    settings: Mapping[str, Any]

    @property
    def label(self) -> str:
        return ", ".join(f"{key}={value}" for key, value in self.keys.items())


def texts_of(over: Mapping[str, Sequence[Any]] | Iterable[str]) -> tuple[str, ...]:
    """The axes that a caller passed, each as a text.

    >>> texts_of({"shortcut": ["zero-pad", "none"], "stages.channels": [[8, 16, 32]]})
    ('shortcut=zero-pad,none', 'stages.channels=[8, 16, 32]')
    """
    if not isinstance(over, Mapping):
        return arguments.several(over, "over", OVER, str)
    found = []
    for key, values in over.items():
        items = None if isinstance(values, str | bytes | Mapping) else arguments.items(values)
        if not isinstance(key, str) or items is None:
            raise arguments.wrong("over", OVER, key if items is not None else values)
        found.append(f"{key}={','.join(flow(item) for item in items)}")
    return tuple(found)


def axes(texts: Sequence[str]) -> tuple[GridAxis, ...]:
    """The axes that some texts describe.

    Raises:
        SpecError: E891, a text gives no values, a value or a key comes twice, or there are too many networks.

    >>> axes(["stages.channels=[8,16,32],[16,32,64]", "lr=0.1"])[0].values
    ('[8,16,32]', '[16,32,64]')
    """
    if not texts:
        raise no_grid("the grid has no key to vary", "")
    found = tuple([_axis(text) for text in texts])
    for axis, text in zip(found, texts, strict=True):
        if sum(each.key == axis.key for each in found) > 1:
            raise no_grid(f"the key `{cut(axis.key)}` is given twice", text)
    size = 1
    for axis in found:
        size *= len(axis.values)
    if size > MAX_NETWORKS:
        raise no_grid(f"the grid has {size:,} networks, more than {MAX_NETWORKS:,}", texts[-1])
    return found


def _axis(text: str) -> GridAxis:
    key, equals, rest = text.partition("=")
    key, values = key.strip(), tuple(value.strip() for value in parted(rest))
    if not equals or not key or not all(values):
        raise no_grid(f"`{cut(text)}` does not give a key and its values", text)
    for value in values:
        if values.count(value) > 1:
            raise no_grid(f"the value `{cut(value)}` is given twice", text)
    axis = GridAxis(key, values, key in Settings.__dataclass_fields__)
    for value in values if axis.trained else ():
        try:
            Settings(**axis.settings(value))
        except (TypeError, ValueError) as error:
            raise no_grid(str(error), text) from None
    return axis


def grid(found: Sequence[GridAxis]) -> list[GridPoint]:
    """Every combination of the axes' values; the last axis varies first."""
    points = []
    for values in itertools.product(*(axis.values for axis in found)):
        pairs = [*zip(found, values, strict=True)]
        points.append(
            GridPoint(
                {axis.key: value for axis, value in pairs},
                tuple([source for axis, value in pairs for source in axis.overrides(value)]),
                {name: value for axis, text in pairs for name, value in axis.settings(text).items()},
            )
        )
    return points


def refuse_clash(found: Sequence[GridAxis], texts: Sequence[str], inquiry: Inquiry) -> None:
    """Refuse a key of the grid that is also set for every network, which would have no effect.

    Raises:
        SpecError: E891, with both texts.
    """
    sources = [each if isinstance(each, Source) else Source("--set", each, "override") for each in inquiry.overrides]
    for axis, text in zip(found, texts, strict=False):  # the grid of a preset has no texts
        same = [each for each in sources if _reached(each.text, axis.key)]
        label: tuple[Label, ...] = ()
        if axis.trained and axis.key in inquiry.trainer:
            place = Source("trainer", f"{axis.key}={inquiry.trainer[axis.key]}", "argument")
            label = (Label(place.part(), NO_EFFECT),)
        elif same and not axis.trained:
            label = (Label(same[-1].part(), NO_EFFECT),)
        if label:
            message = f"the grid varies `{cut(axis.key)}`, which is set for every network too"
            fault = no_grid(message, text).diagnostics[0]
            raise SpecError([replace(fault, labels=label, help="leave out one of them", mentions=())])


def _reached(text: str, key: str) -> bool:
    """Whether an override sets this key, and nothing else."""
    return text.partition("=")[0].strip() == key


def no_grid(message: str, text: str) -> SpecError:
    """E891: some texts do not give a grid."""
    place = Source("over", cut(text, 200), "argument").part()
    help = f"write {FORM.text}: a key of the spec or a setting of the training, and its values, separated by commas"
    return SpecError([Diagnostic("E891", message, place, help=help, mentions=(FORM,))])
