"""The regulatory figures of a year of water supply: each with its formula, what it took, and how far it can be trusted.

Sources: eaufrance, indicators P104.3, P105.3, P106.3, P107.2 (order of 2 May 2007, as amended); decree 2012-97 of 27 January
2012 for the threshold on the yield. The reading of VP.077 (length without connections) is to be checked ("à vérifier").
A volume left blank is not zero: it is taken as zero in the sum because the rule says so, and lowers the confidence.
"""

import csv
import io
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from beffroi.model.text import Text

__all__ = ["FORMULAS", "UNITS", "Figures", "figures_of", "table_of"]

_GOOD, _FLOOR, _FLOOR_SCARCE, _SCARCE_M3 = 85.0, 65.0, 70.0, 2_000_000.0
FORMULAS = {
    "p104_3": Text("100 × (V_dom + V_non_dom + V_sans_compt + V_serv + V_exp) / (V_prod + V_imp)", "100 × (V_domestic + V_non_domestic + V_unmetered + V_service + V_exported) / (V_produced + V_imported)"),
    "p105_3": Text("(V_distrib − V_compt) / (j × L)", "(V_distributed − V_metered) / (d × L)"),
    "p106_3": Text("(V_distrib − V_autorisé) / (j × L)", "(V_distributed − V_authorised) / (d × L)"),
    "p107_2": Text("100 × L_renouvelé_5_ans / (5 × L)", "100 × L_renewed_5_years / (5 × L)"),
    "ilc": Text("(V_autorisé + V_exp) / (j × L)", "(V_authorised + V_exported) / (d × L)"),
    "threshold": Text("min(85 ; 65 + ILC / 5), 70 + ILC / 5 en ZRE au-delà de 2 Mm³/an", "min(85; 65 + ILC / 5), 70 + ILC / 5 in a water-scarcity zone (ZRE) above 2 Mm³ a year"),
}  # fmt: skip
UNITS = {
    "p104_3": "%",
    "p105_3": "m³/km/j",
    "p106_3": "m³/km/j",
    "p107_2": "%",
    "ilc": "m³/km/j",
    "threshold": "%",
}
_CODES = {"p104_3": "P104.3", "p105_3": "P105.3", "p106_3": "P106.3", "p107_2": "P107.2", "ilc": "ILC", "threshold": "seuil"}  # fmt: skip


class Figures(msgspec.Struct, frozen=True):
    """Per cents, m³/km/day. None: not known. `confidence`: A all volumes given, B optional ones are missing, C not computed."""

    year: str
    p104_3: float | None
    p105_3: float | None
    p106_3: float | None
    p107_2: float | None
    ilc: float | None
    threshold: float | None
    compliant: bool | None
    confidence: str
    missing: tuple[str, ...]


def figures_of(year: Mapping[str, Any]) -> Figures:
    """Return the figures of one year's volumes (m³), lengths (km), days between readings, and whether it is in a ZRE."""
    need = ("produced_m3", "domestic_m3")
    blank = tuple(
        n for n in ("produced_m3", "imported_m3", "exported_m3", "domestic_m3", "other_m3", "unmetered_m3", "service_m3", "length_km")
        if year.get(n) is None
    )  # fmt: skip

    def volume(name: str) -> float:
        return float(year.get(name) or 0.0)

    known = all(year.get(n) is not None for n in need)
    entered = volume("produced_m3") + volume("imported_m3")
    exported = volume("exported_m3")
    metered = volume("domestic_m3") + volume("other_m3")
    authorised = metered + volume("unmetered_m3") + volume("service_m3")
    distributed = entered - exported
    length, days = year.get("length_km"), float(year.get("days") or 365)
    per = days * float(length) if length else None
    renewed = year.get("renewed_km")

    def rate(value: float) -> float | None:
        return None if per is None or not known else value / per

    share = 100 * (authorised + exported) / entered if known and entered > 0 else None
    ilc = rate(authorised + exported)
    threshold = _threshold(ilc, bool(year.get("scarce")), entered)
    return Figures(
        str(year.get("code", "")), share, rate(distributed - metered), rate(distributed - authorised),
        None if renewed is None or not length else 100 * float(renewed) / (5 * float(length)),
        ilc, threshold, None if share is None or threshold is None else share >= threshold,
        "C" if share is None else "B" if blank else "A", blank,
    )  # fmt: skip


def _threshold(ilc: float | None, scarce: bool, taken_m3: float) -> float | None:
    """Return the least yield that is compliant: 85 %, or the fixed term plus a fifth of the index when that is lower."""
    if ilc is None:
        return None
    floor = _FLOOR_SCARCE if scarce and taken_m3 > _SCARCE_M3 else _FLOOR
    return min(_GOOD, floor + ilc / 5)


def table_of(years: Iterable[Figures], language: str = "fr") -> str:
    """Return the figures as CSV: year, indicator, value (empty: not computed), unit, formula, confidence, what was left blank."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(("exercice", "indicateur", "valeur", "unite", "formule", "confiance", "non_renseigne"))
    for year in years:
        for name, code in _CODES.items():
            value = getattr(year, name)
            writer.writerow(
                (year.year, code, "" if value is None else f"{value:.4f}", UNITS[name], FORMULAS[name].of(language), year.confidence, " ".join(year.missing))
            )  # fmt: skip
    return out.getvalue()
