"""What a service is for, counted: the records of a collection whose day falls in a period."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from beffroi.model.instant import to_datetime
from beffroi.store.record import Query, Where

__all__ = ["records_between"]

Count = Callable[[Any, str | None, int, int], float | None]


def records_between(collection: str, field: str, **where: Any) -> Count:
    """Return the count of a `UsefulOutput`: records whose `field` lies in the period, in a territory, and as `where` asks."""

    def counted(town: Any, territory: str | None, start_us: int, end_us: int) -> float | None:
        declared = town.store.records.collections[collection].field(field)
        bounds: tuple[Any, Any] = (start_us, end_us)
        if declared is not None and declared.kind == "date":
            # the last day is under way: a day belongs to the period that ends in it
            bounds = (
                to_datetime(start_us).date() + timedelta(days=1),
                to_datetime(end_us).date() + timedelta(days=1),
            )
        asked = {**where, field: (Where(">=", bounds[0]), Where("<", bounds[1]))}
        query = Query(where=asked, territories=None if territory is None else (territory,))
        return float(town.store.records.count(collection, query))

    return counted
