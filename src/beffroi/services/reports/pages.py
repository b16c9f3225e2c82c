"""The pages of the service of reports, and those that its own page leads to."""

from starlette.routing import BaseRoute

from beffroi.model.declaration import Entrance
from beffroi.model.text import Text
from beffroi.services.reports.citizen.pages import CITIZEN_ROUTES
from beffroi.services.reports.desk.pages import DESK_ROUTES
from beffroi.services.reports.open311.serving import ROUTES as OPEN311_ROUTES

__all__ = ["ENTRANCES", "ROUTES"]

ENTRANCES = (
    Entrance(Text("File des signalements", "Queue of reports"), "/services/reports/file", "agent"),
    Entrance(Text("Terrain", "In the field"), "/services/reports/terrain", "agent"),
    Entrance(Text("Signaler", "Report a problem"), "/signaler"),
    Entrance(Text("Signalements en chiffres", "Reports in figures"), "/services/reports/chiffres", "elu"),
    Entrance(Text("Ce que personne ne signale", "What nobody reports"), "/services/reports/biais", "elu"),
)
ROUTES: list[BaseRoute] = [*CITIZEN_ROUTES, *DESK_ROUTES, *OPEN311_ROUTES]
