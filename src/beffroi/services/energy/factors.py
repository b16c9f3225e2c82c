"""What a kWh emits: dated data with their source, never a number alone."""

import tomllib
from functools import lru_cache
from pathlib import Path

import msgspec

from beffroi.model.text import Text

__all__ = ["PCS_OVER_PCI", "Factor", "carbon_kg", "factor_of", "factors"]

PCS_OVER_PCI = 1.11  # natural gas: a kWh on a bill is PCS, a factor is often told per kWh PCI


class Factor(msgspec.Struct, frozen=True):
    """Grams of CO₂ equivalent for `per`, in a year, according to a source."""

    fluid: str
    grams: float
    per: str
    year: int
    source: Text
    checked: bool
    use: str = ""


@lru_cache(maxsize=1)
def factors() -> tuple[Factor, ...]:
    """Return the dated data."""
    return tuple(
        msgspec.convert(
            tomllib.loads((Path(__file__).parent / "factors.toml").read_text("utf-8"))["factor"], list[Factor]
        )
    )


def factor_of(fluid: str, use: str = "") -> Factor | None:
    """Return the factor of a fluid, of a use of it if one is told apart; the newest; None: not known."""
    fitting = [f for f in factors() if f.fluid == fluid and f.use in (use, "")] or [
        f for f in factors() if f.fluid == fluid
    ]
    return max(fitting, key=lambda f: (f.use == use, f.year), default=None)


def carbon_kg(kwh: float, factor: Factor) -> float:
    """Return the kilograms that kWh as billed emit (gas is billed in kWh PCS)."""
    return (
        kwh
        * factor.grams
        / 1000
        / (PCS_OVER_PCI if factor.per == "kWh PCI" and factor.fluid == "gas" else 1.0)
    )
