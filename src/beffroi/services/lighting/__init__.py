"""Street lighting: when lamps burn, what it costs, what the law asks, which ones are dead, and their remote control.

The stock itself (lamps, supports, cabinets) is the assets service's: it is read through the platform's records, by
the names of its collections (decision 0031).
"""

from beffroi.model.text import Text
from beffroi.plugins import Service, hookimpl, service_of

__all__ = ["beffroi_service"]


@hookimpl
def beffroi_service() -> Service:
    """Return the lighting service."""
    return service_of(
        __name__,
        name="lighting",
        title=Text("Éclairage public", "Street lighting"),
        description=Text(
            "Horaires et coupures, énergie et coût, lampes mortes vues de l'armoire, règles de 2018, télégestion TALQ.",
            "Schedules and cuts, energy and cost, dead lamps seen from the cabinet, the 2018 rules, TALQ remote control.",
        ),
    )
