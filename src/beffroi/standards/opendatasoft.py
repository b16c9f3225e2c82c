"""Records of an Opendatasoft portal, in the shapes of its APIs v1 and v2 and of its exports.

Source: help.opendatasoft.com, "Explore API". `geo_point_2d` is [latitude, longitude] in v1 (or an object in
v2) while `geometry` is GeoJSON's [longitude, latitude]. Times without offset are French civil time.
"""

from collections.abc import Mapping
from typing import Any, BinaryIO

import msgspec

from beffroi.model.problem import Problem
from beffroi.model.result import Numeral, Result, result_of
from beffroi.model.text import Text
from beffroi.standards.civil_time import CivilClock
from beffroi.standards.decimal_text import decimal_of, no_value
from beffroi.standards.json_items import json_items
from beffroi.standards.reading import Reading, Reject, Row, Rows, Series, Station, reject_of

__all__ = ["FIELDS", "read", "read_records"]

# What each part of a measurement is called on the portals, the most frequent name first.
FIELDS: dict[str, tuple[str, ...]] = {
    "start": ("dat_dbt", "date_debut", "date_deb", "date_heure", "datetime", "timestamp", "horodatage",
              "date_mesure", "date_obs", "date", "heure"),
    "end": ("dat_fn", "date_fn", "date_fin"),
    "value": ("valeur", "value", "val", "mesure", "concentration", "resultat", "comptage", "count", "sum_counts"),
    "property": ("nom_pll", "nom_poll", "nom_polluant", "polluant", "parametre", "libelle_parametre", "property"),
    "unit": ("unite", "unit", "unites"),
    "aggregation": ("metriqu", "metrique", "type_valeur", "statistique"),
    "station": ("cd_sttn", "code_station", "id_station", "station_id", "id_compteur", "code_site", "id"),
    "name": ("nm_sttn", "nom_sttn", "nom_station", "station", "nom_compteur", "nom_site", "name", "nom"),
    "town": ("nom_com", "commune", "nom_commune"),
}  # fmt: skip
_RECORD_KEYS = ("results", "records")


def _fields(item: Any) -> dict[str, Any]:
    """Return the fields of a record in any of the shapes, with its GeoJSON `geometry` beside them."""
    if not isinstance(item, dict):
        return {}
    record = item.get("record")
    inner: dict[str, Any] = record if isinstance(record, dict) else item
    fields = inner.get("fields")
    if not isinstance(fields, dict):
        return dict(inner)
    return {**fields, "geometry": inner.get("geometry") or fields.get("geometry")}


def _text(fields: dict[str, Any], names: tuple[str, ...]) -> str:
    for name in names:
        value = fields.get(name)
        if isinstance(value, str) and value.strip():
            return value.strip()
        if isinstance(value, int | float) and not isinstance(value, bool):
            return value.text if isinstance(value, Numeral) else str(value)
    return ""


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _place(fields: dict[str, Any]) -> tuple[float | None, float | None]:
    """Return (longitude, latitude), each None when the record has no point."""
    geometry = fields.get("geometry") or fields.get("geo_shape")
    if isinstance(geometry, dict) and isinstance(geometry.get("geometry"), dict):
        geometry = geometry["geometry"]
    if isinstance(geometry, dict) and geometry.get("type") == "Point":
        pair = geometry.get("coordinates")
        if isinstance(pair, list) and len(pair) >= 2:
            return _checked(_number(pair[0]), _number(pair[1]))
    point = fields.get("geo_point_2d")
    if isinstance(point, dict):
        return _checked(_number(point.get("lon")), _number(point.get("lat")))
    if isinstance(point, list) and len(point) == 2:
        return _checked(_number(point[1]), _number(point[0]))
    return None, None


def _checked(longitude: float | None, latitude: float | None) -> tuple[float | None, float | None]:
    if longitude is None or latitude is None or abs(longitude) > 180 or abs(latitude) > 90:
        return None, None
    return longitude, latitude


