"""Noise: sites, levels, and a rule for nights that are too loud."""

from typing import Any

from sqlalchemy import select
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from beffroi.model.collection import Collection, Record, field
from beffroi.model.declaration import Card, DatastreamKind, Indicator, RuleTemplate
from beffroi.model.text import Text
from beffroi.plugins import Service, hookimpl, service_of
from beffroi.store.tables import datastream
from beffroi.web.kit.page import render


class NoiseSite(Record):
    """A place where noise is measured."""

    code: str = field("Code", "Code", key=True)
    name: str = field("Nom", "Name")
    limit_db: float | None = field("Limite de nuit", "Night limit", unit="dB(A)", minimum=20, maximum=120)


COLLECTIONS = (
    Collection("noise_site", Text("Points de mesure du bruit", "Noise sites"), NoiseSite, geometry="point", label="name",
               description=Text("Où le bruit est mesuré.", "Where noise is measured.")),
)  # fmt: skip
DATASTREAMS = (
    DatastreamKind(
        "noise",
        Text("Niveau sonore", "Sound level"),
        "dB(A)",
        "dB[SPL]",
        "decibel A",
        "",
        10,
        140,
        None,
        ("noise_db",),
    ),
)
RULES = (
    RuleTemplate("night_noise", Text("Nuit bruyante", "Loud night"), """\
name: Nuit bruyante
watch: {kind: noise}
when: {above: {jaune: 65, orange: 80}, hysteresis: 5}
message: "{thing} : {value} {unit}"
message_en: "{thing}: {value} {unit}"
"""),
)  # fmt: skip


def loudest(town: Any, _territory: str | None, start_us: int, end_us: int) -> float | None:
    """Return the highest level of the period in dB(A)."""
    with town.store.read() as connection:
        ids = connection.execute(select(datastream.c.id).where(datastream.c.kind == "noise")).scalars().all()
    values = [o.result.value for i in ids for o in town.store.observations.series(i, start_us, end_us)]
    return max((v for v in values if v is not None), default=None)


INDICATORS = (
    Indicator("loudest", Text("Niveau le plus fort", "Loudest level"), "dB(A)", loudest,
              Text("Plus haute valeur de la période.", "Highest value of the period."), "lower"),
)  # fmt: skip
CARDS = (Card("noise", Text("Bruit, le plus fort", "Noise, loudest"), "indicator:loudest"),)


async def page(request: Request) -> Response:
    """List the sites."""
    sites = request.app.state.town.store.records.find("noise_site").rows
    return render(request, "beffroi_noise/noise.html", sites=sites)


ROUTES = (Route("/bruit", page),)


@hookimpl
def beffroi_service() -> Service:
    """Return the service."""
    return service_of(__name__, name="noise", title=Text("Bruit", "Noise"))
