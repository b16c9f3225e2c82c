"""Poll Vigicrues (`kind = "vigicrues"`): the colours of sections, observations and forecasts of stations.

`url`: `https://www.vigicrues.gouv.fr/services`. Options: `sections` (codes of « tronçons »), `stations` (codes), apart by
commas; `quantities` (default H,Q); `overlap` (default PT3H). A colour is stored when it changes, and once an hour.
"""

import urllib.parse
from collections.abc import Iterator
from typing import Any

from beffroi.connectors.fetch import fetch
from beffroi.connectors.source import Batch, Source
from beffroi.model.instant import HOUR_US, Clock, format_instant, parse_duration, system_clock
from beffroi.model.problem import Problem, Unavailable
from beffroi.model.result import Result, decode_json
from beffroi.model.text import Text
from beffroi.standards import vigicrues
from beffroi.standards.reading import Reading, Reject, Series, Station

__all__ = ["poll"]


def poll(source: Source, cursor: dict[str, Any], clock: Clock = system_clock) -> Iterator[Batch]:
    """Yield colours, then what each station has since its place. Raises `Problem` once the rest has been read."""
    root = source.url.rstrip("/")
    place: dict[str, Any] = {
        "colour": dict(cursor.get("colour") or {}),
        "newest_us": dict(cursor.get("newest_us") or {}),
    }
    failures: list[Problem] = []
    for part in _parts(root, source, place, clock):
        try:
            for batch in part:
                batch.cursor = {name: dict(values) for name, values in place.items()}
                yield batch
        except Problem as problem:
            failures.append(problem)
    if failures:
        raise failures[0]


def _codes(source: Source, option: str, default: str = "") -> list[str]:
    return [code.strip() for code in source.options.get(option, default).split(",") if code.strip()]


def _parts(root: str, source: Source, place: dict[str, Any], clock: Clock) -> Iterator[Iterator[Batch]]:
    wanted = _codes(source, "sections")
    stations = _codes(source, "stations")
    if not wanted and not stations:
        raise Problem(
            Text("Il faut dire quels tronçons ou quelles stations lire.", "Say which sections or stations to read."),
            Text('Ajoutez sections = "LA1" ou stations = "F700000103".', 'Add sections = "LA1" or stations = "F700000103".'),
            place=f"connectors/{source.name}",
        )  # fmt: skip
    if wanted:
        yield _colours(root, set(wanted), place["colour"], clock())
    for code in stations:
        yield _of_station(root, source, code, place["newest_us"])


def _colours(root: str, wanted: set[str], known: dict[str, list[int]], now: int) -> Iterator[Batch]:
    readings = []
    for section in vigicrues.sections(_asked(f"{root}/InfoVigiCru.geojson", {})):
        level, at = known.get(section.code, (0, 0))
        if section.code not in wanted or (section.level == level and now - at < HOUR_US):
            continue
        known[section.code] = [section.level, now]
        properties = (("code_troncon", section.code), ("url", f"{root}/InfoVigiCru.geojson"),
                      ("attribution", vigicrues.ATTRIBUTION), ("licence", vigicrues.LICENCE))  # fmt: skip
        station = Station(
            f"vigicrues/section/{section.code}", section.name, "Tronçon de vigilance", properties=properties
        )
        series = Series(f"vigicrues/section/{section.code}/colour", "flood_vigilance", station, unit="1")
        key = f"vigicrues\x1fcolour\x1f{section.code}\x1f{now}".encode()
        readings.append(
            Reading(
                series, now, Result(float(section.level), 0), time_text=format_instant(now), source_key=key
            )
        )
    yield Batch(readings)


def _of_station(root: str, source: Source, code: str, newest: dict[str, int]) -> Iterator[Batch]:
    overlap = parse_duration(source.options.get("overlap", "PT3H"))
    station = vigicrues.station_of(
        code, _asked(f"{root}/station.json/index.php", {"CdStationHydro": code}), root
    )
    for grandeur in _codes(source, "quantities", "H,Q"):
        if grandeur not in ("H", "Q"):
            continue
        mark = f"{code}/{grandeur}"
        query = {"CdStationHydro": code, "GrdSerie": grandeur, "FormatDate": "iso"}
        told = _asked(f"{root}/observations.json/index.php", query)
        rows = vigicrues.observations(told, station, code, grandeur, newest.get(mark, overlap) - overlap)
        readings = [row for row in rows if isinstance(row, Reading)]
        if readings:
            newest[mark] = max(newest.get(mark, 0), *(r.start_us for r in readings))
        yield Batch(readings, [row for row in rows if isinstance(row, Reject)], revises=True)
        query = {"CdStationHydro": code, "GrdSimul": grandeur, "FormatDate": "iso"}
        yield Batch(
            vigicrues.forecast(_asked(f"{root}/previsions.json/index.php", query), station, code, grandeur),
            revises=True,
        )


def _asked(url: str, query: dict[str, str]) -> Any:
    with fetch(f"{url}?{urllib.parse.urlencode(query)}" if query else url) as body:
        try:
            return decode_json(body.read())
        except (ValueError, RecursionError) as error:
            raise Unavailable(
                Text("La réponse n'est pas du JSON.", "The answer is not JSON."),
                Text("L'adresse finit par /services.", "The address ends in /services."), url,
            ) from error  # fmt: skip