class _Reader:
    def __init__(self, options: Mapping[str, Any]) -> None:
        told = options.get("fields") or {}
        self.names = {part: (str(told[part]),) if part in told else names for part, names in FIELDS.items()}
        self.series: dict[str, tuple[Series, CivilClock]] = {}
        self.dataset = str(options.get("dataset") or "")

    def row(self, line: int, item: Any) -> Row:
        fields = _fields(item)
        series, clock = self.series_of(fields)
        time_text = _text(fields, self.names["start"])
        try:
            start = clock.instant(time_text)
        except Problem as problem:
            return reject_of(line, self.named("start", fields), problem)
        end_text = _text(fields, self.names["end"])
        try:
            end = clock.end_after(end_text, start) if end_text else None
        except Problem as problem:
            return reject_of(line, self.named("end", fields), problem)
        try:
            result = _result(fields, self.names["value"])
        except Problem as problem:
            return reject_of(line, self.named("value", fields), problem)
        written = f"{time_text}/{end_text}" if end_text else time_text
        return Reading(series, start, result, end_us=end, time_text=written, line=line)

    def named(self, part: str, fields: dict[str, Any]) -> str:
        return next((name for name in self.names[part] if name in fields), self.names[part][0])

    def series_of(self, fields: dict[str, Any]) -> tuple[Series, CivilClock]:
        station = (
            _text(fields, self.names["station"]) or _text(fields, self.names["name"]) or self.dataset or "?"
        )
        code = _text(fields, self.names["property"]) or self.dataset or "valeur"
        aggregation = _text(fields, self.names["aggregation"])
        key = "/".join(part for part in ("ods", station, code, aggregation) if part)
        known = self.series.get(key)
        if known is None:
            longitude, latitude = _place(fields)
            town = _text(fields, self.names["town"])
            thing = Station(
                f"ods/{station}", _text(fields, self.names["name"]) or station, longitude=longitude,
                latitude=latitude, properties=(("code", station), *((("commune", town),) if town else ())),
            )  # fmt: skip
            unit = _text(fields, self.names["unit"])
            known = Series(key, code, thing, unit=unit, aggregation=aggregation), CivilClock()
            self.series[key] = known
        return known


def _result(fields: dict[str, Any], names: tuple[str, ...]) -> Result:
    value = next((fields[name] for name in names if fields.get(name) is not None), None)
    if value is None:
        raise no_value()
    if isinstance(value, str):
        return decimal_of(value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        try:
            return result_of(value)
        except (ValueError, OverflowError) as error:
            raise no_value() from error
    raise Problem(
        Text("La valeur n'est pas un nombre.", "The value is not a number."),
        Text("Indiquez le champ de la valeur dans la correspondance (fields.value).",
             "Name the field of the value in the mapping (fields.value)."),
    )  # fmt: skip


def read(stream: BinaryIO, options: Mapping[str, Any]) -> Rows:
    """Yield the readings and rejects of an Opendatasoft JSON file. Options: `fields`, `dataset`.

    Raises `Problem` when the file is another kind of file.
    """
    reader = _Reader(options)
    for place, (line, item) in enumerate(json_items(stream, _RECORD_KEYS), 1):
        if place == 1:
            _check_kind(item, reader)
        row = reader.row(line, item)
        yield _numbered(row, place) if isinstance(row, Reject) else row


def _numbered(reject: Reject, place: int) -> Reject:
    """Say which record was refused: a portal writes its whole export on one line."""
    words = Text(f"Enregistrement n° {place} : {reject.reason.fr}", f"Record {place}: {reject.reason.en}")
    return Reject(reject.line, reject.field, words, reject.mend)


def read_records(items: list[Any], options: Mapping[str, Any]) -> list[Row]:
    """Return the readings and rejects of records that were decoded already; `line` is the record's place."""
    reader = _Reader(options)
    return [reader.row(place, item) for place, item in enumerate(items, 1)]


def _check_kind(item: Any, reader: _Reader) -> None:
    fields = _fields(item)
    if isinstance(item, dict) and item.get("type") == "Feature":
        fields = {}
    if any(name in fields for name in reader.names["start"]):
        return
    known = ", ".join(sorted(str(name) for name in fields)[:12])
    shown = msgspec.json.encode(known).decode().strip('"').replace("{", "(").replace("}", ")")
    raise Problem(
        Text("Aucun champ de date n'est reconnu dans ces enregistrements ({known}).",
             "No time field is recognised in these records ({known}).").filled(known=shown),
        Text('Nommez les champs dans un fichier de correspondance : [fields] start = "…", value = "…".',
             'Name the fields in a mapping file: [fields] start = "…", value = "…".'),
    )  # fmt: skip
