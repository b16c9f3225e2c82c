"""Light points in the layout of the CNIG geostandard « éclairage extérieur » (EclExt), as far as its columns are sourced.

The standard's table (version 1.1, 29 November 2022) could not be read: schema.data.gouv.fr gives its title alone. The
layout is therefore a dated template: each column says where its name comes from, and the whole is « à vérifier ».
"""

import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from beffroi.model.text import Text
from beffroi.services.lighting.stock import lamps_of
from beffroi.store.record import Query
from beffroi.town import Town

__all__ = ["TEMPLATE", "Column", "Template", "layout_lines", "plain_cell", "write_layout"]


class Column(msgspec.Struct, frozen=True):
    """A column: its name, the field that fills it, where the name comes from."""

    name: str
    field: str
    source: Text
    sure: bool


class Template(msgspec.Struct, frozen=True):
    """A dated layout."""

    name: str
    version: str
    columns: tuple[Column, ...]


_ORDER = Text(
    "donnée de l'article 5 de l'arrêté du 27 décembre 2018",
    "datum of article 5 of the order of 27 December 2018",
)
_DRAFT = Text(
    "notion du projet EclExt 0.3 (28 juin 2021), nom à vérifier",
    "notion of the EclExt draft 0.3 (28 June 2021), name to be checked",
)
TEMPLATE = Template(
    "CNIG EclExt", "1.1 (2022-11-29) / 2026-11-26",
    (
        Column("id_point_lumineux", "code", _DRAFT, False), Column("id_support", "support", _DRAFT, False),
        Column("id_armoire", "cabinet", _DRAFT, False), Column("depart", "feeder", _DRAFT, False),
        Column("categorie", "use", Text("catégories a à g de l'article 1 de l'arrêté", "categories a to g of article 1 of the order"), True),
        Column("ulr", "ulr_percent", _ORDER, True), Column("code_flux_cie_3", "cie3_percent", _ORDER, True),
        Column("temperature_couleur_k", "colour_k", _ORDER, True), Column("puissance_max_w", "power_w", _ORDER, True),
        Column("flux_nominal_lm", "flux_lm", _ORDER, True), Column("date_pose", "installed", _ORDER, True),
        Column("classe_precision", "precision", Text("arrêté du 15 février 2012, article 1", "order of 15 February 2012, article 1"), True),
        Column("longitude", "longitude", Text("WGS 84", "WGS 84"), True), Column("latitude", "latitude", Text("WGS 84", "WGS 84"), True),
    ),
)  # fmt: skip


def layout_lines(town: Town, territories: tuple[str, ...] | None = None) -> Iterator[str]:
    """Yield a CSV file in the layout: its header, then a line an installed lamp."""
    query = Query(territories=territories)
    supports = {row.id: row for row in town.store.records.all("support", query)}
    cabinets = {row.id: row for row in town.store.records.all("cabinet", query)}
    yield _line([c.name for c in TEMPLATE.columns])
    for row in lamps_of(town, territories):
        support, cabinet = supports.get(row.values["support"]), cabinets.get(row.values["cabinet"])
        point = row.geometry["coordinates"] if row.geometry is not None else (None, None)
        given = {
            **row.values, "support": support.values["code"] if support else None, "cabinet": cabinet.values["code"] if cabinet else None,
            "precision": support.values["precision"] if support else None, "longitude": point[0], "latitude": point[1],
        }  # fmt: skip
        yield _line([plain_cell(given.get(c.field)) for c in TEMPLATE.columns])


def _line(cells: Sequence[str]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n").writerow(cells)
    return out.getvalue()


def write_layout(town: Town, target: Path) -> int:
    """Write the lamps that are installed as a CSV file in the layout; return how many."""
    count = -1
    with target.open("w", encoding="utf-8", newline="") as file:
        for count, line in enumerate(layout_lines(town)):  # noqa: B007 -- the last number is the count, the header's is 0
            file.write(line)
    return count


def plain_cell(value: object) -> str:
    """Return a value as a CSV cell that a spreadsheet does not run."""
    if value is None:
        return ""
    text = f"{value:.10g}" if isinstance(value, float) else str(value)
    # a spreadsheet would run a text that starts like a formula (OWASP, CSV injection)
    return (
        "'" + text if isinstance(value, str) and text.startswith(("=", "+", "-", "@", "\t", "\r")) else text
    )
