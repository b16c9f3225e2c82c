"""The plan of a declaration: its surface, the assets it concerns in the colours of NF P98-332, on the town's own base map.

North up, with a scale, on white, to be printed. A name stands where nothing else is written; the list below the plan has all.
"""

from collections.abc import Iterable, Mapping
from itertools import groupby
from typing import Any

import shapely
from markupsafe import Markup, escape
from shapely import transform as moved
from shapely.geometry import mapping
from shapely.geometry.base import BaseGeometry

from beffroi.services.works.concerned import MARGIN_M, Concerned, Group, kind_of, precision_of
from beffroi.store.record import Row
from beffroi.town import Town
from beffroi.web.kit.ground import outlines_in
from beffroi.web.kit.map import middle

__all__ = ["MARKS", "plan_svg", "swatch"]

_SIZE, _FOOT = 600, 40
_INK, _GROUND = "#222", "#8a8a8a"
_STREETS = {
    "motorway": 6.0,
    "trunk": 6.0,
    "primary": 6.0,
    "secondary": 5.0,
    "tertiary": 5.0,
    "street": 4.0,
    "path": 2.0,
}  # m to each side
_AREAS = {"building": "#e2ded8", "water": "#d5e4ee", "river": "#d5e4ee", "green": "#eaf1e4"}
MARKS = {
    "cabinet": "m-7 -7h14v14h-14z", "support": "m-4 0a4 4 0 1 0 8 0a4 4 0 1 0 -8 0", "lamp": "m0 -6l6 10h-12z",
    "water_valve": "m-6 -5l12 10v-10l-12 10z", "": "m0 -7l7 7l-7 7l-7 -7z",
}  # fmt: skip
_UNNAMED = ("lamp", "support")  # they stand too close to be named on the plan
_TEXT = '<text x="{}" y="{}" fill="{}" font-size="{}"{}>{}</text>'
_HALO = ' paint-order="stroke" stroke="#fff" stroke-width="2"'
_LETTER = 5.6  # width of a letter of 10 units

Box = tuple[float, float, float, float]


class _Sheet:
    """Where things go on the plan, in its own units, and what is written already."""

    def __init__(self, found: Concerned) -> None:
        self.bounds: Box = found.surface.buffer(4 * MARGIN_M).bounds
        west, south, east, north = self.bounds
        self.scale = _SIZE / max(east - west, north - south)
        self.width, self.height = round((east - west) * self.scale), round((north - south) * self.scale)
        self.taken: list[Box] = [(self.width - 36.0, 0.0, float(self.width), 56.0)]  # the north arrow

    def at(self, x: float, y: float) -> tuple[float, float]:
        return round((x - self.bounds[0]) * self.scale, 1), round((self.bounds[3] - y) * self.scale, 1)

    def path(self, points: Iterable[Any]) -> str:
        return "M" + "L".join("{} {}".format(*self.at(p[0], p[1])) for p in points)

    def seen(self, geometry: BaseGeometry) -> BaseGeometry:
        """Return what of a geometry is on the sheet."""
        return shapely.clip_by_rect(geometry, *self.bounds)

    def word(self, x: float, y: float, words: str, colour: str) -> list[str]:
        """Return the text beside a place, where it covers no other; nothing when it would."""
        length = _LETTER * len(words)
        for left, base in (
            (x + 9, y + 4),
            (x + 9, y - 7),
            (x + 9, y + 15),
            (x - 9 - length, y + 4),
            (x - 9 - length, y - 7),
        ):
            box = (left, base - 9, left + length, base + 2)
            inside = box[0] >= 0 and box[2] <= self.width and box[1] >= 0 and box[3] <= self.height
            if inside and not any(_meet(box, other) for other in self.taken):
                self.taken.append(box)
                return [_TEXT.format(round(left, 1), round(base, 1), colour, 10, _HALO, escape(words))]
        return []


