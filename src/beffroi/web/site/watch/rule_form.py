"""A rule written in words: the fields of a form, and the YAML that they say."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from beffroi.model.problem import Problem
from beffroi.model.text import Text
from beffroi.standards.yaml_text import write_yaml
from beffroi.web.kit.form import Input

__all__ = ["field_of", "groups_of", "yaml_of"]

SEVERITIES = ("jaune", "orange", "rouge")
CONDITIONS = ("above", "below", "rises", "falls", "totals", "means", "silent")
_FIELDS = {
    "name": "name", "watch": "watch", "when/for": "for", "when/within": "within", "when/of": "of", "when/times": "times",
    "when/hysteresis": "hysteresis", "when/clear_after": "clear_after", "during/hours": "hours", "during/days": "days",
    "message": "message", "message_en": "message_en", "actions": "email",
}  # fmt: skip


def groups_of(
    _: Callable[..., str], series: Sequence[tuple[str, str]], kinds: Sequence[tuple[str, str]]
) -> list[tuple[str, list[Input]]]:
    """Return the form's inputs in groups, each with its title. `series` and `kinds` are (value, words)."""
    watched = (("", "–"), *((f"datastream:{v}", w) for v, w in series), *((f"kind:{v}", w) for v, w in kinds))
    return [
        (_("Quoi"), [
            Input("watch", _("Surveiller"), "select", required=True, options=watched),
            Input("condition", _("Quand la valeur"), "select", required=True, options=(
                ("above", _("dépasse un seuil")), ("below", _("passe sous un seuil")), ("rises", _("monte vite")),
                ("falls", _("baisse vite")), ("totals", _("s'accumule")), ("means", _("est haute en moyenne")), ("silent", _("n'arrive plus")),
            )),
        ]),
        (_("À partir de"), [
            Input("jaune", _("Vigilance jaune"), hint=_("Un nombre, ou une durée comme 1 h si la valeur n'arrive plus. Un seul des trois suffit.")),
            Input("orange", _("Alerte orange")), Input("rouge", _("Alerte rouge")),
            Input("within", _("En combien de temps"), hint=_("Pour « monte vite », « baisse vite », « s'accumule » ou « en moyenne » : par exemple 1 h.")),
        ]),
        (_("Pour ne pas sonner pour rien"), [
            Input("for", _("Pendant au moins"), hint=_("Par exemple 10 min.")),
            Input("hysteresis", _("Fin quand la valeur est revenue de"), hint=_("Par exemple 10 : une alerte à 200 finit sous 190.")),
            Input("times", _("Au moins tant de fois"), "number", minimum=1),
            Input("of", _("… sur les dernières mesures"), "number", minimum=1),
            Input("clear_after", _("Fin après un calme de"), hint=_("Par exemple 1 h.")),
            Input("days", _("Seulement ces jours"), hint=_("Par exemple lundi-vendredi, ou week-end.")),
            Input("hours", _("Seulement ces heures"), hint=_("Par exemple 22:00-06:00.")),
        ]),
        (_("Ce que l'alarme dit et fait"), [
            Input("name", _("Nom de la règle"), required=True),
            Input("message", _("Texte de l'alarme"), hint=_("Par exemple {thing} : {value} {unit}. Laissé vide, Beffroi l'écrit.")),
            Input("message_en", _("Le même en anglais"), hint=_("Facultatif : pour ceux qui lisent Beffroi en anglais.")),
            Input("email", _("Prévenir par courriel"), hint=_("Des adresses séparées par des virgules ; au début et à la fin.")),
        ]),
    ]  # fmt: skip


def yaml_of(values: Mapping[str, str]) -> str:
    """Return the YAML of what a form says. Raises `Problem` at a field's name."""
    said = {name: value.strip() for name, value in values.items() if value.strip()}
    rule: dict[str, Any] = {
        "name": said.get("name") or _missing("name"),
        "watch": _watch(said.get("watch", "")),
    }
    rule["when"] = _when(said)
    during = {name: said[name] for name in ("days", "hours") if name in said}
    if during:
        rule["during"] = during
    named = [severity for severity in SEVERITIES if severity in said]
    if len(named) == 1:
        rule["severity"] = named[0]
    rule |= {name: said[name] for name in ("message", "message_en") if name in said}
    if "email" in said:
        addresses = said["email"].replace(";", ",").replace(" ", "").split(",")
        rule["actions"] = [{"email": [a for a in addresses if a], "on": ["raise", "clear"]}]
    return write_yaml(rule)


def _when(said: Mapping[str, str]) -> dict[str, Any]:
    levels = {severity: _figure(said[severity]) for severity in SEVERITIES if severity in said}
    if not levels:
        raise Problem(Text("Il manque un seuil.", "A limit is missing."),
                      Text("Remplissez l'un des trois.", "Fill in one of the three."), "jaune")  # fmt: skip
    condition = said.get("condition", "above")
    if condition not in CONDITIONS:
        raise Problem(Text("Choisissez une condition.", "Choose a condition."), place="condition")
    when: dict[str, Any] = {condition: next(iter(levels.values())) if len(levels) == 1 else levels}
    when.update({name: _figure(said[name]) for name in ("hysteresis", "times", "of") if name in said})
    when.update({name: said[name] for name in ("within", "for", "clear_after") if name in said})
    return when


def _missing(name: str) -> str:
    raise Problem(Text("Ce champ est nécessaire.", "This field is needed."), place=name)


def _watch(chosen: str) -> dict[str, Any]:
    way, _, value = chosen.partition(":")
    if way == "datastream" and value.isdigit() and len(value) < 16:
        return {"datastream": int(value)}
    if way == "kind" and value:
        return {"kind": value}
    raise Problem(Text("Choisissez ce qu'il faut surveiller.", "Choose what to watch."), place="watch")


def _figure(text: str) -> int | float | str:
    """Return the number that `text` writes, or the text itself (the reader of rules judges it)."""
    plain = text.replace("\u202f", "").replace("\u00a0", "").replace(" ", "").replace(",", ".")
    try:
        number = float(plain)
    except ValueError:
        return text
    return int(number) if number.is_integer() and abs(number) < 1e15 else number


def field_of(problem: Problem) -> str:
    """Return the form's field that a problem of the YAML is about, "" for the whole form."""
    pointer = problem.place.rpartition(", ")[2]
    if pointer in ("condition", *SEVERITIES) or pointer in _FIELDS.values():
        return pointer
    return next(
        (field for start, field in _FIELDS.items() if pointer.startswith(start)),
        "jaune" if pointer.startswith("when") else "",
    )
