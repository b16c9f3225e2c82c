"""The import kind `lights`: one row a light point, to cabinets, supports and lamps.

Columns are known by their usual names, those of Compiègne's `ress_ecl` and of Montpellier's supports among them. Without
an identifier a point is known by its place and its rank there, so that several on one spot are all kept and a second
import changes nothing. Every row is stored or listed as refused.
"""

import gzip
import math
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO, cast

import msgspec

from beffroi.model.declaration import KindOfImport
from beffroi.model.problem import Problem
from beffroi.model.reference_system import projection
from beffroi.model.text import Text
from beffroi.standards.text_table import open_table
from beffroi.store.record import Entry, Reject

__all__ = ["IMPORTS", "read_lights"]

_NAMES: dict[str, tuple[str, ...]] = {
    "code": ("code", "id", "id_foyer", "id_point_lumineux", "identifiant", "pl"),
    "support": ("support", "id_supp", "id_support", "code_support"),
    "cabinet": ("cabinet", "armoire", "id_armoire", "code_armoire"),
    "feeder": ("feeder", "depart", "id_depart"),
    "kind": ("type_lante", "type", "type_support", "nature"),
    "street": ("street", "voie", "rue", "adresse"),
    "source": ("source", "type_lampe", "lampe"),
    "power_w": ("power_w", "puissance", "puissance_w", "puiss_w", "watts"),
    "flux_lm": ("flux_lm", "flux"), "colour_k": ("colour_k", "temperature_couleur", "cct"),
    "ulr_percent": ("ulr_percent", "ulr"), "cie3_percent": ("cie3_percent", "cie3"),
    "height_m": ("height_m", "haut_feu", "hauteur_feu", "hauteur"),
    "installed": ("installed", "dat_pos_lm", "date_pose"), "use": ("use", "categorie"),
    "x": ("x_l93", "x", "longitude", "lon"), "y": ("y_l93", "y", "latitude", "lat"),
    "territory": ("territory", "code_insee", "insee"),
}  # fmt: skip
_SOURCES = {"led": "led", "shp": "shp", "sodium haute pression": "shp", "im": "im", "iodure": "im", "bf": "bf", "ballon fluo": "bf",
            "fluo": "fluo", "sbp": "sbp"}  # fmt: skip
_KINDS = {"BORNE": "borne", "BORNE COLONNE": "borne", "ENCASTRE": "sol", "ENCASTRÉ": "sol", "CANDELABRE": "candelabre", "MAT": "mat",
          "FACADE": "facade", "CONSOLE": "facade", "CATENAIRE": "catenaire"}  # fmt: skip
_NUMBERS = ("power_w", "flux_lm", "ulr_percent", "cie3_percent", "height_m")


class _Point(msgspec.Struct, frozen=True):
    """One row that could be placed."""

    line: int
    cells: Mapping[str, str]
    longitude: float
    latitude: float
    code: str
    support: str
    territory: str | None

    @property
    def geometry(self) -> dict[str, Any]:
        """The place as GeoJSON."""
        return {"type": "Point", "coordinates": [round(self.longitude, 7), round(self.latitude, 7)]}


def _open(path: Path) -> BinaryIO:
    with path.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    return cast("BinaryIO", gzip.open(path)) if packed else path.open("rb")


def _columns(header: list[str]) -> dict[str, int]:
    plain = [cell.strip().lower() for cell in header]
    found = {field: plain.index(name) for field, names in _NAMES.items() for name in names if name in plain}
    for needed in ("x", "y"):
        if needed not in found:
            raise Problem(
                Text(f"La colonne des coordonnées « {needed} » manque.", f"The column of the coordinate '{needed}' is missing."),
                Text("Nommez-la x_l93 et y_l93 (Lambert-93), ou longitude et latitude.",
                     "Name it x_l93 and y_l93 (Lambert-93), or longitude and latitude."),
                place="line 1",
            )  # fmt: skip
    return found


