"""May this camera record? On a public way it needs its authorisation in force, its purpose unchanged, its notice and its
entry in the register (code de la sécurité intérieure, L251-1 to L255-1 and R253-3; GDPR, articles 13 and 30)."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from beffroi.model.text import Text

__all__ = ["PURPOSE", "hindrances", "may_record"]

PURPOSE = "natural_risks"  # the one for which a river is measured (code de la sécurité intérieure, L251-2)


def hindrances(values: Mapping[str, Any], today: date) -> list[tuple[str, Text]]:
    """Return what hinders a camera from recording: the field, and why in both languages. Empty: it may."""
    found: list[tuple[str, Text]] = []
    if not values.get("authorisation"):
        found.append(
            (
                "authorisation",
                Text("Il manque le numéro de l'autorisation.", "The number of the authorisation is missing."),
            )
        )
    until = values.get("authorised_until")
    until = date.fromisoformat(until) if isinstance(until, str) else until
    if until is None:
        found.append(
            (
                "authorised_until",
                Text(
                    "Il manque l'échéance de l'autorisation.", "The expiry of the authorisation is missing."
                ),
            )
        )
    elif until < today:
        found.append(
            (
                "authorised_until",
                Text("L'autorisation a expiré le {day}.", "The authorisation expired on {day}.").filled(
                    day=until.isoformat()
                ),
            )
        )
    if not values.get("authorised_purpose"):
        found.append(
            (
                "authorised_purpose",
                Text("Il manque la finalité autorisée.", "The authorised purpose is missing."),
            )
        )
    elif values["authorised_purpose"] != PURPOSE:
        found.append(
            (
                "authorised_purpose",
                Text(
                    "L'autorisation n'est pas pour la prévention des risques naturels.",
                    "The authorisation is not for the prevention of natural risks.",
                ),
            )
        )
    elif values.get("purpose") != PURPOSE:
        found.append(
            (
                "purpose",
                Text(
                    "La finalité suivie n'est pas celle qui est autorisée.",
                    "The purpose pursued is not the authorised one.",
                ),
            )
        )
    if not values.get("notice"):
        found.append(
            (
                "notice",
                Text("Le panneau d'information n'est pas en place.", "The notice board is not in place."),
            )
        )
    if not values.get("register"):
        found.append(
            (
                "register",
                Text(
                    "La caméra n'est pas au registre des traitements.",
                    "The camera is not in the records of processing.",
                ),
            )
        )
    return found


def may_record(values: Mapping[str, Any], today: date) -> bool:
    """True when nothing hinders."""
    return not hindrances(values, today)
