"""Files of other systems: Chicago 311, Dans Ma Rue (Paris), and answers of any GeoReport server."""

import gzip
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, cast

import msgspec

from beffroi.model.declaration import KindOfImport
from beffroi.model.problem import Problem
from beffroi.model.text import Text
from beffroi.services.reports.open311.arriving import (
    beside,
    category_entry,
    code_of,
    department_entry,
    request_entry,
)
from beffroi.standards.open311.reading import read_requests
from beffroi.standards.text_table import open_table
from beffroi.store.record import Entry, Reject

__all__ = ["IMPORTS"]

FILLED = ("report_department", "report_category", "service_request")
Rows = Iterator[tuple[str, dict[str, str] | None]]


def _open(path: Path) -> BinaryIO:
    with path.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    return cast("BinaryIO", gzip.open(path)) if packed else path.open("rb")


def _table(path: Path, needed: tuple[str, ...]) -> Rows:
    """Yield the place and the cells of each row of a CSV file, packed or not; None for one that cannot be read."""
    with _open(path) as stream:
        table = open_table(stream)
        missing = [name for name in needed if name not in table.header]
        if missing:
            raise Problem(
                Text(f"La colonne « {missing[0]} » manque.", f"The column '{missing[0]}' is missing."),
                Text(
                    "Vérifiez que c'est la bonne sorte de fichier.",
                    "Check that it is the right kind of file.",
                ),
                "line 1",
            )
        for line, cells in table.rows():
            yield f"line {line}", None if cells is None else dict(zip(table.header, cells, strict=False))


_COUNTED = Entry({})


def _counted(path: Path, needed: tuple[str, ...]) -> Iterator[Entry | Reject]:
    """Yield something for each row: what is only counted is not made, but read to its end."""
    for _ in _table(path, needed):
        yield _COUNTED


def _unreadable(place: str) -> Reject:
    return Reject(place, "", Text("La ligne n'est pas lisible.", "The line cannot be read."),
                  Text("Vérifiez les guillemets.", "Check the quotes."))  # fmt: skip


def _entry(make: Callable[[], Entry], place: str) -> Entry | Reject:
    try:
        return make()
    except Problem as problem:
        return Reject(place, problem.place, problem.reason, problem.mend)


def _point(latitude: str, longitude: str) -> dict[str, Any] | None:
    try:
        return {"type": "Point", "coordinates": [round(float(longitude), 7), round(float(latitude), 7)]}
    except ValueError:
        return None


# --- Chicago 311: sanitation code complaints.

_CHICAGO = (
    "creation_date",
    "status",
    "completion_date",
    "service_request_number",
    "nature",
    "latitude",
    "longitude",
)


def chicago(path: Path, options: Mapping[str, Any]) -> Iterator[Entry | Reject]:
    """Yield what a Chicago 311 file holds for one collection. Days are taken at noon: the hour is not published."""
    wanted, seen = options["collection"], set()
    if wanted == "report_department":
        return  # the file names none
    if options.get("counting"):
        yield from _counted(path, _CHICAGO)
        return
    for place, row in _table(path, _CHICAGO):
        if wanted == "service_request":
            yield _unreadable(place) if row is None else _chicago_request(row, place)
        elif wanted == "report_category" and row is not None:
            nature = row["nature"].strip() or "Other"
            if nature not in seen:
                seen.add(nature)
                yield category_entry(code_of(None, nature), nature, place=place)


def _chicago_request(row: Mapping[str, str], place: str) -> Entry:
    status, nature = row["status"].strip(), row["nature"].strip() or "Other"
    closed = status.startswith("Completed")
    values: dict[str, Any] = {
        "number": row["service_request_number"].strip(), "source": "chicago-311", "source_id": row["service_request_number"].strip(),
        "category": code_of(None, nature), "place": row.get("street_address") or None, "address": row.get("street_address") or None,
        "area": row.get("community_area") or None, "channel": "import", "state": "closed" if closed else "received",
        "reason": "duplicate" if closed and status.endswith("Dup") else None,
        "requested": _noon(row["creation_date"]), "closed": _noon(row["completion_date"]) if closed else None,
        "moderation": "accepted", "shown": True,
    }  # fmt: skip
    return Entry(
        {k: v for k, v in values.items() if v is not None},
        _point(row["latitude"], row["longitude"]),
        place=place,
    )


def _noon(day: str) -> str | None:
    return f"{day.strip()}T12:00:00" if day.strip() else None


# --- Dans Ma Rue.

