"""Section: what a service's own indicators say."""

from starlette.requests import Request

from beffroi.plugins import Service
from beffroi.web.kit.page import translate
from beffroi.web.site.proof.sections import Section
from beffroi.web.site.services import indicators_of

__all__ = ["section"]


def section(request: Request, service: Service) -> Section:
    """Return the indicators of a service over the last thirty days and the thirty before."""
    _ = translate(request)
    indicators = indicators_of(request, service)
    known = sum(1 for one in indicators if one["known"])
    answer = (
        _("{n} indicateurs sur {total} ont une valeur.", n=known, total=len(indicators))
        if indicators
        else _("Aucun indicateur déclaré.")
    )
    return Section(
        "indicateurs", _("Que fait-il ?"), answer, "proof/figures.html", 20, {"indicators": indicators}
    )
