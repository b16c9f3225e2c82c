"""Units as sources write them, and as UCUM and a reader's eye want them."""

import re

import msgspec

__all__ = ["Unit", "unit_of"]


class Unit(msgspec.Struct, frozen=True):
    """A unit of measurement: the symbol shown, its name, its UCUM code (https://ucum.org)."""

    symbol: str
    name: str
    ucum: str


# One line a unit: UCUM code, symbol, name, other ways of writing it.
_UNITS: tuple[tuple[str, str, str, tuple[str, ...]], ...] = (
    ("ug/m3", "µg/m³", "microgramme par mètre cube", ("ug.m-3", "ug/m^3", "microg/m3", "µg.m-3", "µg/m3")),
    ("mg/m3", "mg/m³", "milligramme par mètre cube", ("mg.m-3",)),
    ("ng/m3", "ng/m³", "nanogramme par mètre cube", ("ng.m-3",)),
    ("Cel", "°C", "degré Celsius", ("c", "degc", "deg c", "celsius", "°c", "℃")),
    ("K", "K", "kelvin", ()),
    ("%", "%", "pour cent", ("percent", "pct")),
    ("%{RH}", "% HR", "humidité relative", ("%rh", "%hr", "% rh")),
    ("mm", "mm", "millimètre", ()),
    ("cm", "cm", "centimètre", ()),
    ("m", "m", "mètre", ()),
    ("m3/s", "m³/s", "mètre cube par seconde", ("m3.s-1",)),
    ("L/s", "L/s", "litre par seconde", ("l.s-1", "l/s")),
    ("m/s", "m/s", "mètre par seconde", ("m.s-1",)),
    ("km/h", "km/h", "kilomètre par heure", ()),
    ("deg", "°", "degré d'angle", ("degree", "degrees")),
    ("hPa", "hPa", "hectopascal", ("mbar",)),
    ("Pa", "Pa", "pascal", ()),
    ("W/m2", "W/m²", "watt par mètre carré", ("w.m-2",)),
    ("V", "V", "volt", ("volt", "volts")),
    ("mV", "mV", "millivolt", ()),
    ("A", "A", "ampère", ()),
    ("mA", "mA", "milliampère", ()),
    ("W", "W", "watt", ()),
    ("kW", "kW", "kilowatt", ()),
    ("kW.h", "kWh", "kilowattheure", ("kw.h", "kw*h")),
    ("W.h", "Wh", "wattheure", ()),
    ("[ppm]", "ppm", "partie par million", ("10*-6",)),
    ("[ppb]", "ppb", "partie par milliard", ()),
    ("dB", "dB", "décibel", ()),
    ("dB(A)", "dB(A)", "décibel pondéré A", ("dba",)),
    ("dB(mW)", "dBm", "décibel-milliwatt", ()),
    ("lx", "lx", "lux", ("lux",)),
    ("L", "L", "litre", ()),
    ("m3", "m³", "mètre cube", ()),
    ("s", "s", "seconde", ("sec",)),
    ("min", "min", "minute", ()),
    ("h", "h", "heure", ()),
    ("Hz", "Hz", "hertz", ()),
    ("g", "g", "gramme", ()),
    ("kg", "kg", "kilogramme", ()),
    ("[pH]", "pH", "pH", ()),
    ("uS/cm", "µS/cm", "microsiemens par centimètre", ("µs.cm-1",)),
    ("[NTU]", "NTU", "unité de turbidité néphélométrique", ("ntu",)),
    ("1", "", "sans unité", ("unity", "unitless", "sans")),
)


def _folded(text: str) -> str:
    text = text.strip().replace("μ", "µ").replace("²", "2").replace("³", "3")
    return re.sub(r"\s+", " ", text)


_EXACT: dict[str, Unit] = {}
_LOOSE: dict[str, Unit] = {}
for _ucum, _symbol, _name, _others in _UNITS:
    _unit = Unit(_symbol, _name, _ucum)
    for _written in (_ucum, _symbol, *_others):
        _EXACT.setdefault(_folded(_written), _unit)
        _LOOSE.setdefault(_folded(_written).lower(), _unit)


def unit_of(written: str) -> Unit:
    """Return the unit that `written` names; an unknown one keeps its text as symbol and has no UCUM code."""
    text = _folded(written)
    if not text:
        return Unit("", "", "")
    known = _EXACT.get(text) or _LOOSE.get(text.lower())
    return known or Unit(written.strip(), written.strip(), "")
