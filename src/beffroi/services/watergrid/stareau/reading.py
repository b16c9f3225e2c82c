"""Read a StaR-Eau GeoPackage, tolerantly: layers and columns may lack, unknown ones are kept beside; rows tell what is wrong.

A GeoPackage is a SQLite file (OGC 12-128r19): it is read as one, only ever for reading.
"""

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from beffroi.model.problem import Problem
from beffroi.model.reference_system import projection
from beffroi.model.text import Text
from beffroi.services.watergrid.stareau.layers import MAPPED, Mapped
from beffroi.store.record import Entry, Reject

__all__ = ["read"]

_ENVELOPES = (0, 32, 48, 48, 64)  # bytes of the envelope, by its code in the flags (clause 2.1.3)
_SQLITE = b"SQLite format 3\0"
_WHOLE = {"laid", "renewed"}
_NUMBERS = {"length_m", "diameter_mm", "elevation_m"}


def read(path: Path, options: Mapping[str, Any]) -> Iterator[Entry | Reject]:
    """Yield what the file holds for the collection asked for. Raises `Problem` when it is no GeoPackage of StaR-Eau."""
    try:
        yield from _read(path, options)
    except sqlite3.DatabaseError as error:
        raise Problem(
            Text("Le GeoPackage est coupé ou abîmé : il ne se lit pas jusqu'au bout.", "The GeoPackage is cut or damaged: it cannot be read to its end."),
            Text("Exportez-le ou téléchargez-le de nouveau.", "Export or download it again."),
        ) from error  # fmt: skip


def _read(path: Path, options: Mapping[str, Any]) -> Iterator[Entry | Reject]:
    wanted = options["collection"]
    with closing(_opened(path)) as base:
        there = {row[0] for row in base.execute("SELECT table_name FROM gpkg_contents")}
        if not there & set(MAPPED):
            raise Problem(
                Text(
                    "Le GeoPackage n'a aucune couche de StaR-Eau.", "The GeoPackage has no layer of StaR-Eau."
                ),
                Text("Couches attendues : {names}.", "Expected layers: {names}.").filled(
                    names=", ".join(MAPPED)
                ),
                "gpkg_contents",
            )
        seen: set[str] = set()
        for layer, mapped in MAPPED.items():
            if layer in there and mapped.collection == wanted:
                yield from _layer(base, layer, mapped, seen)


def _opened(path: Path) -> sqlite3.Connection:
    with path.open("rb") as stream:  # a file that is not there is told as such
        signed = stream.read(len(_SQLITE)) == _SQLITE
    if not signed:
        raise Problem(
            Text("Le fichier n'est pas un GeoPackage.", "The file is no GeoPackage."),
            Text("Donnez un fichier .gpkg fait d'après le gabarit StaR-Eau.", "Give a .gpkg file made from the StaR-Eau template."),
        )  # fmt: skip
    base = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    if base.execute("SELECT 1 FROM sqlite_master WHERE name = 'gpkg_contents'").fetchone() is None:
        base.close()
        raise Problem(
            Text("C'est une base SQLite, pas un GeoPackage : gpkg_contents manque.", "This is a SQLite database, no GeoPackage: gpkg_contents is missing."),
            Text("Donnez un fichier .gpkg fait d'après le gabarit StaR-Eau.", "Give a .gpkg file made from the StaR-Eau template."),
            "gpkg_contents",
        )  # fmt: skip
    return base


def _layer(base: sqlite3.Connection, layer: str, mapped: Mapped, seen: set[str]) -> Iterator[Entry | Reject]:
    shape = base.execute("SELECT column_name, srs_id FROM gpkg_geometry_columns WHERE table_name = ?", (layer,)).fetchone()  # fmt: skip
    cursor = base.execute(f'SELECT * FROM "{layer}"')
    names = [d[0] for d in cursor.description]
    for number, cells in enumerate(cursor, start=1):
        row = dict(zip(names, cells, strict=True))
        place = f"{layer}, fid {row.get('fid', number)}"
        code = next((str(row[k]).strip() for k in mapped.keys if row.get(k) not in (None, "")), "")
        if not code:
            yield _reject(place, mapped.keys[0], "l'identifiant manque", "the identifier is missing")
            continue
        if code in seen:
            yield _reject(
                place,
                mapped.keys[0],
                f"« {code} » est déjà dans ce fichier",
                f"'{code}' is in this file already",
            )
            continue
        seen.add(code)
        try:
            geometry = _geojson(row.get(shape[0]), shape[1]) if shape else None
        except (ValueError, TypeError, IndexError):
            yield _reject(
                place, shape[0], "la géométrie ne se comprend pas", "the geometry is not understood"
            )
            continue
        try:
            yield Entry(_values(row, code, mapped), geometry, place=place)
        except _NotANumberError as wrong:
            yield _reject(place, wrong.column, f"« {wrong.said} » n'est pas un nombre", f"'{wrong.said}' is not a number")  # fmt: skip


class _NotANumberError(Exception):
    def __init__(self, column: str, said: str) -> None:
        super().__init__(column)
        self.column, self.said = column, said


def _number(column: str, value: Any) -> float:
    try:
        return float(value.replace(",", ".") if isinstance(value, str) else value)
    except (ValueError, TypeError):
        raise _NotANumberError(column, str(value)[:40]) from None


def _reject(place: str, field: str, fr: str, en: str) -> Reject:
    mend = Text("Corrigez la ligne dans le GeoPackage.", "Mend the row in the GeoPackage.")
    return Reject(place, field, Text(f"{fr}.", f"{en}."), mend)


def _values(row: Mapping[str, Any], code: str, mapped: Mapped) -> dict[str, Any]:
    values: dict[str, Any] = {"code": code}
    if mapped.kind is not None:
        values["kind"] = mapped.kind
    for name, column in mapped.fields.items():
        value = row.get(column)
        if value in (None, ""):
            continue
        if name in _WHOLE:
            year = "".join(ch for ch in str(value) if ch.isdigit())[:4]
            if len(year) == 4:
                values[name] = int(year)
        else:
            values[name] = _number(column, value) if name in _NUMBERS else str(value)
    if mapped.collection == "water_pipe":
        kept = {
            k: v
            for k, v in row.items()
            if k not in ("fid", "geom") and v is not None and not isinstance(v, bytes)
        }
        values["starred"] = kept
        if row.get("an_abandon_sup"):
            values["state"] = "abandoned"
    return values


def _geojson(blob: bytes | None, srs: int) -> dict[str, Any] | None:
    if blob is None:
        return None
    import shapely  # noqa: PLC0415
    from shapely.geometry import mapping  # noqa: PLC0415

    if blob[:2] != b"GP":
        raise ValueError("geometry")
    envelope = _ENVELOPES[(blob[3] >> 1) & 7]
    shape = shapely.force_2d(shapely.from_wkb(blob[8 + envelope :]))
    if shape.is_empty:
        return None
    if srs not in (4326, 0, -1):
        shape = shapely.transform(shape, _to_wgs84(srs))
    found: dict[str, Any] = mapping(shape)
    return found


def _to_wgs84(srs: int) -> Any:
    import numpy as np  # noqa: PLC0415

    turn = projection(srs)
    return lambda points: np.column_stack(turn.transform(points[:, 0], points[:, 1]))
