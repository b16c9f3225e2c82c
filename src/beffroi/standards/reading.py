"""Reading: one value as a source gave it, before the town knows it.

The readers of files, webhooks and polled services all yield these; `beffroi.intake` makes observations of them.
"""

from collections.abc import Iterator

import msgspec

from beffroi.model.problem import Problem
from beffroi.model.result import Result
from beffroi.model.text import Text

__all__ = ["Reading", "Reject", "Row", "Rows", "Series", "Station", "reject_of"]


class Station(msgspec.Struct, frozen=True):
    """What a source says of the thing that measures. `key` is its outside identity; degrees are WGS 84."""

    key: str
    name: str
    description: str = ""
    longitude: float | None = None
    latitude: float | None = None
    properties: tuple[tuple[str, str], ...] = ()


class Series(msgspec.Struct, frozen=True):
    """What a source says of one series. `key` is its outside identity, `code` what it calls the property."""

    key: str
    code: str
    station: Station
    name: str = ""
    unit: str = ""
    method: str = ""
    aggregation: str = ""


class Reading(msgspec.Struct, frozen=True, gc=False):
    """One value of a series; times in microseconds UTC. `time_text` is the time as it was written.

    `quality` is what the source says of it (a `beffroi.model.observation.Quality`), if anything.
    """

    series: Series
    start_us: int
    result: Result
    end_us: int | None = None
    time_text: str = ""
    line: int = 0
    quality: int | None = None
    extra: str | None = None
    source_key: bytes | None = None


class Reject(msgspec.Struct, frozen=True):
    """One row that could not be taken: where, which field, why, and how to mend it."""

    line: int
    field: str
    reason: Text
    mend: Text = Text("", "")


Row = Reading | Reject
Rows = Iterator[Row]


def reject_of(line: int, field: str, problem: Problem) -> Reject:
    """Return the reject that says what `problem` says."""
    return Reject(line, problem.place or field, problem.reason, problem.mend)
