"""Hub'Eau hydrométrie v2: stations, `observations_tr` and `obs_elab`, read and written.

Source: https://hubeau.eaufrance.fr/page/api-hydrometrie. Heights are millimetres above the gauge's zero (a negative one
is normal), flows litres per second; here they are metres and m³/s. Times are UTC. A site's own flow has no station code:
it repeats what the site's station says.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec

from beffroi.model.instant import DAY_US, from_datetime, parse_instant, to_datetime
from beffroi.model.observation import Quality
from beffroi.model.problem import Problem
from beffroi.model.result import Numeral, Result, number_of
from beffroi.model.text import Text
from beffroi.standards.reading import Reading, Row, Series, Station, reject_of

__all__ = [
    "ATTRIBUTION",
    "ELABORATED",
    "VERSION",
    "elaborated",
    "observations",
    "station_of",
    "thousandfold",
    "thousandth",
]

VERSION = "2.0.1"
ATTRIBUTION = "Source : Hub'Eau (eaufrance), Plate-forme HYDRO Centrale"
LICENCE = "Licence Ouverte 2.0"
_CODES = {"H": "river_level", "Q": "discharge"}
_UNITS = {"H": "m", "Q": "m3/s"}
# Elaborated quantities: the kind of datastream, the unit, and whether each is of a day (else of a month).
ELABORATED: dict[str, tuple[str, str, bool]] = {
    "QmnJ": ("discharge_daily_mean", "m3/s", True), "QmM": ("discharge_monthly_mean", "m3/s", False),
    "HIXnJ": ("level_daily_max", "m", True), "HIXM": ("level_monthly_max", "m", False),
    "QIXnJ": ("discharge_daily_max", "m3/s", True), "QIXM": ("discharge_monthly_max", "m3/s", False),
    "QINnJ": ("discharge_daily_min", "m3/s", True), "QINM": ("discharge_monthly_min", "m3/s", False),
}  # fmt: skip
# code_qualification_obs (SANDRE nomenclature 515) and code_methode_obs (512)
_QUALITIES = {20: Quality.GOOD, 16: Quality.UNCHECKED, 12: Quality.SUSPECT}
_ESTIMATING = (4, 12)  # reconstituted, interpolated
_DOUBTFUL = Text("La valeur n'est pas un nombre.", "The value is not a number.")


def station_of(told: Mapping[str, Any], root: str) -> Station:
    """Return the station that one entry of `referentiel/stations` describes. Raises `Problem` without a code."""
    code = _text(told, "code_station")
    if not code:
        raise Problem(
            Text("Cette station n'a pas de code.", "This station has no code."), place="code_station"
        )
    zero, system = told.get("altitude_ref_alti_station"), told.get("code_systeme_alti_site")
    properties = [
        ("code_station", code), ("code_site", _text(told, "code_site")), ("cours_eau", _text(told, "libelle_cours_eau")),
        ("commune", _text(told, "libelle_commune")), ("code_commune", _text(told, "code_commune_station")),
        ("zero_m", f"{zero / 1000:.3f}" if isinstance(zero, int | float) and not isinstance(zero, bool) else ""),
        ("systeme_alti", "" if system is None else str(system)), ("url", f"{root}/referentiel/stations?code_station={code}"),
        ("attribution", ATTRIBUTION), ("licence", LICENCE),
    ]  # fmt: skip
    return Station(
        f"hubeau/{code}", _text(told, "libelle_station") or code, _text(told, "libelle_site"),
        _degrees(told, "longitude_station", 180), _degrees(told, "latitude_station", 90),
        tuple((name, value) for name, value in properties if value),
    )  # fmt: skip


def _text(told: Mapping[str, Any], name: str) -> str:
    value = told.get(name)
    return value.strip() if isinstance(value, str) else ""


def _degrees(told: Mapping[str, Any], name: str, most: float) -> float | None:
    value = told.get(name)
    fits = isinstance(value, int | float) and not isinstance(value, bool) and -most <= value <= most
    return float(value) if fits else None  # type: ignore[arg-type]


def thousandth(value: Any) -> Result:
    """Return a thousandth of a JSON number, exact: 1234 mm is 1.234 m. Raises `Problem`."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise Problem(_DOUBTFUL)
    try:
        told = Decimal(value.text if isinstance(value, Numeral) else str(value))
    except InvalidOperation as error:
        raise Problem(_DOUBTFUL) from error
    if not told.is_finite() or abs(told) > Decimal(10) ** 12:
        raise Problem(_DOUBTFUL)
    exponent = told.as_tuple().exponent
    digits = 3 if told == told.to_integral_value() else 3 + max(0, -int(exponent))
    return number_of(f"{told / 1000:.{min(digits, 12)}f}")


