"""Works in the street: permits that residents see and navigators read, and the register of works declarations (DT-DICT)."""

from beffroi.model.text import Text
from beffroi.plugins import Service, hookimpl, service_of

__all__ = ["beffroi_service"]


@hookimpl
def beffroi_service() -> Service:
    """Return the works service."""
    return service_of(
        __name__,
        name="works",
        title=Text("Travaux", "Works"),
        description=Text(
            "Arrêtés de circulation en DATEX II, sur la carte et pour tous ; registre des DT-DICT et son délai légal.",
            "Traffic orders in DATEX II, on the map and for everybody; register of works declarations and its legal clock.",
        ),
    )
