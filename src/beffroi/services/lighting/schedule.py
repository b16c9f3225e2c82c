"""Lighting programs: when a light point burns, and at what share of its power, on every night of a year.

A program is one line of text:

    coucher+10 100, 22:30 50, 23:30 0, 05:00 100, lever-10

the edge at which it lights and its level (%), what changes at local clock times, the edge at which it goes out. Edges:
`coucher`/`sunset`, `lever`/`sunrise`, `crepuscule`/`dusk`, `aube`/`dawn` (civil twilight), each ± minutes, or a clock time.

Clock times are civil: the night that ends summer time has an hour more, the one that begins it an hour less. A time
that does not exist that night is taken an hour later; one that comes twice is its first coming.
"""

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from typing import Literal
from zoneinfo import ZoneInfo

import msgspec
import numpy as np
from numpy.typing import NDArray

from beffroi.model.problem import Problem
from beffroi.model.text import Text
from beffroi.services.lighting.sun import SunTimes, civil_days, sun_times

__all__ = [
    "PARIS", "Edge", "Nights", "Program", "Step", "clock_instants", "clock_text", "cut_program", "levels_at", "nights_of", "odd_nights",
    "program_text", "read_program",
]  # fmt: skip

PARIS = "Europe/Paris"
Anchor = Literal["sunset", "sunrise", "dusk", "dawn", "clock"]
_WORDS: dict[str, Anchor] = {
    "sunset": "sunset", "coucher": "sunset", "sunrise": "sunrise", "lever": "sunrise", "dusk": "dusk", "crepuscule": "dusk",
    "crépuscule": "dusk", "dawn": "dawn", "aube": "dawn",
}  # fmt: skip
_FRENCH = {"sunset": "coucher", "sunrise": "lever", "dusk": "crepuscule", "dawn": "aube"}
_EDGE = re.compile(r"([a-zé]+)\s*([+-]\s*\d{1,3})?\Z")
_CLOCK = re.compile(r"(\d{1,2}):(\d{2})\Z")
_LEVEL = re.compile(r"(\d{1,3})\s*%?\Z")
_MOST_OFFSET = 240
_NOON = 12 * 60
Floats = NDArray[np.float64]


class Edge(msgspec.Struct, frozen=True):
    """Where a night begins or ends: an event of the sun ± minutes, or a local clock time (minutes since midnight)."""

    anchor: Anchor
    minutes: int = 0

    def text(self, language: str = "en") -> str:
        """Return the edge as it is written."""
        if self.anchor == "clock":
            return clock_text(self.minutes)
        word = _FRENCH[self.anchor] if language == "fr" else self.anchor
        return word + (f"{self.minutes:+d}" if self.minutes else "")


class Step(msgspec.Struct, frozen=True):
    """From a local clock time on (minutes since midnight), a level (0 to 1)."""

    minutes: int
    level: float


class Program(msgspec.Struct, frozen=True):
    """What a point does in a night: lit at `on` with `level`, then the steps, out at `off`."""

    on: Edge
    off: Edge
    level: float = 1.0
    steps: tuple[Step, ...] = ()

    def text(self, language: str = "en") -> str:
        """Return the program as one line that `read_program` reads back."""
        parts = [f"{self.on.text(language)} {self.level * 100:.0f}"]
        parts += [f"{clock_text(s.minutes)} {s.level * 100:.0f}" for s in self.steps]
        return ", ".join([*parts, self.off.text(language)])


class Nights(msgspec.Struct, frozen=True, eq=False):
    """The nights of a year at some places: arrays (places, nights). `lit` and `full` are hours: burning at all, and
    weighted by the level. `on` and `off` are seconds since 1970."""

    days: NDArray[np.int64]
    on: Floats
    off: Floats
    lit: Floats
    full: Floats


def clock_text(minutes: int) -> str:
    """Return minutes since midnight as HH:MM."""
    return f"{minutes // 60:02d}:{minutes % 60:02d}"


