"""Judge each metered area once a day: learn what it is like, follow its losses, keep its leak files up to date.

An area is learnt on its first sixty days at least (a year at most), its last month left out; what follows is watched. Watching the same days again
gives the same files, so a day is never judged twice: files are found again by the day of their detection.
"""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from beffroi.model.instant import DAY_US
from beffroi.model.principal import SYSTEM
from beffroi.services.watergrid.areas.reading import (
    first_day,
    last_day,
    local_day,
    rows_of,
    signed_meters,
    told,
)
from beffroi.services.watergrid.collections import LEAK
from beffroi.services.watergrid.leaks.balance import CUT_HOUR, SEASON_DAYS, Learnt, follow, learn
from beffroi.services.watergrid.leaks.watch import QUIET, LeakFile, watch
from beffroi.store.record import Query, Row
from beffroi.town import Town

__all__ = ["LEAST_DAYS", "Story", "judge", "known_days", "learn_area", "overdue", "story"]

Array = NDArray[np.float64]
LEAST_DAYS, MOST_DAYS, WATCHED_DAYS, _RECENT_DAYS = 60, 365, 400, 30
_FRIDAY = 4
_DATED = re.compile(r"-\d{8}b*")  # the numbers that are given here
_NIGHT = slice(20, 22)  # 02:00 to 04:00 in a day that begins at 06:00
_WORTH, _WORTH_LOST = (
    0.02,
    0.05,
)  # a flow, and what was lost in all, are written again when they moved by more


class Story(msgspec.Struct, frozen=True):
    """An area over the watched days: night flow and losses above the standing ones, m³/h; its files, by day."""

    first: datetime
    night: Array
    loss: Array
    sigma: float
    standing: float
    legitimate: float
    files: tuple[LeakFile, ...]

    def day(self, index: float) -> datetime:
        """Return the wall-clock day of a place in the series."""
        return self.first + timedelta(days=index)


def learn_area(town: Town, area: Row, flow: Array, first: datetime) -> Row:
    """Learn an area from days of its inflow (days × 24 from 06:00) and keep what is learnt. Return the record."""
    lived = _lived(first, len(flow))
    found = learn(flow, first.weekday(), first.timetuple().tm_yday, lived)
    before = follow(found, flow, first.weekday(), first.timetuple().tm_yday, lived).loss
    kept = {
        "shape": np.round(found.shape, 4).tolist(), "season": found.season.tolist(), "standing": found.standing,
        "covariance": np.round(found.covariance, 8).tolist(), "sigma": found.sigma, "echo": found.echo,
        "before": [None if not np.isfinite(x) else round(float(x), 3) for x in before[-30:]],
        "until": (first + timedelta(days=len(flow))).date().isoformat(), "inflow": area.values["inflow"],
    }  # fmt: skip
    return town.store.records.put("water_area", {"learnt": kept, "standing_m3h": round(found.standing, 2) if len(flow) >= SEASON_DAYS else None}, id=area.id, who=SYSTEM, reason="Secteur appris")  # fmt: skip


def _lived(first: datetime, days: int) -> NDArray[np.int64]:
    """Return the weekday that each day, from 06:00 to 06:00, is lived as: a holiday is a Sunday, its eve a Friday."""
    import holidays  # noqa: PLC0415 -- slow to import, needed by this duty alone

    known = holidays.country_holidays("FR")
    dates = [(first + timedelta(days=i)).date() for i in range(days + 1)]
    free = [d.weekday() > _FRIDAY or d in known for d in dates]
    lived = {(True, True): 5, (True, False): 6, (False, True): _FRIDAY}
    return np.array(
        [lived.get((free[i], free[i + 1]), dates[i].weekday()) for i in range(days)], dtype=np.int64
    )


def _learnt(kept: Mapping[str, Any]) -> Learnt:
    return Learnt(
        np.array(kept["shape"]), kept["standing"], np.array(kept["season"]), np.array(kept["covariance"]), kept["sigma"], kept["echo"]
    )  # fmt: skip


def story(town: Town, area: Row, now_us: int | None = None) -> Story | None:
    """Return an area's watched days until now, None while it is not learnt. Raises `Problem` for its expression."""
    kept = area.values.get("learnt")
    if kept is None or not told(area):
        return None
    now = town.clock() if now_us is None else now_us
    last = last_day(now)
    first = max(datetime.fromisoformat(kept["until"]), last - timedelta(days=WATCHED_DAYS))
    days = (last - first).days + 1
    if days < 1:
        return None
    flow = rows_of(town, signed_meters(town, area), first, days)
    learnt = _learnt(kept)
    loss = follow(learnt, flow, first.weekday(), first.timetuple().tm_yday, _lived(first, days)).loss
    before = np.array([np.nan if x is None else x for x in kept["before"]])
    files = watch(loss, learnt.sigma, learnt.echo, QUIET, before)
    with np.errstate(invalid="ignore"):
        night = flow[:, _NIGHT].mean(axis=1)
    homes = area.values.get("households") or 0
    return Story(
        first,
        night,
        loss,
        learnt.sigma,
        learnt.standing,
        homes * area.values["legitimate_lh"] / 1000,
        tuple(files),
    )


def known_days(town: Town, signed: list[tuple[int, int, str]], now_us: int) -> tuple[datetime | None, int]:
    """Return since when all the meters of an area speak (None: one does not yet), and how many whole days that is."""
    begun = first_day(town, [s for _, s, _ in signed], now_us)
    return begun, 0 if begun is None else max(0, (last_day(now_us) - begun).days + 1)


