"""Water: rivers watched by gauges and cameras, warned of, forecast, and measured with their uncertainty.

For the agent on duty at 3 a.m., the mayor who must decide, the resident by the river, and the hydrologist who asks how
well it measures.
"""

from beffroi.model.text import Text
from beffroi.plugins import Service, hookimpl, service_of

__all__ = ["beffroi_service"]


@hookimpl
def beffroi_service() -> Service:
    """Return the water service."""
    return service_of(
        __name__,
        name="water",
        title=Text("Eau et rivières", "Water and rivers"),
        description=Text(
            "Les rivières, de l'image au débit, du seuil à l'alerte, de la pluie à la prévision, avec leur incertitude.",
            "Rivers, from the image to the discharge, from the threshold to the warning, from the rain to the forecast, "
            "with their uncertainty.",
        ),
    )
