"""Section: what a service consumes, as intervals, and for one useful output."""

from starlette.requests import Request

from beffroi.plugins import Service
from beffroi.web.kit.page import figures_of, language_of, translate
from beffroi.web.site.proof.cases import town_of
from beffroi.web.site.proof.consumption_words import facts_of, interval, outputs_of
from beffroi.web.site.proof.sections import Section
from beffroi.web.site.proof.spending import spent_by, usage_of
from beffroi.web.site.service_figures import MONTH_US

__all__ = ["section"]


def section(request: Request, service: Service) -> Section:
    """Return the consumption of a service over thirty days."""
    _, town = translate(request), town_of(request)
    title = _("Que consomme-t-il ?")
    usage = usage_of(town).get(service.name)
    if usage is None:
        return Section(
            "sobriete",
            title,
            _("Compte en cours : rechargez dans un instant."),
            "proof/consumption.html",
            40,
            {"facts": [], "outputs": []},
        )
    spent = spent_by(town, service, usage, language_of(request))
    figures, now = figures_of(request), town.clock()
    answer = _(
        "{energy} et {carbon} en 30 jours, du {first} au {last}.",
        first=figures.day(now - MONTH_US),
        last=figures.day(now),
        energy=interval(request, spent.account.energy, "kWh"),
        carbon=interval(request, spent.account.carbon, "kgCO₂e"),
    )
    context = {"facts": facts_of(request, spent), "outputs": outputs_of(request, spent)}
    return Section("sobriete", title, answer, "proof/consumption.html", 40, context)
