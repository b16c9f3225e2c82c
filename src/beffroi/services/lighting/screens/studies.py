"""The registered impact studies of the lighting, that its pages lead to."""

from beffroi.model.principal import Principal
from beffroi.store.record import Query, Row
from beffroi.town import Town

__all__ = ["studies_of"]


def studies_of(town: Town, who: Principal) -> list[Row]:
    """Return the experiments of the service that a reader may see, the newest first."""
    if "experiment" not in town.store.records.collections:
        return []
    query = Query(where={"service": "lighting"}, sort="-_id", limit=20, hidden_in=None if who.staff else ())
    return [
        row
        for row in town.store.records.find("experiment", query).rows
        if not who.staff or who.covers(row.territory)
    ]
