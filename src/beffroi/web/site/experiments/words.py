"""Experiments in words: what state they are in, what was found, what was promised."""

import math
from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

import msgspec
from starlette.requests import Request

from beffroi.evaluation.experiments.collections import EXPERIMENT
from beffroi.evaluation.experiments.life import stop_day
from beffroi.evaluation.impact.finding import NOT_EVALUABLE, NOTHING_SHOWN, VERDICTS, Finding
from beffroi.evaluation.impact.methods import WORDS
from beffroi.model.text import Text
from beffroi.store.record import Row
from beffroi.web.kit.figures import Figures
from beffroi.web.kit.page import figures_of, translate, words_of

__all__ = [
    "CHECKS",
    "MARKS",
    "Said",
    "check_rows",
    "field_words",
    "overdue",
    "per_step",
    "promise",
    "said_of",
    "signed",
    "sized",
    "state_sentence",
]

CHECKS = {
    "enough_periods": Text("Assez de périodes", "Enough periods"),
    "pre_trend": Text("Tendance d'avant", "Trend before"),
    "placebo_date": Text("Fausse date", "Placebo date"),
    "placebo_units": Text("Fausses unités", "Placebo units"),
    "leave_one_out": Text("Sans l'un des témoins", "Leaving one out"),
    "sensor_changes": Text("Changement de capteur", "Change of sensor"),
    "regression_to_the_mean": Text("Retour à la moyenne", "Regression to the mean"),
    "pre_fit": Text("Ressemblance avant", "Fit before"),
    "missing_data": Text("Données manquantes", "Missing data"),
    "baseline": Text("Qualité de la référence", "Quality of the baseline"),
    "extrapolation": Text("Météo connue de la référence", "Weather known to the baseline"),
}
_RESULTS = {
    "pass": Text("✓ passé", "✓ passed"),
    "warn": Text("! à savoir", "! to be known"),
    "fail": Text("✗ échoué", "✗ failed"),
    "not_applicable": Text("– sans objet", "– not applicable"),
}
MARKS = {"effet positif": "▲", "effet négatif": "▼", NOTHING_SHOWN: "=", NOT_EVALUABLE: "?"}


class Said(msgspec.Struct, frozen=True):
    """What a page says of a finding."""

    mark: str
    verdict: str
    sentence: str
    seen: str


def in_words(values: Mapping[str, Any], figures: Figures) -> dict[str, Any]:
    """Return the values of an experiment with its title, question, indicator and unit in the language of `figures`."""
    if figures.words.language == "fr":
        return dict(values)
    said = {name: values.get(f"{name}_en") or values[name] for name in ("title", "question", "indicator")}
    return {**values, **said, "unit": figures.unit_name(values["unit"])}


def field_words(request: Request, values: Mapping[str, Any], name: str) -> str:
    """Return the words of a field with choices."""
    field = EXPERIMENT.field(name)
    return "" if field is None else field.title_of(values.get(name), words_of(request).language)


def state_sentence(request: Request, values: Mapping[str, Any]) -> str:
    """Return in one sentence where an experiment is in its life."""
    _, day = translate(request), figures_of(request).day
    match values["state"]:
        case "draft":
            return _("En préparation : rien n'est encore promis.")
        case "registered":
            return _("Inscrite. Commence le {day}.", day=day(values["starts_on"]))
        case "running":
            return _("En cours. Se termine le {day}, avec un verdict.", day=day(values["ends_on"]))
        case "ended":
            return _("Terminée. Sans décision, elle s'arrête le {day}.", day=day(stop_day(values)))
        case "stopped" if values["decision"] == "stop":
            return _("Arrêtée par décision du {day}.", day=day(values["decided_on"]))
        case "stopped":
            return _("Arrêtée le {day} : personne n'avait décidé.", day=day(stop_day(values)))
        case "withdrawn":
            return _("Retirée avant son début.")
        case "continued":
            return _("Continuée, par décision du {day}.", day=day(values["decided_on"]))
    return _("Généralisée par un marché, par décision du {day}.", day=day(values["decided_on"]))


