"""Section: what a service consumes, as intervals, and for one useful output."""

from starlette.requests import Request

from beffroi.plugins import Service
from beffroi.web.kit.page import language_of, translate
from beffroi.web.site.proof.cases import town_of
from beffroi.web.site.proof.consumption_words import facts_of, interval, outputs_of
from beffroi.web.site.proof.sections import Section
from beffroi.web.site.proof.usage import spent_by, usages

__all__ = ["section"]


def section(request: Request, service: Service) -> Section:
    """Return the consumption of a service over thirty days."""
    _, town = translate(request), town_of(request)
    spent = spent_by(town, service, usages(town)[service.name], language_of(request))
    answer = _(
        "{energy} et {carbon} en 30 jours.",
        energy=interval(request, spent.account.energy, "kWh"),
        carbon=interval(request, spent.account.carbon, "kgCO₂e"),
    )
    context = {"facts": facts_of(request, spent), "outputs": outputs_of(request, spent)}
    return Section("sobriete", _("Que consomme-t-il ?"), answer, "proof/consumption.html", 40, context)
