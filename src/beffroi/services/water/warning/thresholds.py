"""From thresholds to rules: each station has one rule for each quantity, and one that rings when it falls silent.

The rules are the platform's, kept beside those that people write; `origin` says which station they are of
(`water/ID/what`). They are made again whenever a station or a threshold changes.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from beffroi.model.principal import SYSTEM
from beffroi.model.problem import Problem
from beffroi.model.text import LANGUAGES, Text
from beffroi.rules import rulebook
from beffroi.services.water.own_series import known_series
from beffroi.services.water.warning.wording import MESSAGE, NO_DATA, QUANTITIES, RISING, SILENT, TOO_MUCH_RAIN
from beffroi.standards.yaml_text import write_yaml
from beffroi.store.record import Query, Row
from beffroi.town import Town

__all__ = ["ORIGIN", "SILENCE", "Watched", "apply", "apply_all", "forecast_key", "rules_of", "watched_of"]

ORIGIN = "water/"
SILENCE = "silence"
COLOURS = ("jaune", "orange", "rouge")
_CONDITIONS = {
    "level": "above", "flow": "above", "rise": "rises", "rain": "totals", "upstream": "above", "forecast": "above",
    "forecast_flow": "above",
}  # fmt: skip
_VALUE = Text("{value} {unit}", "{value} {unit}")  # the places of a rule's message
_SAID = {"rain": TOO_MUCH_RAIN, "rise": RISING.filled(said="{value} {unit}")}
_WITHIN_MIN = {"rise": 60, "rain": 180}
QUIET_PERIODS = 2


class Watched(msgspec.Struct, frozen=True):
    """The number of the series that tells each quantity of a station; absent when none does."""

    series: Mapping[str, int]

    def of(self, quantity: str) -> int | None:
        """Return the series that tells a quantity."""
        return self.series.get(quantity)


def forecast_key(quantity: str, share: str) -> str:
    """Return the key, within a station, of the town's own forecasts of a `level` or `discharge`: `low`, `mid`, `high`."""
    return f"forecast/{quantity}-{share}"


def watched_of(station: Row, upstream: Row | None, own: Mapping[str, int | None] = {}) -> Watched:
    """Return the series of a station; `upstream` is the station it names as such, `own` the town's forecasts of it."""
    v = station.values
    found = {
        "level": v["level"], "flow": v["flow"], "rise": v["level"], "rain": v["rain"],
        "forecast": v["forecast"] if v["forecast"] is not None else own.get("level"), "forecast_flow": own.get("discharge"),
        "upstream": None if upstream is None else upstream.values["level"],
    }  # fmt: skip
    return Watched({name: number for name, number in found.items() if number is not None})


def rules_of(station: Row, thresholds: Iterable[Row], watched: Watched) -> dict[str, str]:
    """Return the YAML of the rules of a station by their origin. A quantity that no series tells has none."""
    groups: dict[tuple[str, int, float, int], dict[str, float]] = {}
    for row in thresholds:
        v = row.values
        within = (v["within_min"] or _WITHIN_MIN[v["quantity"]]) if v["quantity"] in _WITHIN_MIN else 0
        key = (v["quantity"], within, v["hysteresis"], v["hold_min"])
        groups.setdefault(key, {})[v["colour"]] = v["value"]
    rules: dict[str, str] = {}
    for (quantity, within, hysteresis, hold), levels in sorted(groups.items()):
        number = watched.of(quantity)
        if number is None:
            continue
        when: dict[str, Any] = {_CONDITIONS[quantity]: {c: levels[c] for c in COLOURS if c in levels}}
        when |= {"within": f"{within} min"} if within else {}
        when |= {"hysteresis": hysteresis} if hysteresis else {}
        when |= {"for": f"{hold} min"} if hold else {}
        part = (
            quantity
            if f"{ORIGIN}{station.id}/{quantity}" not in rules
            else f"{quantity}-{within}-{hysteresis:g}-{hold}"
        )
        rules[f"{ORIGIN}{station.id}/{part}"] = _yaml(
            station, QUANTITIES[quantity], number, when, _SAID.get(quantity, _VALUE)
        )
    level = watched.of("level") or watched.of("flow")
    if level is not None:
        quiet = QUIET_PERIODS * station.values["period_min"]
        when = {"silent": {"orange": f"{quiet} min", "rouge": f"{max(6 * quiet, 360)} min"}}
        rules[f"{ORIGIN}{station.id}/{SILENCE}"] = _yaml(station, SILENT, level, when, NO_DATA)
    return rules


def _yaml(station: Row, what: Text, number: int, when: dict[str, Any], said: Text) -> str:
    place = station.values["name"]
    message = (MESSAGE.of(one, place=place, what=what.of(one), said=said.of(one)) for one in LANGUAGES)
    rule = {
        "name": f"{place} : {what.fr}", "name_en": f"{place}: {what.en}", "watch": {"datastream": number}, "when": when,
        **dict(zip(("message", "message_en"), message, strict=True)),
    }  # fmt: skip
    return write_yaml(rule)


def apply(town: Town, station: Row) -> list[Problem]:
    """Bring the rules of a station to what its thresholds say; return what could not be (a series that is gone)."""
    records = town.store.records
    rows = list(records.all("river_threshold", Query(where={"station": station.id})))
    number = station.values["upstream"]
    upstream = records.find("river_station", Query(where={"_id": number}, limit=1)).rows if number else []
    own = {q: known_series(town, station, forecast_key(q, "high")) for q in ("level", "discharge")}
    watched = watched_of(station, upstream[0] if upstream else None, own)
    wanted = {} if station.deleted_us else rules_of(station, rows, watched)
    prefix = f"{ORIGIN}{station.id}/"
    held = {
        r.values["origin"]: r
        for r in rulebook.rules(town.store)
        if str(r.values["origin"] or "").startswith(prefix)
    }
    problems = []
    for origin, text in wanted.items():
        row = held.pop(origin, None)
        try:
            if row is None:
                rulebook.add(town.store, text, SYSTEM, enabled=True, origin=origin)
            elif row.values["yaml"] != text:
                rulebook.change(town.store, row.id, text, SYSTEM)
        except Problem as problem:
            problems.append(problem)
    for row in held.values():
        rulebook.delete(town.store, row.id, SYSTEM)
    return problems


def apply_all(town: Town) -> list[Problem]:
    """Bring the rules of every station to what its thresholds say."""
    return [
        problem for station in town.store.records.all("river_station") for problem in apply(town, station)
    ]
