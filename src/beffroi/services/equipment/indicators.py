"""Figures of the equipment service, each computed from the records as they are now."""

from typing import Any

from beffroi.model.declaration import Indicator
from beffroi.model.text import Text
from beffroi.store.record import Query, Where

__all__ = ["INDICATORS"]

_WORKING = ("ok", "watch")
_AWAY = ("planned", "removed")


def _query(territory: str | None, **where: Any) -> Query:
    return Query(where=where, territories=None if territory is None else (territory,))


def _share(
    town: Any, collection: str, territory: str | None, wanted: dict[str, Any], among: dict[str, Any]
) -> float | None:
    records = town.store.records
    total = records.count(collection, _query(territory, **among))
    return (
        100 * records.count(collection, _query(territory, **{**among, **wanted})) / total if total else None
    )


def lamps_in_order(town: Any, territory: str | None, _start_us: int, _end_us: int) -> float | None:
    """Return the percentage of installed light points that work."""
    tally = town.store.records.tally("lamp", "state", _query(territory))
    installed = sum(n for state, n in tally.items() if state not in _AWAY)
    return 100 * sum(tally.get(state, 0) for state in _WORKING) / installed if installed else None


def led_share(town: Any, territory: str | None, _start_us: int, _end_us: int) -> float | None:
    """Return the percentage of light points of known source that are LED."""
    return _share(town, "lamp", territory, {"source": "led"}, {"source": Where("known")})


def open_faults(town: Any, territory: str | None, _start_us: int, _end_us: int) -> float | None:
    """Return the number of faults that are open or planned."""
    return float(town.store.records.count("fault", _query(territory, state=("open", "planned"))))


def dangerous_faults(town: Any, territory: str | None, _start_us: int, _end_us: int) -> float | None:
    """Return the number of dangerous faults that are not repaired."""
    return float(
        town.store.records.count("fault", _query(territory, state=("open", "planned"), severity="rouge"))
    )


INDICATORS = (
    Indicator(
        "lamps_in_order", Text("Points lumineux en état", "Light points in order"), "%", lamps_in_order,
        Text("Points en service ou à surveiller, sur tous ceux qui sont posés.",
             "Light points in service or to watch, out of all those installed."),
        better="higher", standing=True, decimals=1,
    ),
    Indicator(
        "led_share", Text("Éclairage en LED", "LED lighting"), "%", led_share,
        Text("Points lumineux LED, sur ceux dont la source est connue.",
             "LED light points, out of those whose source is known."),
        better="higher", standing=True, decimals=0,
    ),
    Indicator(
        "open_faults", Text("Pannes à traiter", "Open faults"), "", open_faults,
        Text("Pannes à traiter ou programmées, maintenant.", "Faults open or planned, now."), better="lower", standing=True,
    ),
    Indicator(
        "dangerous_faults", Text("Pannes dangereuses", "Dangerous faults"), "", dangerous_faults,
        Text("Pannes dangereuses qui ne sont pas réparées.", "Dangerous faults that are not repaired."), better="lower", standing=True,
        read="agent",
    ),
)  # fmt: skip
