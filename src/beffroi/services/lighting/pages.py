"""The pages of the lighting service, and those that its own page leads to."""

from starlette.routing import BaseRoute

from beffroi.model.declaration import Entrance
from beffroi.model.text import Text
from beffroi.services.lighting.screens.order_2018 import ROUTES as ORDER_2018
from beffroi.services.lighting.screens.orders import ROUTES as ORDERS
from beffroi.services.lighting.screens.overview import ROUTES as OVERVIEW
from beffroi.services.lighting.screens.schedules import ROUTES as SCHEDULES
from beffroi.services.lighting.talq.serving import ROUTES as TALQ

__all__ = ["ENTRANCES", "ROUTES"]

ENTRANCES = (
    Entrance(Text("Parc et armoires", "Stock and cabinets"), "/services/lighting/apercu"),
    Entrance(Text("Horaires et coût", "Schedules and cost"), "/services/lighting/horaires"),
    Entrance(Text("Arrêté de 2018", "2018 order"), "/services/lighting/arrete"),
    Entrance(Text("Télégestion", "Remote control"), "/services/lighting/ordres", "agent"),
)
ROUTES: list[BaseRoute] = [*OVERVIEW, *SCHEDULES, *ORDER_2018, *ORDERS, *TALQ]
