"""Study every delivery point, each day: its levels, its baseline, what is wasted, what works saved; keep it as records."""

import logging
import threading
from datetime import date

import msgspec
import numpy as np

from beffroi.model.instant import DAY_US, PARIS, from_datetime, to_datetime
from beffroi.model.principal import SYSTEM
from beffroi.model.problem import Problem
from beffroi.services.energy.baseline.savings import measure
from beffroi.services.energy.bills import judge_again
from beffroi.services.energy.contract_power import DEFAULT_EURO_KVA, Advice, advise
from beffroi.services.energy.importing import take_counter
from beffroi.services.energy.points import points_of, unit_of
from beffroi.services.energy.prices import price_of
from beffroi.services.energy.reading_back import days_of, highest_powers, hours_of, use_of, with_billed
from beffroi.services.energy.school_holidays import labels_of
from beffroi.services.energy.waste import BaseLoad, Drift, Waste, base_load, drift_of, wastes_of
from beffroi.services.energy.wording import TITLES, WATER_NIGHT, WHY_DRIFT, WHY_LEVEL
from beffroi.store.record import Query, Row
from beffroi.town import Town

__all__ = [
    "Study",
    "advice_of",
    "keep_studying",
    "site_of",
    "studied",
    "study",
    "study_again",
    "study_town",
]

log = logging.getLogger("beffroi.energy")
_CURVE_US = 366 * DAY_US
_DAYS_US = 800 * DAY_US
_PAUSE_S = 600.0
_LEAST_EUROS = 20.0  # a year, below which a finding is not worth a line
_EPOCH = date(1970, 1, 1).toordinal()


class Study(msgspec.Struct, frozen=True):
    """What was learned of one point: `year` is its use over the last 365 days known, scaled to a year."""

    at_us: int
    year: float | None
    share: float  # of the days of the last year that are known
    load: BaseLoad | None
    drift: Drift | None
    wastes: tuple[Waste, ...]
    last_us: int | None  # end of the last day known
    power: Advice | None = None


def site_of(town: Town, point: Row) -> Row | None:
    """Return the site that a point serves."""
    number = point.values["site"]
    return town.store.records.get("energy_site", number) if number is not None else None


def study(town: Town, point: Row, now_us: int) -> Study:
    """Study one point from its series."""
    site = site_of(town, point)
    zone = site.values["zone"] if site else None
    days = days_of(town, point, now_us - _DAYS_US, now_us)
    known = np.isfinite(days.used)
    last_year = days.days > (days.days[-1] - 365)
    spent = with_billed(town, point, days).used
    inside = (
        np.isfinite(spent) & last_year
    )  # days that months of gas, indexes by hand or bills were spread over too
    year = float(spent[inside].mean()) * 365 if int(inside.sum()) >= 30 else None
    hours = hours_of(town, point, now_us - _CURVE_US, now_us)
    load = None
    if np.isfinite(hours.used).any():
        labels = labels_of(hours.days, zone or "-")
        closed = ((hours.days + 3) % 7 >= 5) | (labels[:, 1] > 0)
        load = base_load(hours.civil, hours.used, closed, (labels[:, 0] > 0) & bool(zone))
    drift = drift_of(use_of(town, days, zone)) if int(known.sum()) > 120 else None
    wastes = wastes_of(load) if load else []
    if drift is not None and drift.certain and drift.per_day > 0:
        wastes.append(Waste("drift", drift.per_day * 365))
    end = _end_of(int(days.days[known][-1])) if known.any() else None
    power = advice_of(town, point, end or now_us)
    return Study(
        now_us,
        year,
        float(days.share[last_year].mean()),
        load,
        drift,
        tuple(wastes),
        end,
        power[0] if power else None,
    )


def advice_of(town: Town, point: Row, end_us: int) -> tuple[Advice, int | None] | None:
    """Return the advice on a point's subscribed power, and the step (minutes) when it comes from a load curve; None: not known."""
    if not point.values["power_kva"]:
        return None
    powers, step = highest_powers(town, point, end_us)
    if not powers:
        return None
    price = point.values["euro_kva"]
    return advise(
        powers,
        point.values["power_kva"],
        DEFAULT_EURO_KVA if price is None else price,
        point.values["euro_excess"] or 0.0,
    ), step


def _end_of(day: int) -> int:
    found = date.fromordinal(day + 1 + _EPOCH)
    return from_datetime(
        to_datetime(0).replace(year=found.year, month=found.month, day=found.day, tzinfo=PARIS)
    )


def studied(town: Town, point: Row) -> Study:
    """Return the last study of a point, made now when there is none."""
    kept = town.store.setting(_place(point))
    if kept:
        try:
            return msgspec.convert(kept, Study)
        except msgspec.ValidationError:
            pass  # written by another version
    return _keep(town, point, town.clock())


def _place(point: Row) -> str:
    return f"energy.study.{point.id}"


