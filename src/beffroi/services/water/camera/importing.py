"""A site out of the files of other tools, each taken by its role, whatever it is called and whatever paths it mentions.

Roles: a 3 x 3 matrix (pixel to ground); a section between two banks with its level; a bathymetry of two columns (station,
bed); a surveyed section of three (x, y, z) or of GeoJSON points; a camera configuration with control points; a picture
or video, for its size.
"""

import csv
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import msgspec
import numpy as np

from beffroi.model.problem import Problem
from beffroi.model.reference_system import projection
from beffroi.model.text import Text
from beffroi.services.water.camera.section import bed_of
from beffroi.services.water.camera.site import Lens, Point, Section, Site

__all__ = ["import_site"]

Array = np.ndarray[Any, Any]
_BANKS = ("east_l", "north_l", "east_r", "north_r")
_CONFIGURED_ALPHA = 0.9  # what tools with such configurations take where none is stated
_SAME_SECTION_M = 0.5
_PICTURES = {".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff"}
_VIDEOS = {".mp4", ".avi", ".mov", ".mkv", ".webm", ".m4v"}


class _Found:
    """What the files gave, each role once."""

    def __init__(self) -> None:
        self.roles: dict[str, tuple[Path, Any]] = {}
        self.sections: list[tuple[Path, list[tuple[float, float, float]], str]] = []
        self.size: tuple[int, int] | None = None

    def take(self, role: str, path: Path, value: Any) -> None:
        if role in self.roles:
            raise Problem(
                Text("Deux fichiers ont le même rôle ({role}) : {a} et {b}.",
                     "Two files have one role ({role}): {a} and {b}.")
                .filled(role=role, a=self.roles[role][0].name, b=path.name),
                Text("N'en donnez qu'un.", "Give only one."), str(path))  # fmt: skip
        self.roles[role] = (path, value)

    def get(self, role: str) -> Any:
        return self.roles[role][1] if role in self.roles else None


def import_site(paths: list[Path], name: str = "") -> Site:
    """Return the site that the files describe. Raises Problem naming the file, and its line or field."""
    found = _Found()
    for path in paths:
        _read(path, found)
    if found.get("configuration") is not None:
        return _configured(found, name)
    if found.get("homography") is not None:
        return _of_banks(found, name)
    raise Problem(
        Text("Aucun de ces fichiers ne dit comment la caméra voit le sol.",
             "None of these files says how the camera sees the ground."),
        Text("Ajoutez une matrice 3 x 3 (pixel vers sol) ou une configuration de caméra avec ses points de contrôle.",
             "Add a 3 x 3 matrix (pixel to ground) or a camera configuration with its control points."))  # fmt: skip


def _read(path: Path, found: _Found) -> None:
    kind = path.suffix.lower()
    if not path.is_file():
        raise Problem(
            Text("Ce fichier n'existe pas.", "This file does not exist."),
            Text("Vérifiez son nom.", "Check its name."),
            str(path),
        )
    if kind in (".json", ".geojson"):
        _read_json(path, found)
    elif kind in (".csv", ".tsv", ".txt"):
        _read_table(path, found)
    elif kind in _PICTURES:
        picture = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        if picture is not None:
            found.size = found.size or (int(picture.shape[1]), int(picture.shape[0]))
    elif kind in _VIDEOS:
        video = cv2.VideoCapture(str(path))
        width, height = video.get(cv2.CAP_PROP_FRAME_WIDTH), video.get(cv2.CAP_PROP_FRAME_HEIGHT)
        video.release()
        if width:
            found.size = found.size or (int(width), int(height))
    elif kind not in (".nc", ".md"):  # a field of velocities and a note go with a site, and say nothing of it
        raise _no_role(path)


def _no_role(path: Path) -> Problem:
    return Problem(
        Text("Le rôle de ce fichier n'est pas reconnu.", "The role of this file is not recognised."),
        Text("Rôles connus : matrice 3 x 3, section entre deux rives, bathymétrie (station, fond), section (x, y, z), "
             "configuration de caméra, image ou vidéo.",
             "Known roles: 3 x 3 matrix, section between two banks, bathymetry (station, bed), section (x, y, z), "
             "camera configuration, picture or video."), str(path))  # fmt: skip


def _read_json(path: Path, found: _Found) -> None:
    try:
        value = json.loads(path.read_text("utf-8-sig"))
    except (ValueError, OSError) as error:
        raise Problem(
            Text("Ce fichier n'est pas du JSON : {why}", "This file is not JSON: {why}").filled(
                why=str(error)
            ),
            place=str(path),
        ) from error
    for role, reader in _JSON_ROLES:
        read = reader(value)
        if read is not None:
            if role == "section":
                found.sections.append((path, *read))
            elif role != "ground":
                found.take(role, path, read)
            return
    raise _no_role(path)


def _matrix(value: Any) -> Any:
    if isinstance(value, dict):
        value = next((v for k, v in value.items() if _shape(v) == (3, 3) and "camera" not in k), None)
    return value if _shape(value) == (3, 3) else None