def said_of(request: Request, values: Mapping[str, Any], finding: Finding) -> Said:
    """Return a finding in words: the verdict, how much, between what and what, and what could have been seen."""
    _, figures, language = translate(request), figures_of(request), words_of(request).language
    verdict = VERDICTS[finding.verdict].of(language)
    verdict = verdict[:1].upper() + verdict[1:]
    unit, step = figures.unit_name(values["unit"]), per_step(_, values)
    if (
        finding.estimate is None or finding.interval95 is None
    ):  # nothing to say how sure it is: nothing to publish
        why = " ".join(reason.of(language) for reason in finding.reasons)
        return Said(MARKS[finding.verdict], verdict, why or _("Les contrôles n'ont pas pu se faire."), "")
    share = (
        ""
        if finding.relative is None
        else f" ({signed(figures.number(100 * finding.relative, 1), finding.relative)}\u202f%)"
    )
    amount = signed(sized(figures, finding.estimate, unit), finding.estimate)
    sentence = _(
        "{amount}{share} par rapport à ce qui se serait passé sans.",
        amount=f"{amount} {step}".rstrip(),
        share=share,
    )
    if finding.interval95 is not None:
        low, high = (sized(figures, x, unit) for x in finding.interval95)
        sentence += " " + _("Entre {low} et {high}, 19 fois sur 20.", low=low, high=high)
    seen = ""
    if finding.mde is not None:
        mde = f"{sized(figures, finding.mde, unit)} {step}".rstrip()
        seen = _("Une telle étude voit quatre fois sur cinq un effet d'au moins {mde}.", mde=mde)
    return Said(MARKS[finding.verdict], verdict, sentence, seen)


def sized(figures: Figures, value: float, unit: str) -> str:
    """Return a quantity with two decimals, more when it would be nothing with two."""
    small = 0 < abs(value) < 0.1
    return figures.quantity(value, unit, 1 - math.floor(math.log10(abs(value))) if small else 2)


def signed(words: str, value: float) -> str:
    """Return a figure with its plus sign."""
    return f"+{words}" if value > 0 else words


def per_step(_: Callable[[str], str], values: Mapping[str, Any]) -> str:
    """Return how often the effect comes: what was added up is so much a week; a mean is what it is."""
    if values["measure"] != "sum":
        return ""
    return {"day": _("par jour"), "week": _("par semaine"), "month": _("par mois")}[values["step"]]


def check_rows(finding: Finding, language: str) -> list[tuple[str, str, str]]:
    """Return the checks: name, result, why."""
    return [
        (CHECKS[name].of(language) if name in CHECKS else name, _RESULTS[c.outcome].of(language), c.why.of(language))
        for name, c in finding.checks.items()
    ]  # fmt: skip


def promise(request: Request, row: Row, services: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return what was promised, as pairs to show."""
    _, figures = translate(request), figures_of(request)
    values = in_words(row.values, figures)
    language = words_of(request).language
    service = services.get(values["service"] or "")
    facts = [
        (_("Porteur"), values["owner"]),
        (_("Service"), "–" if service is None else service.title.of(language)),
        (_("Budget"), figures.quantity(values["budget_eur"], "€", 0)),
        (_("Du"), figures.day(values["starts_on"])), (_("Au"), figures.day(values["ends_on"])),
        (_("Sans décision, arrêt le"), figures.day(stop_day(values))),
        (_("Ce qui est mesuré"), values["indicator"]),
        (_("Effet attendu"), signed(figures.quantity(values["expected_percent"], "%", 1), values["expected_percent"])),
        (_("Méthode"), WORDS[values["method"]].of(language)),
    ]  # fmt: skip
    if values["mde"] is not None:
        facts.append((_("Effet décelable, calculé avant"), sized(figures, values["mde"], values["unit"])))
    if values["power"] is not None:
        facts.append((_("Chance de voir l'effet attendu"), figures.quantity(100 * values["power"], "%", 0)))
    return facts


def overdue(values: Mapping[str, Any], today: date) -> bool:
    """Tell whether a decision is awaited."""
    return values["state"] == "ended" and not values["decision"] and values["ends_on"] <= today