def _keep(town: Town, point: Row, now_us: int) -> Study:
    found = study(town, point, now_us)
    town.store.set_setting(_place(point), msgspec.to_builtins(found))
    return found


def study_again(town: Town, point: Row, now_us: int) -> None:
    """Study one point anew: its pulses counted, its findings written, its works measured, its bills judged."""
    _count_pulses(town, point, now_us)
    found = _keep(town, point, now_us)
    _write_findings(town, point, found)
    _measure_works(town, point, now_us)
    judge_again(town, point, SYSTEM)


def study_town(town: Town, now_us: int) -> int:
    """Study every point, write its findings, measure its works; return how many points there are."""
    points = points_of(town)
    for point in points:
        study_again(town, point, now_us)
    return len(points)


def _count_pulses(town: Town, point: Row, now_us: int) -> None:
    try:
        take_counter(town, point, now_us)
    except Problem as problem:
        log.info("the pulses of the point %s cannot be counted: %s", point.id, problem.reason.en)


def _write_findings(town: Town, point: Row, found: Study) -> None:
    """Open, follow and close what is wasted at a point."""
    known = {
        r.values["kind"]: r
        for r in town.store.records.all("energy_finding", Query(where={"point": point.id}))
    }
    site = site_of(town, point)
    place = site.values["name"] if site else point.values["code"]
    price, unit = price_of(point), unit_of(point)
    with town.store.records.writer(SYSTEM, "Étude des compteurs") as writer:
        for waste in found.wastes:
            euros = waste.per_year * price
            if euros < _LEAST_EUROS:
                continue
            values = {
                "title": (WATER_NIGHT if waste.kind == "night" and unit == "m³" else TITLES[waste.kind]).of("fr", place=place), "point": point.id, "kind": waste.kind, "euro_year": round(euros, 2),
                "per_year": round(waste.per_year, 1), "state": "open", "why": _why(found, waste, unit),
            }  # fmt: skip
            before = known.pop(waste.kind, None)
            if before is None:
                values |= {"code": f"{point.id}/{waste.kind}", "since": found.at_us}
                writer.create("energy_finding", values, None, point.territory)
            elif any(before.values[k] != v for k, v in values.items()):
                again = {"since": found.at_us} if before.values["state"] == "closed" else {}
                writer.change("energy_finding", before.id, values | again)
        for gone in known.values():
            if gone.values["state"] == "open":
                writer.change("energy_finding", gone.id, {"state": "closed"})


def _why(found: Study, waste: Waste, unit: str) -> str:
    load, drift = found.load, found.drift
    if waste.kind == "drift" and drift is not None:
        share = f"{100 * drift.share:+.0f}"
        return WHY_DRIFT.of("fr", more=_said(drift.per_day, 1), unit=unit, share=share, days=drift.days)
    if load is None:
        return ""
    level = {"night": load.night, "weekend": load.weekend, "holiday": load.holiday}[waste.kind] or 0.0
    floor, opened = _said(load.floor, 2), _said(load.open_hour, 2)
    return WHY_LEVEL.of("fr", level=_said(level, 2), unit=unit, floor=floor, open=opened, days=load.days)


def _said(value: float, decimals: int) -> str:
    return f"{value:.{decimals}f}".replace(".", ",")


def _measure_works(town: Town, point: Row, now_us: int) -> None:
    works = list(town.store.records.all("energy_works", Query(where={"point": point.id})))
    if not works:
        return
    site = site_of(town, point)
    use = use_of(
        town, days_of(town, point, now_us - 4 * 366 * DAY_US, now_us), site.values["zone"] if site else None
    )
    for one in works:
        start, end = (_day(one.values[name]) for name in ("start", "end"))
        try:
            saved = measure(use, start, end)
        except Problem as problem:
            log.info("the works %s cannot be measured yet: %s", one.id, problem.reason.en)
            continue
        values = {
            "saved_percent": round(saved.savings_percent, 2), "low_percent": round(saved.interval95[0], 2),
            "high_percent": round(saved.interval95[1], 2), "saved_kwh": round(saved.savings_kwh, 1), "measured": now_us,
        }  # fmt: skip
        if any(one.values[k] != v for k, v in values.items() if k != "measured"):
            town.store.records.put("energy_works", values, id=one.id, who=SYSTEM, reason="Mesure IPMVP C")


def _day(said: object) -> int:
    found = said if isinstance(said, date) else date.fromisoformat(str(said)[:10])
    return found.toordinal() - _EPOCH


def keep_studying(town: Town, stop: threading.Event) -> None:
    """Study the points once a day (a duty of the service)."""
    while not stop.is_set():
        now = town.clock()
        last = town.store.setting("energy.studied", 0)
        if now // DAY_US != int(last) // DAY_US:
            try:
                study_town(town, now)
            except Exception:
                # one bad series must not stop the duty for ever: it is told, and tried again tomorrow
                log.exception("the delivery points could not be studied")
            town.store.set_setting("energy.studied", now)
        stop.wait(_PAUSE_S)
