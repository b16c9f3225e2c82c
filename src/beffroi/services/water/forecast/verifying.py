"""Check what was forecast against what came, as soon as it came, and keep it."""

from collections.abc import Mapping, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from beffroi.model.instant import DAY_US, HOUR_US, to_datetime
from beffroi.model.principal import SYSTEM
from beffroi.services.water.forecast.evaluation import onsets_of
from beffroi.services.water.forecast.hours import hourly_discharge
from beffroi.services.water.forecast.issuing import LEADS
from beffroi.services.water.own_series import known_series
from beffroi.store.record import Query, Row
from beffroi.store.record_writer import Writer
from beffroi.town import Town

__all__ = ["Event", "events_in", "verify_station"]

Array = NDArray[np.float64]
_FIRST_US = 90 * DAY_US  # how far back the first check looks for forecasts
_AGAIN_H = 48  # hours of which events are judged again: a peak may still come, a late value too
_QUIET_H = 24
_BINS = ("below", "lower", "upper", "above")


class Event(msgspec.Struct, frozen=True):
    """An onset: its hour in the window, whether it came, at which leads it was announced, the peak of the next day."""

    hour: int
    came: bool
    leads: tuple[int, ...]
    tried: tuple[int, ...]
    peak: float | None


def events_in(observed: Array, forecasts: Mapping[int, Array], threshold: float) -> list[Event]:
    """Return the onsets of a window of hours, observed or forecast, matched within an hour.

    A false alarm of several leads within an hour of one another is one event.
    """
    came = onsets_of(observed, threshold)
    said = {lead: onsets_of(series, threshold) for lead, series in forecasts.items()}
    found = []
    for hour in came:
        tried = tuple(
            lead for lead, s in forecasts.items() if np.isfinite(s[max(0, hour - 1) : hour + 2]).any()
        )
        leads = tuple(lead for lead in tried if any(abs(hour - s) <= 1 for s in said[lead]))
        day = observed[hour : hour + _QUIET_H]
        found.append(Event(hour, True, leads, tried, float(np.nanmax(day))))
    false: dict[int, list[int]] = {}
    for lead, hours in said.items():
        for hour in hours:
            # a threshold already exceeded makes a late announcement of an onset that is counted above, not a false alarm
            if any(abs(hour - c) <= 1 for c in came) or not observed[hour] <= threshold:
                continue
            near = next((h for h in false if abs(h - hour) <= 1), hour)
            false.setdefault(near, []).append(lead)
    found += [
        Event(hour, False, tuple(sorted(set(leads))), tuple(forecasts), None) for hour, leads in false.items()
    ]
    return sorted(found, key=lambda e: e.hour)