def _shape(value: Any) -> tuple[int, ...]:
    try:
        return np.array(value, float).shape
    except (ValueError, TypeError):
        return ()


def _banks(value: Any) -> Any:
    if not isinstance(value, dict):
        return None
    every = [value, *(v for v in value.values() if isinstance(v, dict))]
    return next((v for v in every if all(k in v for k in _BANKS)), None)


def _configuration(value: Any) -> Any:
    gcps = value.get("gcps") if isinstance(value, dict) else None
    return value if isinstance(gcps, dict) and "src" in gcps and "dst" in gcps else None


def _surveyed(value: Any) -> Any:
    """Return the points and system of GeoJSON points with altitudes."""
    if not (isinstance(value, dict) and value.get("type") == "FeatureCollection"):
        return None
    places = [(f.get("geometry") or {}).get("coordinates") for f in value.get("features", [])]
    solid = [p for p in places if isinstance(p, list) and len(p) == 3]
    if len(solid) < 3 or len(solid) < len(places):
        return None
    said = ((value.get("crs") or {}).get("properties") or {}).get("name") or "OGC:CRS84"
    return [tuple(float(v) for v in p) for p in solid], said


def _ground(value: Any) -> Any:
    return True if isinstance(value, dict) and value.get("type") == "FeatureCollection" else None


_JSON_ROLES: tuple[tuple[str, Callable[[Any], Any]], ...] = (
    ("configuration", _configuration),
    ("banks", _banks),
    ("homography", _matrix),
    ("section", _surveyed),
    ("ground", _ground),
)


def _read_table(path: Path, found: _Found) -> None:
    text = path.read_text("utf-8-sig", errors="replace")
    mark = max(",;\t", key=text.split("\n", 1)[0].count)
    rows = [
        (i, r)
        for i, r in enumerate(csv.reader(text.splitlines(), delimiter=mark), 1)
        if any(c.strip() for c in r)
    ]
    if not rows:
        raise _no_role(path)
    heads = [c.strip().lower() for c in rows[0][1]]
    body = rows[1:] if not _numbers(rows[0][1], mark) else rows
    values = []
    for line, row in body:
        numbers = _numbers(row, mark) or []
        if len(numbers) < 2 or not all(map(math.isfinite, numbers)):
            raise Problem(
                Text("Cette ligne n'est pas faite de nombres : {row}", "This line is not made of numbers: {row}")
                .filled(row=" ".join(row)[:80]),
                Text("Une ligne par point : station et altitude du fond, ou x, y et z.",
                     "A line for each point: station and altitude of the bed, or x, y and z."),
                f"{path}, line {line}")  # fmt: skip
        values.append(numbers)
    if len(values[0]) >= 3:
        found.sections.append((path, [(v[0], v[1], v[2]) for v in values], ""))
    else:
        deep = len(heads) > 1 and heads[1].startswith(("dep", "prof"))
        found.take("bathymetry", path, (np.array([v[:2] for v in values]), deep))


def _numbers(row: list[str], mark: str) -> list[float] | None:
    try:
        return [float(c.strip().replace(",", ".") if mark != "," else c) for c in row if c.strip()]
    except ValueError:
        return None


def _of_banks(found: _Found, name: str) -> Site:
    """Return a site from a homography, the two banks and a bathymetry between them."""
    matrix = np.array(found.get("homography"), float)
    banks = found.get("banks")
    size = found.size or (0, 0)
    if banks is None:
        return Site(name=name, width=size[0], height=size[1], homography=_rows(matrix))
    place = str(found.roles["banks"][0])
    left = np.array((_number(banks, "east_l", place), _number(banks, "north_l", place)))
    right = np.array((_number(banks, "east_r", place), _number(banks, "north_r", place)))
    matrix = _right_way(matrix, banks, left, right)
    level = _number(banks, "level", place) if "level" in banks else None
    site = Site(
        name=name,
        width=size[0],
        height=size[1],
        homography=_rows(matrix),
        level=level,
        **_alpha(banks, place),
    )
    bathymetry = found.get("bathymetry")
    if bathymetry is None:
        return site
    table, deep = bathymetry
    if deep:
        table = np.column_stack((table[:, 0], (level or 0.0) - table[:, 1]))
    order = np.argsort(table[:, 0], kind="stable")
    table = table[order]
    length = float(np.hypot(*(right - left)))
    if length < 1e-6:
        raise Problem(
            Text("Les deux rives sont au même endroit.", "Both banks are at one place."), place=place
        )
    start = _shore(table, level) if level is not None else table[0, 0]
    ground = left + np.outer(table[:, 0] - start, (right - left) / length)
    section = Section(
        tuple((float(x), float(y), float(z)) for (x, y), z in zip(ground, table[:, 1], strict=True)),
        verticals=int(banks.get("num_stations") or 0),
    )
    bed_of(section)
    return msgspec.structs.replace(site, section=section)


