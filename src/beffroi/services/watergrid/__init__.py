"""Water and sewers: metered areas and what they lose, one file a leak, where it is, what it costs, and the yearly figures."""

from beffroi.model.text import Text
from beffroi.plugins import Service, hookimpl, service_of

__all__ = ["beffroi_service"]


@hookimpl
def beffroi_service() -> Service:
    """Return the water and sewers service."""
    return service_of(
        __name__,
        name="watergrid",
        title=Text("Eau potable et assainissement", "Water supply and sewers"),
        description=Text(
            "Le bilan de chaque secteur de comptage, une fiche par fuite avec son coût et son lieu probable, et les indicateurs de l'année.",
            "The balance of each metered area, one file a leak with its cost and likely place, and the year's indicators.",
        ),
    )
