"""What a service is for, counted: the records of a collection whose day falls in a period."""

from collections.abc import Callable
from typing import Any

from beffroi.store.record import Query, Where

__all__ = ["records_between"]

Count = Callable[[Any, str | None, int, int], float | None]


def records_between(collection: str, field: str, **where: Any) -> Count:
    """Return the count of a `UsefulOutput`: records whose `field` lies in the period, in a territory, and as `where` asks."""

    def counted(town: Any, territory: str | None, start_us: int, end_us: int) -> float | None:
        asked = {**where, field: (Where(">=", start_us), Where("<", end_us))}
        query = Query(where=asked, territories=None if territory is None else (territory,))
        return float(town.store.records.count(collection, query))

    return counted
