"""λ of a homogeneous group of incidents, and what it says of delay."""

import math
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import TypeVar

import msgspec

from beffroi.services.reports.rate.incidents import Incident

__all__ = ["ENOUGH", "Gap", "Rate", "delay_gap", "rate_of", "rates_by"]

ENOUGH = 30
"""Duplicates below which a group's rate is declared not known."""
_Z = 1.959963984540054  # 97.5 % of a normal law
Group = TypeVar("Group", bound=Hashable)


class Rate(msgspec.Struct, frozen=True):
    """Reports a day for an incident that lasts (λ), its standard error and 95 % interval, `delay` 1/λ in days.

    `lambda_`, `error` and `delay` are None when there is no duplicate at all; `known` is false below `ENOUGH`.
    """

    incidents: int
    duplicates: int
    days: float
    lambda_: float | None
    error: float | None
    low: float
    high: float | None
    delay: float | None
    delay_low: float | None
    delay_high: float | None
    known: bool


def rate_of(incidents: Iterable[Incident]) -> Rate:
    """Return λ = ΣM/ΣT with s.e. λ/√ΣM and the interval of a Poisson count in Byar's form (Breslow & Day 1987,
    p. 69)."""
    every = list(incidents)
    m, t = sum(i.duplicates for i in every), math.fsum(i.days for i in every)
    if t <= 0:
        return Rate(len(every), m, t, None, None, 0.0, None, None, None, None, known=False)
    low, high = (bound / t for bound in _count_interval(m))
    rate = m / t
    return Rate(
        incidents=len(every),
        duplicates=m,
        days=t,
        lambda_=rate if m else None,
        error=rate / math.sqrt(m) if m else None,
        low=low,
        high=high,
        delay=1 / rate if m else None,
        delay_low=1 / high,
        delay_high=1 / low if low > 0 else None,
        known=m >= ENOUGH,
    )


def _count_interval(m: int) -> tuple[float, float]:
    """Return the 95 % interval of the mean of a Poisson law that gave the count `m`."""
    n = m + 1
    high = n * (1 - 1 / (9 * n) + _Z / (3 * math.sqrt(n))) ** 3
    low = m * (1 - 1 / (9 * m) - _Z / (3 * math.sqrt(m))) ** 3 if m else 0.0
    return max(low, 0.0), high


def rates_by(incidents: Iterable[Incident], group: Callable[[Incident], Group]) -> dict[Group, Rate]:
    """Return the rate of each group, in the groups' order of appearance."""
    groups: dict[Group, list[Incident]] = defaultdict(list)
    for incident in incidents:
        groups[group(incident)].append(incident)
    return {key: rate_of(members) for key, members in groups.items()}


class Gap(msgspec.Struct, frozen=True):
    """The slowest and the fastest known group; `times` longer delay, with its 95 % interval."""

    slowest: str
    fastest: str
    slow_days: float
    fast_days: float
    times: float
    low: float
    high: float


def delay_gap(rates: Sequence[tuple[str, Rate]]) -> Gap | None:
    """Return the gap between the known groups of extreme delay, None when fewer than two are known.

    The interval is that of two groups chosen beforehand: of many groups the extremes differ by chance too.
    """
    known = [(r.delay, r.duplicates, name) for name, r in rates if r.known and r.delay is not None]
    if len(known) < 2:
        return None
    (fast, m_fast, fastest), (slow, m_slow, slowest) = min(known), max(known)
    spread = math.exp(_Z * math.sqrt(1 / m_fast + 1 / m_slow))
    return Gap(slowest, fastest, slow, fast, slow / fast, slow / fast / spread, slow / fast * spread)