def program_text(text: str, language: str) -> str:
    """Return a program's line in the words of a language; a text that cannot be read as it is."""
    try:
        return read_program(text).text(language)
    except Problem:
        return text


def read_program(text: str) -> Program:
    """Read a program's line. Raises `Problem` whose place is the number of the faulty part."""
    parts = [part.strip().lower() for part in text.split(",")]
    if len(parts) < 2:
        raise _refuse(1, text, "Il manque l'heure d'extinction.", "The time at which it goes out is missing.")
    on, level = _edge_with_level(parts[0])
    off = _edge(parts[-1], len(parts))
    steps = tuple(_step(part, n) for n, part in enumerate(parts[1:-1], 2))
    order = [(s.minutes - _NOON) % 1440 for s in steps]
    for n, (a, b) in enumerate(pairwise(order), 3):
        if b <= a:
            raise _refuse(n, parts[n - 1], "Cette heure ne suit pas la précédente dans la nuit.",
                          "This time does not follow the one before in the night.")  # fmt: skip
    return Program(on, off, level, steps)


def _refuse(part: int, said: str, fr: str, en: str) -> Problem:
    return Problem(
        Text(f"{fr} (« {said[:40]} »)", f"{en} ('{said[:40]}')"),
        Text("Par exemple : coucher+10 100, 23:30 0, 05:00 100, lever-10", "For example: sunset+10 100, 23:30 0, 05:00 100, sunrise-10"),
        place=f"part {part}",
    )  # fmt: skip


def _edge_with_level(said: str) -> tuple[Edge, float]:
    edge, _, level = said.rpartition(" ")
    if not edge or _EDGE.match(said) or _CLOCK.match(said):
        return _edge(said, 1), 1.0
    return _edge(edge, 1), _level(level, 1)


def _edge(said: str, part: int) -> Edge:
    clock = _minutes(said.strip(), part)
    if clock is not None:
        return Edge("clock", clock)
    found = _EDGE.match(said.strip())
    anchor = _WORDS.get(found[1]) if found else None
    if found is None or anchor is None:
        raise _refuse(part, said, "Ce n'est ni une heure ni un moment du soleil.", "This is neither a time nor an event of the sun.")  # fmt: skip
    minutes = int((found[2] or "0").replace(" ", ""))
    if abs(minutes) > _MOST_OFFSET:
        raise _refuse(
            part,
            said,
            "Ce décalage dépasse quatre heures.",
            "This offset is of more than four hours.",
        )
    return Edge(anchor, minutes)


def _minutes(said: str, part: int) -> int | None:
    found = _CLOCK.match(said)
    if found is None:
        return None
    hour, minute = int(found[1]), int(found[2])
    if hour > 23 or minute > 59:
        raise _refuse(part, said, "Cette heure n'existe pas.", "There is no such time.")
    return hour * 60 + minute


def _level(said: str, part: int) -> float:
    found = _LEVEL.match(said)
    if found is None or int(found[1]) > 100:
        raise _refuse(part, said, "Le niveau va de 0 à 100.", "The level is from 0 to 100.")
    return int(found[1]) / 100


def _step(said: str, part: int) -> Step:
    clock, _, level = said.partition(" ")
    minutes = _minutes(clock, part)
    if minutes is None or not level:
        raise _refuse(part, said, "Il faut une heure puis un niveau.", "A time, then a level, is needed.")
    return Step(minutes, _level(level.strip(), part))


