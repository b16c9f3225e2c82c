"""Kinds of datastream of rivers besides the level, which the environment service declares (`river_level`).

A forecast is one observation an issue: the highest value expected, at a quantile; its course is in
`parameters.forecast`. So a threshold on a forecast is a threshold like any other.
"""

from beffroi.model.declaration import DatastreamKind
from beffroi.model.text import Text
from beffroi.services.water.camera.datastreams import DATASTREAMS as CAMERA

__all__ = ["DATASTREAMS"]

_QUDT = "http://qudt.org/vocab/quantitykind/"
_ISTSOS = "urn:ogc:def:parameter:x-istsos:1.0:"
_FLOW = ("m³/s", "m3/s", "cubic metre per second", _QUDT + "VolumeFlowRate", 0, 20_000, None)
_LEVEL = ("m", "m", "metre", _QUDT + "Height", -5, 20, None)


def _kind(code: str, fr: str, en: str, about: tuple[str, str, str, str, float, float, float | None], decimals: int,
          aliases: tuple[str, ...] = ()) -> DatastreamKind:  # fmt: skip
    return DatastreamKind(code, Text(fr, en), *about, aliases, decimals)


DATASTREAMS = (
    *CAMERA,
    _kind("discharge", "Débit", "Discharge", _FLOW, 2, (_ISTSOS + "river:water:discharge", "debit", "débit", "streamflow", "flow")),
    DatastreamKind(
        "flood_vigilance", Text("Vigilance crues", "Flood vigilance"), "", "1", "colour, 1 (vert) to 4 (rouge)", "", 1, 4, None,
        ("vigilance_crues",), 0,
    ),
    DatastreamKind(
        "gauge_zero", Text("Altitude du zéro de l'échelle", "Altitude of the gauge's zero"), "m", "m", "metre", _QUDT + "Height",
        -50, 5_000, None, (), 3,
    ),
    _kind("level_forecast_low", "Hauteur prévue, basse (P10)", "Forecast level, low (P10)", _LEVEL, 2),
    _kind("level_forecast_mid", "Hauteur prévue, médiane (P50)", "Forecast level, median (P50)", _LEVEL, 2),
    _kind("level_forecast_high", "Hauteur prévue, haute (P90)", "Forecast level, high (P90)", _LEVEL, 2),
    _kind("discharge_forecast_low", "Débit prévu, bas (P10)", "Forecast discharge, low (P10)", _FLOW, 2),
    _kind("discharge_forecast_mid", "Débit prévu, médian (P50)", "Forecast discharge, median (P50)", _FLOW, 2),
    _kind("discharge_forecast_high", "Débit prévu, haut (P90)", "Forecast discharge, high (P90)", _FLOW, 2),
    _kind("discharge_forecast", "Débit prévu", "Forecast discharge", _FLOW, 2),
    _kind("discharge_daily_mean", "Débit moyen journalier", "Daily mean discharge", _FLOW, 2),
    _kind("discharge_daily_max", "Débit maximal du jour", "Daily maximum discharge", _FLOW, 2),
    _kind("discharge_daily_min", "Débit minimal du jour", "Daily minimum discharge", _FLOW, 2),
    _kind("discharge_monthly_mean", "Débit moyen mensuel", "Monthly mean discharge", _FLOW, 2),
    _kind("discharge_monthly_max", "Débit maximal du mois", "Monthly maximum discharge", _FLOW, 2),
    _kind("discharge_monthly_min", "Débit minimal du mois", "Monthly minimum discharge", _FLOW, 2),
    _kind("level_daily_max", "Hauteur maximale du jour", "Daily maximum level", _LEVEL, 2),
    _kind("level_monthly_max", "Hauteur maximale du mois", "Monthly maximum level", _LEVEL, 2),
)  # fmt: skip