def thousandfold(value: float) -> float:
    """Return a thousand times a value without the noise of binary fractions: 1.234 m is 1234.0 mm."""
    return float(Decimal(repr(value)) * 1000)


def observations(rows: Iterable[Any], station: Station, entity: str, first: int = 1) -> list[Row]:
    """Return the readings of rows of `observations_tr` that are of `entity` (a station's code, or a site's).

    What Hub'Eau also sends of the site (no station code) is left out of a station's: it is the same flow again.
    """
    found: list[Row] = []
    for line, told in enumerate(rows, first):
        try:
            reading = _observation(told, station, entity, line)
        except Problem as problem:
            found.append(reject_of(line, problem.place or "resultat_obs", problem))
            continue
        if reading is not None:
            found.append(reading)
    return found


def _owner(told: Any) -> str:
    if not isinstance(told, dict):
        raise Problem(Text("Ce n'est pas une observation.", "This is no observation."), place="data")
    return _text(told, "code_station") or _text(told, "code_site")


def _observation(told: Any, station: Station, entity: str, line: int) -> Reading | None:
    if _owner(told) != entity:
        return None
    grandeur = _text(told, "grandeur_hydro")
    if grandeur not in _CODES:
        raise Problem(
            Text("Cette grandeur n'est ni H ni Q.", "This quantity is neither H nor Q."),
            place="grandeur_hydro",
        )
    written = _text(told, "date_obs")
    start = parse_instant(written)
    result = thousandth(told.get("resultat_obs"))
    series = Series(f"hubeau/{entity}/{grandeur}", _CODES[grandeur], station, unit=_UNITS[grandeur])
    return Reading(
        series, start, result, time_text=written, line=line, quality=int(_quality(told, result, grandeur)),
        extra=_extra(told, ("code_statut", "code_methode_obs", "code_qualification_obs", "code_systeme_alti_serie")),
        source_key=f"hubeau\x1f{entity}\x1f{grandeur}\x1f{start}".encode(),
    )  # fmt: skip


def _quality(told: Mapping[str, Any], result: Result, grandeur: str) -> Quality:
    """Return what the source's codes mean; a code that is not known is "not checked", never an error."""
    if grandeur == "Q" and result.value is not None and result.value < 0:
        return Quality.SUSPECT
    found = _QUALITIES.get(_code(told, "code_qualification_obs"), Quality.UNCHECKED)
    if found != Quality.SUSPECT and _code(told, "code_methode_obs") in _ESTIMATING:
        return Quality.ESTIMATED
    return found


def _code(told: Mapping[str, Any], name: str) -> int:
    value = told.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) else -1


def _extra(told: Mapping[str, Any], names: Iterable[str]) -> str | None:
    kept = {name: told[name] for name in names if isinstance(told.get(name), int | str)}
    return msgspec.json.encode({"parameters": kept}).decode() if kept else None


def elaborated(rows: Iterable[Any], station: Station, entity: str, first: int = 1) -> list[Row]:
    """Return the readings of rows of `obs_elab` that are of `entity`: each is of a day or of a month, UTC."""
    found: list[Row] = []
    for line, told in enumerate(rows, first):
        try:
            reading = _elaborated(told, station, entity, line)
        except Problem as problem:
            found.append(reject_of(line, problem.place or "resultat_obs_elab", problem))
            continue
        if reading is not None:
            found.append(reading)
    return found


def _elaborated(told: Any, station: Station, entity: str, line: int) -> Reading | None:
    if _owner(told) != entity:
        return None
    written = _text(told, "grandeur_hydro_elab")
    name = "QIXM" if written == "QixM" else written  # the specification spells it both ways
    if name not in ELABORATED:
        raise Problem(Text("Cette grandeur élaborée n'est pas connue.", "This elaborated quantity is not known."), place="grandeur_hydro_elab")  # fmt: skip
    kind, unit, daily = ELABORATED[name]
    start = parse_instant(_text(told, "date_obs_elab"))
    quality = _QUALITIES.get(_code(told, "code_qualification"), Quality.UNCHECKED)
    return Reading(
        Series(f"hubeau/{entity}/{name}", kind, station, unit=unit), start, thousandth(told.get("resultat_obs_elab")),
        end_us=start + DAY_US if daily else _month_end(start), time_text=_text(told, "date_obs_elab"), line=line,
        quality=int(quality), extra=_extra(told, ("code_statut", "code_methode", "code_qualification")),
        source_key=f"hubeau\x1f{entity}\x1f{name}\x1f{start}".encode(),
    )  # fmt: skip


def _month_end(start_us: int) -> int:
    moment = to_datetime(start_us)
    later = moment.replace(day=1) + timedelta(days=32)
    return from_datetime(datetime(later.year, later.month, 1, tzinfo=UTC))