def _shore(table: Array, level: float) -> float:
    """Return the station where the water begins: the point of the left bank was taken at the water's edge."""
    wet = np.flatnonzero(table[:, 1] < level)
    if not len(wet) or wet[0] == 0:
        return float(table[0, 0])
    a, b = table[wet[0] - 1], table[wet[0]]
    return float(a[0] + (level - a[1]) / (b[1] - a[1]) * (b[0] - a[0]))


def _right_way(matrix: Array, banks: dict[str, Any], left: Array, right: Array) -> Array:
    """Return the matrix from pixel to ground; one that goes the other way is known by the banks' pixels."""
    if not all(k in banks for k in ("xl", "yl", "xr", "yr")):
        return matrix
    pixels = np.array(((banks["xl"], banks["yl"], 1.0), (banks["xr"], banks["yr"], 1.0)))
    ground = np.array((left, right))

    def miss(way: Array) -> float:
        seen = pixels @ way.T
        return float(np.abs(seen[:, :2] / seen[:, 2:] - ground).max())

    return min((matrix, np.linalg.inv(matrix)), key=miss) if abs(np.linalg.det(matrix)) > 1e-18 else matrix


def _number(table: dict[str, Any], key: str, place: str) -> float:
    try:
        value = float(table[key])
    except (TypeError, ValueError):
        value = math.nan
    if not math.isfinite(value):
        raise Problem(
            Text("{key} n'est pas un nombre.", "{key} is not a number.").filled(key=key),
            Text("Corrigez ce champ.", "Mend this field."),
            f"{place}, /{key}",
        )
    return value


def _alpha(table: dict[str, Any], place: str) -> dict[str, Any]:
    if table.get("alpha") is None:
        return {}
    return {"alpha": _number(table, "alpha", place), "alpha_stated": True}


def _rows(matrix: Array) -> Any:
    return tuple(tuple(float(v) for v in row) for row in matrix)


def _configured(found: _Found, name: str) -> Site:
    """Return a site from a camera configuration: control points, lens, datum, and a surveyed section."""
    path, value = found.roles["configuration"]
    gcps = value["gcps"]
    pixels, ground = np.array(gcps["src"], float), np.array(gcps["dst"], float)
    if len(pixels) != len(ground) or pixels.ndim != 2 or ground.ndim != 2:
        raise Problem(
            Text("Les points de contrôle ont {a} pixels et {b} coordonnées.",
                 "The control points have {a} pixels and {b} coordinates.").filled(a=len(pixels), b=len(ground)),
            Text("Donnez un pixel pour chaque point.", "Give a pixel for each point."), f"{path}, /gcps")  # fmt: skip
    points = tuple(
        Point(float(p[0]), float(p[1]), *(float(v) for v in g[:3]))
        for p, g in zip(pixels, ground, strict=True)
    )
    read, level = float(gcps.get("z_0") or 0.0), float(gcps.get("h_ref") or 0.0)
    size = (int(value.get("width") or 0), int(value.get("height") or 0))
    size = size if size[0] else (found.size or (0, 0))
    crs = str(value.get("crs") or "")
    section = _one_section(found, crs)
    alpha = _alpha(value, str(path)) or {"alpha": _CONFIGURED_ALPHA}
    resolution = value.get("resolution")
    return Site(
        name=name,
        width=size[0],
        height=size[1],
        crs=crs,
        points=points,
        lens=_lens(value),
        zero=read - level,
        level=level,
        section=section,
        region=_region(value.get("bbox")),
        resolution=float(resolution) if resolution else None,
        **alpha,
    )


def _lens(value: dict[str, Any]) -> Lens | None:
    matrix = value.get("camera_matrix")
    if _shape(matrix) != (3, 3):
        return None
    bent = np.array(value.get("dist_coeffs") if value.get("dist_coeffs") is not None else [], float).ravel()
    return Lens(_rows(np.array(matrix, float)), tuple(float(v) for v in bent))


def _region(text: Any) -> tuple[tuple[float, float], ...]:
    if not isinstance(text, str):
        return ()
    from shapely import wkt  # noqa: PLC0415 -- only here

    return tuple((float(x), float(y)) for x, y, *_ in list(wkt.loads(text).exterior.coords)[:-1])


def _one_section(found: _Found, crs: str) -> Section | None:
    read = []
    for path, points, said in found.sections:
        read.append((path, _in_system(points, said, crs) if said and crs else points))
    if not read:
        return None
    first = np.array(read[0][1])
    for path, points in read[1:]:
        other = np.array(points)
        apart = np.abs(other[(0, -1), :2] - first[(0, -1), :2]).max()
        if apart > _SAME_SECTION_M:
            raise Problem(
                Text("Deux sections différentes sont données.", "Two different sections are given."),
                Text("N'en donnez qu'une par site.", "Give one for each site."),
                str(path),
            )
    section = Section(tuple((float(x), float(y), float(z)) for x, y, z in read[0][1]))
    bed_of(section)
    return section


def _in_system(
    points: list[tuple[float, float, float]], said: str, crs: str
) -> list[tuple[float, float, float]]:
    change = projection(said, crs)
    return [(*change.transform(x, y), z) for x, y, z in points]
