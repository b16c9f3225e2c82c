"""Write a StaR-Eau GeoPackage, strictly: all layers and columns of the 2024 template, and no row that lacks what it needs.

What a needed column lacks is told, row by row, and the row is left out. What an import kept beside (`starred`) is written back.
"""

import sqlite3
import struct
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from beffroi.model.problem import Problem
from beffroi.model.reference_system import projection, system
from beffroi.model.text import Text
from beffroi.services.watergrid.stareau.layers import MAPPED, VERSION, Layer, Mapped, layers
from beffroi.store.record import Row

__all__ = ["Lacking", "common_of", "write"]

_SRS = 2154
_APPLICATION, _USER = 0x47504B47, 10400  # "GPKG", version 1.4
_BASE = """
CREATE TABLE gpkg_spatial_ref_sys (srs_name TEXT NOT NULL, srs_id INTEGER NOT NULL PRIMARY KEY, organization TEXT NOT NULL,
 organization_coordsys_id INTEGER NOT NULL, definition TEXT NOT NULL, description TEXT);
CREATE TABLE gpkg_contents (table_name TEXT NOT NULL PRIMARY KEY, data_type TEXT NOT NULL, identifier TEXT UNIQUE,
 description TEXT DEFAULT '', last_change DATETIME NOT NULL, min_x DOUBLE, min_y DOUBLE, max_x DOUBLE, max_y DOUBLE,
 srs_id INTEGER REFERENCES gpkg_spatial_ref_sys(srs_id));
CREATE TABLE gpkg_geometry_columns (table_name TEXT NOT NULL, column_name TEXT NOT NULL, geometry_type_name TEXT NOT NULL,
 srs_id INTEGER NOT NULL, z TINYINT NOT NULL, m TINYINT NOT NULL, CONSTRAINT pk_geom_cols PRIMARY KEY (table_name, column_name));
"""


class Lacking(msgspec.Struct, frozen=True):
    """A record that cannot be written: its collection, its code, the columns without a value."""

    collection: str
    code: str
    columns: tuple[str, ...]


def write(
    path: Path, rows: Mapping[str, Iterable[Row]], now: datetime, common: Mapping[str, str]
) -> tuple[int, list[Lacking]]:
    """Write the collections of `rows` by name; return how many rows were written and what was left out.

    `common` gives columns the same value in every row that has none (`insee_commune`, `maitre_ouvrage`, `exploitant`, …).
    """
    aside = path.with_name(path.name + ".part")
    aside.unlink(missing_ok=True)
    aside.touch()  # where one may not write is told by the system, not by SQLite
    written, lacking = 0, []
    with closing(sqlite3.connect(aside)) as base:
        _found(base, now)
        turn = _to_lambert()
        for name, mapped in MAPPED.items():
            layer = layers()[name]
            for row in rows.get(mapped.collection, ()):
                if mapped.kind is not None and _kind(row) != mapped.kind:
                    continue
                values, missing = _row(layer, mapped, row, now, common)
                if missing:
                    lacking.append(Lacking(mapped.collection, str(row.values["code"]), tuple(missing)))
                    continue
                assert row.geometry is not None
                names = ["geom", *values]
                marks = ", ".join("?" * len(names))
                columns = ", ".join(f'"{n}"' for n in names)
                base.execute(
                    f'INSERT INTO "{name}" ({columns}) VALUES ({marks})',
                    (_blob(row.geometry, turn), *values.values()),
                )
                written += 1
        base.commit()
    aside.replace(path)
    return written, lacking


def common_of(given: Iterable[str]) -> dict[str, str]:
    """Return `COLUMN=VALUE` words as values by column. Raises `Problem` for a column that no layer has."""
    known = {c.name for layer in layers().values() for c in layer.columns}
    found = {}
    for word in given:
        name, _, value = word.partition("=")
        if name not in known or not value:
            raise Problem(
                Text(f"« {word[:60]} » ne donne pas de valeur à une colonne de StaR-Eau.", f"'{word[:60]}' gives no value to a column of StaR-Eau."),
                Text("Écrivez par exemple --set exploitant=Régie.", "Write for example --set exploitant=Régie."),
                "--set",
            )  # fmt: skip
        found[name] = value
    return found


