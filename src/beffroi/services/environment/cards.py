"""What the situation page shows of the environment."""

from beffroi.model.declaration import Card
from beffroi.model.text import Text

__all__ = ["CARDS"]

CARDS = (
    Card("temperature", Text("Température", "Temperature"), "datastream:temperature", order=10),
    Card("river_level", Text("Hauteur de la rivière", "River level"), "datastream:river_level", order=11),
    Card("rain_24h", Text("Pluie sur 24 h", "Rain over 24 h"), "indicator:rain", order=12),
    Card("pm10", Text("Particules PM10", "PM10 particles"), "datastream:pm10", order=20),
    Card("no2", Text("Dioxyde d'azote", "Nitrogen dioxide"), "datastream:no2", order=21),
    Card("pm10_days", Text("Jours au-dessus de 45 µg/m³ de PM10 (30 j)", "Days over 45 µg/m³ of PM10 (30 d)"),
         "indicator:days_pm10_eu_day", "P30D", order=22),
    Card("cyclists", Text("Vélos par jour (7 j)", "Bicycles a day (7 d)"), "indicator:cyclists_per_day", "P7D", order=30),
    Card("cyclists_trend", Text("Évolution des vélos (7 j)", "Change in cycling (7 d)"), "indicator:cyclists_trend", "P7D", order=31),
    Card("completeness", Text("Données reçues (24 h)", "Data received (24 h)"), "indicator:environment_completeness",
         read="elu", order=90),
)  # fmt: skip
