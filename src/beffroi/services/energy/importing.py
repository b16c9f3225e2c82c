"""Take flows, manual indexes, pulses and gas readings into a town: each value once, the newest publication winning."""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from itertools import islice, pairwise, takewhile
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import select

from beffroi.intake.source_keys import sent_key
from beffroi.model.instant import DAY_US, PARIS, parse_instant, to_datetime
from beffroi.model.observation import Draft, Quality
from beffroi.model.principal import Principal
from beffroi.model.problem import Problem
from beffroi.model.result import Result, number_of
from beffroi.model.text import Text
from beffroi.services.energy.bills import midnight, take_bill
from beffroi.services.energy.flows.reading import read_flow
from beffroi.services.energy.flows.row import Row as Value
from beffroi.services.energy.intervals import (
    LONGEST_BILLED_US,
    LONGEST_US,
    Doubt,
    Interval,
    Settled,
    State,
    curve,
    day_energies,
    energies,
    goes_back,
    state_of,
)
from beffroi.services.energy.network_bills import billed_energies, network_bills
from beffroi.services.energy.points import fluid_of_number, known_series, point_by_number, series_id, unit_of
from beffroi.store.record import Row
from beffroi.store.tables import datastream
from beffroi.town import Town

__all__ = [
    "ORIGIN",
    "Taken",
    "import_flow",
    "keep",
    "keep_powers",
    "take_counter",
    "take_index",
    "take_pulses",
    "take_rows",
]

ORIGIN = "energy"  # kind of provenance of what an import brought, and the name of its number there
_AT_ONCE = 5000
_COUNTED_US = 400 * DAY_US  # how far back the counter of a new pulse emitter is read
_QUALITY = {"raw": Quality.GOOD, "corrected": Quality.GOOD, "estimated": Quality.ESTIMATED}


class Taken(msgspec.Struct):
    """What an import did: new values, values that replaced others, values known already, points made, contracts changed."""

    stored: int = 0
    replaced: int = 0
    known: int = 0
    points: list[str] = []
    contracts: int = 0
    bills: int = 0
    doubts: list[Doubt] = []
    number: int = 0  # by which the whole is taken back


def import_flow(
    town: Town, flow: str, path: Path, who: Principal, territory: str | None, number: int = 0
) -> Taken:
    """Take a whole flow, once it was read to its end. Raises `Problem` with the place; then nothing was taken."""
    return take_rows(town, list(read_flow(flow, path)), who, territory, number)


def take_rows(
    town: Town, rows: Sequence[Value], who: Principal, territory: str | None, number: int = 0
) -> Taken:
    """Take rows that were read; `number`: the change that all of it is under, so that it can be taken back."""
    taken = Taken(number=number)
    points = {
        number: _point(town, number, who, territory, taken) for number in dict.fromkeys(r.prm for r in rows)
    }
    for quantity, settled in (("curve", curve(rows)), ("day", day_energies(rows)), ("day", energies(rows))):
        _keep_settled(town, points, quantity, settled, taken)
    _keep_indexes(town, points, rows, taken)
    _keep_powers(town, points, rows, taken)
    _contracts(town, points, rows, who, taken)
    _network_bills(town, points, rows, who, taken)
    return taken


def _network_bills(
    town: Town, points: dict[str, Row], rows: Sequence[Value], who: Principal, taken: Taken
) -> None:
    """Keep the network's bills with their lines; what they count is a series of its own, that is read where no meter told."""
    for bill in network_bills(rows):
        point = points[bill.point or ""]
        take_bill(town, bill, who, point.territory, taken.number or None)
        taken.bills += 1
        spans = [
            Interval(midnight(start), midnight(end + timedelta(days=1)), kwh * 1000)
            for start, end, kwh in billed_energies(bill)
            if kwh >= 0
        ]
        keep(town, point, "billed", "raw", spans, taken, LONGEST_BILLED_US)


