"""The legal holidays of France (Code du travail L3133-1; Alsace-Moselle L3134-13; overseas L3422-2)."""

from datetime import date
from functools import lru_cache

__all__ = ["french_holidays", "region_of"]

# departments and overseas places, by the beginning of their communes' INSEE codes, whose holidays are more than the common
# ones. In Alsace-Moselle Good Friday is one where there is a Protestant temple or a mixed church: taken as one everywhere.
_REGIONS = {
    "57": "57", "67": "6AE", "68": "6AE", "971": "971", "972": "972", "973": "973", "974": "974", "975": "PM", "976": "976",
    "977": "BL", "978": "MF", "986": "WF", "987": "PF", "988": "NC",
}  # fmt: skip


def region_of(code: str | None) -> str:
    """Return the region of `french_holidays` where a commune is, by its INSEE code or its department; "" for the common ones."""
    return _REGIONS.get((code or "")[:3]) or _REGIONS.get((code or "")[:2], "")


@lru_cache(maxsize=512)
def french_holidays(year: int, region: str = "") -> frozenset[date]:
    """Return the holidays of a year; `region` is an ISO 3166-2:FR subdivision, "" for those common to all."""
    from holidays import country_holidays  # noqa: PLC0415 -- reads tables of the whole world: only when it is needed

    return frozenset(country_holidays("FR", subdiv=region or None, years=year))
