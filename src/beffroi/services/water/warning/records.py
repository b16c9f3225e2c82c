"""The records of flood warning. A warning, its tasks, its log and its messages are written by the service alone
(`system`): the log is only ever added to."""

from datetime import datetime
from typing import Any

from beffroi.model.collection import Collection, Personal, Record, choice, field
from beffroi.model.text import Text
from beffroi.services.water.warning.wording import HEADLINE_SAYINGS, LOG_SAYINGS

__all__ = ["COLLECTIONS", "COLOURS", "QUANTITIES"]

COLOURS = (
    choice("vert", "Vert", "Green", "vert"), choice("jaune", "Jaune", "Yellow", "jaune"),
    choice("orange", "Orange", "Orange", "orange"), choice("rouge", "Rouge", "Red", "rouge"),
)  # fmt: skip
RAISED = COLOURS[1:]
QUANTITIES = (
    choice("level", "Hauteur", "Level"), choice("flow", "Débit", "Discharge"), choice("rise", "Montée", "Rise"),
    choice("rain", "Cumul de pluie", "Rain total"), choice("upstream", "Hauteur à l'amont", "Upstream level"),
    choice("forecast", "Hauteur prévue (quantile haut)", "Forecast level (high quantile)"),
    choice("forecast_flow", "Débit prévu (quantile haut)", "Forecast discharge (high quantile)"),
)  # fmt: skip
STATES = (
    choice("proposed", "À confirmer", "To be confirmed", "orange"), choice("confirmed", "Confirmée", "Confirmed", "rouge"),
    choice("ended", "Terminée", "Over", "vert"), choice("dismissed", "Écartée", "Dismissed", "vert"),
)  # fmt: skip
ENTRIES = (
    choice("decision", "Décision", "Decision"), choice("observation", "Observation", "Observation"),
    choice("call", "Appel", "Call"), choice("order", "Ordre", "Order"), choice("message", "Message", "Message"),
    choice("system", "Automatique", "Automatic"),
)  # fmt: skip
_REACHED = Text(
    "Joindre la personne d'astreinte pendant une crue.", "Reach the person on duty during a flood."
)
_TOLD = Text("Envoyer les alertes à qui l'a demandé.", "Send warnings to those who asked for them.")
_SERIES = Text("Numéro de la série, page Capteurs.", "Number of the series, Sensors page.")


def _person(fr: str, en: str, purpose: Text) -> Any:
    return field(fr, en, read="agent", personal=Personal(purpose, 365))


class RiverStation(Record):
    """A place where a river is watched, and the series that watch it. Stations of one river share a page."""

    code: str = field("Code", "Code", key=True, pattern="[A-Za-z0-9_-]{2,40}",
                      hint=Text("Code Sandre de dix caractères s'il en a un.", "Sandre code of ten characters if it has one."))  # fmt: skip
    name: str = field("Nom", "Name")
    river: str = field("Cours d'eau", "River")
    position: int = field("Rang d'amont en aval", "Rank going downstream", default=0, listed=False)
    level: int | None = field("Série des hauteurs", "Series of levels", hint=_SERIES)
    flow: int | None = field("Série des débits", "Series of discharges", hint=_SERIES, listed=False)
    rain: int | None = field("Série de la pluie", "Series of rain", hint=_SERIES, listed=False)
    forecast: int | None = field(
        "Série de la prévision haute", "Series of the high forecast", listed=False,
        hint=Text("Celle de Vigicrues, par exemple. Vide : la hauteur que la ville prévoit elle-même, à 90 %.",
                  "That of Vigicrues, for example. Empty: the level that the town itself forecasts, at 90 %."),
    )  # fmt: skip
    upstream: int | None = field(
        "Station à l'amont", "Station upstream", reference="river_station", listed=False
    )
    period_min: int = field("Cadence attendue", "Expected pace", unit="min", default=10, minimum=1, maximum=1440,
                            hint=Text("Sans donnée pendant deux fois ce temps, la station est muette.", "Without data for twice that time, the station is silent."))  # fmt: skip
    zero_m: float | None = field(
        "Altitude du zéro de l'échelle", "Altitude of the gauge's zero", unit="m NGF", listed=False
    )
    vigicrues: str | None = field("Tronçon Vigicrues", "Vigicrues section", listed=False)
    phone: str | None = field("Téléphone de la mairie en crue", "Town hall's flood telephone", listed=False)
    advice: dict | None = field("Consignes", "Advice", listed=False,  # type: ignore[type-arg]
                                hint=Text('Par couleur et langue : {"orange": {"fr": "…", "en": "…"}}. Vide : celles de Beffroi.',
                                          'By colour and language: {"orange": {"fr": "…", "en": "…"}}. Empty: those of Beffroi.'))  # fmt: skip


