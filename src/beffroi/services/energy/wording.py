"""What the service writes of the waste that it finds: kept with each finding."""

from beffroi.model.sayings import Sayings
from beffroi.model.text import Text
from beffroi.services.energy.waste import Kind

__all__ = ["TITLES", "TITLE_SAYINGS", "WATER_NIGHT", "WHY_DRIFT", "WHY_LEVEL", "WHY_SAYINGS"]

TITLES: dict[Kind, Text] = {
    "night": Text(
        "{place} : consomme la nuit plus qu'il ne faut", "{place}: uses more at night than it should"
    ),
    "weekend": Text("{place} : consomme en fin de semaine", "{place}: uses at week-ends"),
    "holiday": Text("{place} : consomme pendant les vacances", "{place}: uses during the holidays"),
    "drift": Text("{place} : dérive depuis quatre semaines", "{place}: has drifted for four weeks"),
}
WATER_NIGHT = Text("{place} : l'eau coule la nuit", "{place}: water runs at night")
WHY_DRIFT = Text(
    "{more} {unit}/jour de plus que la référence ({share} %), sur {days} jours",
    "{more} {unit}/day more than the baseline ({share}%), over {days} days",
)
WHY_LEVEL = Text(
    "{level} {unit}/h, contre {floor} au plus bas et {open} un jour ouvert, sur {days} jours",
    "{level} {unit}/h, against {floor} at the lowest and {open} on an open day, over {days} days",
)
TITLE_SAYINGS = Sayings(*TITLES.values(), WATER_NIGHT)
WHY_SAYINGS = Sayings(WHY_DRIFT, WHY_LEVEL)
