"""Energy: what the town's buildings use of electricity, gas and water, what of it is wasted, and what works really save."""

from beffroi.model.text import Text
from beffroi.plugins import Service, hookimpl, service_of

__all__ = ["beffroi_service"]


@hookimpl
def beffroi_service() -> Service:
    """Return the energy service."""
    return service_of(
        __name__,
        name="energy",
        title=Text("Énergie et fluides", "Energy and fluids"),
        description=Text(
            "Électricité, gaz et eau des bâtiments : ce qui est gaspillé, en euros, et ce que les travaux épargnent vraiment.",
            "Electricity, gas and water of the buildings: what is wasted, in euros, and what works really save.",
        ),
    )