def _point(town: Town, number: str, who: Principal, territory: str | None, taken: Taken) -> Row:
    known = point_by_number(town, number)
    if known is not None:
        return known
    taken.points.append(number)
    values = {"code": number, "fluid": fluid_of_number(number)}
    return town.store.records.put(
        "delivery_point", values, territory=territory, who=who, reason="Point lu dans un flux", change_set=taken.number or None
    )  # fmt: skip


def _keep_settled(town: Town, points: dict[str, Row], quantity: str, settled: Settled, taken: Taken) -> None:
    taken.doubts += settled.doubts
    for (number, state), intervals in settled.intervals.items():
        if intervals:
            keep(town, points[number], quantity, state, intervals, taken)


def keep(
    town: Town, point: Row, quantity: str, state: str, intervals: Sequence[Interval], taken: Taken,
    longest_us: int = LONGEST_US,
) -> None:  # fmt: skip
    """Store intervals (Wh, or litres of water) of one series: those that are new, and those that another publication changed.

    A day that comes again at another step replaces what it covers whole; what would count a part twice is left out, and told.
    """
    if not intervals:
        return
    number = series_id(town, point, quantity, state)
    store = town.store.observations
    first, last = min(i.start_us for i in intervals), max(i.end_us for i in intervals)
    before = {
        (o.start_us, o.end_us): o
        for o in store.series(number, first - longest_us, last)
        if o.end_us is not None and o.end_us > first
    }
    same = {(i.start_us, i.end_us) for i in intervals}
    others = [(*span, o.id) for span, o in before.items() if span not in same]
    kept, covered = _apart(point, sorted(intervals), others, taken)
    fresh, changed = [], {}
    for one in kept:
        result = number_of(_text(one.wh / 1000))
        was = before.get((one.start_us, one.end_us))
        if was is None:
            key = sent_key(number, b"interval", b"%d-%d" % (one.start_us, one.end_us))
            fresh.append(
                Draft(number, one.start_us, result, one.end_us, quality=int(_QUALITY[state]), source_key=key)
            )
        elif was.result.json() != result.json():
            changed[was.id] = result
        else:
            taken.known += 1
    for begin in range(0, len(fresh), _AT_ONCE):
        _append(town, fresh[begin : begin + _AT_ONCE], taken)
    taken.replaced += store.correct_results(changed) + store.delete(covered)
    for first_id, last_id in _runs(covered):
        store.forget_keys_of(first_id, last_id)  # the older publication may come a third time


def _append(town: Town, drafts: Sequence[Draft], taken: Taken) -> None:
    """Store observations, and note with them the import that brought them."""
    ack = town.store.observations.append(drafts)
    taken.stored += ack.stored
    if taken.number:
        town.store.provenance.note(ORIGIN, {ORIGIN: taken.number}, ack.ids)


def _apart(
    point: Row, found: list[Interval], others: Sequence[tuple[int, int, int]], taken: Taken
) -> tuple[list[Interval], list[int]]:
    """Return the intervals that may be stored, and which of the others (start, end, id), known at other bounds, they cover whole."""
    while True:
        covered: list[int] = []
        refused: set[Interval] = set()
        for start, end, number in others:
            over = _over(found, start, end)
            if not over:
                continue
            if sum(min(i.end_us, end) - max(i.start_us, start) for i in over) == end - start:
                covered.append(number)
            else:
                refused.update(over)
        if not refused:
            return found, covered
        found = [i for i in found if i not in refused]
        taken.doubts += [_in_part(point, i) for i in sorted(refused)]


def _runs(numbers: Iterable[int]) -> list[tuple[int, int]]:
    """Return the first and last of each run of numbers that follow one another."""
    found: list[tuple[int, int]] = []
    for number in sorted(numbers):
        if found and found[-1][1] == number - 1:
            found[-1] = found[-1][0], number
        else:
            found.append((number, number))
    return found


