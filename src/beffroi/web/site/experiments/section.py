"""Section: does it work? The experiments of a service, in its proof."""

from starlette.requests import Request

from beffroi.evaluation.impact.finding import VERDICTS
from beffroi.plugins import Service
from beffroi.web.kit.page import figures_of, language_of, translate
from beffroi.web.site.experiments.register import columns_of, lines_of, published
from beffroi.web.site.experiments.words import in_words
from beffroi.web.site.proof.sections import Section

__all__ = ["section"]


def section(request: Request, service: Service) -> Section:
    """Return the experiments of a service and their verdicts."""
    _, language = translate(request), language_of(request)
    rows = published(request, service.name)
    judged = [
        (in_words(r.values, figures_of(request))["title"], VERDICTS[r.values["verdict"]].of(language))
        for r in rows
        if r.values["verdict"]
    ]
    if judged:
        answer = " ".join(
            _("{title} : {verdict}.", title=title, verdict=verdict) for title, verdict in judged
        )
    elif rows:
        answer = _("Une expérimentation est en cours.")
    else:
        answer = _("Aucune expérimentation ne l'a mesuré.")
    context = {"columns": columns_of(request), "rows": lines_of(request, rows)}
    return Section("effet", _("Est-ce que cela marche ?"), answer, "experiments/section.html", 30, context)
