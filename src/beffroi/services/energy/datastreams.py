"""Kinds of datastream that delivery points have."""

from beffroi.model.declaration import DatastreamKind
from beffroi.model.text import Text

__all__ = ["DATASTREAMS"]

_QUDT = "http://qudt.org/vocab/quantitykind/"

DATASTREAMS = (
    DatastreamKind(
        "delivered_energy", Text("Énergie livrée", "Energy delivered"), "kWh", "kW.h", "kilowatt hour", _QUDT + "Energy", 0, 1_000_000,
        None, (), 2,
    ),
    DatastreamKind(
        "delivered_water", Text("Eau livrée", "Water delivered"), "m³", "m3", "cubic metre", _QUDT + "Volume", 0, 100_000, None, (), 3,
    ),
    DatastreamKind(
        "meter_index", Text("Index du compteur", "Meter reading"), "kWh", "kW.h", "kilowatt hour", _QUDT + "Energy", 0, None, None, (), 0,
    ),
    DatastreamKind(
        "water_index", Text("Index du compteur d'eau", "Water meter reading"), "m³", "m3", "cubic metre", _QUDT + "Volume", 0, None, None, (), 3,
    ),
    DatastreamKind(
        "highest_power", Text("Puissance maximale appelée", "Highest power drawn"), "kVA", "kV.A", "kilovolt ampere",
        _QUDT + "ApparentPower", 0, 100_000, None, (), 2,
    ),
    DatastreamKind(
        "day_temperature", Text("Température moyenne du jour", "Mean temperature of the day"), "°C", "Cel", "degree Celsius",
        _QUDT + "Temperature", -40, 50, None, (), 1,
    ),
)  # fmt: skip
