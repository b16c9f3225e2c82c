"""What the situation page shows of rivers: each part of the service adds a line."""

from beffroi.model.declaration import Card
from beffroi.model.text import Text

__all__ = ["CARDS"]

CARDS = (
    Card("discharge", Text("Débit de la rivière", "River discharge"), "datastream:discharge", order=13),
    Card("warning_hours", Text("Heures d'alerte crue (30 j)", "Hours of flood warning (30 d)"), "indicator:warning_hours", "P30D", order=14),
    Card("confirm_minutes", Text("Délai de confirmation des alertes (1 an)", "Time to confirm warnings (1 y)"), "indicator:confirm_minutes", "P365D",
         read="elu", order=91),
)  # fmt: skip
