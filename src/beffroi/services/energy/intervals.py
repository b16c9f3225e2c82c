"""From the rows of flows to intervals that hold the same energy, to the watt-hour.

The traps: stamps say the end of their interval; a day has 46, 48 or 50 half-hours; the step changes inside one file; rows come
unsorted, twice, or on two calendars at once; a later publication replaces an earlier one; an index is no energy until the next.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import pairwise
from typing import Literal

import msgspec

from beffroi.model.instant import DAY_US, HOUR_US, PARIS, from_datetime, parse_instant, to_datetime
from beffroi.model.text import Text
from beffroi.services.energy.flows.row import Row

__all__ = [
    "LONGEST_BILLED_US",
    "LONGEST_US",
    "STATES",
    "Doubt",
    "Interval",
    "Settled",
    "State",
    "curve",
    "day_energies",
    "energies",
    "goes_back",
    "state_of",
]

State = Literal["raw", "corrected", "estimated"]
STATES: tuple[State, ...] = ("corrected", "raw", "estimated")  # the most trusted first
_UNITS_WH = {"wh": 1.0, "kwh": 1e3, "mwh": 1e6, "w": 1.0, "kw": 1e3, "mw": 1e6}
LONGEST_US = 62 * DAY_US
LONGEST_BILLED_US = 400 * DAY_US  # small points whose meter does not talk are billed by half-years


class Interval(msgspec.Struct, frozen=True, order=True):
    """Energy (Wh) between two instants (µs UTC)."""

    start_us: int
    end_us: int
    wh: float


class Doubt(msgspec.Struct, frozen=True):
    """A value that was left out: of which point, when, why, and the mend."""

    prm: str
    at: str
    reason: Text
    mend: Text = Text("", "")


class Settled(msgspec.Struct, frozen=True):
    """Intervals that follow one another without overlap, by point and state, and what was left out."""

    intervals: dict[tuple[str, State], list[Interval]]
    doubts: list[Doubt]


def state_of(nature: str | None) -> State:
    """Return the state that a flow's nature is."""
    said = (nature or "").lower()
    return "estimated" if said.startswith("est") else "corrected" if said.startswith("cor") else "raw"


def curve(rows: Iterable[Row]) -> Settled:
    """Return the intervals of load curves: mean powers (W, kW) times their step. Later rows replace earlier ones."""
    found: dict[tuple[str, State], dict[tuple[int, int], Interval]] = defaultdict(dict)
    doubts: list[Doubt] = []
    for row in rows:
        if row.kind != "curve" or row.class_ is not None or row.start is None or row.end is None:
            continue
        scale = _UNITS_WH.get((row.unit or "").lower())
        if scale is None or not isinstance(row.value, (int, float)):
            doubts.append(_unit_doubt(row))
            continue
        start, end = parse_instant(row.start), parse_instant(row.end)
        wh = row.value * scale * (end - start) / HOUR_US
        found[row.prm, state_of(row.nature)][start, end] = Interval(start, end, wh)
    return _settled({key: sorted(cells.values()) for key, cells in found.items()}, doubts)


def energies(rows: Iterable[Row]) -> Settled:
    """Return the intervals of energies (R65, R67, R15), on the distributor's calendar alone where there are two."""
    rows = [r for r in rows if r.kind == "energy" and r.start and r.end]
    found: dict[tuple[str, State], dict[tuple[int, int], dict[str, float]]] = defaultdict(
        lambda: defaultdict(dict)
    )
    doubts: list[Doubt] = []
    with_d = {(r.prm, r.start, r.end) for r in rows if r.grid == "D"}
    for row in rows:
        if (row.grid == "F" and (row.prm, row.start, row.end) in with_d) or "INJECTION" in (row.class_ or ""):
            continue
        scale = _UNITS_WH.get((row.unit or "").lower())
        if scale is None or not isinstance(row.value, (int, float)):
            doubts.append(_unit_doubt(row))
            continue
        span = _instant(row.start), _instant(row.end)
        found[row.prm, state_of(row.nature)][span][row.class_ or ""] = row.value * scale
    whole = {
        key: sorted(Interval(start, end, sum(classes.values())) for (start, end), classes in spans.items())
        for key, spans in found.items()
    }
    return _settled(whole, doubts)


