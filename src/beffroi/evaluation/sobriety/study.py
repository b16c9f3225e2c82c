"""The study of economies: for each kind of series, what fewer values, fewer messages and fewer sensors would lose.

It replays days of real values, so it is made on demand (or when the demonstration town is built) and kept with its date.
"""

from collections.abc import Iterable
from typing import Any

import msgspec
import numpy as np
from sqlalchemy import func, select

from beffroi.evaluation.sobriety.collect import adaptive, replay, send_on_delta
from beffroi.evaluation.sobriety.compress import compress
from beffroi.evaluation.sobriety.remove import removal_of
from beffroi.model.instant import DAY_US, HOUR_US
from beffroi.model.problem import Problem
from beffroi.store.aggregates import AggregateQuery, Grain
from beffroi.store.open import Store
from beffroi.store.tables import datastream, latest, thing

__all__ = ["KEPT", "Economy", "Study", "known_study", "make_study"]

KEPT = "sobriety.study"
DAYS, PLACES = 7, 30
BAND = 0.01  # of the range of the series
HIGH = 0.95  # quantile above which a value counts as an alarm
LEAST = 200
TURNING = (
    "°"  # a direction comes back to where it was: neither a band nor a highest value means anything of it
)
SLOWEST = 8  # times the usual pace


class Economy(msgspec.Struct, frozen=True):
    """One kind of series: how many series and values a day; then each economy beside its loss (see `Study`)."""

    service: str
    kind: str
    series: int
    per_day: float
    points: float  # how many times fewer points within the band
    points_error: float
    delta_saved: float  # share of messages not sent when the value moves by less than the band
    delta_error: float
    delta_missed: int
    adaptive_saved: float
    adaptive_error: float
    adaptive_missed: int
    adaptive_delay_us: int
    alarms: int
    sensors: tuple[str, ...] = ()  # those that the others stand for
    sensors_rmse: float = 0.0
    sensors_missed: int = 0
    sensors_alarms: int = 0


class Study(msgspec.Struct, frozen=True):
    """The study of one instant."""

    at_us: int
    economies: tuple[Economy, ...]


def known_study(store: Store) -> Study | None:
    """Return the last study that was made, if any."""
    found = store.setting(KEPT)
    try:
        return None if found is None else msgspec.convert(found, Study)
    except msgspec.ValidationError:
        return None


def make_study(store: Store, now_us: int) -> Study:
    """Make the study from the last days of every kind of series, and keep it."""
    columns = select(datastream.c.id, datastream.c.kind, thing.c.service, thing.c.name, latest.c.count).join(
        thing, thing.c.id == datastream.c.thing_id
    )
    with store.read() as c:
        rows = list(
            c.execute(
                columns.join(latest, latest.c.datastream_id == datastream.c.id).where(
                    datastream.c.kind != "",
                    thing.c.service != "",
                    func.coalesce(datastream.c.unit_symbol, "") != TURNING,
                )
            )
        )
    kinds: dict[tuple[str, str], list[Any]] = {}
    for row in rows:
        kinds.setdefault((row.service, row.kind), []).append(row)
    made = [
        one
        for (service, kind), of in sorted(kinds.items())
        if (one := _economy(store, now_us, service, kind, of)) is not None
    ]
    study = Study(now_us, tuple(made))
    told = _short(msgspec.to_builtins(study))
    store.set_setting(KEPT, told)
    return msgspec.convert(told, Study)


def _short(value: Any) -> Any:
    """Return the value with six digits: sums of floats depend on their order, and nobody reads more."""
    if isinstance(value, float):
        return float(f"{value:.6g}")
    if isinstance(value, dict):
        return {name: _short(one) for name, one in value.items()}
    return [_short(one) for one in value] if isinstance(value, list | tuple) else value


def _economy(store: Store, end: int, service: str, kind: str, of: list[Any]) -> Economy | None:
    """Return the economies of one kind, replayed on the series that speaks most."""
    most = max(of, key=lambda row: (row.count or 0, -row.id))
    told = [
        (o.start_us, o.result.value)
        for o in store.observations.series(most.id, end - DAYS * DAY_US, end)
        if o.result.value is not None
    ]
    if len(told) < LEAST:
        return None
    at, values = [t for t, _ in told], [float(v) for _, v in told]
    spread = float(np.ptp(values))
    band, limit = BAND * spread, float(np.quantile(values, HIGH))
    pace = int(np.median(np.diff(at))) or 1
    fewer = compress(values, band, np.array(at, float))
    delta = replay(values, at, send_on_delta(values, at, band, DAY_US), limit)
    slow = replay(values, at, adaptive(values, at, band, pace, SLOWEST * pace), limit)
    found = Economy(
        service, kind, len(of), len(told) / DAYS * len(of), fewer.ratio, fewer.max_error, delta.saved, delta.largest_error,
        delta.missed, slow.saved, slow.largest_error, slow.missed, slow.longest_delay_us, delta.alarms,
    )  # fmt: skip
    return _with_sensors(store, end, found, of)


def _with_sensors(store: Store, end: int, economy: Economy, of: list[Any]) -> Economy:
    """Return the economy with the sensors that the others stand for, from the means of each hour."""
    columns = _hourly(store, [row.id for row in of], end - PLACES * DAY_US, end)
    names = {row.id: row.name for row in of}
    if not 3 <= len(columns) <= 24:
        return economy
    try:
        found = removal_of({f"{names[i]} ({i})": v for i, v in columns.items()})
    except Problem:
        return economy
    if found.proposal is None:
        return economy
    lost = found.proposal.losses
    return msgspec.structs.replace(
        economy, sensors=tuple(n.rpartition(" (")[0] for n in found.proposal.removed), sensors_rmse=max(one.rmse for one in lost),
        sensors_missed=sum(one.missed for one in lost), sensors_alarms=sum(one.alarms for one in lost),
    )  # fmt: skip


def _hourly(store: Store, ids: Iterable[int], start_us: int, end_us: int) -> dict[int, Any]:
    """Return the mean of each hour of each series, NaN where it said nothing; series that hardly speak are left out."""
    query = AggregateQuery(
        datastreams=tuple(ids), within=(start_us, end_us), grain=Grain(HOUR_US), by_series=True
    )
    cells = {
        (series, bucket): cell.mean
        for (series, _feature, bucket), cell in store.observations.aggregate(query).items()
        if cell.numbers
    }
    if not cells:
        return {}
    first, last = min(b for _, b in cells), max(b for _, b in cells)
    found: dict[int, Any] = {}
    for (series, bucket), mean in cells.items():
        found.setdefault(series, np.full(last - first + 1, np.nan))[bucket - first] = mean
    return {i: v for i, v in found.items() if np.isfinite(v).mean() > 0.8}
