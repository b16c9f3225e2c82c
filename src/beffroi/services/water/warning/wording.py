"""What the service itself writes of a warning: in its running log, to who is on duty, in its rules, as headlines of messages.

Kept in French, said in both languages (`Sayings`); what people typed stands in it as they typed it.
"""

from beffroi.model.sayings import Sayings
from beffroi.model.text import Text
from beffroi.services.water.warning.ranks import NAMES

__all__ = [
    "ACTIONS", "CALLED", "CONFIRMED", "DISMISSED", "ENDED", "EXERCISE", "HEADLINES", "HEADLINE_SAYINGS", "INSTRUCTED", "LOG_SAYINGS",
    "MESSAGE", "MUTE", "NOBODY", "NO_DATA", "NO_WAY", "ONE_ACTION", "OPENED", "PASSED", "PROPOSED", "QUANTITIES", "RISING",
    "SETTLED", "SILENT", "TOO_MUCH_RAIN", "TO_END", "WAYS",
]  # fmt: skip

# --- rules of a station's thresholds
QUANTITIES = {
    "level": Text("hauteur", "level"), "flow": Text("débit", "flow"), "rise": Text("montée", "rise"), "rain": Text("pluie", "rain"),
    "upstream": Text("hauteur à l'amont", "level upstream"), "forecast": Text("hauteur prévue", "forecast level"),
    "forecast_flow": Text("débit prévu", "forecast flow"),
}  # fmt: skip
SILENT = Text("muette", "silent")
MESSAGE = Text("{place}, {what} : {said}", "{place}, {what}: {said}")
NO_DATA = Text("plus de donnée", "no more data")
TOO_MUCH_RAIN = Text("cumul au-dessus du seuil", "total above the threshold")
RISING = Text("plus vite que le seuil, {said}", "faster than the threshold, {said}")

# --- messages
EXERCISE = Text("EXERCICE. ", "EXERCISE. ")
HEADLINES = {
    "Alert": Text("{exercise}Alerte crue {colour} : {place}", "{exercise}Flood warning, {colour}: {place}"),
    "Update": Text("{exercise}Alerte crue, désormais {colour} : {place}", "{exercise}Flood warning, now {colour}: {place}"),
    "Cancel": Text("{exercise}Alerte crue annulée : {place}", "{exercise}Flood warning cancelled: {place}"),
    "End": Text("{exercise}Fin de l'alerte crue : {place}", "{exercise}Flood warning over: {place}"),
}  # fmt: skip
HEADLINE_SAYINGS = Sayings(*HEADLINES.values(), EXERCISE, *NAMES.values())
MUTE = Text("Station muette : {place}", "Silent station: {place}")

# --- the running log
PASSED = Text("Seuil {colour} franchi. {said}", "Threshold {colour} passed. {said}")
_PASSED_ALONE = Text("Seuil {colour} franchi.", "Threshold {colour} passed.")
_PASSED_TWO = Text("Seuil {colour} franchi. {said} ; {more}", "Threshold {colour} passed. {said}; {more}")
ONE_ACTION = Text("1 action du plan mise sur la liste.", "1 action of the plan put on the list.")
ACTIONS = Text("{n} actions du plan mises sur la liste.", "{n} actions of the plan put on the list.")
PROPOSED = Text("Les seuils disent {colour}.", "The thresholds say {colour}.")
TO_END = Text(
    "Les seuils disent {colour}. À terminer par un agent.",
    "The thresholds say {colour}. To be ended by an agent.",
)
CONFIRMED = Text("Alerte {colour} confirmée.", "Warning confirmed at {colour}.")
INSTRUCTED = Text(
    "Alerte {colour} confirmée. Consigne : {said}", "Warning confirmed at {colour}. Instruction: {said}"
)
ENDED = Text("Fin de l'alerte. {said}", "End of the warning. {said}")
_ENDED_ALONE = Text("Fin de l'alerte.", "End of the warning.")
DISMISSED = Text("Alerte écartée : {said}", "Warning set aside: {said}")
OPENED = {
    False: Text("Alerte {colour}, ouverte à la main : {said}", "Warning opened by hand at {colour}: {said}"),
    True: Text(
        "Exercice {colour}, ouverte à la main : {said}", "Exercise opened by hand at {colour}: {said}"
    ),
}
SETTLED = {
    "todo": Text("Remise à faire : {task} ({who})", "Put back to do: {task} ({who})"),
    "done": Text("Faite : {task} ({who})", "Done: {task} ({who})"),
    "skipped": Text("Sans objet : {task} ({who})", "Not needed: {task} ({who})"),
}
NOBODY = Text("{who} : personne d'astreinte en ce moment.", "{who}: nobody on duty at the moment.")
NO_WAY = Text("{who} : à appeler, Beffroi n'a pas de moyen de l'avertir.", "{who}: to be called, Beffroi has no way to tell them.")  # fmt: skip
CALLED = Text("{who} : prévenue par {ways}.", "{who}: told by {ways}.")
WAYS = {
    (True, False): Text("courriel", "mail"), (False, True): Text("SMS", "SMS"), (True, True): Text("courriel et SMS", "mail and SMS"),
}  # fmt: skip
LOG_SAYINGS = Sayings(
    PASSED, _PASSED_ALONE, _PASSED_TWO, ONE_ACTION, ACTIONS, PROPOSED, TO_END, CONFIRMED, INSTRUCTED, ENDED, _ENDED_ALONE, DISMISSED,
    *OPENED.values(), *SETTLED.values(), NOBODY, NO_WAY, CALLED, *WAYS.values(), *NAMES.values(), *QUANTITIES.values(), SILENT,
    NO_DATA, TOO_MUCH_RAIN, RISING, MESSAGE,
)  # fmt: skip