def _over(ordered: Sequence[Interval], start_us: int, end_us: int) -> list[Interval]:
    """Return which of intervals that follow one another overlap a span."""
    at = bisect_right(ordered, start_us, key=lambda i: i.end_us)
    return list(takewhile(lambda i: i.start_us < end_us, islice(ordered, at, None)))


def _in_part(point: Row, one: Interval) -> Doubt:
    return Doubt(
        point.values["code"], to_datetime(one.start_us).astimezone(PARIS).isoformat(),
        Text("Cette mesure recouvre en partie ce qui est déjà connu à un autre pas", "This measurement overlaps in part what is known at another step"),
        Text("Redemandez le jour entier : il remplacera l'ancien.", "Ask for the whole day again: it will replace the old one."),
    )  # fmt: skip


def _text(value: float) -> str:
    return f"{value:.9f}".rstrip("0").rstrip(".") or "0"


def _store(town: Town, drafts: Sequence[Draft], taken: Taken) -> None:
    for first in range(0, len(drafts), _AT_ONCE):
        part = drafts[first : first + _AT_ONCE]
        known = town.store.observations.of_keys([d.source_key for d in part if d.source_key])
        fresh = [d for d in part if d.source_key not in known]
        if fresh:
            _append(town, fresh, taken)
        _replace(town, {known[d.source_key]: d.result for d in part if d.source_key in known}, taken)


def _replace(town: Town, published: Mapping[int, Result], taken: Taken) -> None:
    """Give known observations what was published since, where that differs; what they were is kept."""
    before = {i: town.store.observations.get(i) for i in published}
    changed = {
        i: r for i, r in published.items() if (o := before[i]) is not None and o.result.json() != r.json()
    }
    taken.replaced += town.store.observations.correct_results(changed)
    taken.known += len(published) - len(changed)


def _keep_indexes(town: Town, points: dict[str, Row], rows: Iterable[Value], taken: Taken) -> None:
    """Keep the meter's own register: the totaliser, else the sum of the distributor's classes where all are read."""
    found: dict[str, dict[str, dict[str, float]]] = {}
    states: dict[tuple[str, str], State] = {}
    for row in rows:
        if (
            row.kind == "index"
            and row.end
            and isinstance(row.value, (int, float))
            and (row.unit or "").lower() in ("wh", "kwh")
        ):
            kind = "total" if row.grid is None else row.grid
            kwh = row.value / (1000 if row.unit == "Wh" else 1)
            if "INJECTION" not in (row.class_ or "") and "/" not in (row.class_ or ""):
                found.setdefault(row.prm, {}).setdefault(row.end, {})[f"{kind}/{row.class_}"] = kwh
                states[row.prm, row.end] = state_of(row.nature)
    for prm, stamps in found.items():
        number = series_id(town, points[prm], "index")
        drafts = []
        for end, said in stamps.items():
            total = [v for k, v in said.items() if k.startswith("total")] or [
                sum(v for k, v in said.items() if k.startswith("D/"))
            ]
            at = parse_instant(end)
            drafts.append(
                Draft(
                    number,
                    at,
                    number_of(_text(total[0])),
                    quality=int(_QUALITY[states[prm, end]]),
                    source_key=sent_key(number, b"index", b"%d" % at),
                )
            )
        _store(town, drafts, taken)
        _between_files(town, points[prm], number, [d.start_us for d in drafts], taken)


