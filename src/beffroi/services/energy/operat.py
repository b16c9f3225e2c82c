"""The tertiary decree's trajectory (OPERAT): 2030, 2040, 2050, by a reference year or by an absolute value.

Code of construction, L174-1: -40, -50 and -60 % of a reference year not before 2010, or an absolute value in kWh/m². Only the part
for heating and cooling is adjusted to the climate, by a ratio of degree days (order of 10 April 2020 as changed by that of 13 April
2022; read at second hand in November 2026, to be verified). A use whose thermal part is not told is not adjusted at all.
"""

import csv
import io
from collections.abc import Iterable
from datetime import date

import msgspec

from beffroi.model.problem import Problem
from beffroi.model.text import Text

__all__ = ["EXPORT_COLUMNS", "STEPS", "Declared", "Target", "adjusted", "export", "targets"]

STEPS = {2030: 0.40, 2040: 0.50, 2050: 0.60}
_EARLIEST, _LEAST_M2 = 2010, 1000.0
# The header of the platform's own file could not be read: this layout is ours, dated, to be mapped before it is sent.
EXPORT_COLUMNS = (
    "SIRET",
    "NOM_EFA",
    "ANNEE",
    "SURFACE_M2",
    "ENERGIE",
    "CONSOMMATION_KWH_PCI",
    "PART_CONNUE",
    "CLIMAT",
    "A_VERIFIER",
)


class Target(msgspec.Struct, frozen=True):
    """What a site may use by a year (kWh), by which way, and whether it is already there."""

    year: int
    kwh: float
    way: str  # relative, or absolute: the one that holds
    met: bool | None
    relative: float | None = None  # what each way allows
    absolute: float | None = None


class Declared(msgspec.Struct, frozen=True):
    """A year's use of a site by energy, to be declared by 30 September."""

    siret: str
    name: str
    year: int
    surface_m2: float
    energy: str
    kwh: float  # PCI
    share: float  # of the days of the year that meters told


def adjusted(kwh: float, thermal_percent: float | None, usual: float | None, lived: float | None) -> float:
    """Return a year's use adjusted to the climate: its thermal part times usual over lived degree days; the rest as it is."""
    if thermal_percent is None or not usual or not lived:
        return kwh
    share = min(max(thermal_percent, 0.0), 100.0) / 100
    return kwh * (1 - share) + kwh * share * usual / lived


def targets(
    reference_kwh: float | None,
    reference_year: int | None,
    absolute_kwh_m2: float | None,
    surface_m2: float | None,
    now_kwh: float | None,
) -> list[Target]:
    """Return the targets: the easier of the two ways when both are known. Raises `Problem` for a reference before 2010."""
    if reference_year is not None and reference_year < _EARLIEST:
        raise Problem(
            Text(
                f"L'année de référence {reference_year} est trop ancienne",
                f"The reference year {reference_year} is too early",
            ),
            Text("La loi demande 2010 ou après.", "The law asks for 2010 or later."),
            "reference_year",
        )
    found = []
    for year, cut in STEPS.items():
        ways = []
        if reference_kwh:
            ways.append((reference_kwh * (1 - cut), "relative"))
        if absolute_kwh_m2 and surface_m2:
            ways.append((absolute_kwh_m2 * surface_m2, "absolute"))
        if ways:
            kwh, way = max(ways)
            each = {name: value for value, name in ways}
            met = None if now_kwh is None else now_kwh <= kwh
            found.append(Target(year, kwh, way, met, each.get("relative"), each.get("absolute")))
    return found


def subject(surface_m2: float | None) -> bool | None:
    """Return whether a site's floor area makes it subject to the decree; None: not known."""
    return None if surface_m2 is None else surface_m2 >= _LEAST_M2


def export(rows: Iterable[Declared], taken: date) -> str:
    """Return rows as CSV in the layout of `EXPORT_COLUMNS`, each line flagged, since OPERAT's own header was not verified."""
    out = io.StringIO()
    writer = csv.writer(out, delimiter=";", lineterminator="\r\n")
    writer.writerow(EXPORT_COLUMNS)
    for row in rows:
        writer.writerow(
            (
                row.siret,
                row.name,
                row.year,
                f"{row.surface_m2:.0f}",
                row.energy,
                f"{row.kwh:.0f}",
                f"{row.share:.2f}",
                "non corrigé",
                f"gabarit du {taken}",
            )
        )
    return out.getvalue()
