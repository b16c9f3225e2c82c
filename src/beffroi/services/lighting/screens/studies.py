"""The registered impact studies of the lighting, that its pages lead to, each with what it found."""

import msgspec

from beffroi.model.principal import Principal
from beffroi.model.text import Text
from beffroi.services.lighting.screens.whose import choices_of
from beffroi.store.record import Query, Row
from beffroi.town import Town

__all__ = ["Studied", "studies_of"]


class Studied(msgspec.Struct, frozen=True):
    """One study; once it is over, its verdict and its effect (%), None where there is none."""

    row: Row
    verdict: Text | None
    percent: float | None


def studies_of(town: Town, who: Principal) -> list[Studied]:
    """Return the experiments of the service that a reader may see, the newest first."""
    if "experiment" not in town.store.records.collections:
        return []
    query = Query(where={"service": "lighting"}, sort="-_id", limit=20, hidden_in=None if who.staff else ())
    titles = {c.value: c.title for c in choices_of(town, "experiment", "verdict")}
    return [
        Studied(row, titles.get(row.values["verdict"]), _percent(row))
        for row in town.store.records.find("experiment", query).rows
        if not who.staff or who.covers(row.territory)
    ]


def _percent(row: Row) -> float | None:
    said = (row.values["finding"] or {}).get("relative")
    return 100 * float(said) if isinstance(said, (int, float)) else None
