"""What a rule is called, in a reader's language."""

from beffroi.model.problem import Problem
from beffroi.rules.reading import read_rule
from beffroi.store.record import Row
from beffroi.town import Town

__all__ = ["name_of"]


def name_of(town: Town, row: Row, language: str) -> str:
    """Return the name of a rule: in English what its author wrote (`name_en`), else what the service that proposed it
    calls it, else its name."""
    name = str(row.values["name"])
    if language != "en":
        return name
    try:
        written = read_rule(row.values["yaml"]).name_en
    except Problem:
        written = ""
    service = town.registry.services.get(row.values["origin"] or "")
    for template in service.rules if service is not None and not written else ():
        if template.title.fr == name or f"name: {name}\n" in template.yaml:
            return template.title.en
    return written or name
