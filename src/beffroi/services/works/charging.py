"""Charging points in and out in the national schema « IRVE statique » 2.3.1 (schema.data.gouv.fr; the columns, patterns and lists are
those of its file, read in November 2026 at the tag v2.3.1 of its repository)."""

from collections.abc import Mapping
from pathlib import Path

import msgspec

from beffroi.model.declaration import KindOfImport
from beffroi.model.text import Text
from beffroi.services.works.collections import COLLECTIONS
from beffroi.services.works.national import National, one_column
from beffroi.store.record import Query, Row
from beffroi.town import Town

__all__ = ["CHARGING_POINTS", "IMPORTS", "VERSION", "Station", "stations", "write_charging_points"]

VERSION = "2.3.1"
NOT_CONCERNED = "Non concerné"
PLUGS = (
    ("prise_type_2", "Type 2"), ("prise_type_combo_ccs", "Combo CCS"), ("prise_type_chademo", "CHAdeMO"), ("prise_type_ef", "E/F"),
)  # fmt: skip


def _key(row: Mapping[str, str]) -> str:
    roaming = row.get("id_pdc_itinerance", "")
    return roaming if roaming not in ("", NOT_CONCERNED) else row.get("id_pdc_local", "")


CHARGING_POINTS = National(
    "schéma IRVE statique", VERSION, next(c for c in COLLECTIONS if c.name == "charging_point"), one_column("code_insee_commune", "coordonneesXY"),
    frozenset((
        "contact_operateur", "nom_enseigne", "id_station_itinerance", "nom_station", "implantation_station", "adresse_station", "coordonneesXY",
        "nbre_pdc", "id_pdc_itinerance", "puissance_nominale", "prise_type_ef", "prise_type_2", "prise_type_combo_ccs", "prise_type_chademo",
        "prise_type_autre", "paiement_acte", "condition_acces", "reservation", "horaires", "accessibilite_pmr", "restriction_gabarit",
        "station_deux_roues", "date_maj",
    )), key=_key,
)  # fmt: skip


class Station(msgspec.Struct, frozen=True, eq=False):
    """A station and its points, the strongest first."""

    points: tuple[Row, ...]

    @property
    def values(self) -> dict[str, object]:
        """What its first point says of the station."""
        return self.points[0].values

    @property
    def plugs(self) -> list[str]:
        """The sockets that one of its points has."""
        return [words for name, words in PLUGS if any(p.values[name] for p in self.points)]

    @property
    def power_kw(self) -> float:
        """The power of its strongest point."""
        return float(self.points[0].values["puissance_nominale"])


def stations(town: Town, most: int = 500) -> list[Station]:
    """Return the stations, by name."""
    found: dict[tuple[str, str], list[Row]] = {}
    for row in town.store.records.find("charging_point", Query(sort="nom_station", limit=most)).rows:
        v = row.values
        roaming = v["id_station_itinerance"]
        name = roaming if roaming != NOT_CONCERNED else v["id_station_local"] or v["nom_station"]
        found.setdefault((name, v["adresse_station"]), []).append(row)
    return [
        Station(tuple(sorted(rows, key=lambda r: (-r.values["puissance_nominale"], r.id))))
        for rows in found.values()
    ]


def write_charging_points(town: Town, target: Path) -> tuple[int, int]:
    """Write the charging points as the schema has them; return how many, and how many were left out for want of a place."""
    text, written, left = CHARGING_POINTS.write(town)
    target.write_text(text, "utf-8", newline="")
    return written, left


IMPORTS = (
    KindOfImport("charging-points", Text("Points de recharge (schéma national IRVE, CSV)", "Charging points (national schema IRVE, CSV)"), CHARGING_POINTS.read, (".csv",), ("charging_point",), ("id_pdc_itinerance", "coordonneesXY")),
)  # fmt: skip
