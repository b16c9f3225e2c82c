"""Kinds of datastream that equipment sends: fill of bins, power of cabinets, meters of buildings, state of devices.

Aliases are the keys under which common LoRaWAN devices decode them.
"""

from beffroi.model.declaration import DatastreamKind
from beffroi.model.text import Text

__all__ = ["DATASTREAMS"]

_QUDT = "http://qudt.org/vocab/quantitykind/"

DATASTREAMS = (
    DatastreamKind(
        "fill_level", Text("Remplissage", "Fill level"), "%", "%", "percent", _QUDT + "DimensionlessRatio", 0, 100, None,
        ("filling", "filling_level", "fill", "remplissage"), 0,
    ),
    DatastreamKind(
        "active_power", Text("Puissance active", "Active power"), "kW", "kW", "kilowatt", _QUDT + "ActivePower", -100, 2000,
        None, ("puissance", "power_kw"), 2,
    ),
    DatastreamKind(
        "active_energy", Text("Électricité consommée", "Electricity used"), "kWh", "kW.h", "kilowatt hour",
        _QUDT + "Energy", 0, 5000, None, ("energy_kwh", "consommation", "electricite"), 1,
    ),
    DatastreamKind(
        "water_volume", Text("Eau consommée", "Water used"), "m³", "m3", "cubic metre", _QUDT + "Volume", 0, 500, None,
        ("eau", "volume_m3", "water"), 3,
    ),
    DatastreamKind(
        "battery", Text("Batterie", "Battery"), "%", "%", "percent", _QUDT + "StateOfCharge", 0, 100, None,
        ("battery_level", "battery_percent", "batterie"), 0,
    ),
    DatastreamKind(
        "rssi", Text("Force du signal", "Signal strength"), "dBm", "dB[mW]", "decibel milliwatt", _QUDT + "SignalStrength",
        -150, 0, None, ("signal",), 0,
    ),
    DatastreamKind("snr", Text("Rapport signal sur bruit", "Signal-to-noise ratio"), "dB", "dB", "decibel",
                   _QUDT + "SignalToNoiseRatio", -40, 40, None, ("lora_snr",)),
)  # fmt: skip