def _kind(row: Row) -> str:
    return {"reservoir": "intake"}.get(str(row.values.get("kind")), str(row.values.get("kind")))


def _found(base: sqlite3.Connection, now: datetime) -> None:

    base.execute(f"PRAGMA application_id = {_APPLICATION}")
    base.execute(f"PRAGMA user_version = {_USER}")
    base.executescript(_BASE)
    systems = [
        ("Undefined Cartesian SRS", -1, "NONE", -1, "undefined", None),
        ("Undefined geographic SRS", 0, "NONE", 0, "undefined", None),
        ("WGS 84", 4326, "EPSG", 4326, system(4326).to_wkt("WKT1_GDAL"), None),
        ("RGF93 v1 / Lambert-93", _SRS, "EPSG", _SRS, system(_SRS).to_wkt("WKT1_GDAL"), None),
    ]
    base.executemany("INSERT INTO gpkg_spatial_ref_sys VALUES (?, ?, ?, ?, ?, ?)", systems)
    for layer in layers().values():
        columns = [f'"{c.name}" {c.kind}{" NOT NULL" if c.needed else ""}{"" if c.default is None else f" DEFAULT ({c.default})"}' for c in layer.columns]  # fmt: skip
        geometry = [f"geom {layer.geometry} NOT NULL"] if layer.geometry else []
        base.execute(f'CREATE TABLE "{layer.name}" (fid INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, {", ".join(geometry + columns)})')  # fmt: skip
        kind = "features" if layer.geometry else "attributes"
        base.execute(
            "INSERT INTO gpkg_contents (table_name, data_type, identifier, description, last_change, srs_id) VALUES (?, ?, ?, ?, ?, ?)",
            (
                layer.name,
                kind,
                layer.name,
                f"StaR-Eau {VERSION}",
                _stamp(now),
                _SRS if layer.geometry else None,
            ),
        )
        if layer.geometry:
            base.execute(
                "INSERT INTO gpkg_geometry_columns VALUES (?, 'geom', ?, ?, 0, 0)",
                (layer.name, layer.geometry, _SRS),
            )


def _row(
    layer: Layer, mapped: Mapped, row: Row, now: datetime, common: Mapping[str, str]
) -> tuple[dict[str, Any], list[str]]:
    """Return the values of one row by column, and the needed columns that have none."""
    code = row.values["code"]
    ours = {column: row.values.get(name) for name, column in mapped.fields.items()}
    fixed = dict.fromkeys(mapped.keys, code) | {"insee_commune": row.territory}
    stamps = {"date_creation": _stamp(row.created_us), "date_maj": _stamp(now), "origine_creation": "Beffroi"}
    beside = row.values.get("starred") or {}
    values: dict[str, Any] = {}
    missing: list[str] = [] if row.geometry is not None else ["geom"]
    for c in layer.columns:
        options = (
            ours.get(c.name),
            beside.get(c.name),
            fixed.get(c.name),
            common.get(c.name),
            stamps.get(c.name),
        )
        value = next((v for v in options if v not in (None, "")), None)
        if value is not None:
            values[c.name] = str(value) if c.kind.startswith("TEXT") else value
        elif c.needed and c.default is None:
            missing.append(c.name)
    return values, missing


def _stamp(when: datetime | int) -> str:
    at = datetime.fromtimestamp(when / 1e6, UTC) if isinstance(when, int) else when.astimezone(UTC)
    return at.strftime("%Y-%m-%dT%H:%M:%S.000Z")


def _to_lambert() -> Callable[[Any], Any]:
    import numpy as np  # noqa: PLC0415

    turn = projection(4326, _SRS)
    return lambda points: np.column_stack(turn.transform(points[:, 0], points[:, 1]))


def _blob(geometry: Mapping[str, Any], turn: Callable[[Any], Any]) -> bytes:
    import shapely  # noqa: PLC0415
    from shapely.geometry import shape  # noqa: PLC0415

    placed = shapely.transform(shape(geometry), turn)
    if placed.geom_type.startswith("Multi") and len(placed.geoms) == 1:
        placed = placed.geoms[0]
    well_known: bytes = shapely.to_wkb(placed, byte_order=1)
    return b"GP\x00\x01" + struct.pack("<i", _SRS) + well_known
