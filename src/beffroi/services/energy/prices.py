"""What a kWh or a m³ costs at a point."""

from beffroi.store.record import Row

__all__ = ["DEFAULT_PRICES", "price_of"]

# €/kWh or €/m³ with tax, when a point has no price of its own: orders of magnitude of the platform, to be replaced (2026)
DEFAULT_PRICES = {"electricity": 0.21, "gas": 0.11, "water": 4.3, "heat": 0.12, "oil": 0.14, "wood": 0.08}


def price_of(point: Row) -> float:
    """Return what a kWh (or m³) costs at a point, with tax."""
    own = point.values["price"]
    return float(own) if own is not None else DEFAULT_PRICES.get(point.values["fluid"], 0.15)
