"""Environment: weather, air, river levels and counts of people and vehicles.

For the agent who must know what the weather does to the town, the elected official who answers for its air,
and the citizen who wants to know both. Everything here is declaration; the platform does the rest.
"""

from beffroi.model.text import Text
from beffroi.plugins import Service, hookimpl, service_of

__all__ = ["beffroi_service"]


@hookimpl
def beffroi_service() -> Service:
    """Return the environment service."""
    return service_of(
        __name__,
        name="environment",
        title=Text("Environnement", "Environment"),
        description=Text(
            "Météo, qualité de l'air, niveau des cours d'eau, comptages de vélos, de piétons et de véhicules.",
            "Weather, air quality, river levels, counts of bicycles, pedestrians and vehicles.",
        ),
    )
