"""Issue forecasts: each hour, what a station's discharge will be, kept as observations with their 90 % intervals.

A forecast is an observation whose phenomenon time is the hour it is about and whose result time is the hour it was made, one
datastream for each lead. A further series holds the highest upper bound of each issue, for thresholds to watch.
"""

import logging
from collections.abc import Mapping

import msgspec

from beffroi.intake.source_keys import sent_key
from beffroi.model.instant import DAY_US, HOUR_US, format_instant
from beffroi.model.observation import Draft, Quality
from beffroi.model.problem import Problem
from beffroi.model.result import number_of
from beffroi.services.water.forecast.evaluation import trained_on
from beffroi.services.water.forecast.hours import hours_of
from beffroi.services.water.forecast.model import SHORTEST_H, WARM_UP_H, Forecaster, read_model, told
from beffroi.services.water.forecast.series import HourlySeries
from beffroi.services.water.rating.keeping import series_id
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


def forecast_series(town: Town, station: Row, lead: int) -> int:
    """Return the datastream of a station's forecasts at a lead (h)."""
    name = f"Débit prévu à {lead} h"
    return series_id(
        town, station, f"forecast/{lead}", "discharge_forecast", name, "GR4H corrigé, régression par échéance"
    )


class Forecasting:
    """The models of a town's stations, learned from their own history and learned again each week."""

    def __init__(self, town: Town) -> None:
        self._town = town
        self._models: dict[int, tuple[int, Forecaster | None]] = {}
        self._series: dict[tuple[int, int], int] = {}

    def issue(self, station: Row) -> int:
        """Make the forecast of the last whole hour, unless it was made; return how many observations were written."""
        now = self._town.clock()
        model = self._model(station, now)
        if model is None:
            return 0
        hours = hours_of(self._town, station, now - _LOOK_BACK_US, now)
        parts = hours.parts()
        if not parts:
            return 0
        begin, past = parts[-1]
        end = begin + len(past.discharge)
        if len(hours.rain) - end > _STALE_H or len(past.discharge) <= WARM_UP_H:
            return 0
        issued = int(hours.times[end - 1]) // 3600 * HOUR_US
        if self._town.store.setting(_place(station)) == issued:
            return 0
        said = {lead: (f.low[-1], f.median[-1], f.high[-1]) for lead, f in model.forecast(past).items()}
        stored = self._town.store.observations.append(self._drafts(station, issued, said, model)).stored
        self._town.store.set_setting(_place(station), issued)
        return stored

    def take(self, station: Row, archive: HourlySeries) -> None:
        """Learn a station from an archive of hours older than its own series, and forecast all of these afterwards."""
        now = self._town.clock()
        model = trained_on(archive, LEADS)
        self._keep(station, now, model)
        self._hindcast(station, hours_of(self._town, station, now - _HINDCAST_US, now), model, 0)

    def _model(self, station: Row, now: int) -> Forecaster | None:
        """Return the station's model, learned again when it is a week old; the last one when that cannot be done."""
        known = self._models.get(station.id) or self._kept(station)
        if known is not None and now - known[0] < (_TRAIN_EVERY_US if known[1] else _TRY_AGAIN_US):
            self._models[station.id] = known
            return known[1]
        model = known[1] if known else None
        try:
            hours = hours_of(self._town, station, now - _HISTORY_US, now).known()
            model = trained_on(hours, LEADS)
            self._look_back(station, hours)
        except Problem as problem:
            log.info("the station %s learns nothing new: %s", station.values["code"], problem.reason.en)
        self._keep(station, now, model)
        return model

    def _keep(self, station: Row, now: int, model: Forecaster | None) -> None:
        self._models[station.id] = (now, model)
        if model is not None:
            self._town.store.set_setting(f"water.model.{station.id}", {"at": now, "model": told(model)})

    def _kept(self, station: Row) -> tuple[int, Forecaster] | None:
        """Return the model that was kept, so that starting anew costs nothing."""
        found = self._town.store.setting(f"water.model.{station.id}")
        try:
            return (int(found["at"]), read_model(found["model"])) if found else None
        except msgspec.ValidationError:
            return None  # written by another version: it is learned again

    def _look_back(self, station: Row, hours: HourlySeries) -> None:
        """Once, forecast the end of a station's history from its beginning, so that one knows from the first day what its
        forecasts are worth. Such forecasts say so."""
        begin = max(int(_LEARNED * len(hours.rain)), len(hours.rain) - _HINDCAST_US // HOUR_US, SHORTEST_H)
        if self._town.store.setting(_looked(station)) or len(hours.rain) - begin < WARM_UP_H:
            return
        try:
            model = trained_on(hours.until(begin), LEADS)
        except Problem:
            return
        self._hindcast(station, hours, model, begin)

    def _hindcast(self, station: Row, hours: HourlySeries, model: Forecaster, begin: int) -> None:
        drafts: list[Draft] = []
        for at, past in hours.parts():
            if len(past.discharge) <= WARM_UP_H:
                continue
            said = model.forecast(past)
            for i in range(max(begin - at, WARM_UP_H), len(past.discharge)):
                issued = int(hours.times[at + i]) // 3600 * HOUR_US
                bounds = {lead: (f.low[i], f.median[i], f.high[i]) for lead, f in said.items()}
                drafts += self._drafts(station, issued, bounds, model, hindcast=True)
        for first in range(0, len(drafts), _AT_ONCE):
            self._town.store.observations.append(drafts[first : first + _AT_ONCE])
        self._town.store.set_setting(_looked(station), value=True)

    def _drafts(
        self, station: Row, issued: int, said: Mapping[int, tuple[float, float, float]], model: Forecaster, *,
        hindcast: bool = False,
    ) -> list[Draft]:  # fmt: skip
        drafts, course, highest = [], [], 0.0
        after = {"hindcast": True} if hindcast else {}
        for lead, bounds in said.items():
            low, median, high = (round(float(b), 4) for b in bounds)
            valid = issued + lead * HOUR_US
            highest = max(highest, high)
            course.append({"at": format_instant(valid), "low": low, "median": median, "high": high})
            extra = {
                "resultQuality": {"interval90": [low, high]},
                "parameters": {"lead_h": lead, "issued": format_instant(issued), "threshold_m3s": round(model.threshold, 4), **after},
            }  # fmt: skip
            drafts.append(_draft(self._id(station, lead), valid, issued, median, extra))
        extra = {"parameters": {"quantile": 0.95, "forecast": course, **after}}
        return [*drafts, _draft(self._id(station, 0), issued, issued, highest, extra)]

    def _id(self, station: Row, lead: int) -> int:
        """Return the datastream of a lead; of the upper bounds for lead 0."""
        known = self._series.get((station.id, lead))
        if known is None:
            known = forecast_series(self._town, station, lead) if lead else _high_series(self._town, station)
            self._series[station.id, lead] = known
        return known


def _high_series(town: Town, station: Row) -> int:
    return series_id(
        town, station, "forecast/high", "discharge_forecast_p95", "Débit prévu, haut (95 %)",
        "Plus haute borne de l'intervalle à 90 % d'une émission",
    )  # fmt: skip


def _draft(number: int, valid: int, issued: int, value: float, extra: Mapping[str, object]) -> Draft:
    return Draft(
        number, valid, number_of(repr(value)), result_time_us=issued, quality=int(Quality.ESTIMATED),
        extra=msgspec.json.encode(extra).decode(), source_key=sent_key(number, b"forecast", b"%d" % issued),
    )  # fmt: skip


def _place(station: Row) -> str:
    return f"water.forecast.{station.id}"


def _looked(station: Row) -> str:
    return f"water.hindcast.{station.id}"