def _between_files(town: Town, point: Row, index: int, stamps: Sequence[int], taken: Taken) -> None:
    """Keep the energy between an index that came and the one known before it, or after: a daily file brings one index alone."""
    new = set(stamps)
    within = min(new) - LONGEST_US, max(new) + LONGEST_US
    known = {
        (o.start_us, o.end_us)
        for (quantity, _), number in known_series(town, point).items()
        if quantity == "day"
        for o in town.store.observations.series(number, *within)
    }
    marks = town.store.observations.series(index, within[0], within[1] + 1)
    found: dict[str, list[Interval]] = {}
    for before, after in pairwise(marks):
        span = before.start_us, after.start_us
        if not new.intersection(span) or span in known or span[1] - span[0] > LONGEST_US:
            continue
        used = (after.result.value or 0.0) - (before.result.value or 0.0)
        if used < 0:
            if span[0] not in new or span[1] not in new:  # else the flow told it itself
                taken.doubts.append(
                    goes_back(
                        point.values["code"],
                        span[1],
                        before.result.value or 0.0,
                        after.result.value or 0.0,
                        unit_of(point),
                    )
                )
            continue
        doubtful = int(Quality.ESTIMATED) in (before.quality, after.quality)
        found.setdefault("estimated" if doubtful else "raw", []).append(Interval(*span, used * 1000))
    for state, intervals in found.items():
        keep(town, point, "day", state, intervals, taken)


def _keep_powers(town: Town, points: dict[str, Row], rows: Iterable[Value], taken: Taken) -> None:
    found: dict[str, list[Value]] = {}
    for row in rows:
        if (
            row.kind == "curve"
            and row.class_ == "PMAX"
            and row.start
            and row.end
            and isinstance(row.value, (int, float))
        ):
            found.setdefault(row.prm, []).append(row)
    for prm, said in found.items():
        powers = []
        for row in said:
            kva = float(row.value or 0) / (1000 if row.unit in ("VA", "W") else 1)
            powers.append((parse_instant(row.start or ""), parse_instant(row.end or ""), kva))
        keep_powers(town, points[prm], powers, taken)


def keep_powers(town: Town, point: Row, powers: Sequence[tuple[int, int, float]], taken: Taken) -> None:
    """Keep the highest powers of days, as (start, end, kVA)."""
    number = series_id(town, point, "power")
    drafts = [
        Draft(number, start, number_of(_text(kva)), end, source_key=sent_key(number, b"power", b"%d" % start))
        for start, end, kva in powers
    ]
    _store(town, drafts, taken)


def _contracts(
    town: Town, points: dict[str, Row], rows: Sequence[Value], who: Principal, taken: Taken
) -> None:
    """Write the contract of each point as the newest row says it; what is known from a newer flow stays."""
    steps = _highest_steps(rows)
    changes: dict[str, dict[str, Any]] = {}
    for row in sorted((r for r in rows if r.kind in ("contract", "invoice")), key=lambda r: r.start or ""):
        said = _said_of_contract(row, steps.get((row.prm, row.start), 0.0))
        if said:
            dated = {"contract_on": date.fromisoformat(row.start[:10])} if row.start else {}
            changes.setdefault(row.prm, {}).update(said | dated)
    for prm, values in changes.items():
        point = points[prm]
        day, known = values.get("contract_on"), point.values["contract_on"]
        if day is not None and known is not None and day < _day(known):
            taken.doubts.append(_older(prm, day, _day(known)))
        elif any(point.values.get(k) != v for k, v in values.items() if k != "contract_on"):
            town.store.records.put(
                "delivery_point", values, id=point.id, who=who, reason="Contrat lu dans un flux", change_set=taken.number or None
            )  # fmt: skip
            taken.contracts += 1


def _highest_steps(rows: Iterable[Value]) -> dict[tuple[str, str | None], float]:
    """Return the highest of the powers that a large point subscribes, step by step: what a day's highest is held against."""
    found: dict[tuple[str, str | None], float] = {}
    for row in rows:
        if row.kind == "contract" and row.nature == "Puissance_Souscrite":
            found[row.prm, row.start] = max(found.get((row.prm, row.start), 0.0), float(row.value or 0))
    return found


