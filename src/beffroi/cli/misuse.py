"""What is said of a command that was written wrongly, in the terminal's language, as any other problem is."""

import re
from typing import Any

from beffroi.model.problem import Problem
from beffroi.model.text import Text

__all__ = ["misuse"]

_PLACE = re.compile(
    r"(?:Invalid value for|Missing argument|Missing option|Missing parameter|Option) '?([^':]+?)'?(?:[:.]| requires)"
)
_PREFIX = re.compile(r"^Invalid value for [^:]+: ")
# what the library says, as a pattern -> the same in French and in English, its groups filled in
_SAID: tuple[tuple[re.Pattern[str], str, str], ...] = tuple(
    (re.compile(pattern), fr, en)
    for pattern, fr, en in (
        (r"(?i)^(?:file|path) '(.*)' does not exist", "Le fichier « {0} » n'existe pas", "The file '{0}' does not exist"),
        (r"(?i)^directory '(.*)' does not exist", "Le dossier « {0} » n'existe pas", "The directory '{0}' does not exist"),
        (r"(?i)^(?:file|path) '(.*)' is a directory", "« {0} » est un dossier, non un fichier", "'{0}' is a directory, not a file"),
        (r"(?i)^directory '(.*)' is a file", "« {0} » est un fichier, non un dossier", "'{0}' is a file, not a directory"),
        (r"(?i)^\w+ '(.*)' is not (?:readable|writable)", "« {0} » ne peut être ouvert", "'{0}' cannot be opened"),
        (r"^Missing argument", "Il manque un argument", "An argument is missing"),
        (r"^Missing (?:option|parameter)", "Il manque une option", "An option is missing"),
        (r"requires an argument", "Cette option demande une valeur", "This option needs a value"),
        (r"^No such option:? '?(\S+?)'?(?:[ .]|$)", "L'option {0} n'existe pas", "There is no option {0}"),
        (r"^No such command '(.*?)'", "La commande « {0} » n'existe pas", "There is no command '{0}'"),
        (r"unexpected extra arguments?(?:\(s\))? \((.*)\)", "Argument de trop : {0}", "One argument too many: {0}"),
        (r"valid number|valid integer|valid int", "Ce n'est pas un nombre", "This is not a number"),
        (r"greater than or equal to (\S+)", "Le nombre doit être d'au moins {0}", "The number must be at least {0}"),
        (r"less than or equal to (\S+)", "Le nombre doit être d'au plus {0}", "The number must be at most {0}"),
        (r"'(.*?)' is not one of (.*?)\.?$", "« {0} » n'est pas l'un de {1}", "'{0}' is not one of {1}"),
    )
)  # fmt: skip


def misuse(message: str, error: Any) -> Problem:
    """Return the problem that a wrong command line is: `message` as the library words it, `error` its exception."""
    bare = _PREFIX.sub("", message)
    reason = Text(bare.rstrip("."), bare.rstrip("."))
    for pattern, fr, en in _SAID:
        found = pattern.search(bare)
        if found is not None:
            groups = [(g or "").rstrip(".") for g in found.groups()]
            reason = Text(fr.format(*groups), en.format(*groups))
            break
    place = _PLACE.search(message)
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "beffroi"
    near = re.search(r"Did you mean '?([^'?]+)'?\?", message)
    mend = (
        Text(
            f"Vouliez-vous dire « {near[1]} » ? Aide : {path} -h",
            f"Did you mean '{near[1]}'? Help: {path} -h",
        )
        if near is not None
        else Text(f"Aide : {path} -h", f"Help: {path} -h")
    )
    return Problem(reason, mend, place[1] if place is not None else "")
