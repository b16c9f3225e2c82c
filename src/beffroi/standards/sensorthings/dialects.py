"""What SQLite, PostgreSQL and DuckDB write differently: JSON, texts, parts of times, geometry.

SQLite calls the Python functions of `functions.py`, registered on its connections by `prepare`;
PostgreSQL uses its own and PostGIS; DuckDB reads sealed observations, which have no geometry.
"""

import abc
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from sqlalchemy import (
    TIMESTAMP,
    BigInteger,
    Boolean,
    ColumnElement,
    Double,
    Engine,
    Integer,
    Numeric,
    Text,
    and_,
    case,
    cast,
    collate,
    event,
    func,
    literal,
    literal_column,
    null,
)
from sqlalchemy.dialects.postgresql import JSONB

from beffroi.model.instant import DAY_US, HOUR_US, MINUTE_US, SECOND_US
from beffroi.model.problem import Problem
from beffroi.model.result import Result
from beffroi.model.text import Text as Words
from beffroi.standards.sensorthings.entities import Kind
from beffroi.standards.sensorthings.functions import (
    FUNCTIONS,
    Function,
    geometry_of,
    moment_of,
    remainder,
    total,
)

__all__ = ["DIALECTS", "Dialect", "prepare"]

Sql = ColumnElement[Any]
_TYPES: dict[str, Any] = {
    "boolean": Boolean,
    "number": Double,
    "text": Text,
    "date": BigInteger,
    "time": BigInteger,
}


class Dialect(abc.ABC):
    """How one database writes what they do not share."""

    name = ""

    @abc.abstractmethod
    def json(self, column: Sql, steps: Sequence[str | int], kind: Kind) -> Sql:
        """Return the value at `steps` of a JSON text column taken as `kind` (`json`: its scalar as text)."""

    @abc.abstractmethod
    def raw_json(self, column: Sql, steps: Sequence[str | int]) -> Sql:
        """Return the value at `steps` of a JSON text column as JSON text."""

    @abc.abstractmethod
    def apply(self, function: Function, arguments: list[Sql]) -> Sql:
        """Return the application of `function`."""

    @abc.abstractmethod
    def holds(self, column: Sql, steps: Sequence[str | int], value: Sql, kind: Kind) -> Sql:
        """Return "the JSON array at `steps` holds `value`", nothing when there is no array."""

    @abc.abstractmethod
    def instant(self, text: Sql, *, end: bool = False) -> Sql:
        """Return the instant (or the end of the interval) that a text names."""

    @abc.abstractmethod
    def result_text(self, value: Sql, decimals: Sql, written: Sql) -> Sql:
        """Return a result as text: a text itself, a number's digits as they were received, true or false."""

    @abc.abstractmethod
    def remainder(self, left: Sql, right: Sql) -> Sql:
        """Return what is left of a division, with the sign of `left`."""

    def ordered(self, text: Sql) -> Sql:
        """Return a text that compares by its characters' codes."""
        return text


def _path(steps: Sequence[str | int]) -> str:
    return "$" + "".join(f"[{s}]" if isinstance(s, int) else f'."{s}"' for s in steps)


class _Sqlite(Dialect):
    name = "sqlite"

    def json(self, column: Sql, steps: Sequence[str | int], kind: Kind) -> Sql:
        path = _path(steps)
        value, found = func.json_extract(column, path), func.json_type(column, path)
        if kind == "json":
            lower = func.lower(found)
            return case((lower.in_(("true", "false")), lower), else_=cast(value, Text))
        return _json_case(value, found, kind, ("integer", "real"), "text", value)

    def raw_json(self, column: Sql, steps: Sequence[str | int]) -> Sql:
        return column.op("->")(literal(_path(steps), Text))

    def holds(self, column: Sql, steps: Sequence[str | int], value: Sql, kind: Kind) -> Sql:
        return func.sta_holds(func.json_extract(column, _path(steps)), value, kind, type_=Boolean)

    def apply(self, function: Function, arguments: list[Sql]) -> Sql:
        name = "sta_" + function.name.replace(".", "_")
        return getattr(func, name)(*arguments, type_=_TYPES[function.result])  # type: ignore[no-any-return]

    def instant(self, text: Sql, *, end: bool = False) -> Sql:
        return func.sta_moment(text, 1 if end else 0, type_=BigInteger)

    def result_text(self, value: Sql, decimals: Sql, written: Sql) -> Sql:
        return func.sta_result_text(value, decimals, written, type_=Text)

    def remainder(self, left: Sql, right: Sql) -> Sql:
        return func.sta_remainder(left, right, type_=Double)


