"""Section: what a service's own indicators say."""

import time

from starlette.requests import Request

from beffroi.model.declaration import Indicator
from beffroi.model.principal import Principal
from beffroi.plugins import Service
from beffroi.town import Town
from beffroi.web.kit.kept import indicator_figure
from beffroi.web.kit.page import translate
from beffroi.web.site.proof.sections import Section
from beffroi.web.site.service_figures import MONTH_US
from beffroi.web.site.services import indicators_of

__all__ = ["section"]


PATIENCE_S = 0.1  # for all the indicators of a page together


class _AsLastKnown:
    """Measures indicators as last known: a page of proof does not wait for months of observations to be read."""

    def __init__(self) -> None:
        self.until = time.monotonic() + PATIENCE_S

    def __call__(self, town: Town, who: Principal, indicator: Indicator) -> tuple[float | None, float | None]:
        territory = who.territories[0] if len(who.territories) == 1 else None
        left = max(0.0, self.until - time.monotonic())
        found = indicator_figure(town, indicator, territory, MONTH_US, wait_s=left)
        return (None, None) if found is None else (found.value[0], found.value[1])


def section(request: Request, service: Service) -> Section:
    """Return the indicators of a service over the last thirty days and the thirty before."""
    _ = translate(request)
    indicators = indicators_of(request, service, _AsLastKnown())
    known = sum(1 for one in indicators if one["known"])
    answer = (
        _("{n} indicateurs sur {total} ont une valeur.", n=known, total=len(indicators))
        if indicators
        else _("Aucun indicateur déclaré.")
    )
    return Section(
        "indicateurs", _("Que fait-il ?"), answer, "proof/figures.html", 20, {"indicators": indicators}
    )
