"""The functions of the query language (18-088 §9.3.3.5.2, and FROST's temporal ones), each written once in Python.

The same Python runs in the plain predicate and, registered as SQL functions, inside SQLite; PostgreSQL and
DuckDB use their own (`dialects.py`). An argument that is nothing makes the result nothing, and so does an
argument that the function cannot take: a function never raises.
"""

import math
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import msgspec
import shapely
from shapely.geometry.base import BaseGeometry

from beffroi.model.instant import (
    DAY_US,
    HOUR_US,
    MINUTE_US,
    SECOND_US,
    parse_instant,
    parse_interval,
    to_datetime,
)
from beffroi.model.problem import Problem
from beffroi.standards.sensorthings.entities import Kind

__all__ = [
    "ARITHMETIC",
    "FUNCTIONS",
    "Function",
    "geometry_of",
    "instant_of",
    "moment_of",
    "remainder",
    "total",
]

EARLIEST_US = -62_135_596_800 * SECOND_US  # 0001-01-01T00:00:00Z
LATEST_US = 253_402_300_799 * SECOND_US  # 9999-12-31T23:59:59Z


class Function(msgspec.Struct, frozen=True):
    """A function: kinds of its parameters (the last `optional` may be absent), kind of its result, and itself.

    A parameter of kind moment is given as two values, start and end.
    """

    name: str
    parameters: tuple[Kind, ...]
    result: Kind
    python: Callable[..., Any]
    optional: int = 0