@lru_cache(maxsize=256)
def clock_instants(zone: str, first: int, count: int, minutes: int) -> Floats:
    """Return the instants of a local clock time in each of the nights (noon to noon) that begin on the days."""
    place = ZoneInfo(zone)
    start = date(1970, 1, 1) + timedelta(days=first + (1 if minutes < _NOON else 0))
    at = [
        datetime(d.year, d.month, d.day, minutes // 60, minutes % 60, tzinfo=place).timestamp()
        for d in (start + timedelta(days=n) for n in range(count))
    ]
    found = np.array(at)
    found.setflags(write=False)
    return found


def _events(sun: SunTimes, edge: Edge, days: NDArray[np.int64], zone: str, *, end: bool) -> Floats:
    """Return the instants of an edge; `sun` has one day more than `days`: a night ends on the morrow."""
    if edge.anchor == "clock":
        return np.broadcast_to(
            clock_instants(zone, int(days[0]), len(days), edge.minutes), (len(sun.sunset), len(days))
        )
    evening = edge.anchor in ("sunset", "dusk")
    source: Floats = getattr(sun, edge.anchor)
    return (
        source[:, : len(days)] + edge.minutes * 60.0
        if evening or not end
        else source[:, 1:] + edge.minutes * 60.0
    )


def nights_of(
    program: Program, longitude: Floats, latitude: Floats, first: date, count: int = 365, zone: str = PARIS
) -> Nights:
    """Return the nights that begin on `count` days from `first` on, at places given in degrees."""
    days = civil_days(first, count)
    sun = sun_times(longitude, latitude, civil_days(first, count + 1))
    return _nights(program, sun, days, zone)


def _nights(program: Program, sun: SunTimes, days: NDArray[np.int64], zone: str) -> Nights:
    on = _events(sun, program.on, days, zone, end=False)
    off = _events(sun, program.off, days, zone, end=True)
    off = np.maximum(off, on)
    starts = [on]
    levels = [program.level]
    for step in program.steps:
        starts.append(np.clip(clock_instants(zone, int(days[0]), len(days), step.minutes), on, off))
        levels.append(step.level)
    lit, full = np.zeros(on.shape), np.zeros(on.shape)
    for n, level in enumerate(levels):
        hours = ((starts[n + 1] if n + 1 < len(starts) else off) - starts[n]) / 3600.0
        lit += hours if level > 0 else 0.0
        full += hours * level
    return Nights(days, on, off, np.nan_to_num(lit), np.nan_to_num(full))


def odd_nights(year: int, zone: str = PARIS) -> list[tuple[date, int]]:
    """Return the nights of a year that have not 24 hours from noon to noon: when they begin, and their hours (23 or 25)."""
    first, place = date(year, 1, 1), ZoneInfo(zone)
    noons = [
        datetime(d.year, d.month, d.day, 12, tzinfo=place).timestamp()
        for d in (first + timedelta(days=n) for n in range((date(year + 1, 1, 1) - first).days + 1))
    ]
    lasts = [round((b - a) / 3600) for a, b in pairwise(noons)]
    return [(first + timedelta(days=n), hours) for n, hours in enumerate(lasts) if hours != 24]


def levels_at(program: Program, nights: Nights, seconds: Floats, zone: str = PARIS) -> Floats:
    """Return the level at instants in order, at the first place of `nights`; 0 outside its nights."""
    found = np.zeros(len(seconds))
    on, off = nights.on[0], nights.off[0]
    night = np.searchsorted(on, seconds, side="right") - 1
    inside = (night >= 0) & (seconds < off[np.maximum(night, 0)])
    found[inside] = program.level
    for step in program.steps:
        at = clock_instants(zone, int(nights.days[0]), len(nights.days), step.minutes)
        later = inside & (seconds >= at[np.maximum(night, 0)])
        found[later] = step.level
    return found


def utc_text(seconds: float, zone: str = PARIS) -> str:
    """Return an instant as local time with its offset."""
    return datetime.fromtimestamp(seconds, UTC).astimezone(ZoneInfo(zone)).isoformat(timespec="seconds")


def cut_program(night_cut: str | None) -> Program:
    """Return the program of a cabinet that says its night cut as `HH:MM-HH:MM`, lit from sunset to sunrise otherwise."""
    steps: Sequence[Step] = ()
    if night_cut:
        off, _, on = night_cut.partition("-")
        first, last = _minutes(off, 1), _minutes(on, 2)
        if first is None or last is None:
            raise _refuse(1, night_cut, "Cette coupure n'est pas lisible.", "This cut cannot be read.")
        steps = (Step(first, 0.0), Step(last, 1.0))
    return Program(Edge("sunset"), Edge("sunrise"), 1.0, tuple(steps))