def _said_of_contract(row: Value, step: float) -> dict[str, Any]:
    """Return the fields of a delivery point that one row of a flow says."""
    name = row.class_ or ""
    if row.kind == "invoice":
        return {"tariff": row.value} if name.endswith("/Formule_Tarifaire_Acheminement") else {}
    if row.unit == "kVA" and name:
        return {"power_kva": max(float(row.value or 0), step), "tariff": name}
    return {"meter": row.value} if name == "Num_Serie" else {}


def _older(prm: str, day: date, known: date) -> Doubt:
    return Doubt(
        prm, day.isoformat(),
        Text(f"Contrat plus ancien que celui du {known}, déjà connu", f"Contract older than that of {known}, known already"),
        Text("Rien à faire : le plus récent est gardé.", "Nothing to do: the newest is kept."),
    )  # fmt: skip


def _day(said: object) -> date:
    return said if isinstance(said, date) else date.fromisoformat(str(said)[:10])


def take_index(town: Town, point: Row, at_us: int, value: float) -> Taken:
    """Take an index read by hand: its energy since the last one is one interval.

    Raises `Problem` for an index below zero, below the last one, or above the next one.
    """
    number = series_id(town, point, "index")
    before = town.store.observations.series(number, None, at_us, limit=1, newest_first=True)
    after = town.store.observations.series(number, at_us + 1, None, limit=1)
    low = before[0].result.value if before else 0.0
    high = after[0].result.value if after else None
    if value < (low or 0.0) or (high is not None and value > high):
        raise Problem(
            Text(f"L'index {value:g} ne suit pas les autres (de {low or 0:g} à {'…' if high is None else f'{high:g}'})",
                 f"The index {value:g} does not follow the others (from {low or 0:g} to {'…' if high is None else f'{high:g}'})"),
            Text("Relisez le compteur ; s'il a été changé, notez-le dans la fiche du point.",
                 "Read the meter again; if it was changed, note it in the point's record."),
            "value",
        )  # fmt: skip
    taken = Taken()
    _store(
        town,
        [Draft(number, at_us, number_of(_text(value)), source_key=sent_key(number, b"index", b"%d" % at_us))],
        taken,
    )
    _between_files(town, point, number, [at_us], taken)
    return taken


def take_pulses(
    town: Town, point: Row, counts: Sequence[tuple[int, int]], taken: Taken | None = None
) -> Taken:
    """Take the counter of a pulse emitter, as (instant, pulses since it was made): each rise is an interval.

    A counter that goes back began anew at zero. Raises `Problem` when the point has no pulse weight.
    """
    weight = point.values["pulse_weight"]
    if not weight:
        raise Problem(
            Text("Ce point n'a pas de poids d'impulsion", "This point has no pulse weight"),
            Text(
                "Écrivez-le dans sa fiche : kWh ou m³ par impulsion.",
                "Write it in its record: kWh or m³ a pulse.",
            ),
            "pulse_weight",
        )
    taken = taken if taken is not None else Taken()
    ordered = sorted(dict(counts).items())
    rises = [
        Interval(a, b, ((n - m) if n >= m else n) * weight * 1000) for (a, m), (b, n) in pairwise(ordered)
    ]
    keep(town, point, "curve", "raw", rises, taken)
    return taken


def take_counter(town: Town, point: Row, now_us: int) -> Taken | None:
    """Turn into energy what the series of a point's pulse emitter has told since the last time; None when it has no such series."""
    key = point.values["pulse_series"]
    if not key:
        return None
    with town.store.read() as c:
        source = c.execute(select(datastream.c.id).where(datastream.c.key == key)).scalar()
    if source is None:
        return None
    mine = known_series(town, point).get(("curve", "raw"))
    last = town.store.observations.series(mine, limit=1, newest_first=True) if mine is not None else []
    begin = last[0].start_us if last else now_us - _COUNTED_US
    counts = [
        (o.start_us, int(o.result.value))
        for o in town.store.observations.series(int(source), begin, now_us)
        if o.result.value is not None
    ]
    return take_pulses(town, point, counts) if len(counts) > 1 else Taken()
