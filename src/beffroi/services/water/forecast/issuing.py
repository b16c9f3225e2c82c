"""Issue forecasts: each hour, what a station's discharge will be, kept as observations with their 90 % intervals.

A forecast is an observation whose phenomenon time is the hour it is about and whose result time is the hour it was made, one
datastream for each lead. Further series hold the highest of each issue at 10, 50 and 90 %, as a discharge and, where the
station has a rating curve, as a level: thresholds on forecasts watch those at 90 %.

A station below another has two models: with the other's discharges, and alone, for when the other is silent.
"""

import contextlib
import logging
from collections.abc import Mapping

import msgspec
import numpy as np

from beffroi.intake.source_keys import sent_key
from beffroi.model.instant import DAY_US, HOUR_US, format_instant
from beffroi.model.observation import Draft, Quality
from beffroi.model.problem import Problem
from beffroi.model.result import number_of
from beffroi.services.water.forecast.evaluation import trained_on
from beffroi.services.water.forecast.features import Past
from beffroi.services.water.forecast.hours import hours_of
from beffroi.services.water.forecast.model import (
    SHORTEST_H,
    WARM_UP_H,
    Forecaster,
    Forecasts,
    read_model,
    told,
)
from beffroi.services.water.forecast.series import HourlySeries
from beffroi.services.water.rating.keeping import current_rating, series_id
from beffroi.services.water.warning.thresholds import apply, forecast_key
from beffroi.store.record import Row
from beffroi.town import Town

__all__ = ["LEADS", "Forecasting", "forecast_series"]

log = logging.getLogger("beffroi.water")
LEADS = (1, 3, 6, 12)
_HISTORY_US = 4 * 365 * DAY_US
_LOOK_BACK_US = 60 * DAY_US
_TRAIN_EVERY_US = 7 * DAY_US
_TRY_AGAIN_US = DAY_US
_STALE_H = 3
_LEARNED = 0.7  # of a station's history, before what is forecast of it afterwards
_HINDCAST_US = 90 * DAY_US
_AT_ONCE = 5000


# share, code, names of its discharge and of its level, of the highest of an issue
_PEAKS = (
    ("p10", "low", "Débit prévu, bas (P10)", "Hauteur prévue, basse (P10)"),
    ("median", "mid", "Débit prévu, médian (P50)", "Hauteur prévue, médiane (P50)"),
    ("p90", "high", "Débit prévu, haut (P90)", "Hauteur prévue, haute (P90)"),
)
_AT_LEAD = "Débit prévu à {lead} h"
_SHARES = {"p10": 0.1, "median": 0.5, "p90": 0.9}
_KNOWN_ABOVE = 0.8  # of its own hours that a station must have of the one upstream to learn from it


class _Learned(msgspec.Struct, frozen=True):
    """A station's models: from its own hours alone, and with those of the station `above` it."""

    alone: Forecaster
    below: Forecaster | None = None
    above: int | None = None

    def of(self, hours: HourlySeries, above: int | None) -> list[tuple[Forecaster, HourlySeries]]:
        """Return the models that may be used, each with the hours it reads, the better first."""
        found = [(self.alone, hours.own())]
        return (
            [(self.below, hours), *found] if self.below and hours.upstream and self.above == above else found
        )


def forecast_series(town: Town, station: Row, lead: int) -> int:
    """Return the datastream of a station's forecasts at a lead (h)."""
    return series_id(town, station, *_of_lead(lead))


def _of_lead(lead: int) -> tuple[str, str, str, str]:
    """Return the key, kind, name and method of the forecasts at a lead."""
    method = "GR4H corrigé, régression par échéance"
    return f"forecast/{lead}", "discharge_forecast", _AT_LEAD.format(lead=lead), method


