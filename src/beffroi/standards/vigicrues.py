"""Vigicrues services (v1, v1.1): colours of river sections, observations and forecasts of stations, read.

Source: https://www.vigicrues.gouv.fr/services. Heights are metres, flows m³/s. Times come as ISO 8601 or as milliseconds
since 1970; observations as pairs or as objects; errors with the status 200. Name and logo are registered: what is shown says
"Source : © VIGICRUES" and bears no logo. Thresholds of stations are not published: they are the town's own.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from beffroi.model.instant import format_instant, parse_instant
from beffroi.model.problem import Problem, Unavailable
from beffroi.model.result import Result, result_of
from beffroi.model.text import Text
from beffroi.standards.reading import Reading, Row, Series, Station, reject_of

__all__ = ["ATTRIBUTION", "COLOURS", "Section", "forecast", "observations", "sections", "station_of"]

ATTRIBUTION = "Source : © VIGICRUES"
LICENCE = "Licence Ouverte 2.0"
COLOURS = ("vert", "jaune", "orange", "rouge")  # NivInfViCr 1 … 4
_CODES = {"H": "river_level", "Q": "discharge"}
_UNITS = {"H": "m", "Q": "m3/s"}
_QUANTILES = (("ResMinPrev", "low"), ("ResMoyPrev", "mid"), ("ResMaxPrev", "high"))
_STRANGE = Text("La réponse n'est pas celle de Vigicrues.", "The answer is not Vigicrues's.")


class Section(msgspec.Struct, frozen=True):
    """The colour of one section of river (« tronçon »): `level` is 1 (vert) to 4 (rouge)."""

    code: str
    name: str
    level: int


def sections(told: Any) -> list[Section]:
    """Return the sections of `InfoVigiCru.geojson`; one without a known colour is left out. Raises `Unavailable`."""
    features = told.get("features") if isinstance(told, dict) else None
    if not isinstance(features, list):
        raise _refused(told)
    found = []
    for feature in features:
        said = feature.get("properties") if isinstance(feature, dict) else None
        said = said if isinstance(said, dict) else {}
        code = str(said.get("CdEntCru") or said.get("CdEntVigiCru") or "")
        level = str(said.get("NivInfViCr", ""))  # a number, in some editions a text
        if code and level in ("1", "2", "3", "4"):
            name = said.get("lbentcru") or said.get("LbEntCru") or said.get("LbEntVigiCru") or code
            found.append(Section(code, str(name), int(level)))
    return found


def _refused(told: Any) -> Unavailable:
    """Return the problem of an answer that is an error said with the status 200, or something else altogether."""
    said = ""
    if isinstance(told, dict):
        said = next(
            (str(v) for k, v in told.items() if k.lower() in ("error", "error_msg", "message", "erreur")), ""
        )
    said = said[:200].replace("{", "(").replace("}", ")")
    reason = Text(f"Vigicrues répond : {said}", f"Vigicrues answers: {said}") if said else _STRANGE
    mend = Text("L'adresse finit par /services.", "The address ends in /services.")
    return Unavailable(reason, mend)


def station_of(code: str, told: Any, root: str) -> Station:
    """Return the station that `station.json` describes, or what is known of it without an answer."""
    told = told if isinstance(told, dict) else {}
    properties = [
        ("code_station", code), ("cours_eau", str(told.get("LbCoursEau") or "")), ("code_commune", str(told.get("CdCommune") or "")),
        ("url", f"{root}/station.json/index.php?CdStationHydro={code}"), ("attribution", ATTRIBUTION), ("licence", LICENCE),
    ]  # fmt: skip
    kept = tuple((name, value) for name, value in properties if value)
    return Station(f"vigicrues/{code}", str(told.get("LbStationHydro") or code), properties=kept)


def _instant(written: Any) -> int:
    """Return an instant written as ISO 8601 or as milliseconds. Raises `Problem`."""
    if isinstance(written, int | float) and not isinstance(written, bool):
        return round(written * 1000)
    return parse_instant(str(written))


def _number(value: Any) -> Result:
    if isinstance(value, str):
        value = float(value.replace(",", "."))
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(value)
    return result_of(value)


def observations(told: Any, station: Station, code: str, grandeur: str, after_us: int) -> list[Row]:
    """Return the readings of `observations.json` that are not before `after_us`. Raises `Unavailable`."""
    serie = told.get("Serie") if isinstance(told, dict) else None
    values = serie.get("ObssHydro") if isinstance(serie, dict) else None
    if not isinstance(values, list):
        raise _refused(told)
    series = Series(f"vigicrues/{code}/{grandeur}", _CODES[grandeur], station, unit=_UNITS[grandeur])
    rows: list[Row] = []
    for line, one in enumerate(values, 1):
        pair = (one.get("DtObsHydro"), one.get("ResObsHydro")) if isinstance(one, dict) else one
        try:
            written, value = pair
            at = _instant(written)
            if at >= after_us:
                key = f"vigicrues\x1f{code}\x1f{grandeur}\x1f{at}".encode()
                rows.append(
                    Reading(series, at, _number(value), time_text=str(written), line=line, source_key=key)
                )
        except Problem as problem:
            rows.append(reject_of(line, "DtObsHydro", problem))
        except (TypeError, ValueError):
            wrong = Problem(Text("La valeur n'est pas un nombre.", "The value is not a number."))
            rows.append(reject_of(line, "ResObsHydro", wrong))
    return rows


def forecast(told: Any, station: Station, code: str, grandeur: str) -> list[Reading]:
    """Return three readings of one forecast: the highest value expected, low, middle and high (P10, P50, P90), at the time of
    issue; the whole forecast is in `parameters.forecast` as [time, low, middle, high]. None out of an event.
    """
    simul = told.get("Simul") if isinstance(told, dict) else None
    points = simul.get("Prevs") if isinstance(simul, dict) else None
    if not isinstance(simul, dict) or not isinstance(points, list) or not points:
        return []  # no event: an error with the status 200, or nothing
    course = list(_course(points))
    if not course:
        return []
    issued = _instant(simul.get("DtProdSimul"))
    kind = {"H": "level_forecast", "Q": "discharge_forecast"}[grandeur]
    readings = []
    for place, (_, suffix) in enumerate(_QUANTILES, 1):
        known = [float(value) for row in course if (value := row[place]) is not None]
        if not known:
            continue
        told_course = [[format_instant(row[0]), *row[1:]] for row in course]
        extra = {"parameters": {"forecast": told_course, "quantile": {1: 10, 2: 50, 3: 90}[place]}}
        series = Series(f"vigicrues/{code}/{grandeur}/{suffix}", f"{kind}_{suffix}", station, unit=_UNITS[grandeur], method="Prévision Vigicrues")  # fmt: skip
        readings.append(Reading(
            series, issued, result_of(max(known)), time_text=str(simul.get("DtProdSimul")), extra=msgspec.json.encode(extra).decode(),
            source_key=f"vigicrues\x1f{code}\x1f{grandeur}\x1f{suffix}\x1f{issued}".encode(),
        ))  # fmt: skip
    return readings


def _course(points: Iterable[Any]) -> Iterable[tuple[int, float | None, float | None, float | None]]:
    for point in points:
        if not isinstance(point, Mapping):
            continue
        try:
            at = _instant(point.get("DtPrev"))
        except Problem:
            continue
        low, mid, high = (_known(point.get(name)) for name, _ in _QUANTILES)
        yield at, low, mid, high


def _known(value: Any) -> float | None:
    fits = isinstance(value, int | float) and not isinstance(value, bool) and value - value == 0
    return float(value) if fits else None
