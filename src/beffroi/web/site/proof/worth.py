"""Section: what a service costs, who pays and who gains (its business cases)."""

from starlette.requests import Request

from beffroi.evaluation.case.collections import CASE
from beffroi.plugins import Service
from beffroi.web.kit.page import principal_of, translate
from beffroi.web.site.proof.case_words import Words
from beffroi.web.site.proof.cases import cases_of, desk_of, loop_of, town_of
from beffroi.web.site.proof.sections import Section

__all__ = ["section"]


def section(request: Request, service: Service) -> Section:
    """Return the business cases of a service, or how to begin one."""
    _ = translate(request)
    rows = []
    for known in cases_of(request, service.name):
        words = None
        if known.computed is not None:
            words = Words(
                request, known.computed, loop_of(town_of(request), principal_of(request), known.computed)
            )
        rows.append((known, words))
    first = next((words for _known, words in rows if words is not None), None)
    answer = _("Pas encore chiffré.") if first is None else f"{first.verdict()} {first.since()}"
    return Section(
        "cout", _("Que coûte-t-il, qui paie, qui gagne ?"), answer, "proof/worth.html", 10,
        {"rows": rows, "writable": desk_of(request).writable(CASE), "proposed": bool(service.evaluation and service.evaluation.cases)},
    )  # fmt: skip