def _json_case(value: Sql, found: Sql, kind: Kind, numbers: tuple[str, ...], text: str, scalar: Sql) -> Sql:
    lower = func.lower(found)
    if kind == "number":
        return case((lower.in_(numbers), cast(value, Double)))
    if kind == "boolean":
        return case((scalar == "true", literal(value=True)), (scalar == "false", literal(value=False))) if text != "text" else (
            case((lower == "true", literal(value=True)), (lower == "false", literal(value=False)))
        )  # fmt: skip
    if kind == "json":
        return cast(scalar, Text)
    return case((lower == text, cast(value, Text)))


def _modulo(value: Sql, by: int) -> Sql:
    return (value % by + by) % by


def _int(value: Sql) -> Sql:
    return cast(func.trunc(value), Integer)


_SHARED: dict[str, Callable[..., Sql]] = {
    "substringof": lambda part, whole: func.strpos(whole, part) > 0,
    "contains": lambda whole, part: func.strpos(whole, part) > 0,
    "startswith": lambda whole, part: func.substr(whole, 1, func.length(part)) == part,
    "endswith": lambda whole, part: and_(
        func.length(whole) >= func.length(part),
        func.substr(whole, func.length(whole) - func.length(part) + 1) == part,
    ),
    "length": lambda text: func.length(text, type_=Integer),
    "indexof": lambda whole, part: func.strpos(whole, part, type_=Integer) - 1,
    "substring": lambda text, start, *length: func.substr(
        text, func.greatest(_int(start), 0) + 1, *(func.greatest(_int(n), 0) for n in length), type_=Text
    ),
    "tolower": lambda text: func.lower(text, type_=Text),
    "toupper": lambda text: func.upper(text, type_=Text),
    "trim": lambda text: func.trim(text, " ", type_=Text),
    "concat": lambda a, b: a.op("||")(b),
    "hour": lambda t: _modulo(t, DAY_US).op("/")(HOUR_US),
    "minute": lambda t: _modulo(t, HOUR_US).op("/")(MINUTE_US),
    "second": lambda t: _modulo(t, MINUTE_US).op("/")(SECOND_US),
    "fractionalseconds": lambda t: cast(_modulo(t, SECOND_US), Double) / float(SECOND_US),
    "date": lambda t: t - _modulo(t, DAY_US),
    "time": lambda t: _modulo(t, DAY_US),
    "totaloffsetminutes": lambda t: t - t,
    "round": lambda x: func.sign(cast(x, Double), type_=Double) * func.floor(func.abs(cast(x, Double)) + 0.5, type_=Double),
    "floor": lambda x: func.floor(cast(x, Double), type_=Double),
    "ceiling": lambda x: func.ceil(cast(x, Double), type_=Double),
    "before": lambda s1, e1, s2, _e2: and_(s1 < s2, e1 <= s2),
    "after": lambda s1, _e1, s2, e2: and_(s1 >= e2, s1 > s2),
    "meets": lambda s1, e1, s2, e2: (e1 == s2) | (e2 == s1),
    "during": lambda s1, e1, s2, e2: and_(s2 <= s1, e1 <= e2, s1 < e2),
    "overlaps": lambda s1, e1, s2, e2: (
        and_(s1 < e2, s2 < e1) | and_(s1 == e1, s2 <= s1, s1 < e2) | and_(s2 == e2, s1 <= s2, s2 < e1)
        | and_(s1 == s2, e1 == e2)
    ),
    "starts": lambda s1, _e1, s2, _e2: s1 == s2,
    "finishes": lambda _s1, e1, _s2, e2: e1 == e2,
}  # fmt: skip


