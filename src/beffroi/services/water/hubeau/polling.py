"""Poll Hub'Eau hydrométrie v2 (`kind = "hubeau"`): levels and flows of the town's stations, late values included.

`url`: `https://hubeau.eaufrance.fr/api/v2/hydrometrie`. Options: `stations` (codes of ten characters, or of eight for a
site, apart by commas) or `communes` (INSEE codes); `depth` (default P30D: all that Hub'Eau keeps), `overlap` (default
PT3H: late and corrected values are read again and replace what they correct), `elaborated` (such as QmnJ,HIXnJ).

Each station keeps its own place: one that was silent for a day and then sends all at once loses nothing. A gauge whose
published zero changes says so in a series of its own (`hubeau/CODE/zero`): levels before and after are not comparable.
"""

import itertools
import urllib.parse
from collections.abc import Iterator
from typing import Any

from beffroi.connectors.fetch import fetch, same_host
from beffroi.connectors.source import Batch, Source
from beffroi.model.instant import Clock, format_instant, parse_duration, system_clock
from beffroi.model.problem import Problem, Unavailable
from beffroi.model.result import decode_json, number_of
from beffroi.model.text import Text
from beffroi.standards import hubeau
from beffroi.standards.reading import Reading, Reject, Row, Series, Station

__all__ = ["poll"]

SIZE = 5_000  # of the 20,000 that the API takes: an answer that breaks costs less to ask again
_MOST_PAGES = 10_000
_MOST_FAILURES = 2  # stations that fail before the source is taken to be down
_DEPTH_ELABORATED = "P400D"


def poll(source: Source, cursor: dict[str, Any], clock: Clock = system_clock) -> Iterator[Batch]:
    """Yield what each station has since its place. Raises `Problem` once the others have been read."""
    root = source.url.rstrip("/")
    place: dict[str, int] = dict(cursor.get("newest_us") or {})
    zeros: dict[str, list[Any]] = dict(cursor.get("zero") or {})
    failures: list[Problem] = []
    for code, station in _stations(root, source).items():
        try:
            moved = _zero(code, station, zeros, clock())
            for batch in itertools.chain(moved, _of_station(root, source, code, station, place, clock())):
                batch.cursor = {"newest_us": dict(place), "zero": dict(zeros)}
                yield batch
        except Problem as problem:
            failures.append(problem)
            if len(failures) == _MOST_FAILURES:
                break
    if failures:
        raise failures[0]


def _zero(code: str, station: Station, known: dict[str, list[Any]], now: int) -> Iterator[Batch]:
    """Yield the altitude of a gauge's zero before and after it changed, if it did; `known`: what and when it was last."""
    told = dict(station.properties).get("zero_m")
    if not told:
        return
    before, known[code] = known.get(code), [told, now]
    if before is None or before[0] == told:
        return
    series = Series(f"hubeau/{code}/zero", "gauge_zero", station, unit="m")
    yield Batch([
        Reading(series, at, number_of(value), time_text=format_instant(at), source_key=f"hubeau\x1fzero\x1f{code}\x1f{at}".encode())
        for value, at in ((str(before[0]), int(before[1])), (told, now))
    ])  # fmt: skip


def _codes(source: Source, option: str) -> list[str]:
    return [code.strip() for code in source.options.get(option, "").split(",") if code.strip()]


def _stations(root: str, source: Source) -> dict[str, Station]:
    """Return the stations to read by code, with what the référentiel says of them."""
    codes, communes = _codes(source, "stations"), _codes(source, "communes")
    if not codes and not communes:
        raise Problem(
            Text("Il faut dire quelles stations lire.", "Say which stations to read."),
            Text('Ajoutez stations = "F700000103" ou communes = "75056".', 'Add stations = "F700000103" or communes = "75056".'),
            place=f"connectors/{source.name}",
        )  # fmt: skip
    found: dict[str, Station] = {}
    asked = [("code_station", [c for c in codes if len(c) > 8]), ("code_commune_station", communes)]
    for name, values in asked:
        if values:
            query = {name: ",".join(values), "size": "1000"}
            for told in _pages(f"{root}/referentiel/stations", query):
                for entry in told:
                    station = hubeau.station_of(entry if isinstance(entry, dict) else {}, root)
                    found[station.key.removeprefix("hubeau/")] = station
    unknown = (("attribution", hubeau.ATTRIBUTION), ("licence", hubeau.LICENCE))
    return {
        code: found.get(code) or Station(f"hubeau/{code}", code, properties=unknown)
        for code in [*codes, *found]
    }


def _of_station(
    root: str, source: Source, code: str, station: Station, place: dict[str, int], now: int
) -> Iterator[Batch]:
    """Yield the new observations of one station, the oldest first: a poll that ends half-way goes on from there."""
    overlap = parse_duration(source.options.get("overlap", "PT3H"))
    oldest = now - parse_duration(source.options.get("depth", "P30D"))
    since = max(oldest, place[code] - overlap) if code in place else oldest
    query = {"code_entite": code, "sort": "asc", "size": str(SIZE), "date_debut_obs": format_instant(since)}
    for rows in _pages(f"{root}/observations_tr", query):
        yield _batch(hubeau.observations(rows, station, code), code, place)
    for name in _codes(source, "elaborated"):
        mark = f"{code}/{name}"
        depth = place[mark] - 10 * overlap if mark in place else now - parse_duration(source.options.get("depth_elaborated", _DEPTH_ELABORATED))  # fmt: skip
        query = {
            "code_entite": code, "grandeur_hydro_elab": name, "size": str(SIZE),
            "date_debut_obs_elab": format_instant(depth)[:10],
        }  # fmt: skip
        for rows in _pages(f"{root}/obs_elab", query):
            yield _batch(hubeau.elaborated(rows, station, code), mark, place)


def _batch(rows: list[Row], mark: str, place: dict[str, int]) -> Batch:
    readings = [row for row in rows if isinstance(row, Reading)]
    for reading in readings:
        place[mark] = max(place.get(mark, reading.start_us), reading.start_us)
    return Batch(readings, [row for row in rows if isinstance(row, Reject)], revises=True)


def _pages(url: str, query: dict[str, str]) -> Iterator[list[Any]]:
    """Yield the `data` of each page. 206 is Hub'Eau's way to say that another one follows."""
    following: str | None = f"{url}?{urllib.parse.urlencode(query)}"
    seen: set[str] = set()
    while following is not None:
        if following in seen or len(seen) == _MOST_PAGES:
            raise _strange(url, "Les pages tournent en rond.", "The pages go round in circles.")
        seen.add(following)
        with fetch(following, statuses=(200, 206)) as body:
            try:
                page = decode_json(body.read())
            except (ValueError, RecursionError) as error:
                raise _strange(url, "La réponse n'est pas du JSON.", "The answer is not JSON.") from error
        rows = page.get("data") if isinstance(page, dict) else None
        if not isinstance(rows, list):
            raise _strange(url, "La réponse n'est pas celle de Hub'Eau.", "The answer is not Hub'Eau's.")
        yield rows
        link = page.get("next")
        following = same_host(link, following) if isinstance(link, str) and link else None


def _strange(url: str, fr: str, en: str) -> Unavailable:
    mend = Text("L'adresse finit par /api/v2/hydrometrie ; la version 1 est fermée.",
                "The address ends in /api/v2/hydrometrie; version 1 is closed.")  # fmt: skip
    return Unavailable(Text(fr, en), mend, url)
