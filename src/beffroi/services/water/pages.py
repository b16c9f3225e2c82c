"""The pages of the water service, and those that its own page leads to: each part of it brings a table."""

from starlette.routing import BaseRoute

from beffroi.model.declaration import Entrance
from beffroi.model.text import Text
from beffroi.services.water.camera.pages import ENTRANCES as CAMERA_ENTRANCES
from beffroi.services.water.camera.pages import ROUTES as CAMERA
from beffroi.services.water.forecast.pages import ROUTES as FORECAST
from beffroi.services.water.hubeau.serving import ROUTES as HUBEAU
from beffroi.services.water.rating.pages import ROUTES as RATING
from beffroi.services.water.vigicrues.serving import ROUTES as VIGICRUES
from beffroi.services.water.warning.desk_pages import ROUTES as DESK
from beffroi.services.water.warning.public_pages import ROUTES as RIVERS

__all__ = ["ENTRANCES", "ROUTES"]

ENTRANCES = (
    Entrance(Text("Rivières", "Rivers"), "/riviere"),
    Entrance(Text("Alertes de crue", "Flood warnings"), "/services/water/alertes", "agent"),
    Entrance(Text("Astreinte et plan", "Duty and plan"), "/services/water/astreinte", "agent"),
    Entrance(Text("Courbes de tarage", "Rating curves"), "/services/water/tarage", "agent"),
    Entrance(
        Text("Prévisions et leur vérification", "Forecasts and their verification"),
        "/services/water/verification",
    ),
    *CAMERA_ENTRANCES,
)
ROUTES: list[BaseRoute] = [*CAMERA, *RIVERS, *DESK, *RATING, *FORECAST, *HUBEAU, *VIGICRUES]
