"""The legal holidays of France (Code du travail L3133-1; Alsace-Moselle L3134-13; overseas L3422-2)."""

from datetime import date
from functools import lru_cache

__all__ = ["french_holidays"]


@lru_cache(maxsize=512)
def french_holidays(year: int, region: str = "") -> frozenset[date]:
    """Return the holidays of a year; `region` is an ISO 3166-2:FR subdivision, "" for those common to all."""
    from holidays import country_holidays  # noqa: PLC0415 -- reads tables of the whole world: only when it is needed

    return frozenset(country_holidays("FR", subdiv=region or None, years=year))
