"""The equipment service's cards on the situation page."""

from beffroi.model.declaration import Card
from beffroi.model.text import Text

__all__ = ["CARDS"]

CARDS = (
    Card(
        "lamps_in_order", Text("Éclairage en état", "Lighting in order"), "indicator:lamps_in_order", order=40
    ),
    Card("open_faults", Text("Pannes à traiter", "Open faults"), "indicator:open_faults", order=41),
    Card("led_share", Text("Éclairage en LED", "LED lighting"), "indicator:led_share", order=60),
)
