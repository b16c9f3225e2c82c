"""Car parks in and out in the national schema « stationnement » 0.1.5 (schema.data.gouv.fr, 2 March 2022), that of the national base
of parking places."""

from pathlib import Path

from beffroi.model.declaration import KindOfImport
from beffroi.model.text import Text
from beffroi.services.works.collections import COLLECTIONS
from beffroi.services.works.national import National, two_columns
from beffroi.town import Town

__all__ = ["CAR_PARKS", "IMPORTS", "VERSION", "write_car_parks"]

VERSION = "0.1.5"
CAR_PARKS = National(
    "schéma stationnement", VERSION, next(c for c in COLLECTIONS if c.name == "car_park"), two_columns("num_siret", "Xlong", "Ylat"),
    frozenset(("id", "nom", "insee", "type_usagers", "gratuit", "nb_places", "hauteur_max", "num_siret", "Xlong", "Ylat")), {"code": "id"},
)  # fmt: skip


def write_car_parks(town: Town, target: Path) -> tuple[int, int]:
    """Write the car parks as the schema has them; return how many, and how many were left out for want of a place."""
    text, written, left = CAR_PARKS.write(town)
    target.write_text(text, "utf-8", newline="")
    return written, left


IMPORTS = (
    KindOfImport("car-parks", Text("Parcs de stationnement (schéma national, CSV)", "Car parks (national schema, CSV)"), CAR_PARKS.read, (".csv",), ("car_park",), ("num_siret", "Xlong", "Ylat")),
)  # fmt: skip
