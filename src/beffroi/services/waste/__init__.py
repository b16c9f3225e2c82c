"""Waste: how full containers will be, and which to collect on which day, by which way."""

from beffroi.model.text import Text
from beffroi.plugins import Service, hookimpl, service_of

__all__ = ["beffroi_service"]


@hookimpl
def beffroi_service() -> Service:
    """Return the waste service."""
    return service_of(
        __name__,
        name="waste",
        title=Text("Collecte", "Waste collection"),
        description=Text(
            "Le remplissage prévu des conteneurs, les tournées qui s'en déduisent, et ce que les sondes rapportent ou non.",
            "The forecast fill of containers, the rounds that follow from it, and whether sensors pay.",
        ),
    )
