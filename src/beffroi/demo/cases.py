"""The business cases of the demonstration town: those that its services propose, published."""

from beffroi.evaluation.case.collections import CASE
from beffroi.model.principal import Principal
from beffroi.town import Town

__all__ = ["write_cases"]

_WRITER = Principal("user:demo-finances", "Nadège Lavaud", "responsable")


def write_cases(town: Town) -> None:
    """Write a published case for each one that a service proposes."""
    with town.store.records.writer(_WRITER, "Modèle présenté au conseil") as writer:
        for service in town.registry.services.values():
            for document in service.evaluation.cases if service.evaluation else ():
                values = {
                    "title": document["title"]["fr"],
                    "service": service.name,
                    "published": True,
                    "document": dict(document),
                }
                writer.create(CASE.name, values, None, None)
