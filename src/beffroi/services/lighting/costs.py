"""What a year of the town's lamps uses and costs under a schedule that is said in words: as today, a calendar, a program."""

from collections.abc import Iterable, Sequence

import msgspec

from beffroi.services.lighting.calendars import Plan
from beffroi.services.lighting.energy import OddNight, Stock, WhatIf, odd_hours, what_if
from beffroi.services.lighting.plans import Plans
from beffroi.services.lighting.schedule import PARIS, Program, cut_program
from beffroi.services.lighting.stock import arrays_of
from beffroi.store.record import Query, Row
from beffroi.town import Town

__all__ = ["TODAY", "Scheduled", "is_today", "schedule_of", "words_of"]

TODAY = {"fr": "actuel", "en": "today"}


class Scheduled(msgspec.Struct, frozen=True):
    """Light points, those that follow the same plan together; `left` have no place or no power."""

    parts: tuple[tuple[Stock, Plan | Program], ...]
    left: int = 0

    @property
    def points(self) -> int:
        """How many points are reckoned with."""
        return sum(len(stock) for stock, _ in self.parts)

    def year(self, year: int, *, euros_kwh: float, zone: str = PARIS) -> WhatIf:
        """Return energy, cost and carbon of the year's nights."""
        found = [what_if(stock, plan, year, euros_kwh=euros_kwh, zone=zone) for stock, plan in self.parts]
        total = {name: sum(getattr(f, name) for f in found) for name in ("kwh", "euros", "kg_co2")}
        mean = {
            name: sum(getattr(f, name) * f.points for f in found) / max(1, self.points)
            for name in ("lit_hours", "full_hours")
        }
        return WhatIf(self.points, **mean, **total)

    def odd(self, year: int, zone: str = PARIS) -> list[OddNight]:
        """Return the nights of 23 and 25 hours of the year, the mean of all points."""
        told = [(len(stock), odd_hours(stock, plan, year, zone)) for stock, plan in self.parts]
        return [
            OddNight(
                nights[0].day, nights[0].hours,
                sum(n * night.lit for (n, _), night in zip(told, nights, strict=True)) / max(1, self.points),
                sum(n * night.full for (n, _), night in zip(told, nights, strict=True)) / max(1, self.points),
            )
            for nights in zip(*(nights for _, nights in told), strict=True)
        ]  # fmt: skip


def is_today(said: str) -> bool:
    """Return True for the word, in either language, that means what each cabinet follows today."""
    return said.strip().lower() in TODAY.values()


def words_of(plans: Plans, said: str, language: str) -> str:
    """Return a readable schedule in the words of a language. Raises `Problem` when it is none."""
    if is_today(said):
        return TODAY[language]
    found = plans.called(said)
    return (
        found.text(language)
        if isinstance(found, Program) and said.strip() not in plans.programs
        else said.strip()
    )


def schedule_of(
    town: Town, plans: Plans, lamps: Iterable[Row], said: str, assumed_w: float | None = None
) -> Scheduled:
    """Return lamps under a schedule: `today` what the calendar of each cabinet says, else a code or a program's line.
    Lamps of no cabinet burn all night today; those without power take `assumed_w`, if any. Raises `Problem`."""
    if not is_today(said):
        stock, left = arrays_of(lamps, assumed_w)
        return Scheduled(((stock, plans.called(said)),) if len(stock) else (), left)
    followed = {row.id: plans.of(row) for row in town.store.records.all("cabinet", Query())}
    night = cut_program(None)
    groups: dict[str, tuple[Plan | Program, list[Row]]] = {}
    for lamp in lamps:
        plan = followed.get(lamp.values["cabinet"])
        key = night.text() if plan is None else plan.key()
        groups.setdefault(key, (plan or night, []))[1].append(lamp)
    return _scheduled(list(groups.values()), assumed_w)


def _scheduled(groups: Sequence[tuple[Plan | Program, list[Row]]], assumed_w: float | None) -> Scheduled:
    parts, left = [], 0
    for plan, rows in groups:
        stock, away = arrays_of(rows, assumed_w)
        left += away
        if len(stock):
            parts.append((stock, plan))
    return Scheduled(tuple(parts), left)
