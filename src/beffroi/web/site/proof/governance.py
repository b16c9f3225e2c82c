"""Section: what a service keeps, of whom, why, how long and who reads it; from what decides how it is stored."""

from starlette.requests import Request

from beffroi.plugins import Service
from beffroi.web.kit.page import language_of, translate, words_of
from beffroi.web.site.administration.register import treatment_of
from beffroi.web.site.proof.cases import town_of
from beffroi.web.site.proof.sections import Section
from beffroi.web.site.services import said

__all__ = ["section"]


def section(request: Request, service: Service) -> Section:
    """Return the governance of a service's data."""
    _, language = translate(request), language_of(request)
    treatment = treatment_of(service)
    count = len(treatment.data) if treatment is not None else 0
    answer = (
        words_of(request).plural(
            count,
            "{n} donnée sur des personnes, avec sa durée et ses lecteurs.",
            "{n} données sur des personnes, chacune avec sa durée et ses lecteurs.",
        )
        if count
        else _("Aucune donnée sur des personnes.")
    )
    standards = [
        (title, said(service.manifest[key], language))
        for title, key in ((_("Normes lues"), "standards_in"), (_("Normes écrites"), "standards_out"))
        if service.manifest.get(key)
    ]
    opened = [c.title.of(language) for c in service.collections if c.read == "citizen"]
    kept_back = [c.title.of(language) for c in service.collections if c.read != "citizen"]
    measured = [kind.title.of(language) for kind in service.datastreams]
    titles = [
        (_("Fiches ouvertes à tous"), opened),
        (_("Fiches réservées à la mairie"), kept_back),
        (_("Mesures"), measured),
    ]
    facts = [
        (_("Qui en répond"), town_of(request).name),
        *((title, ", ".join(names) or _("aucune")) for title, names in titles),
        *([(_("Licence"), _("Licence Ouverte 2.0 (Etalab)"))] if opened or measured else []),
        *standards,
    ]  # fmt: skip
    context = {"treatment": treatment, "facts": facts}
    return Section("donnees", _("Quelles données garde-t-il ?"), answer, "proof/governance.html", 50, context)
