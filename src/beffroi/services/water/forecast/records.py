"""The records of forecasts that were checked: what each month came to, and every onset of a flood, forecast or not.

They are written by the service alone, as hours pass; nothing is ever taken out, so that each past event stays in the figures.
"""

from datetime import datetime

from beffroi.model.collection import Collection, Record, choice, field
from beffroi.model.text import Text
from beffroi.services.water.warning.records import COLOURS

__all__ = ["COLLECTIONS"]


class ForecastScore(Record):
    """A month of forecasts of one station at one lead, against what came."""

    code: str = field("Code", "Code", key=True, listed=False)
    station: int = field("Station", "Station", reference="river_station")
    month: str = field("Mois", "Month", pattern=r"\d{4}-\d{2}")
    lead_h: int = field("Échéance", "Lead", unit="h")
    hours: int = field("Heures vérifiées", "Hours checked", default=0)
    squares: float = field("Somme des carrés des erreurs", "Sum of squared errors", default=0.0, listed=False)
    still_squares: float = field(
        "Somme des carrés, débit constant", "Sum of squares, constant discharge", default=0.0, listed=False
    )
    below: int = field("Sous l'intervalle", "Below the interval", default=0)
    lower: int = field("Dans la moitié basse", "In the lower half", default=0)
    upper: int = field("Dans la moitié haute", "In the upper half", default=0)
    above: int = field("Au-dessus de l'intervalle", "Above the interval", default=0)


class ForecastEvent(Record):
    """The onset of a threshold exceedance after 24 hours below it: one that came, forecast or missed, or a false alarm."""

    code: str = field("Code", "Code", key=True, listed=False)
    station: int = field("Station", "Station", reference="river_station")
    at: datetime = field("Début", "Onset")
    outcome: str = field(
        "Issue", "Outcome",
        choices=(choice("hit", "Prévu", "Forecast", "vert"), choice("missed", "Manqué", "Missed", "rouge"),
                 choice("false", "Fausse alerte", "False alarm", "orange")),
    )  # fmt: skip
    threshold_m3s: float = field("Seuil", "Threshold", unit="m³/s")
    colour: str | None = field("Couleur du seuil", "Colour of the threshold", choices=COLOURS)
    lead_h: int = field("Anticipation", "Lead time", unit="h", default=0,
                        hint=Text("La plus longue échéance à laquelle le début fut annoncé à une heure près.",
                                  "The longest lead at which the onset was announced within an hour."))  # fmt: skip
    leads: list = field("Échéances", "Leads", listed=False)  # type: ignore[type-arg]
    tried: list = field("Échéances vérifiées", "Leads checked", listed=False)  # type: ignore[type-arg]
    peak_m3s: float | None = field("Pointe", "Peak", unit="m³/s")


COLLECTIONS = (
    Collection(
        "forecast_event", Text("Débuts de crue, prévus ou non", "Flood onsets, forecast or not"), ForecastEvent,
        Text("Chaque début de crue, s'il était prévu et combien d'heures avant.", "Each flood onset, whether it was forecast and how many hours before."), label="at",
        status="outcome", system=True, walked=(("station", "at", "_id"),),
    ),
    Collection("forecast_score", Text("Prévisions vérifiées, par mois", "Forecasts checked, by month"), ForecastScore,
        Text("Ce que valaient les prévisions de chaque mois, échéance par échéance.", "What the forecasts of each month were worth, lead by lead."),
        label="month", system=True,
    ),
)  # fmt: skip
