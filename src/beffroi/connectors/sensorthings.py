"""Poll another SensorThings server (`kind = "sensorthings"`): its Datastreams become ours, digits kept.

`url`: the service root, such as `https://town.example/FROST-Server/v1.1`. Options: `filter` (a `$filter` on
Datastreams), `overlap` (default P1D, for observations that arrive late). An observation folds on its remote id.
"""

import urllib.parse
from collections.abc import Iterator
from typing import Any

from beffroi.connectors.fetch import fetch, same_host
from beffroi.connectors.source import Batch, Source
from beffroi.model.instant import format_instant, parse_duration, parse_interval
from beffroi.model.problem import Problem, Unavailable
from beffroi.model.result import decode_json, result_of
from beffroi.model.text import Text
from beffroi.standards.reading import Reading, Series, Station, reject_of

__all__ = ["poll"]

_TOP = 1_000
_MOST_PAGES = 100_000
_EXPAND = "Thing($expand=Locations),ObservedProperty,Sensor"


def poll(source: Source, cursor: dict[str, Any]) -> Iterator[Batch]:
    """Yield what each remote Datastream has since `cursor`. Raises `Problem`."""
    root = source.url.rstrip("/")
    position: dict[str, int] = dict(cursor.get("newest_us") or {})
    query = {"$expand": _EXPAND, "$orderby": "id asc", "$top": "100"}
    if "filter" in source.options:
        query["$filter"] = source.options["filter"]
    for remote in _pages(f"{root}/Datastreams", query):
        number = str(_field(remote, "@iot.id", int | str))
        series = _series(root, number, remote, source)
        for batch in _observations(source, root, number, series, position):
            batch.cursor = {"newest_us": dict(position)}
            yield batch


def _observations(
    source: Source, root: str, number: str, series: Series, position: dict[str, int]
) -> Iterator[Batch]:
    query = {"$orderby": "phenomenonTime asc,id asc", "$top": str(_TOP)}
    if number in position:
        since = position[number] - parse_duration(source.options.get("overlap", "P1D"))
        query["$filter"] = f"phenomenonTime ge {format_instant(since)}"
    quoted = number if number.isdigit() else "'" + number.replace("'", "''") + "'"
    batch = Batch([], [])
    for place, remote in enumerate(_pages(f"{root}/Datastreams({quoted})/Observations", query), 1):
        try:
            reading = _reading(root, series, remote)
        except Problem as problem:
            batch.rejects.append(reject_of(place, "Observation", problem))
            continue
        batch.readings.append(reading)
        position[number] = max(position.get(number, reading.start_us), reading.start_us)
        if len(batch.readings) == _TOP:
            yield batch
            batch = Batch([], [])
    yield batch


def _pages(url: str, query: dict[str, str]) -> Iterator[dict[str, Any]]:
    following: str | None = f"{url}?{urllib.parse.urlencode(query)}"
    for _ in range(_MOST_PAGES):
        if following is None:
            return
        with fetch(following) as body:
            try:
                page = decode_json(body.read())
            except (ValueError, RecursionError) as error:
                raise _strange(url) from error
        values = page.get("value") if isinstance(page, dict) else None
        if not isinstance(values, list):
            raise _strange(url)
        for value in values:
            if not isinstance(value, dict):
                raise _strange(url)
            yield value
        link = page.get("@iot.nextLink")
        following = same_host(link, following) if isinstance(link, str) and link else None


def _strange(url: str) -> Unavailable:
    return Unavailable(
        Text("La réponse n'est pas celle d'un serveur SensorThings.", "The answer is not a SensorThings server's."),
        Text("L'adresse est la racine du service, qui finit par /v1.1.", "The address is the service root, ending in /v1.1."),
        url,
    )  # fmt: skip


def _field(value: dict[str, Any], name: str, kind: Any) -> Any:
    found = value.get(name)
    if isinstance(found, bool) or not isinstance(found, kind):
        raise _strange(name)
    return found


def _inner(value: dict[str, Any], name: str) -> dict[str, Any]:
    found = value.get(name)
    return found if isinstance(found, dict) else {}


def _series(root: str, number: str, remote: dict[str, Any], source: Source) -> Series:
    thing, unit = _inner(remote, "Thing"), _inner(remote, "unitOfMeasurement")
    longitude, latitude = _place(thing)
    station = Station(
        f"sta/{root}/{thing.get('@iot.id')}", str(thing.get("name") or "?"), str(thing.get("description") or ""),
        longitude, latitude, (("source", source.name), ("url", f"{root}/Things({thing.get('@iot.id')})")),
    )  # fmt: skip
    return Series(
        f"sta/{root}/Datastreams({number})", str(_inner(remote, "ObservedProperty").get("name") or "?"), station,
        unit=str(unit.get("symbol") or unit.get("name") or ""), method=str(_inner(remote, "Sensor").get("name") or ""),
    )  # fmt: skip


def _place(thing: dict[str, Any]) -> tuple[float | None, float | None]:
    locations = thing.get("Locations")
    first = (
        locations[0] if isinstance(locations, list) and locations and isinstance(locations[0], dict) else {}
    )
    geometry = _inner(first, "location")
    geometry = _inner(geometry, "geometry") or geometry
    pair = geometry.get("coordinates")
    if geometry.get("type") == "Point" and isinstance(pair, list) and len(pair) >= 2:
        x, y = pair[0], pair[1]
        if isinstance(x, int | float) and isinstance(y, int | float) and abs(x) <= 180 and abs(y) <= 90:
            return float(x), float(y)
    return None, None


def _reading(root: str, series: Series, remote: dict[str, Any]) -> Reading:
    number, written = remote.get("@iot.id"), str(remote.get("phenomenonTime") or "")
    start, end = parse_interval(written)
    try:
        result = result_of(remote.get("result"))
    except (ValueError, OverflowError) as error:
        raise Problem(Text("Le résultat n'est pas lisible.", "The result cannot be read.")) from error
    key = f"{root}\x1f{number}".encode("utf-8", "surrogatepass")
    return Reading(series, start, result, end_us=end, time_text=written, source_key=key)
