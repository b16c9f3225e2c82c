"""Equipment: what the town owns and looks after, as declarations."""

from beffroi.model.text import Text
from beffroi.plugins import Service, hookimpl, service_of

__all__ = ["beffroi_service"]


@hookimpl
def beffroi_service() -> Service:
    """Return the equipment service."""
    return service_of(
        __name__,
        name="equipment",
        title=Text("Patrimoine", "Assets"),
        description=Text(
            "Éclairage, conteneurs, échelles de crue, bâtiments : où ils sont, dans quel état, ce qui est en panne.",
            "Lighting, bins, river gauges, buildings: where they are, in what state, what is broken.",
        ),
    )