class _Postgresql(Dialect):
    name = "postgresql"

    def json(self, column: Sql, steps: Sequence[str | int], kind: Kind) -> Sql:
        whole, keys = cast(column, JSONB), [str(s) for s in steps]
        inner = func.jsonb_extract_path(whole, *keys) if keys else whole
        scalar = inner.op("#>>")(literal_column("'{}'"))
        found = func.jsonb_typeof(inner, type_=Text)
        return _json_case(scalar, found, kind, ("number",), "string", scalar)

    def raw_json(self, column: Sql, steps: Sequence[str | int]) -> Sql:
        whole, keys = cast(column, JSONB), [str(s) for s in steps]
        return cast(func.jsonb_extract_path(whole, *keys) if keys else whole, Text)

    def holds(self, column: Sql, steps: Sequence[str | int], value: Sql, kind: Kind) -> Sql:
        whole, keys = cast(column, JSONB), [str(s) for s in steps]
        inner = func.jsonb_extract_path(whole, *keys) if keys else whole
        return case(
            (func.jsonb_typeof(inner) == "array", inner.op("@>")(func.to_jsonb(cast(value, _TYPES[kind]))))
        )

    def apply(self, function: Function, arguments: list[Sql]) -> Sql:
        if function.name in _SHARED:
            return _SHARED[function.name](*arguments)
        if function.name in ("year", "month", "day"):
            moment = func.timezone("UTC", func.to_timestamp(cast(arguments[0], Double) / 1e6))
            return cast(func.date_part(function.name, moment), Double)
        shapes: list[Sql] = [self._shape(a) for a in arguments[:2]] + arguments[2:]
        if function.name == "geo.length":
            return func.ST_Length(shapes[0], type_=Double)
        called = _POSTGIS.get(function.name, function.name)
        return getattr(func, called)(*shapes, type_=_TYPES[function.result])  # type: ignore[no-any-return]

    @staticmethod
    def _shape(text: Sql) -> Sql:
        value = getattr(text, "value", None)
        if isinstance(value, str):
            return func.ST_GeomFromText(geometry_of(value).wkt, 4326)
        read = cast(text, JSONB)
        inner = case((func.jsonb_extract_path_text(read, "type") == "Feature",
                      func.jsonb_extract_path_text(read, "geometry")), else_=text)  # fmt: skip
        return func.ST_SetSRID(func.ST_GeomFromGeoJSON(inner), 4326)

    def instant(self, text: Sql, *, end: bool = False) -> Sql:
        part = func.split_part(text, "/", 2 if end else 1)
        chosen = func.coalesce(func.nullif(part, ""), func.split_part(text, "/", 1))
        moment = case((chosen.regexp_match(r"^\d{4}-\d\d-\d\d([T ]\d\d:\d\d.*)?$"), chosen))
        return cast(func.round(func.date_part("epoch", cast(moment, _TimestampTz)) * 1e6), BigInteger)

    def result_text(self, value: Sql, decimals: Sql, written: Sql) -> Sql:
        found = self.json_kind(written)
        plain = case((and_(value == func.trunc(value), func.abs(value) < 1e16), self._whole(value).op("||")(".0")),
                     else_=cast(value, Text))  # fmt: skip
        return case(
            (and_(written.is_not(None), value.is_not(None)), written),
            (found.in_(("string", "boolean", "varchar")), self.json(written, (), "json")),
            (value.is_(None), cast(null(), Text)),
            (decimals == 0, self._whole(value)),
            (decimals.is_not(None), self._fixed(value, decimals)),
            else_=plain,
        )

    def json_kind(self, column: Sql) -> Sql:
        """Return the JSON type of a JSON text, in small letters."""
        return func.jsonb_typeof(cast(column, JSONB), type_=Text)

    @staticmethod
    def _whole(value: Sql) -> Sql:
        return cast(cast(value, BigInteger), Text)

    def _fixed(self, value: Sql, decimals: Sql) -> Sql:
        return cast(func.round(cast(value, Numeric), decimals), Text)

    def remainder(self, left: Sql, right: Sql) -> Sql:
        a, b = cast(left, Double), func.nullif(cast(right, Double), 0.0)
        return a - b * func.trunc(a / b)

    def ordered(self, text: Sql) -> Sql:
        return collate(text, "C")


_TimestampTz = TIMESTAMP(timezone=True)
_POSTGIS = {
    "geo.distance": "ST_Distance",
    "geo.intersects": "ST_Intersects",
}


