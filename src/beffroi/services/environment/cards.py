"""What the situation page shows of the environment."""

from beffroi.model.declaration import Card
from beffroi.model.text import Text

__all__ = ["CARDS"]

CARDS = (
    Card("temperature", Text("Température", "Temperature"), "datastream:temperature", order=10),
    Card("river_level", Text("Hauteur de la rivière", "River level"), "datastream:river_level", order=11),
    Card("rain_24h", Text("Pluie sur 24 h", "Rain over 24 h"), "indicator:rain", order=12),
    Card("air_index", Text("Indice indicatif de l'air (1 bon, 6 extrême)", "Indicative air index (1 good, 6 extreme)"), "indicator:air_index", order=19),
    Card("pm10", Text("Particules PM10", "PM10 particles"), "datastream:pm10", order=20),
    Card("pm25", Text("Particules fines PM2,5", "PM2.5 fine particles"), "datastream:pm25", order=20),
    Card("no2", Text("Dioxyde d'azote", "Nitrogen dioxide"), "datastream:no2", order=21),
    Card("pm10_days", Text("Jours au-dessus de 45 µg/m³ de PM10 (30 j)", "Days over 45 µg/m³ of PM10 (30 d)"),
         "indicator:days_pm10_eu_day", "P30D", order=22),
    Card("ozone", Text("Ozone", "Ozone"), "datastream:o3", order=23),
    Card("sulphur", Text("Dioxyde de soufre", "Sulphur dioxide"), "datastream:so2", order=24),
    Card("lden", Text("Bruit jour-soir-nuit (7 j)", "Day-evening-night noise (7 d)"), "indicator:lden", "P7D", order=25),
    Card("heat_nights", Text("Nuits les plus chaudes, 3 jours (7 j)", "Hottest nights, 3 days (7 d)"), "indicator:heat_nights", "P7D", order=26),
    Card("slope", Text("Pente ou fissure la plus rapide (7 j)", "Fastest slope or crack (7 d)"), "indicator:slope_velocity", "P7D", order=27),
    Card("cyclists", Text("Vélos par jour (7 j)", "Bicycles a day (7 d)"), "indicator:cyclists_per_day", "P7D", order=30),
    Card("cyclists_trend", Text("Évolution des vélos (7 j)", "Change in cycling (7 d)"), "indicator:cyclists_trend", "P7D", order=31),
    Card("completeness", Text("Données reçues (24 h)", "Data received (24 h)"), "indicator:environment_completeness",
         read="elu", order=90),
)  # fmt: skip
