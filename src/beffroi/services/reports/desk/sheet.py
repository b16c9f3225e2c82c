"""The sheet of figures of one period: computed while one waits when there are few reports, otherwise kept."""

from collections.abc import Callable, Mapping

import msgspec

from beffroi.model.instant import DAY_US
from beffroi.model.principal import Principal
from beffroi.services.reports.desk.counting import AXES, facts_of, months, people_of, squares_of
from beffroi.services.reports.desk.figures import Facts, Group, Month, by, group, trend
from beffroi.town import Town

__all__ = ["ALL_DAYS", "DAYS", "Sheet", "sheet_now", "sheets_of", "since_of"]

DAYS = (30, 90, 365, 3650)
ALL_DAYS = 3650  # everything there is, with nothing before it


class Sheet(msgspec.Struct, frozen=True):
    """Everything the page and the paper show."""

    days: int
    start_us: int
    end_us: int
    whole: Group
    before: Group
    groups: dict[str, list[Group]]
    steps: list[Month]
    repaired: float | None  # of those closed: share repaired, or found done
    squares: list[tuple[float, float, float, float, int]]  # where they were made (see `squares_of`)


def since_of(days: int, now_us: int) -> int:
    """Return since when reports are read for a period: it is compared with the one before."""
    return now_us - (days if days == ALL_DAYS else 2 * days) * DAY_US


def sheet_now(town: Town, who: Principal, days: int, now_us: int) -> Sheet:
    """Return the sheet of the last `days`, from the reports as they are now."""
    return _sheet(town, who, facts_of(town, who, since_of(days, now_us), now_us + 1), days, now_us)


def sheets_of(
    town: Town, who: Principal, now_us: int, progress: Callable[[float], None]
) -> tuple[int, Mapping[str, Sheet]]:
    """Return how many reports were read, and the sheet of each period by its number of days, from one reading."""
    facts = facts_of(town, who, since_of(ALL_DAYS, now_us), now_us + 1, progress=lambda share: progress(share * 0.7))  # fmt: skip
    found = {}
    for n, days in enumerate(DAYS, 1):
        found[str(days)] = _sheet(
            town, who, facts.where(facts.created >= since_of(days, now_us)), days, now_us
        )
        progress(0.7 + 0.3 * n / len(DAYS))
    return len(facts), found


def _sheet(town: Town, who: Principal, known: Facts, days: int, now_us: int) -> Sheet:
    start = now_us - days * DAY_US
    facts, earlier = known.where(known.created >= start), known.where(known.created < start)
    if days == ALL_DAYS and len(facts):
        start = int(facts.created.min())
    span, people = now_us - start, people_of(town)
    groups = {axis: by(axis, facts, now_us, people if axis == "area" else None, span) for axis in AXES}
    closed = ~facts.said("reason", "")
    done = facts.said("reason", "repaired", "already_done")
    share = int(done.sum()) / int(closed.sum()) if closed.any() else None
    total = sum(people.values()) or None
    return Sheet(
        days, start, now_us, group("", facts, now_us, total, span), group("", earlier, start, total, span), groups,
        trend(facts, months(town, start, now_us), now_us), share, squares_of(town, who, start, now_us + 1),
    )  # fmt: skip
