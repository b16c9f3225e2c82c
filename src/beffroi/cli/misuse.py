"""What is said of a command that is not written as it should be: in the terminal's language, with its place and the mend.

The parser says it in English alone; what it says of values is known by its words (those of Typer 0.29), and stays as it is
where they are others.
"""

import re
from typing import Any

import typer

from beffroi.model.problem import Problem
from beffroi.model.text import Text

__all__ = ["UsageError", "misuse_of"]

UsageError: type[Exception] = typer.BadParameter.__mro__[1]
"""What the parser raises for a command that it cannot take."""

_WORDS: tuple[tuple[str, str, str], ...] = (
    (r"(?:File|Path|Directory) ('.*') does not exist\.?", "{0} n'existe pas.", "{0} does not exist."),
    (r"(?:File|Path|Directory) ('.*') is a directory\.?", "{0} est un dossier.", "{0} is a directory."),
    (r"(?:File|Path|Directory) ('.*') is a file\.?", "{0} est un fichier, non un dossier.", "{0} is a file, not a directory."),
    (r"(?:File|Path|Directory) ('.*') is not (?:readable|writable)\.?", "{0} ne peut être ouvert.", "{0} cannot be opened."),
    (r"('.*') is not one of (.*?)\.?", "{0} n'est pas l'un de {1}.", "{0} is not one of {1}."),
    (r".*?('.*') does not match the formats '%Y-%m-%d'\.?", "{0} n'est pas un jour : écrivez 2026-06-01.", "{0} is not a day: write 2026-06-01."),
    (r"Input should be a valid integer.*", "Il faut un nombre entier.", "A whole number is needed."),
    (r"Input should be a valid number.*", "Il faut un nombre.", "A number is needed."),
    (r"Input should be greater than or equal to (\S+)", "Il faut {0} au moins.", "At least {0} is needed."),
    (r"Input should be less than or equal to (\S+)", "Il faut {0} au plus.", "At most {0} is needed."),
    (r"No such command ('.*')\. Did you mean (.*)\?", "La commande {0} n'existe pas. Peut-être {1} ?", "There is no command {0}. Perhaps {1}?"),
    (r"No such command ('.*')\.?", "La commande {0} n'existe pas.", "There is no command {0}."),
    (r"Got unexpected extra arguments?(?:\(s\))? \((.*)\)", "« {0} » est de trop.", "'{0}' is one too many."),
    (r"Option ('.*') requires an argument\.?", "L'option {0} demande une valeur.", "The option {0} needs a value."),
)  # fmt: skip


def misuse_of(error: Any) -> Problem:
    """Return what a parser's error says, its place (the option or argument) and the command that tells how to write it."""
    ctx = getattr(error, "ctx", None)
    path = "beffroi" if ctx is None else str(ctx.command_path)
    mend = Text("Voyez : {path} --help", "See: {path} --help").filled(path=path)
    param = getattr(error, "param", None)
    place = _name_of(param) or str(getattr(error, "option_name", ""))
    return Problem(_reason(error, param, place), mend, place)


def _reason(error: Any, param: Any, place: str) -> Text:
    if type(error).__name__ == "MissingParameter":
        if param is not None and param.param_type_name == "option":
            return Text("Une option nécessaire manque.", "A needed option is missing.")
        return Text("Un argument nécessaire manque.", "A needed argument is missing.")
    if hasattr(error, "possibilities"):
        near = ", ".join(sorted(error.possibilities or ()))
        return Text(
            f"L'option {place} n'existe pas." + (f" Peut-être {near} ?" if near else ""),
            f"There is no option {place}." + (f" Perhaps {near}?" if near else ""),
        )
    said = str(error.message).strip()
    for pattern, fr, en in _WORDS:
        found = re.fullmatch(pattern, said, re.DOTALL | re.IGNORECASE)
        if found:
            shown = [_plain(group) for group in found.groups()]
            return Text(
                fr.format(*(f"« {s[1:-1]} »" if s[:1] == "'" else s for s in shown)), en.format(*shown)
            )
    return Text(_plain(said), _plain(said))


def _plain(text: str) -> str:
    """Return a text whose braces fill nothing."""
    return text.replace("{", "(").replace("}", ")")[:300]


def _name_of(param: Any) -> str:
    if param is None:
        return ""
    options = [name for name in getattr(param, "opts", ()) if name.startswith("--")]
    return str(options[0] if options else param.metavar or param.name)
