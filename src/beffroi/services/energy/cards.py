"""The energy service's cards on the situation page."""

from beffroi.model.declaration import Card
from beffroi.model.text import Text

__all__ = ["CARDS"]

CARDS = (
    Card("energy_waste", Text("Énergie gaspillée", "Energy wasted"), "indicator:energy_waste", order=45),
)