class RiverThreshold(Record):
    """One threshold of a station. They are the town's own: nobody publishes them."""

    station: int = field("Station", "Station", reference="river_station")
    quantity: str = field("Grandeur", "Quantity", choices=QUANTITIES, default="level")
    colour: str = field("Couleur", "Colour", choices=RAISED, default="jaune")
    value: float = field("Seuil", "Threshold", hint=Text("m, m³/s ou mm.", "m, m³/s or mm."))
    within_min: int | None = field("En combien de temps", "Within", unit="min", minimum=1, maximum=14_400,
                                   hint=Text("Pour la montée et la pluie.", "For the rise and the rain."))  # fmt: skip
    hysteresis: float = field("Fin quand on est revenu de", "Over once back by", default=0.1, minimum=0)
    hold_min: int = field(
        "Pendant au moins", "For at least", unit="min", default=0, minimum=0, maximum=1440, listed=False
    )
    source: str | None = field("D'où vient ce seuil", "Where it comes from", hint=Text("PCS, crue de référence …", "Plan, flood of reference …"))  # fmt: skip


class RiverWarning(Record):
    """One warning, from its first threshold to its end. `auto` is what the thresholds say now, `colour` what people are told."""

    station: int = field("Station", "Station", reference="river_station")
    colour: str = field("Couleur", "Colour", choices=COLOURS, default="jaune")
    auto: str = field(
        "Couleur des seuils", "Colour of the thresholds", choices=COLOURS, default="vert", listed=False
    )
    worst: str = field("Couleur la plus haute", "Highest colour", choices=COLOURS, default="jaune")
    state: str = field("État", "State", choices=STATES, default="proposed")
    exercise: bool = field("Exercice", "Exercise", default=False)
    opened_at: datetime = field("Début", "Start")
    confirmed_at: datetime | None = field("Confirmée le", "Confirmed at")
    confirmed_by: str | None = field("Confirmée par", "Confirmed by", read="agent", listed=False)
    ended_at: datetime | None = field("Fin", "End")
    instruction: str | None = field(
        "Consigne particulière", "Particular instruction", long=True, listed=False
    )
    image: int | None = field("Image regardée", "Image looked at", reference="river_image", listed=False)


class WarningTask(Record):
    """One action of the plan, to be done in one warning."""

    warning: int = field("Alerte", "Warning", reference="river_warning")
    position: int = field("Rang", "Rank", default=0, listed=False)
    colour: str = field("Dès la couleur", "From the colour", choices=RAISED, default="jaune")
    title: str = field("Action", "Action")
    detail: str | None = field("Détail", "Detail", long=True, listed=False)
    function: str = field("Fonction", "Function")
    due_at: datetime = field("Avant", "Before")
    state: str = field(
        "État", "State", default="todo",
        choices=(choice("todo", "À faire", "To do", "orange"), choice("done", "Faite", "Done", "vert"),
                 choice("skipped", "Sans objet", "Not needed", "vert")),
    )  # fmt: skip
    done_at: datetime | None = field("Faite le", "Done at")
    done_by: str | None = field("Faite par", "Done by")


class WarningEntry(Record):
    """One line of the log (« main courante »): never changed, never deleted; a mistake is mended by another line."""

    warning: int = field("Alerte", "Warning", reference="river_warning")
    at: datetime = field("Heure", "Time")
    kind: str = field("Nature", "Kind", choices=ENTRIES, default="observation")
    text: str = field("Texte", "Text", long=True, words=LOG_SAYINGS)
    author: str = field("Auteur", "Author")


class PlanAction(Record):
    """One action of the plan communal de sauvegarde: what, by whom (a function), from which colour, within which time."""

    position: int = field("Rang", "Rank", default=0)
    colour: str = field("Dès la couleur", "From the colour", choices=RAISED, default="jaune")
    station: int | None = field(
        "Station", "Station", reference="river_station", hint=Text("Vide : toutes.", "Empty: all.")
    )
    title: str = field("Action", "Action")
    detail: str | None = field("Détail", "Detail", long=True, listed=False)
    function: str = field(
        "Fonction", "Function", hint=Text("Une fonction, jamais un nom.", "A function, never a name.")
    )
    within_min: int = field("Dans les", "Within", unit="min", default=30, minimum=0, maximum=2880)


class EscalationStep(Record):
    """Whom to call while nobody confirms: the person of this function on duty then, so long after the warning opened."""

    position: int = field("Rang", "Rank", default=0)
    colour: str = field("Dès la couleur", "From the colour", choices=RAISED, default="jaune")
    after_min: int = field("Après", "After", unit="min", default=0, minimum=0, maximum=720)
    function: str = field("Fonction", "Function")
    way: str = field("Par", "By", default="both", choices=(
        choice("mail", "Courriel", "E-mail"), choice("sms", "SMS", "Text message"), choice("both", "Les deux", "Both")))  # fmt: skip


