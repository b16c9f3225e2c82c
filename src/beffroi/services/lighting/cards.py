"""The lighting service's cards on the situation page."""

from beffroi.model.declaration import Card
from beffroi.model.text import Text

__all__ = ["CARDS"]

CARDS = (
    Card("lighting_anomalies", Text("Anomalies d'éclairage", "Lighting anomalies"), "indicator:lighting_anomalies", order=43),
    Card("lighting_kwh_a_day", Text("Énergie de l'éclairage", "Energy of lighting"), "indicator:lighting_kwh_a_day", period="P7D", order=62),
)  # fmt: skip
