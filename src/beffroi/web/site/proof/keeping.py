"""Proposals of keeping less that can be applied and undone: raw values of a kind for so long, then their hours.

An application is the very setting that *Administration, Conservation* writes (`retention.kinds`), with a week's notice:
nothing goes before that, so that any agent of the whole town may apply, and anyone of them undo without a loss. What was
there before is kept beside it, and undoing puts that back. What a passage took away later does not come back, and the
page says so.
"""

from typing import Any

import msgspec
from sqlalchemy import func, select

from beffroi.model.instant import DAY_US, to_datetime
from beffroi.model.principal import Principal
from beffroi.model.problem import NotFound
from beffroi.model.text import Text
from beffroi.store.tables import datastream, latest, thing
from beffroi.store.thinning import KINDS, Keep, keep_of
from beffroi.town import Town

__all__ = ["APPLIED", "NOTICE_DAYS", "Proposal", "apply", "may_apply", "proposals", "undo"]

APPLIED = "sobriety.applied"
NOTICE_DAYS = 7
TECHNICAL = {"battery", "rssi", "snr"}  # of use to the technician, for a month
SEALED_ROW = 3.0  # bytes of an observation in the sealed history (bench: 2.7 to 6.9)


class Proposal(msgspec.Struct, frozen=True):
    """Keep the raw values of a kind for `raw_days`, their hours for `hours_days`. `yearly`: bytes a year without it."""

    kind: str
    service: str
    series: int
    raw_days: int
    hours_days: int
    yearly: int
    kept: int  # bytes that stay in the end with it
    applied: bool
    begins_us: int | None = None


def proposals(town: Town) -> list[Proposal]:
    """Return a proposal for each kind of series that keeps everything, and those that were applied."""
    kinds: dict[str, Any] = town.store.setting(KINDS, {})
    applied: dict[str, Any] = town.store.setting(APPLIED, {})
    columns = select(
        datastream.c.kind,
        func.min(thing.c.service),
        func.count(),
        func.sum(latest.c.count),
        func.min(latest.c.first_us),
        func.max(latest.c.start_us),
    )
    with town.store.read() as c:
        joined = columns.join(thing, thing.c.id == datastream.c.thing_id).join(
            latest, latest.c.datastream_id == datastream.c.id
        )
        rows = list(c.execute(joined.where(datastream.c.kind != "").group_by(datastream.c.kind)))
    found = []
    for kind, service, series, count, first, last in rows:
        if not count or first is None or (keep_of(None, kind, kinds) != Keep() and kind not in applied):
            continue
        days = max(1.0, (last - first) / DAY_US)
        rate = count / days * SEALED_ROW
        raw, hours = (30, 730) if kind in TECHNICAL else (365, 3650)
        hourly = min(count / days, 24.0 * series) * SEALED_ROW * 3
        mark = applied.get(kind)
        kept = min(rate * raw, rate * 3650) + hourly * hours
        if kept < rate * 3650 * 0.9:
            found.append(
                Proposal(
                    kind,
                    service or "",
                    series,
                    raw,
                    hours,
                    round(rate * 365),
                    round(kept),
                    mark is not None,
                    None if mark is None else mark["at_us"] + NOTICE_DAYS * DAY_US,
                )
            )
    return sorted(found, key=lambda p: -p.yearly)


def _one(town: Town, kind: str) -> Proposal:
    found = next((p for p in proposals(town) if p.kind == kind), None)
    if found is None:
        raise NotFound(
            Text("Cette proposition n'est plus d'actualité.", "This proposal does not stand any more.")
        )
    return found


def may_apply(who: Principal) -> bool:
    """Tell whether `who` may apply and undo: staff of the whole town."""
    return who.staff and not who.territories and who.service is None


def apply(town: Town, who: Principal, kind: str) -> None:
    """Apply the proposal about a kind, in a week's time. Raises `NotFound` when there is none."""
    proposal = _one(town, kind)
    if proposal.applied:
        return
    kinds: dict[str, Any] = town.store.setting(KINDS, {})
    applied: dict[str, Any] = town.store.setting(APPLIED, {})
    begins = to_datetime(town.clock() + NOTICE_DAYS * DAY_US).date().isoformat()
    rule = {"raw": f"P{proposal.raw_days}D", "hours": f"P{proposal.hours_days}D", "from": begins}
    town.store.set_setting(APPLIED, {**applied, kind: {"before": kinds.get(kind), "at_us": town.clock()}})
    town.store.set_setting(KINDS, {**kinds, kind: rule})
    with town.store.write() as c:
        town.store.audit.note(c, who, "sobriety.apply", kind, dict(rule))


def undo(town: Town, who: Principal, kind: str) -> None:
    """Put back the rule that was there before a proposal was applied. Raises `NotFound` when none was."""
    applied: dict[str, Any] = dict(town.store.setting(APPLIED, {}))
    mark = applied.pop(kind, None)
    if mark is None:
        raise NotFound(Text("Cette proposition n'est pas appliquée.", "This proposal is not applied."))
    kinds: dict[str, Any] = dict(town.store.setting(KINDS, {}))
    kinds.pop(kind, None)
    if mark["before"] is not None:
        kinds[kind] = mark["before"]
    town.store.set_setting(KINDS, kinds)
    town.store.set_setting(APPLIED, applied)
    with town.store.write() as c:
        town.store.audit.note(c, who, "sobriety.undo", kind, dict(mark["before"] or {}))
