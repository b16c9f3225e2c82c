"""The water service's cards on the situation page."""

from beffroi.model.declaration import Card
from beffroi.model.text import Text

__all__ = ["CARDS"]

CARDS = (
    Card("open_leaks", Text("Fuites ouvertes", "Open leaks"), "indicator:open_leaks", order=50),
    Card("leak_cost", Text("Coût des fuites", "Cost of leaks"), "indicator:leak_cost", order=51),
)
