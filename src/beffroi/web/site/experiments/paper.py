"""The draft deliberation: two pages for the council, written from the study; PDF/UA by WeasyPrint."""

from collections.abc import Mapping
from typing import Any

from jinja2 import Environment
from starlette.requests import Request

from beffroi.evaluation.experiments.life import stop_day
from beffroi.evaluation.impact.finding import NOT_EVALUABLE, VERDICTS, Finding
from beffroi.evaluation.impact.methods import WORDS
from beffroi.store.record import Row
from beffroi.town import Town
from beffroi.web.kit.figures import Figures
from beffroi.web.kit.look import look_of
from beffroi.web.kit.page import Pages, language_of, pages_of
from beffroi.web.kit.paper import pdf_bytes
from beffroi.web.site.experiments.drawing import trace_paper
from beffroi.web.site.experiments.words import check_rows, in_words, per_step, signed, sized

__all__ = ["deliberation_pdf", "draft"]


def deliberation_pdf(request: Request, row: Row, finding: Finding) -> bytes:
    """Return the draft deliberation in the reader's language. Raises `Problem` without the extra `pdf`."""
    return draft(request.app.state.town, pages_of(request), language_of(request), row, finding)


def _effect(figures: Figures, finding: Finding, unit: str, step: str) -> str:
    """Return the effect with its sign; nothing when it cannot be evaluated."""
    if finding.estimate is None or finding.verdict == NOT_EVALUABLE:
        return ""
    return f"{signed(sized(figures, finding.estimate, unit), finding.estimate)} {step}".rstrip()


def _drawn(pages: Pages, language: str, values: Mapping[str, Any]) -> str:
    """Return what the drawing shows, for those who do not see it."""
    legend = pages.words[language].of("Trait plein : mesuré ; tirets : sans l'essai, d'après la méthode.")
    return f"{values['indicator']} ({values['unit']}). {legend}"


def _relative(figures: Figures, finding: Finding) -> str:
    if finding.relative is None or finding.verdict == NOT_EVALUABLE:
        return ""
    return signed(figures.quantity(100 * finding.relative, "%", 1), finding.relative)


def draft(town: Town, pages: Pages, language: str, row: Row, finding: Finding) -> bytes:
    """Return the draft deliberation of an experiment that is over."""
    environment: Environment = pages.environments[language]
    figures: Figures = pages.figures[language]
    values = in_words(row.values, figures)
    service = town.registry.services.get(values["service"] or "")
    step = per_step(pages.words[language].of, values)
    context: dict[str, Any] = {
        "values": values, "finding": finding, "checks": check_rows(finding, language), "stop": stop_day(values),
        "method": WORDS[values["method"]].of(language), "verdict": VERDICTS[finding.verdict].of(language),
        "service": "" if service is None else service.title.of(language),
        "drawing": "" if finding.trace is None else trace_paper(finding.trace, figures, _drawn(pages, language, values), values["unit"], pages.words[language].of("Début")),
        "expected": signed(figures.quantity(values["expected_percent"], "%", 1), values["expected_percent"]),
        # a study may look for what is feared: more accidents after a cut
        "feared": (values["expected_percent"] > 0) == (values["better"] == "lower"), "effect": _effect(figures, finding, values["unit"], step), "step": step, "amount": lambda x: sized(figures, x, values["unit"]), "relative": _relative(figures, finding),
        "models": [(m.words.of(language), m) for m in finding.models], "reasons": [r.of(language) for r in (*finding.reasons, *(c.why for c in finding.checks.values() if c.outcome == "fail"))],
    }  # fmt: skip
    html = environment.get_template("experiments/deliberation.html").render(
        look=look_of(town), now=town.clock(), town=town, **context
    )
    return pdf_bytes(html)
