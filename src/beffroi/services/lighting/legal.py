"""The order of 27 December 2018 on light nuisance (NOR TREP1831126A), point by point: articles 2, 3 and 5.

Each verdict quotes its article and the date of the order. What was read in the order's text is sure; what is only
remembered is marked `sure=False` and shown « à vérifier » until someone has read the consolidated text.
"""

from collections.abc import Callable, Mapping
from datetime import date
from functools import lru_cache
from typing import Any, Literal

import msgspec

from beffroi.model.problem import Problem
from beffroi.model.text import Text

__all__ = [
    "CATEGORIES",
    "DATED",
    "ORDER",
    "RULES",
    "Verdict",
    "check_data",
    "check_hours",
    "check_point",
    "minutes_after",
    "rule_title",
    "verdicts_of",
]

ORDER = Text("arrêté du 27 décembre 2018 (NOR TREP1831126A)", "order of 27 December 2018 (NOR TREP1831126A)")
DATED = date(2018, 12, 27)
State = Literal["ok", "breach", "missing", "not_concerned", "unknown"]
CATEGORIES = "abcdefg"
# Technical rules bind what was put in service from that day on: remembered, to be checked in article 8.
IN_FORCE = date(2020, 1, 1)
_HOUR = 60


class Verdict(msgspec.Struct, frozen=True):
    """What the order says of one point: `rule` names it, `words` say why, `sure` is False for what is « à vérifier »."""

    rule: str
    article: str
    state: State
    words: Text
    sure: bool = True

    @property
    def quote(self) -> Text:
        """Return the article and the date that the verdict rests on."""
        mark = ("", "") if self.sure else (" (à vérifier)", " (to be checked)")
        return Text(
            f"article {self.article}, {ORDER.fr}{mark[0]}", f"article {self.article}, {ORDER.en}{mark[1]}"
        )


class _Data(msgspec.Struct, frozen=True):
    """A datum that article 5 makes the manager hold."""

    field: str
    fr: str
    en: str


DATA = (
    _Data("ulr_percent", "ULR", "ULR"),
    _Data("cie3_percent", "code de flux CIE n° 3", "CIE flux code no. 3"),
    _Data("colour_k", "température de couleur", "colour temperature"),
    _Data("power_w", "puissance maximale", "maximum power"),
    _Data("flux_lm", "flux nominal", "nominal flux"),
    _Data("installed", "date de pose du luminaire", "date of installation of the luminaire"),
)


class _Limit(msgspec.Struct, frozen=True):
    """A technical limit of article 3: on which field, for which categories and where, what holds."""

    rule: str
    field: str
    categories: str
    limit: float
    kind: Literal["at_most", "below", "above"]
    fr: str
    en: str
    unit: str
    sure: bool = True
    where: str = ""  # a key of the place that must be true ("-key": must not)


LIMITS = (
    _Limit("cct", "colour_k", "ade", 3000, "at_most", "température de couleur", "colour temperature", "K", where="-protected"),
    _Limit("cct_reserve", "colour_k", "ade", 2400, "at_most", "température de couleur en réserve naturelle", "colour temperature in a nature reserve", "K", sure=False, where="protected"),
    _Limit("cie3", "cie3_percent", "ae", 95, "above", "code de flux CIE n° 3", "CIE flux code no. 3", "%"),
    _Limit("ulr", "ulr_percent", "ae", 4, "below", "ULR installé", "installed ULR", "%", sure=False),
    _Limit("dsfli", "dsfli", "a", 35, "below", "densité de flux (agglomération)", "flux density (built-up area)", "lm/m²", where="built_up"),
    _Limit("dsfli_outside", "dsfli", "a", 25, "below", "densité de flux (hors agglomération)", "flux density (outside)", "lm/m²", sure=False, where="-built_up"),
)  # fmt: skip


RULES = (*(one.rule for one in LIMITS), *(f"data_{one.field}" for one in DATA))


def rule_title(rule: str) -> Text:
    """Return the words of a rule of articles 1, 3 or 5."""
    titles = {one.rule: Text(one.fr, one.en) for one in LIMITS}
    titles |= {f"data_{d.field}": Text(f"donnée : {d.fr}", f"datum: {d.en}") for d in DATA}
    return titles.get(rule, Text("catégorie (a à g)", "category (a to g)"))


def check_point(
    values: Mapping[str, Any], *, built_up: bool | None = None, protected: bool = False
) -> list[Verdict]:
    """Return the verdicts of articles 3 and 5 on one light point; `values` are those of the collection `lamp`, and
    `surface_m2` (what it lights) when known."""
    return list(verdicts_of(values, built_up=built_up, protected=protected))