class Forecasting:
    """The models of a town's stations, learned from their own history and learned again each week."""

    def __init__(self, town: Town) -> None:
        self._town = town
        self._models: dict[int, tuple[int, _Learned | None]] = {}
        self._series: dict[tuple[int, str], int] = {}
        self._ruled: set[int] = set()

    def issue(self, station: Row) -> int:
        """Make the forecast of the last whole hour, unless it was made; return how many observations were written."""
        now = self._town.clock()
        learned = self._model(station, now)
        if learned is None:
            return 0
        hours = hours_of(self._town, station, now - _LOOK_BACK_US, now)
        ready = [
            (model, *found)
            for model, series in learned.of(hours, station.values["upstream"])
            if (found := _last(series))
        ]
        if not ready:
            return 0
        # alone comes last and is always the freshest: the other is used when it is as fresh
        model, end, past = next(one for one in ready if one[1] == ready[-1][1])
        issued = int(hours.times[end - 1]) // 3600 * HOUR_US
        if self._town.store.setting(_place(station)) == issued:
            return 0
        said = model.forecast(past)
        drafts = [*self._drafts(station, issued, said, -1, model), *self._peaks(station, issued, said)]
        stored = self._town.store.observations.append(drafts).stored
        self._town.store.set_setting(_place(station), issued)
        if station.id not in self._ruled:  # thresholds may have waited for the series of forecasts
            self._ruled.add(station.id)
            apply(self._town, station)
        return stored

    def take(self, station: Row, archive: HourlySeries) -> None:
        """Learn a station from an archive of hours older than its own series, and forecast all of these afterwards."""
        now = self._town.clock()
        learned = _learned(archive, station.values["upstream"])
        self._keep(station, now, learned)
        self._hindcast(station, hours_of(self._town, station, now - _HINDCAST_US, now), learned, 0)

    def _model(self, station: Row, now: int) -> _Learned | None:
        """Return the station's models, learned again when they are a week old; the last ones when that cannot be done."""
        known = self._models.get(station.id) or self._kept(station)
        if known is not None and now - known[0] < (_TRAIN_EVERY_US if known[1] else _TRY_AGAIN_US):
            self._models[station.id] = known
            return known[1]
        learned = known[1] if known else None
        try:
            hours = hours_of(self._town, station, now - _HISTORY_US, now).known()
            learned = _learned(hours, station.values["upstream"])
            self._look_back(station, hours)
        except Problem as problem:
            log.info("the station %s learns nothing new: %s", station.values["code"], problem.reason.en)
        self._keep(station, now, learned)
        return learned

    def _keep(self, station: Row, now: int, learned: _Learned | None) -> None:
        self._models[station.id] = (now, learned)
        if learned is not None:
            below = None if learned.below is None else told(learned.below)
            kept = {"at": now, "model": told(learned.alone), "below": below, "above": learned.above}
            self._town.store.set_setting(f"water.model.{station.id}", kept)

    def _kept(self, station: Row) -> tuple[int, _Learned] | None:
        """Return the models that were kept, so that starting anew costs nothing."""
        found = self._town.store.setting(f"water.model.{station.id}")
        if not found:
            return None
        try:
            below = read_model(found["below"]) if found.get("below") else None
            return int(found["at"]), _Learned(read_model(found["model"]), below, found.get("above"))
        except msgspec.ValidationError:
            return None  # written by another version: it is learned again

    def _look_back(self, station: Row, hours: HourlySeries) -> None:
        """Once, forecast the end of a station's history from its beginning, so that one knows from the first day what its
        forecasts are worth. Such forecasts say so."""
        begin = max(int(_LEARNED * len(hours.rain)), len(hours.rain) - _HINDCAST_US // HOUR_US, SHORTEST_H)
        if self._town.store.setting(_looked(station)) or len(hours.rain) - begin < WARM_UP_H:
            return
        try:
            learned = _learned(hours.until(begin), station.values["upstream"])
        except Problem:
            return
        self._hindcast(station, hours, learned, begin)

    def _hindcast(self, station: Row, hours: HourlySeries, learned: _Learned, begin: int) -> None:
        drafts: list[Draft] = []
        model, series = learned.of(hours, station.values["upstream"])[0]
        for at, past in series.parts():
            if len(past.discharge) <= WARM_UP_H:
                continue
            said = model.forecast(past)
            for i in range(max(begin - at, WARM_UP_H), len(past.discharge)):
                issued = int(hours.times[at + i]) // 3600 * HOUR_US
                drafts += self._drafts(station, issued, said, i, model, hindcast=True)
        for first in range(0, len(drafts), _AT_ONCE):
            self._town.store.observations.append(drafts[first : first + _AT_ONCE])
        self._town.store.set_setting(_looked(station), value=True)

    def _drafts(
        self, station: Row, issued: int, said: Mapping[int, Forecasts], hour: int, model: Forecaster, *, hindcast: bool = False
    ) -> list[Draft]:  # fmt: skip
        drafts = []
        after = {"hindcast": True} if hindcast else {}
        for lead, found in said.items():
            low, median, high = (round(float(b[hour]), 4) for b in (found.low, found.median, found.high))
            extra = {
                "resultQuality": {"interval90": [low, high]},
                "parameters": {"lead_h": lead, "issued": format_instant(issued), "threshold_m3s": round(model.threshold, 4), **after},
            }  # fmt: skip
            number = self._id(station, *_of_lead(lead))
            drafts.append(_draft(number, issued + lead * HOUR_US, issued, median, extra))
        return drafts

    def _peaks(self, station: Row, issued: int, said: Mapping[int, Forecasts]) -> list[Draft]:
        """Return the highest of an issue at each share, as a discharge and as a level, with its course."""
        drafts = []
        rating = current_rating(self._town, station.id) if station.values["level"] is not None else None
        for share, code, flow_name, level_name in _PEAKS:
            course = {lead: float(getattr(found, share)[-1]) for lead, found in said.items()}
            told_as = [("discharge", flow_name, "le plus fort de l'émission", course)]
            if rating is not None:
                levels = {lead: rating[1].stage_of(flow) for lead, flow in course.items()}
                told_as.append(("level", level_name, "du débit, par la courbe de tarage", levels))
            for quantity, title, method, values in told_as:
                series = (
                    forecast_key(quantity, code),
                    f"{quantity}_forecast_{code}",
                    title,
                    method,
                )
                number = self._id(station, *series)
                at = [
                    {"at": format_instant(issued + lead * HOUR_US), "value": round(v, 4)}
                    for lead, v in values.items()
                ]
                extra = {"parameters": {"quantile": _SHARES[share], "forecast": at}}
                drafts.append(_draft(number, issued, issued, round(max(values.values()), 4), extra))
        return drafts

    def _id(self, station: Row, key: str, code: str, name: str, method: str) -> int:
        """Return a datastream of a station, made at first need."""
        known = self._series.get((station.id, key))
        if known is None:
            known = self._series[station.id, key] = series_id(self._town, station, key, code, name, method)
        return known


def _learned(hours: HourlySeries, above: int | None) -> _Learned:
    """Learn from hours, alone and with the station upstream when enough is known of it. Raises `Problem`."""
    alone, below = trained_on(hours.own(), LEADS), None
    known = int(np.isfinite(hours.discharge).sum())
    both = sum(len(part.discharge) for _, part in hours.parts())
    if hours.upstream and both >= _KNOWN_ABOVE * known:
        with contextlib.suppress(Problem):
            below = trained_on(hours, LEADS)
    return _Learned(alone, below, above if below else None)


def _last(hours: HourlySeries) -> tuple[int, Past] | None:
    """Return the last unbroken hours and where they end, when that is recent and they are long enough."""
    parts = hours.parts()
    if not parts:
        return None
    begin, past = parts[-1]
    end = begin + len(past.discharge)
    return (end, past) if len(hours.rain) - end <= _STALE_H and len(past.discharge) > WARM_UP_H else None


def _draft(number: int, valid: int, issued: int, value: float, extra: Mapping[str, object]) -> Draft:
    return Draft(
        number, valid, number_of(repr(value)), result_time_us=issued, quality=int(Quality.ESTIMATED),
        extra=msgspec.json.encode(extra).decode(), source_key=sent_key(number, b"forecast", b"%d" % issued),
    )  # fmt: skip


def _place(station: Row) -> str:
    return f"water.forecast.{station.id}"


def _looked(station: Row) -> str:
    return f"water.hindcast.{station.id}"