def _instant(said: str | None) -> int:
    text = said or ""
    return from_datetime(datetime.fromisoformat(text)) if len(text) == 10 else parse_instant(text)


def day_energies(rows: Iterable[Row]) -> Settled:
    """Return the energies between indexes that follow one another (R151, R64), summed over the distributor's classes.

    An index that goes back (a meter changed, a class begun anew) gives no energy there, and is told.
    """
    marks: dict[tuple[str, State], dict[str, dict[int, float]]] = defaultdict(lambda: defaultdict(dict))
    doubts: list[Doubt] = []
    kept = [
        r
        for r in rows
        if r.kind == "index" and r.end and r.grid in ("D", None) and "/" not in (r.class_ or "")
    ]
    gridded = {r.prm for r in kept if r.grid == "D"}
    for row in kept:
        if (row.grid is None) == (row.prm in gridded) or "INJECTION" in (row.class_ or ""):
            continue  # the totaliser says again what the classes say
        scale = _UNITS_WH.get((row.unit or "").lower())
        if scale is None or not isinstance(row.value, (int, float)):
            doubts.append(_unit_doubt(row))
            continue
        marks[row.prm, state_of(row.nature)][row.class_ or ""][parse_instant(row.end or "")] = (
            row.value * scale
        )
    found: dict[tuple[str, State], list[Interval]] = {}
    for key, classes in marks.items():
        found[key] = list(_between(key[0], classes, doubts))
    return _settled(found, doubts)


def _between(prm: str, classes: dict[str, dict[int, float]], doubts: list[Doubt]) -> Iterator[Interval]:
    for start, end in pairwise(sorted({at for marks in classes.values() for at in marks})):
        both = [(marks[start], marks[end]) for marks in classes.values() if start in marks and end in marks]
        if not both or end - start > LONGEST_US:
            continue
        back = [(a, b) for a, b in both if b < a]
        if back:
            doubts.append(goes_back(prm, end, *back[0], "Wh"))
            continue
        yield Interval(start, end, sum(b - a for a, b in both))


def goes_back(prm: str, at_us: int, before: float, after: float, unit: str) -> Doubt:
    """Return the doubt of an index that is below the one before it."""
    return Doubt(
        prm, to_datetime(at_us).astimezone(PARIS).isoformat(),
        Text(f"L'index recule de {before:.0f} à {after:.0f} {unit}", f"The index goes back from {before:.0f} to {after:.0f} {unit}"),
        Text("Compteur changé ? L'énergie repart du nouvel index.", "Meter changed? The energy begins anew from the new index."),
    )  # fmt: skip


def _settled(found: dict[tuple[str, State], list[Interval]], doubts: list[Doubt]) -> Settled:
    """Leave out what overlaps: a coarse interval that finer ones tile exactly; else the later one, told."""
    whole: dict[tuple[str, State], list[Interval]] = {}
    for key, intervals in found.items():
        kept: list[Interval] = []
        for one in sorted(intervals, key=lambda i: (i.start_us, i.end_us)):
            if not kept or one.start_us >= kept[-1].end_us:
                kept.append(one)
                continue
            doubts.append(_overlap(key[0], kept[-1], one))
            if one.end_us < kept[-1].end_us:
                kept[-1] = one  # the finer one says when
        whole[key] = kept
    return Settled(whole, doubts)


def _overlap(prm: str, kept: Interval, one: Interval) -> Doubt:
    at = to_datetime(one.start_us).astimezone(PARIS).isoformat()
    steps = [(i.end_us - i.start_us) // 60_000_000 for i in (kept, one)]
    return Doubt(
        prm, at,
        Text(f"Deux mesures se recouvrent ({steps[0]} et {steps[1]} min) : une seule est gardée",
             f"Two measurements overlap ({steps[0]} and {steps[1]} min): one only is kept"),
        Text("Redemandez la courbe à un seul pas pour ce jour.", "Ask for the curve again at one step for that day."),
    )  # fmt: skip


def _unit_doubt(row: Row) -> Doubt:
    return Doubt(
        row.prm, row.end or "",
        Text(f"Unité non comprise : {row.unit}", f"Unit not understood: {row.unit}"),
        Text("Demandez le flux en Wh, kWh, W ou kW.", "Ask for the flow in Wh, kWh, W or kW."),
    )  # fmt: skip
