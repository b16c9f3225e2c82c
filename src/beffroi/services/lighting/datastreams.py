"""Kinds of datastream that remotely controlled lamps send (TALQ LampMonitorFunction and LampActuatorFunction)."""

from beffroi.model.declaration import DatastreamKind
from beffroi.model.text import Text

__all__ = ["DATASTREAMS"]

_QUDT = "http://qudt.org/vocab/quantitykind/"
DATASTREAMS = (
    DatastreamKind("lamp_power", Text("Puissance de la lampe", "Power of the lamp"), "W", "W", "watt", _QUDT + "ActivePower", 0, 5000, None, ("lamp_active_power",), 1),
    DatastreamKind("lamp_energy", Text("Énergie de la lampe", "Energy of the lamp"), "kWh", "kW.h", "kilowatt hour", _QUDT + "Energy", 0, None, None, ("lamp_active_energy",), 2),
    DatastreamKind("lamp_hours", Text("Heures de fonctionnement", "Operating hours"), "h", "h", "hour", _QUDT + "Time", 0, None, None, ("lamp_operating_hours",), 0),
    DatastreamKind("lamp_voltage", Text("Tension d'alimentation", "Supply voltage"), "V", "V", "volt", _QUDT + "Voltage", 0, 500, None, ("lamp_supply_voltage",), 1),
    DatastreamKind("lamp_level", Text("Niveau d'éclairage", "Lighting level"), "%", "%", "percent", _QUDT + "DimensionlessRatio", 0, 100, None, ("dim_level", "dimming_level"), 0),
)  # fmt: skip