def verdicts_of(
    values: Mapping[str, Any], *, built_up: bool | None = None, protected: bool = False
) -> tuple[Verdict, ...]:
    """Do the same; luminaires that are alike in what the order asks of have the very same tuple."""
    return _checked(tuple(map(values.get, _READ)), built_up, protected)


_READ = (
    "use",
    "installed",
    "surface_m2",
    *dict.fromkeys(f for f in (*(d.field for d in DATA), *(r.field for r in LIMITS)) if f != "dsfli"),
)


@lru_cache(maxsize=4096)  # a stock of thousands has some hundreds of different luminaires
def _checked(told: tuple[Any, ...], built_up: bool | None, protected: bool) -> tuple[Verdict, ...]:
    values = dict(zip(_READ, told, strict=True))
    return (*check_data(values), *_technical(values, {"built_up": built_up, "protected": protected}))


def check_data(values: Mapping[str, Any]) -> list[Verdict]:
    """Return a verdict of article 5 for each datum."""
    found = []
    for datum in DATA:
        held = values.get(datum.field) is not None
        words = (
            Text(f"{datum.fr} : connu", f"{datum.en}: known") if held
            else Text(f"{datum.fr} : manque", f"{datum.en}: missing")
        )  # fmt: skip
        found.append(Verdict(f"data_{datum.field}", "5", "ok" if held else "missing", words))
    return found


def _technical(values: Mapping[str, Any], where: Mapping[str, bool | None]) -> list[Verdict]:
    use = values.get("use")
    if use is None or use not in CATEGORIES:
        return [
            Verdict("category", "1", "unknown", Text("catégorie (a à g) inconnue : les limites de l'article 3 en dépendent",
                                                     "category (a to g) unknown: the limits of article 3 depend on it"))
        ]  # fmt: skip
    installed = values.get("installed")
    given = dict(values)
    flux, surface = values.get("flux_lm"), values.get("surface_m2")
    if surface is not None and surface <= 0:
        raise Problem(
            Text("Une surface est positive.", "A surface is positive."),
            Text("Écrivez-la en m².", "Write it in m²."), place="surface_m2",
        )  # fmt: skip
    given["dsfli"] = flux / surface if flux is not None and surface else None
    return [
        _limited(rule, given.get(rule.field), installed)
        for rule in LIMITS
        if use in rule.categories and _there(rule.where, where)
    ]


def _there(key: str, where: Mapping[str, bool | None]) -> bool:
    if not key:
        return True
    value = where.get(key.removeprefix("-"))
    return value is not None and value != key.startswith("-")


_HOLDS: dict[str, Callable[[float, float], bool]] = {
    "at_most": lambda value, limit: value <= limit,
    "below": lambda value, limit: value < limit,
    "above": lambda value, limit: value > limit,
}
_SIGNS = {"at_most": "≤", "below": "<", "above": ">"}


def _limited(rule: _Limit, value: Any, installed: date | None) -> Verdict:
    asked = f"{_SIGNS[rule.kind]} {rule.limit:g} {rule.unit}"
    if value is None:
        return Verdict(rule.rule, "3", "unknown", Text(f"{rule.fr} : valeur inconnue, {asked} demandé", f"{rule.en}: value unknown, {asked} asked"), rule.sure)  # fmt: skip
    holds = _HOLDS[rule.kind](float(value), rule.limit)
    words = Text(
        f"{rule.fr} {value:g} {rule.unit} : {asked} demandé",
        f"{rule.en} {value:g} {rule.unit}: {asked} asked",
    )
    if holds:
        return Verdict(rule.rule, "3", "ok", words, rule.sure)
    if installed is None:
        more = Text(f"{words.fr} ; date de pose inconnue", f"{words.en}; date of installation unknown")
        return Verdict(rule.rule, "3", "unknown", more, sure=False)
    if installed < IN_FORCE:
        more = Text(
            f"{words.fr} ; posé avant 2020, donc pas tenu", f"{words.en}; installed before 2020, so not bound"
        )
        return Verdict(rule.rule, "3", "not_concerned", more, sure=False)
    return Verdict(rule.rule, "3", "breach", words, rule.sure)


class _Hours(msgspec.Struct, frozen=True):
    """A rule of article 2: off at most `delay` minutes after an event, or at a clock time, whichever is given."""

    fr: str
    en: str
    delay: int | None  # minutes after the end of activity (or closing)
    latest: int | None = None  # clock time that also suffices, minutes since midnight
    from_morning: bool = False  # lit again at 7 h at the earliest, or an hour before the activity
    from_sunset: bool = False


HOURS = {
    "site": _Hours("espace clos d'une zone d'activité", "closed area of a business zone", _HOUR, from_morning=True),
    "heritage": _Hours("mise en lumière du patrimoine", "lighting of heritage", None, _HOUR, from_sunset=True),
    "park": _Hours("parc ou jardin", "park or garden", _HOUR, _HOUR, from_sunset=True),
    "premises": _Hours("éclairage intérieur d'un local professionnel", "inside light of professional premises", _HOUR),
    "window": _Hours("vitrine", "shop window", _HOUR, _HOUR, from_morning=True),
    "car_park": _Hours("parc de stationnement", "car park", 2 * _HOUR, from_morning=True),
}  # fmt: skip