_PARIS = ("type", "soustype", "datedecl", "intervenant", "id_dmr")
_PREFIXES = {"android": "web", "ios": "web", "iphone": "web"}


def dans_ma_rue(path: Path, options: Mapping[str, Any]) -> Iterator[Entry | Reject]:
    """Yield what a Dans Ma Rue file holds for one collection: types hold sub-types, services are departments."""
    wanted, seen = options["collection"], set()
    if options.get("counting"):
        yield from _counted(path, _PARIS)
        return
    for place, row in _table(path, _PARIS):
        if wanted == "service_request":
            yield (_unreadable(place) if row is None else _entry(partial(_paris_request, row, place), place))
        elif row is not None:
            for key, made in _PARIS_BESIDE[wanted](row, place):
                if key not in seen:
                    seen.add(key)
                    yield made


def _paris_department(row: Mapping[str, str], place: str) -> list[tuple[str, Entry]]:
    name = row["intervenant"].strip()
    return [(name, department_entry(name, place))] if name else []


def _paris_categories(row: Mapping[str, str], place: str) -> list[tuple[str, Entry]]:
    kind, sub = row["type"].strip(), row["soustype"].strip()
    found = [(kind, category_entry(code_of(None, kind), kind, place=place))]
    if sub:
        found.append(
            (
                f"{kind}/{sub}",
                category_entry(_sub_code(kind, sub), sub, parent=code_of(None, kind), place=place),
            )
        )
    return found


def _sub_code(kind: str, sub: str) -> str:
    return f"{code_of(None, kind)[:20].strip('-')}.{code_of(None, sub)[:59]}"


_PARIS_BESIDE = {"report_department": _paris_department, "report_category": _paris_categories}


def _paris_request(row: Mapping[str, str], place: str) -> Entry:
    kind, sub, number = row["type"].strip(), row["soustype"].strip(), row["id_dmr"].strip()
    values: dict[str, Any] = {
        "number": number, "source": "dans-ma-rue", "source_id": number,
        "category": _sub_code(kind, sub) if sub else code_of(None, kind),
        "place": row.get("adresse") or None, "address": row.get("adresse") or None, "area": row.get("conseilquartier") or None,
        "channel": _PREFIXES.get(row.get("prefixe", "").split(" ")[0].lower(), "import"), "state": "waiting",
        "requested": _noon(row["datedecl"]), "moderation": "accepted", "shown": True,
    }  # fmt: skip
    if row["intervenant"].strip():
        values["department"] = code_of(None, row["intervenant"].strip())
    return Entry(
        {k: v for k, v in values.items() if v is not None},
        _paris_point(row.get("geo_point_2d", "")),
        place=place,
    )


def _paris_point(text: str) -> dict[str, Any] | None:
    try:
        point = msgspec.json.decode(text.replace("'", '"'))
        return _point(str(point["lat"]), str(point["lon"]))
    except (msgspec.DecodeError, KeyError, TypeError):
        return None


# --- Answers of GeoReport servers.


def open311(path: Path, options: Mapping[str, Any]) -> Iterator[Entry | Reject]:
    """Yield what a saved answer to GET requests (JSON or XML, `extensions` or not) holds for one collection."""
    wanted, seen = options["collection"], set()
    source = str(options.get("source") or "open311")
    with _open(path) as stream:
        body = stream.read()
    for request in read_requests(body):
        if isinstance(request, Problem):
            place = request.place.rpartition("/")[0]
            if wanted == "service_request":
                yield Reject(place, request.place.rpartition("/")[2], request.reason, request.mend)
            continue
        if wanted == "service_request":
            number = request.service_request_id
            yield _entry(partial(request_entry, request, source, place=number), number)
            continue
        for made in beside(request, wanted):
            if made.values["code"] not in seen:
                seen.add(made.values["code"])
                yield made


IMPORTS = (
    KindOfImport("chicago-311", Text("Plaintes de propreté de Chicago 311 (CSV)", "Sanitation complaints of Chicago 311 (CSV)"), chicago, (".csv", ".gz"), FILLED, _CHICAGO),
    KindOfImport("dans-ma-rue", Text("Anomalies de Dans Ma Rue, Paris (CSV)", "Reports of Dans Ma Rue, Paris (CSV)"), dans_ma_rue, (".csv", ".gz"), FILLED, _PARIS),
    KindOfImport("open311-json", Text("Demandes d'un serveur Open311 (JSON ou XML)", "Requests of an Open311 server (JSON or XML)"), open311, (".json", ".xml"), FILLED),
)  # fmt: skip
