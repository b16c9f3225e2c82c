"""The pages of the lighting service, and those that its own page leads to."""

from starlette.routing import BaseRoute

from beffroi.model.declaration import Entrance
from beffroi.model.text import Text
from beffroi.services.lighting.screens.gateway import ROUTES as GATEWAY
from beffroi.services.lighting.screens.led import ROUTES as LED
from beffroi.services.lighting.screens.order_2018 import ROUTES as ORDER_2018
from beffroi.services.lighting.screens.orders import ROUTES as ORDERS
from beffroi.services.lighting.screens.overview import ROUTES as OVERVIEW
from beffroi.services.lighting.screens.schedules import ROUTES as SCHEDULES
from beffroi.services.lighting.talq.serving import ROUTES as TALQ

__all__ = ["ENTRANCES", "ROUTES"]

ENTRANCES = (
    Entrance(Text("Parc et armoires", "Stock and cabinets"), "/services/lighting/apercu"),
    Entrance(Text("Courbe et arbre de l'armoire", "Curve and tree of the cabinet"), "/services/lighting/armoires/{id}", record="cabinet"),
    Entrance(Text("Ce qu'en dit l'arrêté de 2018", "What the 2018 order says of it"), "/services/lighting/arrete?point={key}#point", record="lamp"),
    Entrance(Text("Ouvrir une panne sur ce point", "Open a fault on this point"), "/donnees/fault/nouveau?asset=lamp/{id}", "agent", record="lamp"),
    Entrance(Text("Ce que dit cette passerelle", "What this gateway says"), "/services/lighting/passerelles/{id}", "agent", record="talq_gateway"),
    Entrance(Text("Horaires et coût", "Schedules and cost"), "/services/lighting/horaires"),
    Entrance(Text("Passage en LED", "Change to LED"), "/services/lighting/led"),
    Entrance(Text("Arrêté de 2018", "2018 order"), "/services/lighting/arrete"),
    Entrance(Text("Télégestion", "Remote control"), "/services/lighting/ordres", "agent"),
)  # fmt: skip
ROUTES: list[BaseRoute] = [*OVERVIEW, *SCHEDULES, *LED, *ORDER_2018, *ORDERS, *GATEWAY, *TALQ]