def minutes_after(moment: int, event: int) -> int:
    """Return how many minutes a clock time is after another, over midnight: from −12 h to +12 h."""
    return (moment - event + 720) % 1440 - 720


def check_hours(
    use: str, *, off: int, on: int | None = None, end: int | None = None, start: int | None = None, sunset: int | None = None
) -> list[Verdict]:  # fmt: skip
    """Return the verdicts of article 2 on the hours of one installation.

    Local clock times in minutes since midnight: when it goes `off` and `on`, when the activity (or the opening) has its
    `end` and `start`, the day's `sunset`. Raises `Problem` for a use that is not known.
    """
    if use == "street":
        return [
            Verdict("street", "2", "not_concerned", Text("voirie : pas d'heure d'extinction dans l'arrêté",
                                                         "street: no hour of extinction in the order"), sure=False)
        ]  # fmt: skip
    rule = HOURS.get(use)
    if rule is None:
        raise Problem(
            Text(f"L'usage « {use[:30]} » n'est pas connu.", f"The use '{use[:30]}' is not known."),
            Text(f"Les usages sont : street, {', '.join(HOURS)}.", f"The uses are: street, {', '.join(HOURS)}."), place="use",
        )  # fmt: skip
    for name, value in (("off", off), ("on", on), ("end", end), ("start", start), ("sunset", sunset)):
        if value is not None and not 0 <= value < 1440:
            raise Problem(
                Text("Cette heure n'existe pas.", "There is no such time."),
                Text("De 00:00 à 23:59.", "From 00:00 to 23:59."), place=name,
            )  # fmt: skip
    found = [_off(use, rule, off, end)]
    if on is not None and rule.from_morning:
        found.append(_morning(use, rule, on, start))
    if on is not None and rule.from_sunset:
        found.append(_evening(use, rule, on, sunset))
    return found


def _off(use: str, rule: _Hours, off: int, end: int | None) -> Verdict:
    allowed = []
    if rule.delay is not None and end is not None:
        allowed.append((end + rule.delay) % 1440)
    if rule.latest is not None:
        allowed.append(rule.latest)
    if not allowed:
        words = Text(f"{rule.fr} : fin d'activité inconnue", f"{rule.en}: end of activity unknown")
        return Verdict(f"{use}_off", "2", "unknown", words)
    # a clock time in the night counts from noon to noon; the later of the two hours is allowed
    latest = max(allowed, key=_of_night)
    holds = _of_night(off) <= _of_night(latest)
    words = Text(
        f"{rule.fr} : éteint à {_clock(off)}, au plus tard {_clock(latest)}", f"{rule.en}: off at {_clock(off)}, at the latest {_clock(latest)}"
    )  # fmt: skip
    return Verdict(f"{use}_off", "2", "ok" if holds else "breach", words)


def _morning(use: str, rule: _Hours, on: int, start: int | None) -> Verdict:
    earliest = 7 * _HOUR if start is None else min(7 * _HOUR, max(0, start - _HOUR))
    if _of_night(on) < _of_night(12 * _HOUR - 1) and on >= 12 * _HOUR:
        return Verdict(f"{use}_on", "2", "ok", Text(f"{rule.fr} : allumé le soir", f"{rule.en}: lit in the evening"))  # fmt: skip
    words = Text(
        f"{rule.fr} : allumé à {_clock(on)}, au plus tôt {_clock(earliest)}", f"{rule.en}: lit at {_clock(on)}, at the earliest {_clock(earliest)}"
    )  # fmt: skip
    return Verdict(f"{use}_on", "2", "ok" if on >= earliest else "breach", words)


def _evening(use: str, rule: _Hours, on: int, sunset: int | None) -> Verdict:
    if sunset is None:
        return Verdict(f"{use}_on", "2", "unknown", Text(f"{rule.fr} : coucher du soleil inconnu", f"{rule.en}: sunset unknown"))  # fmt: skip
    words = Text(
        f"{rule.fr} : allumé à {_clock(on)}, coucher du soleil {_clock(sunset)}", f"{rule.en}: lit at {_clock(on)}, sunset {_clock(sunset)}"
    )  # fmt: skip
    return Verdict(f"{use}_on", "2", "ok" if minutes_after(on, sunset) >= 0 else "breach", words)


def _of_night(moment: int) -> int:
    return (moment - 12 * _HOUR) % 1440


def _clock(moment: int) -> str:
    return f"{moment // 60:02d}:{moment % 60:02d}"
