"""Limits of air, heat and rain, each with the text that sets it."""

import msgspec

from beffroi.model.text import Text

__all__ = ["LIMITS", "Limit"]


_NONE, _DOUBT = Text("", ""), Text(" (à vérifier)", " (to be checked)")


class Limit(msgspec.Struct, frozen=True):
    """A limit: pollutant or property, value in the unit of its kind, over what, who says so; `read`: whether the text that
    sets it was read, or another that quotes it, or the figure is known at second hand and has to be checked."""

    kind: str
    value: float
    over: Text
    source: Text
    read: bool = False

    @property
    def told(self) -> Text:
        """The source, with the doubt."""
        doubt = _NONE if self.read else _DOUBT
        return Text(self.source.fr + doubt.fr, self.source.en + doubt.en)


_DAY = Text("moyenne journalière", "daily mean")
_HOUR = Text("moyenne horaire", "hourly mean")
_EU = Text(
    "Directive (UE) 2024/2881, valeur limite au 1er janvier 2030",
    "Directive (EU) 2024/2881, limit value from 1 January 2030",
)
_OLD = Text("Code de l'environnement, article R221-1", "French Environment Code, article R221-1")
_WHO = Text("OMS, lignes directrices 2021", "WHO guidelines 2021")

LIMITS = {
    "pm10_who_day": Limit("pm10", 45.0, _DAY, _WHO),
    "pm25_who_day": Limit("pm25", 15.0, _DAY, _WHO),
    "no2_who_day": Limit("no2", 25.0, _DAY, _WHO),
    "pm10_eu_day": Limit("pm10", 45.0, _DAY, _EU),
    "pm25_eu_day": Limit("pm25", 25.0, _DAY, _EU),
    "no2_eu_day": Limit("no2", 50.0, _DAY, _EU),
    "pm10_information": Limit("pm10", 50.0, _DAY, _OLD, read=True),
    "pm10_alert": Limit("pm10", 80.0, _DAY, _OLD, read=True),
    "no2_information": Limit("no2", 200.0, _HOUR, _OLD),
    "no2_alert": Limit("no2", 400.0, _HOUR, _OLD),
    "o3_information": Limit("o3", 180.0, _HOUR, _OLD),
    "o3_alert": Limit("o3", 240.0, _HOUR, _OLD),
    "so2_information": Limit("so2", 300.0, _HOUR, _OLD),
    "so2_alert": Limit("so2", 500.0, _HOUR, _OLD),
    "night_noise": Limit("laeq", 62.0, Text("LAeq 22 h-6 h", "LAeq 22:00-06:00"),
                         Text("Arrêté du 4 avril 2006, bruit routier", "French order of 4 April 2006, road noise")),
    "lden_noise": Limit("laeq", 68.0, Text("Lden", "Lden"),
                        Text("Arrêté du 4 avril 2006, bruit routier", "French order of 4 April 2006, road noise")),
    "hot_day": Limit("temperature", 30.0, Text("maximum du jour", "maximum of the day"),
                     Text("Météo-France, « jour de forte chaleur »", "Météo-France, 'very hot day'")),
    "frost_day": Limit("temperature", 0.0, Text("minimum du jour", "minimum of the day"),
                       Text("Météo-France, « jour de gel »", "Météo-France, 'frost day'")),
}  # fmt: skip
