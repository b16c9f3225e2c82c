"""What one process of the installation does for discharges: rate, compute, forecast and check, station after station."""

import logging
import threading

from beffroi.services.water.forecast.issuing import Forecasting
from beffroi.services.water.forecast.verifying import verify_station
from beffroi.services.water.rating.keeping import derive, rate
from beffroi.store.record import Row
from beffroi.town import Town

__all__ = ["attend", "rate_and_forecast"]

log = logging.getLogger("beffroi.water")
PAUSE_S = 60.0


def rate_and_forecast(town: Town, stop: threading.Event) -> None:
    """Keep ratings, computed discharges, forecasts and their verification up to date (a duty of the service)."""
    forecasting = Forecasting(town)
    while not stop.is_set():
        for station in town.store.records.all("river_station"):
            if stop.is_set():
                return
            try:
                attend(town, forecasting, station)
            except Exception:
                # one station's trouble must not leave the others without a forecast
                log.exception("the station %s could not be attended to", station.values["code"])
        stop.wait(PAUSE_S)


def attend(town: Town, forecasting: Forecasting, station: Row) -> None:
    """Do for one station all that is due."""
    rate(town, station)
    derive(town, station)
    forecasting.issue(station)
    verify_station(town, station)
