"""The records of ratings: gaugings, which people write or import, and the versions of the curve that follow from them."""

from datetime import datetime

from beffroi.model.collection import Collection, Record, choice, field
from beffroi.model.text import Text

__all__ = ["COLLECTIONS"]

METHODS = (
    choice("adcp", "Profileur acoustique (ADCP)", "Acoustic profiler (ADCP)"),
    choice("meter", "Moulinet ou courantomètre", "Current meter"), choice("salt", "Dilution", "Dilution"),
    choice("float", "Flotteurs", "Floats"), choice("camera", "Caméra", "Camera"), choice("radar", "Radar de surface", "Surface radar"),
    choice("other", "Autre", "Other"),
)  # fmt: skip


class Gauging(Record):
    """A discharge measured while the stage was read. It is what a rating curve is made of."""

    station: int = field("Station", "Station", reference="river_station")
    at: datetime = field("Date et heure", "Date and time")
    stage: float = field("Hauteur à l'échelle", "Stage", unit="m", minimum=-20, maximum=40,
                         hint=Text("En mètres au-dessus du zéro de l'échelle.", "In metres above the gauge's zero."))  # fmt: skip
    discharge: float = field("Débit", "Discharge", unit="m³/s", minimum=0, maximum=50_000)
    sigma_percent: float = field(
        "Incertitude", "Uncertainty", unit="%", default=7.0, minimum=0.5, maximum=100
    )
    method: str | None = field("Méthode", "Method", choices=METHODS)
    notes: str | None = field("Notes", "Notes", long=True, listed=False, read="agent")


class RatingVersion(Record):
    """The curve of a station from a gauging on: what each stage means in discharge, and how far to trust it."""

    station: int = field("Station", "Station", reference="river_station")
    since: datetime = field("Depuis le jaugeage du", "Since the gauging of")
    gaugings: int = field("Jaugeages", "Gaugings")
    zero_m: float = field("Hauteur de débit nul", "Stage of zero flow", unit="m")
    zero_sigma_m: float = field("à plus ou moins", "give or take", unit="m", listed=False)
    shifted: bool = field("Détarage", "Shift", default=False,
                          hint=Text("Le lit a bougé depuis le jaugeage précédent.", "The bed moved since the gauging before."))  # fmt: skip
    error_percent: float | None = field(
        "Erreur médiane des jaugeages prédits", "Median error of predicted gaugings", unit="%"
    )
    lowest_m: float = field("Plus bas jaugeage", "Lowest gauging", unit="m", listed=False)
    highest_m: float = field("Plus haut jaugeage", "Highest gauging", unit="m", listed=False)
    curve: dict = field("Courbe", "Curve", listed=False)  # type: ignore[type-arg]
    basis: str = field("Empreinte des jaugeages", "Fingerprint of the gaugings", listed=False, read="agent")


COLLECTIONS = (
    Collection(
        "gauging", Text("Jaugeages", "Gaugings"), Gauging, Text("Débits mesurés, avec la hauteur lue.", "Discharges measured, with the stage read."),
        label="at", walked=(("station", "at", "_id"),),
    ),
    Collection("rating_version", Text("Courbes de tarage", "Rating curves"), RatingVersion,
        Text("La courbe d'une station depuis une date, et pourquoi elle a changé.", "A station's curve since a date, and why it changed."),
        label="since", system=True,
    ),
)  # fmt: skip
