"""Issue forecasts: each hour, what a station's discharge will be, kept as observations with their 90 % intervals.

A forecast is an observation whose phenomenon time is the hour it is about and whose result time is the hour it was made, one
datastream for each lead. A further series holds the highest upper bound of each issue, for thresholds to watch.
"""

import logging

import msgspec
import numpy as np

from beffroi.intake.source_keys import sent_key
from beffroi.model.instant import DAY_US, HOUR_US, format_instant
from beffroi.model.observation import Draft, Quality
from beffroi.model.problem import Problem
from beffroi.model.result import number_of
from beffroi.services.water.forecast.evaluation import trained_on
from beffroi.services.water.forecast.hours import hours_of
from beffroi.services.water.forecast.model import WARM_UP_H, Forecaster
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


def forecast_series(town: Town, station: Row, lead: int) -> int:
    """Return the datastream of a station's forecasts at a lead (h)."""
    name = f"Débit prévu à {lead} h"
    return series_id(town, station, f"forecast/{lead}", "discharge_forecast", name, "GR4H corrigé, régression par échéance")


class Forecasting:
    """The models of a town's stations, learned from their own history and learned again each week."""

    def __init__(self, town: Town) -> None:
        self._town = town
        self._models: dict[int, tuple[int, Forecaster | None]] = {}

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
        stored = self._town.store.observations.append(self._drafts(station, issued, said, model.threshold)).stored
        self._town.store.set_setting(_place(station), issued)
        return stored

    def threshold(self, station: Row) -> float | None:
        """Return the discharge exceeded one hour in a hundred in the station's history, once it is known."""
        known = self._models.get(station.id)
        return known[1].threshold if known is not None and known[1] is not None else None

    def _model(self, station: Row, now: int) -> Forecaster | None:
        known = self._models.get(station.id)
        if known is not None and now - known[0] < (_TRAIN_EVERY_US if known[1] else _TRY_AGAIN_US):
            return known[1]
        model = None
        try:
            model = trained_on(hours_of(self._town, station, now - _HISTORY_US, now), LEADS)
        except Problem as problem:
            log.info("the station %s is not forecast yet: %s", station.values["code"], problem.reason.en)
        self._models[station.id] = (now, model)
        return model

    def _drafts(
        self, station: Row, issued: int, said: dict[int, tuple[float, float, float]], threshold: float
    ) -> list[Draft]:
        drafts, course = [], []
        key = b"%d" % issued
        for lead, bounds in said.items():
            low, median, high = (float(np.round(b, 4)) for b in bounds)
            valid = issued + lead * HOUR_US
            course.append({"at": format_instant(valid), "low": low, "median": median, "high": high})
            extra = {
                "resultQuality": {"interval90": [low, high]},
                "parameters": {"lead_h": lead, "issued": format_instant(issued), "threshold_m3s": round(threshold, 4)},
            }
            number = forecast_series(self._town, station, lead)
            drafts.append(_draft(number, valid, issued, median, extra, key))
        highest = max(point["high"] for point in course)  # type: ignore[type-var]
        number = series_id(
            self._town, station, "forecast/high", "discharge_forecast_p95", "Débit prévu, haut (95 %)",
            "Plus haute borne de l'intervalle à 90 % d'une émission",
        )  # fmt: skip
        extra = {"parameters": {"quantile": 0.95, "forecast": course}}
        return [*drafts, _draft(number, issued, issued, float(highest), extra, key)]  # type: ignore[arg-type]


def _draft(number: int, valid: int, issued: int, value: float, extra: dict[str, object], key: bytes) -> Draft:
    return Draft(
        number, valid, number_of(repr(round(value, 4))), result_time_us=issued, quality=int(Quality.ESTIMATED),
        extra=msgspec.json.encode(extra).decode(), source_key=sent_key(number, b"forecast", key),
    )  # fmt: skip


def _place(station: Row) -> str:
    return f"water.forecast.{station.id}"