def _meet(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def plan_svg(town: Town, found: Concerned, title: str, number: str = "") -> Markup:
    """Return the plan of a declaration's surface and of the assets it concerns; the sheet bears the declaration's `number`."""
    sheet = _Sheet(found)
    parts = [
        f'<rect width="{sheet.width}" height="{sheet.height + _FOOT}" fill="#fff"/>',
        *_ground(town, found, sheet),
    ]
    outline = "".join(sheet.path(ring) + "z" for ring in _rings(mapping(found.surface)))
    parts.append(f'<path d="{outline}" class="works" fill="none" stroke="{_INK}" stroke-width="1.5" stroke-dasharray="8 4"/>')  # fmt: skip
    supports = {row.id: row for row, _ in found.assets if row.collection == "support"}
    ordered = sorted(found.assets, key=lambda pair: pair[1].geom_type.endswith("Point"))
    for _, place in ordered:
        x, y = sheet.at(place.centroid.x, place.centroid.y)
        if place.geom_type == "Point":
            sheet.taken.append((x - 6, y - 6, x + 6, y + 6))
    for row, place in ordered:
        parts += _asset(found, row, place, sheet, precision_of(row, supports))
    parts += _foot(found, sheet, number)
    body = "".join(parts)
    return Markup(  # noqa: S704 -- made of numbers and escaped names
        f'<svg class="plan" role="img" aria-label="{escape(title)}" viewBox="0 0 {sheet.width} {sheet.height + _FOOT}" width="100%">{body}</svg>'
    )


def _ground(town: Town, found: Concerned, sheet: _Sheet) -> list[str]:
    """Return the base map under the plan, in pale tones: areas, then streets as wide as they are about, then buildings."""
    west, south, east, north = moved(shapely.box(*sheet.bounds), found.back, interleaved=False).bounds
    there = outlines_in(town, (west, south, east, north))
    drawn = sorted(
        ((kind, sheet.seen(moved(outline, found.forth, interleaved=False))) for kind, outline in there),
        key=lambda pair: (pair[0] == "building", pair[0] in _STREETS, pair[0]),
    )
    parts = []
    for kind, shapes in groupby(drawn, key=lambda pair: pair[0]):
        whole = [g for _, s in shapes for g in getattr(s, "geoms", [s]) if not g.is_empty]
        if kind in _AREAS:
            path = "".join(
                sheet.path(r) + "z" for g in whole if g.geom_type == "Polygon" for r in _rings(mapping(g))
            )
            parts.append(f'<path class="base {kind}" d="{path}" fill="{_AREAS[kind]}"/>')
        elif kind in _STREETS:
            path = "".join(sheet.path(g.coords) for g in whole if g.geom_type == "LineString")
            parts.append(f'<path class="base street" d="{path}" fill="none" stroke="#eee" stroke-linejoin="round" stroke-width="{2 * _STREETS[kind] * sheet.scale:.1f}"/>')  # fmt: skip
            parts.append(f'<path class="base street" d="{path}" fill="none" stroke="{_GROUND}" stroke-width=".5" stroke-dasharray="2 3"/>')  # fmt: skip
    return parts


def _foot(found: Concerned, sheet: _Sheet, number: str) -> list[str]:
    """Return scale, number, corner and north arrow."""
    width, height = sheet.width, sheet.height
    length = next(m for m in (1000, 500, 200, 100, 50, 20, 10, 5, 1) if m * sheet.scale <= _SIZE / 3)
    bar = round(length * sheet.scale, 1)
    parts = [
        f'<rect y="{height}" width="{width}" height="{_FOOT}" fill="#fff"/><path d="M10 {height + 16}h{bar}" stroke="{_INK}" stroke-width="3"/>',
        _TEXT.format(10, height + 34, _INK, 14, "", f"{length} m"),
    ]  # fmt: skip
    if number:
        parts.append(_TEXT.format(width // 2, height + 16, _INK, 11, ' text-anchor="middle"', escape(number)))
    if found.legal:
        parts.append(_TEXT.format(width - 8, height + 34, _INK, 11, ' text-anchor="end"', f"Lambert-93 ↙ {sheet.bounds[0]:.0f} {sheet.bounds[1]:.0f}"))  # fmt: skip
    parts.append(f'<path d="M{width - 20} 34v-24m-6 8l6 -8l6 8" fill="none" stroke="{_INK}" stroke-width="2"/>')  # fmt: skip
    parts.append(_TEXT.format(width - 26, 50, _INK, 14, "", "N"))
    return parts


def _asset(
    found: Concerned, row: Row, place: BaseGeometry, sheet: _Sheet, precision: str | None
) -> list[str]:
    name = str(row.values.get("code") or row.id)
    colour = kind_of(found, row).colour
    told = f"<title>{escape(name)}, {escape(precision or '?')}</title>"
    if place.geom_type.endswith("Point"):
        mark = MARKS.get(row.collection, MARKS[""])
        spots = [sheet.at(p.x, p.y) for p in getattr(place, "geoms", [place])]
        drawn = [
            f'<path transform="translate({x} {y})" d="{mark}" fill="{colour}">{told}</path>' for x, y in spots
        ]
        return drawn + ([] if row.collection in _UNNAMED else sheet.word(*spots[0], name, colour))
    line = sheet.seen(place)
    courses = _courses(line)
    if not courses:
        return []
    size = row.values.get("diameter_mm")
    words = name + (f" Ø{size:g}" if size else "") + f" {precision or '?'}"
    path = "".join(sheet.path(part) for part in courses)
    return [
        f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="2">{told}</path>',
        *sheet.word(*sheet.at(*middle(max(courses, key=len))), words, colour),
    ]


def swatch(found: Concerned, group: Group) -> Markup:
    """Return the sign of a group's assets on the plan, for its legend."""
    colour = kind_of(found, group.rows[0]).colour
    geometry = (group.rows[0].geometry or {}).get("type", "")
    inside = (
        Markup('<path transform="translate(12 8)" d="{}" fill="{}"/>').format(
            MARKS.get(group.collection, MARKS[""]), colour
        )
        if geometry.endswith("Point")
        else Markup('<path d="M1 8h22" stroke="{}" stroke-width="3"/>').format(colour)
    )
    return Markup(
        '<svg class="swatch" aria-hidden="true" viewBox="0 0 24 16" width="24" height="16">{}</svg>'
    ).format(inside)


def _courses(geometry: BaseGeometry) -> list[Any]:
    parts = [p for part in getattr(geometry, "geoms", [geometry]) for p in getattr(part, "geoms", [part])]
    lines = [p.exterior if p.geom_type == "Polygon" else p for p in parts if not p.is_empty]
    return [list(p.coords) for p in lines if p.geom_type in ("LineString", "LinearRing")]


def _rings(geometry: Mapping[str, Any]) -> list[Any]:
    polygons = geometry["coordinates"] if geometry["type"] == "MultiPolygon" else [geometry["coordinates"]]
    return [ring for polygon in polygons for ring in polygon]