def _rows(path: Path, options: Mapping[str, Any]) -> Iterator[_Point | Reject]:
    """Yield each row, placed in WGS 84, or why it cannot be."""
    with _open(path) as stream:
        table = open_table(stream)
        columns = _columns(table.header)
        axis = table.header[columns["x"]].strip().lower()
        crs = str(options.get("crs") or ("EPSG:4326" if axis in ("longitude", "lon") else "EPSG:2154"))
        move = projection(crs)
        ranks: Counter[str] = Counter()
        for line, row in table.rows():
            cells = (
                {}
                if row is None
                else {
                    field: row[at].strip()
                    for field, at in columns.items()
                    if at < len(row) and row[at].strip()
                }
            )
            placed = _place(cells, move)
            if placed is None:
                yield Reject(
                    f"line {line}", "x", Text("Ce point n'a pas de coordonnées lisibles.", "This point has no readable coordinates."),
                    Text("Écrivez x et y en mètres (Lambert-93), ou en degrés.", "Write x and y in metres (Lambert-93), or in degrees."),
                )  # fmt: skip
                continue
            spot = f"{cells['x']}/{cells['y']}".replace(",", ".")
            ranks[spot] += 1
            territory = cells.get("territory") or str(options.get("territory") or "") or None
            code = cells.get("code") or f"{spot}#{ranks[spot]}"
            yield _Point(line, cells, *placed, code, cells.get("support") or spot, territory)


def _number(text: str) -> float | None:
    try:
        value = float(text.replace("\u202f", "").replace(" ", "").replace(",", "."))
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _place(cells: Mapping[str, str], move: Any) -> tuple[float, float] | None:
    x, y = _number(cells.get("x", "")), _number(cells.get("y", ""))
    if x is None or y is None:
        return None
    longitude, latitude = move.transform(x, y)
    known = (
        math.isfinite(longitude) and math.isfinite(latitude) and abs(longitude) <= 180 and abs(latitude) <= 90
    )
    return (longitude, latitude) if known and (x or y) else None


def read_lights(path: Path, options: Mapping[str, Any]) -> Iterator[Entry | Reject]:
    """Yield what a file of light points holds for one collection (`options["collection"]`)."""
    wanted, seen = str(options["collection"]), set[tuple[str | None, str]]()
    for row in _rows(path, options):
        if isinstance(row, Reject):
            if wanted == "lamp":
                yield row
            continue
        if wanted == "lamp":
            yield _lamp(row)
            continue
        code = row.support if wanted == "support" else row.cells.get("cabinet")
        if code and (row.territory, code) not in seen:
            seen.add((row.territory, code))
            yield (
                _support(row)
                if wanted == "support"
                else Entry({"code": code}, None, row.territory, f"line {row.line}")
            )


def _support(row: _Point) -> Entry:
    kind = row.cells.get("kind")
    values = {
        "code": row.support, "street": row.cells.get("street"), "kind": _KINDS.get((kind or "").upper()), "source_kind": kind,
    }  # fmt: skip
    return Entry(
        {k: v for k, v in values.items() if v is not None}, row.geometry, row.territory, f"line {row.line}"
    )


def _lamp(row: _Point) -> Entry | Reject:
    cells = row.cells
    values: dict[str, Any] = {"code": row.code, "support": row.support}
    for name in ("street", "cabinet", "feeder", "installed"):
        if cells.get(name):
            values[name] = cells[name]
    for name in (*_NUMBERS, "colour_k"):
        if not cells.get(name):
            continue
        value = _number(cells[name])
        if value is None:
            return Reject(
                f"line {row.line}", name, Text(f"« {cells[name][:40]} » n'est pas un nombre.", f"'{cells[name][:40]}' is not a number."),
                Text("Écrivez un nombre, sans unité.", "Write a number, without unit."),
            )  # fmt: skip
        values[name] = round(value) if name == "colour_k" else value
    if cells.get("source"):
        values["source"] = next(
            (v for k, v in _SOURCES.items() if cells["source"].lower().startswith(k)), "autre"
        )
    if cells.get("use"):
        values["use"] = cells["use"][0].lower()
    return Entry(values, row.geometry, row.territory, f"line {row.line}")


IMPORTS = (
    KindOfImport(
        "lights", Text("Points lumineux (CSV)", "Light points (CSV)"), read_lights, (".csv", ".gz"), ("cabinet", "support", "lamp")
    ),
)  # fmt: skip