def total(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return `function` made total: nothing in, or anything it cannot take, gives nothing."""

    def safe(*arguments: Any) -> Any:
        if None in arguments:
            return None
        try:
            return function(*arguments)
        except (ValueError, TypeError, OverflowError, ArithmeticError, shapely.errors.ShapelyError, Problem):
            return None

    return safe


@lru_cache(maxsize=4096)
def geometry_of(text: str) -> BaseGeometry:
    """Return the geometry of WKT, or of GeoJSON (a Feature gives its geometry). Raises `ValueError`."""
    if not text.lstrip().startswith("{"):
        text = text.partition(";")[2] if text.upper().startswith("SRID=") else text
        try:
            return shapely.from_wkt(text)
        except shapely.errors.ShapelyError as error:
            raise ValueError(str(error)) from error
    value = msgspec.json.decode(text)
    if value.get("type") == "Feature":
        value = value.get("geometry")
    try:
        found = shapely.from_geojson(msgspec.json.encode(value))
    except shapely.errors.ShapelyError as error:
        raise ValueError(str(error)) from error
    if not isinstance(found, BaseGeometry):
        raise ValueError("no geometry")
    return found


def instant_of(text: str) -> int | None:
    """Return the instant that a stored text names, or None."""
    try:
        return parse_instant(text)
    except (Problem, AttributeError):
        return None


def moment_of(text: str) -> tuple[int, int] | None:
    """Return start and end of the time or interval that a stored text names, or None."""
    try:
        start, end = parse_interval(text)
    except (Problem, AttributeError):
        return None
    return start, start if end is None else end


def _round(value: float) -> float:
    return math.copysign(math.floor(abs(value) + 0.5), value)


def remainder(left: float, right: float) -> float:
    """Return what is left of a division, by the same steps as the SQL: pages depend on equal last digits."""
    return left - right * float(math.trunc(left / right))


def _substring(text: str, start: float, length: float | None = None) -> str:
    first = max(int(start), 0)
    return text[first:] if length is None else text[first : first + max(int(length), 0)]


def _geometric(test: Callable[[BaseGeometry, BaseGeometry], Any]) -> Callable[[str, str], Any]:
    # .item(): a database driver takes Python's own values only
    return lambda a, b: test(geometry_of(a), geometry_of(b)).item()


def _length(shape: BaseGeometry) -> float:
    """Return the length of the lines of a shape: an area has none (18-088 table 24)."""
    parts = shapely.get_parts(shape)
    return float(shapely.length(parts)[shapely.get_dimensions(parts) == 1].sum())


def _related(a: str, b: str, pattern: str) -> bool:
    return bool(shapely.relate_pattern(geometry_of(a), geometry_of(b), pattern))


def _overlaps(s1: int, e1: int, s2: int, e2: int) -> bool:
    # An instant inside an interval overlaps it; two intervals that only meet do not.
    return (
        (s1 < e2 and s2 < e1)
        or (s1 == e1 and s2 <= s1 < e2)
        or (s2 == e2 and s1 <= s2 < e1)
        or (s1, e1) == (s2, e2)
    )


_ONE: tuple[Kind, ...] = ("instant",)
_TWO_TEXTS: tuple[Kind, ...] = ("text", "text")
_TWO_SHAPES: tuple[Kind, ...] = ("geometry", "geometry")
_TWO_MOMENTS: tuple[Kind, ...] = ("moment", "moment")
_NUMBER: tuple[Kind, ...] = ("number",)

_table: tuple[tuple[Any, ...], ...] = (
    ("substringof", _TWO_TEXTS, "boolean", lambda part, whole: part in whole),
    ("contains", _TWO_TEXTS, "boolean", lambda whole, part: part in whole),
    ("endswith", _TWO_TEXTS, "boolean", lambda whole, part: whole.endswith(part)),
    ("startswith", _TWO_TEXTS, "boolean", lambda whole, part: whole.startswith(part)),
    ("length", ("text",), "number", len),
    ("indexof", _TWO_TEXTS, "number", lambda whole, part: whole.find(part)),
    ("substring", ("text", "number", "number"), "text", _substring, 1),
    ("tolower", ("text",), "text", str.lower),
    ("toupper", ("text",), "text", str.upper),
    ("trim", ("text",), "text", lambda text: text.strip(" ")),
    ("concat", _TWO_TEXTS, "text", lambda a, b: a + b),
    ("year", _ONE, "number", lambda t: to_datetime(t).year),
    ("month", _ONE, "number", lambda t: to_datetime(t).month),
    ("day", _ONE, "number", lambda t: to_datetime(t).day),
    ("hour", _ONE, "number", lambda t: t % DAY_US // HOUR_US),
    ("minute", _ONE, "number", lambda t: t % HOUR_US // MINUTE_US),
    ("second", _ONE, "number", lambda t: t % MINUTE_US // SECOND_US),
    ("fractionalseconds", _ONE, "number", lambda t: t % SECOND_US / SECOND_US),
    ("date", _ONE, "date", lambda t: t - t % DAY_US),
    ("time", _ONE, "time", lambda t: t % DAY_US),
    ("totaloffsetminutes", _ONE, "number", lambda _t: 0),  # times are kept in UTC
    ("round", _NUMBER, "number", _round),
    ("floor", _NUMBER, "number", lambda x: float(math.floor(x))),
    ("ceiling", _NUMBER, "number", lambda x: float(math.ceil(x))),
    ("geo.distance", _TWO_SHAPES, "number", _geometric(shapely.distance)),
    ("geo.length", ("geometry",), "number", lambda a: _length(geometry_of(a))),
    ("geo.intersects", _TWO_SHAPES, "boolean", _geometric(shapely.intersects)),
    ("st_equals", _TWO_SHAPES, "boolean", _geometric(shapely.equals)),
    ("st_disjoint", _TWO_SHAPES, "boolean", _geometric(shapely.disjoint)),
    ("st_touches", _TWO_SHAPES, "boolean", _geometric(shapely.touches)),
    ("st_within", _TWO_SHAPES, "boolean", _geometric(shapely.within)),
    ("st_overlaps", _TWO_SHAPES, "boolean", _geometric(shapely.overlaps)),
    ("st_crosses", _TWO_SHAPES, "boolean", _geometric(shapely.crosses)),
    ("st_intersects", _TWO_SHAPES, "boolean", _geometric(shapely.intersects)),
    ("st_contains", _TWO_SHAPES, "boolean", _geometric(shapely.contains)),
    ("st_relate", ("geometry", "geometry", "text"), "boolean", _related),
    ("before", _TWO_MOMENTS, "boolean", lambda s1, e1, s2, _e2: s1 < s2 and e1 <= s2),
    ("after", _TWO_MOMENTS, "boolean", lambda s1, _e1, s2, e2: s1 >= e2 and s1 > s2),
    ("meets", _TWO_MOMENTS, "boolean", lambda s1, e1, s2, e2: e1 == s2 or e2 == s1),
    ("during", _TWO_MOMENTS, "boolean", lambda s1, e1, s2, e2: s2 <= s1 < e2 and e1 <= e2),
    ("overlaps", _TWO_MOMENTS, "boolean", _overlaps),
    ("starts", _TWO_MOMENTS, "boolean", lambda s1, _e1, s2, _e2: s1 == s2),
    ("finishes", _TWO_MOMENTS, "boolean", lambda _s1, e1, _s2, e2: e1 == e2),
)  # fmt: skip

FUNCTIONS: dict[str, Function] = {
    name: Function(name, parameters, result, total(python), *optional)
    for name, parameters, result, python, *optional in _table
}


ARITHMETIC: dict[str, Callable[[Any, Any], Any]] = {
    "add": total(lambda a, b: a + b),
    "sub": total(lambda a, b: a - b),
    "mul": total(lambda a, b: a * b),
    "div": total(lambda a, b: a / b),
    "mod": total(remainder),
}