class _Duckdb(_Postgresql):
    name = "duckdb"

    def json(self, column: Sql, steps: Sequence[str | int], kind: Kind) -> Sql:
        path = _path(steps)
        scalar = func.json_extract_string(column, path, type_=Text)
        found = func.json_type(column, path, type_=Text)
        return _json_case(scalar, found, kind, ("bigint", "ubigint", "hugeint", "double"), "varchar", scalar)

    def apply(self, function: Function, arguments: list[Sql]) -> Sql:
        if function.name in ("hour", "minute", "second"):
            return func.floor(_SHARED[function.name](*arguments), type_=Double)
        if function.name in ("year", "month", "day"):
            return getattr(func, function.name)(func.make_timestamp(arguments[0]), type_=Double)  # type: ignore[no-any-return]
        if function.name not in _SHARED:
            raise Problem(
                Words("Une observation n'a pas de géométrie.", "An observation has no geometry."),
                Words("Comparez FeatureOfInterest/feature.", "Compare FeatureOfInterest/feature."), place="$filter",
            )  # fmt: skip
        return _SHARED[function.name](*arguments)

    def raw_json(self, column: Sql, steps: Sequence[str | int]) -> Sql:
        return cast(func.json_extract(column, _path(steps)), Text)

    def holds(self, column: Sql, steps: Sequence[str | int], value: Sql, kind: Kind) -> Sql:
        path, inner = _path(steps), func.json_extract(column, _path(steps))
        if kind == "number":
            found = func.list_contains(func.json_transform(inner, '["DOUBLE"]'), value)
        else:
            text = case((value, "true"), else_="false") if kind == "boolean" else value
            found = func.list_contains(func.json_extract_string(column, path + "[*]"), text)
        return case((func.json_type(inner) == "ARRAY", found))

    def json_kind(self, column: Sql) -> Sql:
        return func.lower(func.json_type(column), type_=Text)

    def _fixed(self, value: Sql, decimals: Sql) -> Sql:
        pattern = literal("%.").op("||")(cast(decimals, Text)).op("||")("f")
        return func.printf(pattern, value, type_=Text)

    def instant(self, text: Sql, *, end: bool = False) -> Sql:
        part = func.split_part(text, "/", 2 if end else 1)
        chosen = func.coalesce(func.nullif(part, ""), func.split_part(text, "/", 1))
        return func.epoch_us(cast(chosen, _TimestampTz), type_=BigInteger)

    def ordered(self, text: Sql) -> Sql:
        return text


DIALECTS: dict[str, Dialect] = {d.name: d for d in (_Sqlite(), _Postgresql(), _Duckdb())}


def _moment(text: str, end: int) -> int | None:
    found = moment_of(text)
    return None if found is None else found[end]


def _holds(array: Any, value: Any, kind: str) -> bool | None:
    """Return "the text of a JSON array holds the value"; nothing when it is none."""
    try:
        held = msgspec.json.decode(array) if isinstance(array, str) else None
    except msgspec.DecodeError:
        held = None
    if not isinstance(held, list) or value is None:
        return None
    kinds = {"boolean": bool, "text": str}.get(kind, (int, float))
    return any(
        isinstance(one, kinds) and isinstance(one, bool) == (kind == "boolean") and one == value
        for one in held
    )


def prepare(engine: Engine) -> None:
    """Make the functions of the query language known to every connection of a SQLite engine, from now on."""
    if engine.dialect.name == "sqlite" and not event.contains(engine, "checkout", _register):
        event.listen(engine, "checkout", _register)


def result_text(value: float | None, decimals: int | None, written: str | None) -> str | None:
    """Return a result as text (see `Dialect.result_text`)."""
    if value is None:
        known = None if written is None else msgspec.json.decode(written)
        return (
            known
            if isinstance(known, str)
            else {True: "true", False: "false"}.get(known)
            if isinstance(known, bool)
            else None
        )
    return Result(value, decimals, written).json()


def _register(raw: Any, record: Any, _proxy: Any) -> None:
    if "sensorthings" in record.info:
        return
    for function in FUNCTIONS.values():
        name = "sta_" + function.name.replace(".", "_")
        raw.create_function(name, -1, function.python, deterministic=True)
    raw.create_function("sta_holds", 3, _holds, deterministic=True)
    raw.create_function("sta_moment", 2, total(_moment), deterministic=True)
    raw.create_function("sta_remainder", 2, total(remainder), deterministic=True)
    raw.create_function("sta_result_text", 3, result_text, deterministic=True)
    record.info["sensorthings"] = True
