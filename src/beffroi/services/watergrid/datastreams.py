"""Kinds of series of water networks and sewers."""

from beffroi.model.declaration import DatastreamKind
from beffroi.model.text import Text

__all__ = ["DATASTREAMS"]

_QUDT = "http://qudt.org/vocab/quantitykind/"

DATASTREAMS = (
    DatastreamKind(
        "water_flow", Text("Débit du réseau d'eau", "Flow of the water network"), "m³/h", "m3/h", "cubic metre per hour",
        _QUDT + "VolumeFlowRate", -5000, 20_000, None, ("debit_eau", "inflow"), 2,
    ),
    DatastreamKind(
        "water_pressure", Text("Pression du réseau d'eau", "Pressure of the water network"), "m", "m", "metre of water",
        _QUDT + "HydraulicHead", 0, 300, None, ("pression_eau",), 2,
    ),
    DatastreamKind(
        "water_loss", Text("Pertes nouvelles du secteur", "New losses of the area"), "m³/h", "m3/h", "cubic metre per hour",
        _QUDT + "VolumeFlowRate", -1000, 20_000, None, (), 2,
    ),
    DatastreamKind(
        "sewer_flow", Text("Débit des eaux usées", "Sewage flow"), "m³/h", "m3/h", "cubic metre per hour",
        _QUDT + "VolumeFlowRate", 0, 50_000, None, ("debit_eaux_usees",), 1,
    ),
    DatastreamKind(
        "sewer_overflow", Text("Déversement", "Overflow"), "", "1", "share of the time overflowing", "", 0, 1, None,
        ("deversement", "overflow"), 2,
    ),
)  # fmt: skip