def verify_station(town: Town, station: Row) -> int:
    """Check the forecasts whose hour has come since the last time; return how many were checked."""
    now = town.clock()
    place = f"water.verified.{station.id}"
    last = now // HOUR_US  # the hour that ends at `last` is whole
    reached = town.store.setting(place)
    done = (
        max(int(reached), (now - _FIRST_US) // HOUR_US)
        if reached is not None
        else (now - _FIRST_US) // HOUR_US
    )
    begin = done - _AGAIN_H - _QUIET_H
    if last <= done:
        return 0
    observed = hourly_discharge(
        town, station, begin - 1, last
    )  # value i is of the hour that ends at begin + i
    read = {lead: _forecasts(town, station, lead, begin, last) for lead in LEADS}
    known = {lead: r for lead, r in read.items() if np.isfinite(r[0]).any()}
    # an hour whose discharge is not there yet is waited for, two days at most
    missing = np.flatnonzero(np.isnan(observed[done - begin + 1 :]))
    until = last if not len(missing) else max(done + int(missing[0]), last - _AGAIN_H)
    checked = 0
    with town.store.records.writer(SYSTEM, "Vérification des prévisions") as writer:
        for lead, (median, low, high, _) in known.items():
            checked += _score(
                town, writer, station, lead, begin, done, (observed[: until - begin + 1], median, low, high)
            )
        for threshold, colour in _thresholds(town, station, known):
            medians = {lead: r[0] for lead, r in known.items()}
            for event in events_in(observed, medians, threshold):
                if event.hour >= _QUIET_H and event.hour <= last - begin - 1:
                    _keep_event(town, writer, station, begin, event, threshold, colour)
    town.store.set_setting(place, until)
    return checked


def _forecasts(
    town: Town, station: Row, lead: int, begin: int, last: int
) -> tuple[Array, Array, Array, float | None]:
    """Return median, low and high of the hours that end at `begin` to `last`, and the threshold that went with them."""
    median, low, high = (np.full(last - begin + 1, np.nan) for _ in range(3))
    threshold = None
    number = known_series(town, station, f"forecast/{lead}")
    found = (
        []
        if number is None
        else town.store.observations.series(number, begin * HOUR_US, (last + 1) * HOUR_US)
    )
    for one in found:
        if one.result.value is None or one.extra is None:
            continue
        extra = msgspec.json.decode(one.extra)
        at = one.start_us // HOUR_US - begin
        median[at] = one.result.value
        low[at], high[at] = extra["resultQuality"]["interval90"]
        threshold = extra["parameters"].get("threshold_m3s")
    return median, low, high, threshold


def _score(
    town: Town,
    writer: Writer,
    station: Row,
    lead: int,
    begin: int,
    done: int,
    series: tuple[Array, Array, Array, Array],
) -> int:
    """Add the hours after `done` to their months; return how many there were."""
    observed, median, low, high = series
    months: dict[str, dict[str, float]] = {}
    for i in range(done - begin + 1, len(observed)):
        then = i - lead
        if not np.isfinite([observed[i], median[i], observed[then] if then >= 0 else np.nan]).all():
            continue
        month = to_datetime((begin + i) * HOUR_US).strftime("%Y-%m")
        sums = months.setdefault(month, dict.fromkeys(("hours", "squares", "still_squares", *_BINS), 0.0))
        sums["hours"] += 1
        sums["squares"] += (median[i] - observed[i]) ** 2
        sums["still_squares"] += (observed[then] - observed[i]) ** 2
        sums[_BINS[_bin(observed[i], low[i], median[i], high[i])]] += 1
    for month, sums in months.items():
        _add(town, writer, station, lead, month, sums)
    return int(sum(s["hours"] for s in months.values()))


def _bin(value: float, low: float, median: float, high: float) -> int:
    return 0 if value < low else 1 if value <= median else 2 if value <= high else 3


def _add(town: Town, writer: Writer, station: Row, lead: int, month: str, sums: Mapping[str, float]) -> None:
    code = f"{station.id}-{lead}-{month}"
    rows = town.store.records.find(
        "forecast_score", Query(where={"code": code}, limit=1), writer.connection
    ).rows
    before = rows[0].values if rows else {}
    whole = ("hours", *_BINS)
    values = {name: before.get(name, 0) + added for name, added in sums.items()}
    values = {name: int(v) if name in whole else float(v) for name, v in values.items()}
    if rows:
        writer.change("forecast_score", rows[0].id, values)
    else:
        about = {"code": code, "station": station.id, "month": month, "lead_h": lead}
        writer.create("forecast_score", about | values, None, station.territory)


def _thresholds(
    town: Town, station: Row, known: Mapping[int, tuple[Array, Array, Array, float | None]]
) -> list[tuple[float, str | None]]:
    """Return the town's own thresholds of discharge, or else the one that the forecasts came with."""
    where = {"station": station.id, "quantity": "flow"}
    own = town.store.records.find("river_threshold", Query(where=where, limit=50)).rows
    if own:
        return [(r.values["value"], r.values["colour"]) for r in own]
    said: Sequence[float] = [r[3] for r in known.values() if r[3] is not None]
    return [(said[0], None)] if said else []


def _keep_event(
    town: Town, writer: Writer, station: Row, begin: int, event: Event, threshold: float, colour: str | None
) -> None:
    if not event.tried:
        return  # nothing was forecast then: neither hit nor missed
    at = (begin + event.hour) * HOUR_US
    code = f"{station.id}-{colour or 'p99'}-{begin + event.hour}{'' if event.came else '-f'}"
    values = {
        "outcome": ("hit" if event.leads else "missed") if event.came else "false", "lead_h": max(event.leads, default=0),
        "leads": list(event.leads), "tried": list(event.tried), "peak_m3s": None if event.peak is None else round(event.peak, 3),
    }  # fmt: skip
    rows = town.store.records.find(
        "forecast_event", Query(where={"code": code}, limit=1), writer.connection
    ).rows
    if rows:
        writer.change("forecast_event", rows[0].id, values)
        return
    about = {
        "code": code,
        "station": station.id,
        "at": at,
        "threshold_m3s": round(threshold, 4),
        "colour": colour,
    }
    writer.create("forecast_event", about | values, None, station.territory)