def _used(days: int) -> int:
    """Return how many of the first known days an area is learnt on: the last month of a history is watched, for what runs
    already is a leak to be found, not what the area is like; a whole season is not cut short for it."""
    whole = SEASON_DAYS if days >= SEASON_DAYS else LEAST_DAYS
    return min(max(whole, days - _RECENT_DAYS), MOST_DAYS)


def judge(town: Town, area: Row) -> list[Row]:
    """Do what is due for an area: learn it, or bring its files up to yesterday. Return the leaks that were opened."""
    now = town.clock()
    signed = signed_meters(town, area)
    if not told(area):
        begun, days = known_days(town, signed, now)
        if (
            area.values["state"] != "unknown"
        ):  # its inflow has changed: what it was says nothing of what it is
            area = town.store.records.put("water_area", {"state": "unknown"}, id=area.id, who=SYSTEM, reason="Secteur à apprendre de nouveau")  # fmt: skip
        if begun is None or days < LEAST_DAYS:
            return []
        used = _used(days)
        flow = rows_of(town, signed, begun, used)
        if np.isfinite(flow).mean() < 0.5:
            return []
        area = learn_area(town, area, flow, begun)
    found = story(town, area, now)
    if found is None:
        return []
    opened = _keep(town, area, found)
    _tell(town, area, found)
    return opened


def _keep(town: Town, area: Row, found: Story) -> list[Row]:
    known = {
        r.values["number"]: r
        for r in town.store.records.all("water_leak", Query(where={"area": area.id}, territories=None))
    }
    opened, numbers = [], set()
    for file in found.files:
        number = f"{area.values['code']}-{found.day(file.detected + 1):%Y%m%d}"
        while number in numbers:
            number += "b"
        numbers.add(number)
        values = _values(area, found, file)
        held = known.get(number)
        if held is None:
            values |= {"number": number, "area": area.id, "title": _title(area, values)}
            opened.append(town.store.records.put("water_leak", values, geometry=None, territory=area.territory, who=SYSTEM, reason="Fuite détectée"))  # fmt: skip
        elif held.values["state"] in ("open", "growing"):
            _change(town, held, values)
    for number, held in known.items():
        if (
            number not in numbers
            and _DATED.fullmatch(
                number.removeprefix(area.values["code"])
            )  # what a person opened is theirs to close
            and held.values["state"] in ("open", "growing")
            and held.values["detected"] >= local_day(found.first)
        ):
            town.store.records.put("water_leak", {"state": "false"}, id=held.id, who=SYSTEM, reason="Retirée : réunie à un autre dossier, ou rien ne se perd plus")  # fmt: skip
    return opened


def _title(area: Row, values: Mapping[str, Any]) -> str:
    return LEAK.of("fr", flow=f"{values['m3_per_day']:.0f}", area=area.values["name"])


def _values(area: Row, found: Story, file: LeakFile) -> dict[str, Any]:
    daily = round(file.flow * 24, 1)
    state = "repaired" if file.end is not None else "growing" if file.growing else "open"
    ended = None if file.end is None else local_day(found.day(file.end) + timedelta(hours=CUT_HOUR + 7))
    return {
        "kind": file.kind, "state": state, "start": local_day(found.day(file.onset) + timedelta(hours=CUT_HOUR + (11 if file.kind == "abrupt" else 0))),
        "detected": local_day(found.day(file.detected + 1) + timedelta(hours=CUT_HOUR)), "end": ended, "m3_per_day": daily,
        "euro_per_day": round(daily * area.values["price_eur_m3"], 2), "lost_m3": _lost(found, file),
    }  # fmt: skip


def _lost(found: Story, file: LeakFile) -> float:
    last = len(found.loss) if file.end is None else file.end
    day = np.arange(max(file.onset, 0), last)
    grown = np.ones(len(day))
    if file.kind == "incipient":
        until = last - 1 if file.until is None else file.until
        span = max(until - file.onset + 1, 1)
        grown = np.clip((np.minimum(day, until) - file.onset + 1) / span, 0, 1) ** 2
    return round(float(file.flow * 24 * grown.sum()), 0)


def _change(town: Town, held: Row, values: dict[str, Any]) -> None:
    """Write what moved; a flow only when it moved for good, what was lost in all when it is some days old."""
    before = held.values
    moved = abs(values["m3_per_day"] - before["m3_per_day"]) > _WORTH * max(before["m3_per_day"], 1.0)
    moved |= abs(values["lost_m3"] - (before["lost_m3"] or 0.0)) > _WORTH_LOST * values["lost_m3"]
    if not moved and values["state"] == before["state"] and values["kind"] == before["kind"]:
        return
    values["title"] = held.values["title"].replace(
        f"{before['m3_per_day']:.0f} m³/j", f"{values['m3_per_day']:.0f} m³/j"
    )
    town.store.records.put("water_leak", values, id=held.id, who=SYSTEM, reason="Bilan du jour")


def _tell(town: Town, area: Row, found: Story) -> None:
    running = [f for f in found.files if f.end is None]
    recent = np.isfinite(found.loss[-3:]).any()
    values = {
        "night_m3h": _last(found.night), "lost_m3h": _last(found.loss), "judged": local_day(found.day(len(found.loss)) + timedelta(hours=CUT_HOUR)),
        "state": "silent" if not recent else "leaking" if running else "calm",
    }  # fmt: skip
    if values["judged"] != area.values.get("judged"):
        town.store.records.put("water_area", values, id=area.id, who=SYSTEM, reason="Bilan du jour")


def _last(values: Array) -> float | None:
    seen = values[np.isfinite(values)]
    return round(float(seen[-1]), 2) if len(seen) else None


def overdue(town: Town, area: Row) -> bool:
    """Say whether a day has ended since an area was judged."""
    judged = area.values.get("judged")
    return judged is None or town.clock() - int(judged) >= DAY_US
