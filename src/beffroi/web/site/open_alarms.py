"""The open alarms as the pages show them."""

from typing import Any

import msgspec

from beffroi.model.instant import from_datetime
from beffroi.model.principal import Principal
from beffroi.rules.alarms import message_of
from beffroi.store.record import Query, Row
from beffroi.town import Town
from beffroi.web.kit.card import AlarmRow

__all__ = ["OPEN", "SEVERITIES", "alarm_rows", "open_alarms", "worst"]

OPEN = ("active", "acknowledged", "cleared_unacknowledged")
SEVERITIES = ("vert", "jaune", "orange", "rouge")
MOST = 500


class OpenAlarm(msgspec.Struct, frozen=True):
    """One alarm that is not over."""

    id: int
    message: str
    severity: str
    state: str
    since_us: int
    thing_id: int | None = None
    datastream_id: int | None = None
    assignee: str | None = None
    public: bool = True


def _instant(value: Any) -> int:
    return value if isinstance(value, int) else from_datetime(value)


def _of(row: Row, who: Principal, language: str) -> OpenAlarm:
    v = row.values
    return OpenAlarm(
        row.id, message_of(v, language), v["severity"], v["state"], _instant(v["raised_at"]), v["thing_id"], v["datastream_id"],
        v["assignee"] if who.staff else None, bool(v["public"]),
    )  # fmt: skip


def open_alarms(town: Town, who: Principal, language: str = "fr") -> list[OpenAlarm]:
    """Return the alarms that hold now and that `who` may know of, in their language where it is known, the most severe
    first, then the newest."""
    where: dict[str, Any] = {"state": OPEN[:2]}
    if who.role in ("citizen", "device", "supplier"):
        where["public"] = True
    territories = who.territories or None
    query = Query(where=where, sort="-raised_at", limit=MOST, territories=territories)
    found = [_of(row, who, language) for row in town.store.records.find("alarm", query).rows]
    return sorted(found, key=lambda a: (-SEVERITIES.index(a.severity), -a.since_us))


def worst(alarms: list[OpenAlarm]) -> str:
    """Return the highest severity among `alarms`, "vert" for none."""
    return max((a.severity for a in alarms), key=SEVERITIES.index, default="vert")


def _where(alarm: OpenAlarm, names: dict[int, str]) -> str:
    """Return the name of the alarm's thing, unless its message says it already."""
    name = names.get(alarm.thing_id or 0, "")
    return "" if name in alarm.message else name


def alarm_rows(alarms: list[OpenAlarm], names: dict[int, str], states: dict[str, str]) -> list[AlarmRow]:
    """Return the alarms as rows, with the names of their things and the words of their states."""
    return [
        AlarmRow(
            alarm.severity,
            alarm.message,
            f"/alarmes/{alarm.id}",
            detail=_where(alarm, names),
            since_us=alarm.since_us,
            state=states.get(alarm.state, "") + (f" · {alarm.assignee}" if alarm.assignee else ""),
        )
        for alarm in alarms
    ]