class DutyTurn(Record):
    """One turn of duty (« astreinte »): who answers for a function, from when until when."""

    function: str = field("Fonction", "Function")
    person: str = _person("Personne", "Person", _REACHED)
    mail: str | None = _person("Courriel", "E-mail", _REACHED)
    phone: str | None = _person("Téléphone", "Telephone", _REACHED)
    starts: datetime = field("Du", "From")
    ends: datetime = field("Au", "Until")


class WarningRecipient(Record):
    """Someone, or a body, that gets the warnings as CAP messages by mail."""

    name: str = field("Destinataire", "Recipient")
    mail: str = _person("Courriel", "E-mail", _TOLD)
    colour: str = field("Dès la couleur", "From the colour", choices=RAISED, default="orange")
    active: bool = field("Actif", "Active", default=True)


class CapMessage(Record):
    """One message as it was sent (Common Alerting Protocol 1.2)."""

    identifier: str = field("Identifiant", "Identifier", key=True)
    warning: int = field("Alerte", "Warning", reference="river_warning")
    kind: str = field("Nature", "Kind", default="Alert", choices=(
        choice("Alert", "Alerte", "Alert"), choice("Update", "Mise à jour", "Update"), choice("Cancel", "Annulation", "Cancel")))  # fmt: skip
    colour: str = field("Couleur", "Colour", choices=COLOURS, default="jaune")
    sent: datetime = field("Envoyé le", "Sent at")
    headline: str = field("Titre", "Headline", words=HEADLINE_SAYINGS)
    xml: str = field("Message", "Message", long=True, listed=False)


class RiverImage(Record):
    """One picture of a river at a station, without its metadata; `small` is for phones at night."""

    station: int = field("Station", "Station", reference="river_station")
    at: datetime = field("Prise le", "Taken at")
    source: str = field("Source", "Source", default="agent")
    file: str = field("Fichier", "File", listed=False)
    small: str = field("Vignette", "Thumbnail", listed=False)
    caption: str | None = field("Légende", "Caption")


COLLECTIONS = (
    Collection("river_station", Text("Stations de rivière", "River stations"), RiverStation, geometry="point", label="name",
               write="responsable", description=Text("Où la ville surveille ses rivières.", "Where the town watches its rivers.")),
    Collection("river_threshold", Text("Seuils de vigilance", "Warning thresholds"), RiverThreshold, label="colour", status="colour",
               write="responsable", description=Text("Les seuils propres à la commune, par station.", "The town's own thresholds, by station.")),
    Collection("river_warning", Text("Alertes de crue", "Flood warnings"), RiverWarning, label="colour", status="colour", system=True,
               description=Text("Chaque alerte, du premier seuil à sa fin.", "Each warning, from its first threshold to its end."),
               walked=(("opened_at", "_id", "state"),)),
    Collection("warning_task", Text("Actions d'une alerte", "Actions of a warning"), WarningTask, label="title", status="state",
               read="agent", system=True, description=Text("Les actions du plan dans une alerte, avec leur heure.", "The plan's actions in one warning, with their time.")),
    Collection("warning_entry", Text("Main courante", "Running log"), WarningEntry, label="text", read="agent", system=True,
               description=Text("Ce qui s'est dit et fait, heure par heure.", "What was said and done, hour by hour.")),
    Collection("plan_action", Text("Plan communal de sauvegarde", "Emergency plan"), PlanAction, label="title", status="colour",
               read="agent", write="responsable", description=Text("Les actions du PCS par couleur.", "The plan's actions by colour.")),
    Collection("escalation_step", Text("Escalade", "Escalation"), EscalationStep, label="function", read="agent", write="responsable",
               description=Text("Qui est appelé tant que personne ne confirme.", "Who is called while nobody confirms.")),
    Collection("duty_turn", Text("Tours d'astreinte", "Turns of duty"), DutyTurn, label="function", read="agent", end_of_life="ends",
               description=Text("Qui répond de quelle fonction, de quand à quand.", "Who answers for which function, from when until when.")),
    Collection("warning_recipient", Text("Destinataires des alertes", "Recipients of warnings"), WarningRecipient, label="name",
               read="agent", write="responsable", description=Text("Qui reçoit les messages CAP par courriel.", "Who gets the CAP messages by mail.")),
    Collection("cap_message", Text("Messages d'alerte (CAP)", "Warning messages (CAP)"), CapMessage, label="headline", status="colour",
               system=True, walked=(("sent", "_id"),), description=Text("Chaque message comme il est parti.", "Each message as it was sent.")),
    Collection("river_image", Text("Images de rivière", "Pictures of rivers"), RiverImage, label="source", system=True,
               retention_days=30, description=Text("Les dernières vues de la rivière, sans métadonnées.", "The last views of the river, without metadata."), walked=(("at", "_id", "station"),)),
)  # fmt: skip
