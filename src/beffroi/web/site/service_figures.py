"""The figures that services answer for: their cards and indicators, computed for one reader.

An indicator may read months of observations, so its value is kept for a while: a hundred times as long as it
took to compute, at least a minute and at most an hour; cards say when it was computed. One that takes long is then
computed anew behind the page, which shows the value before: nobody waits for it twice.
"""

import logging
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from weakref import WeakKeyDictionary

import msgspec
from sqlalchemy import func, select

from beffroi.model.declaration import Card as Declared
from beffroi.model.declaration import Indicator
from beffroi.model.instant import DAY_US, HOUR_US, MINUTE_US, parse_duration
from beffroi.model.principal import ROLES, Principal
from beffroi.plugins import Service
from beffroi.store.tables import latest
from beffroi.town import Town
from beffroi.web.kit.card import Card
from beffroi.web.kit.figures import Figures
from beffroi.web.site.catalogue import Series, series_of, silent
from beffroi.web.site.things import series_card

__all__ = ["Measure", "cards_of", "indicator_now", "indicator_of_place", "may_read", "service_cards"]

FALLBACK = 6
MONTH_US = 30 * DAY_US
WORTH = 100
LONG_US = 50_000  # nobody waits that long for a value that is only a little old
OLDEST_US = 6 * HOUR_US  # older than that is not shown
log = logging.getLogger(__name__)


class Measure(msgspec.Struct, frozen=True):
    """An indicator over a span and over the one before it, and when it was computed."""

    now: float | None
    before: float | None
    at_us: int
    until_us: int
    took_us: int = 0


class Ledger:
    """The measures of one town that are still fresh; each is computed by one request at a time."""

    def __init__(self) -> None:
        self.measures: dict[tuple[str, str | None, int], Measure] = {}
        self.lock = threading.Lock()
        self.behind = ThreadPoolExecutor(1, "figures")
        self.awaited: set[tuple[str, str | None, int]] = set()


_ledgers: WeakKeyDictionary[Town, Ledger] = WeakKeyDictionary()


def may_read(who: Principal, least: str) -> bool:
    """True when `who` has at least the role `least`."""
    return ROLES.index(who.role) >= ROLES.index(least)


def indicator_now(town: Town, who: Principal, indicator: Indicator, span_us: int = MONTH_US) -> Measure:
    """Return the indicator over the span that ends now, and over the one before it."""
    territory = who.territories[0] if len(who.territories) == 1 else None
    return _measured_in(town, indicator, territory, span_us)


def indicator_of_place(town: Town, indicator: Indicator, territory: str, span_us: int) -> float | None:
    """Return the indicator of one commune over the span that ends now."""
    return _measured_in(town, indicator, territory, span_us).now


def _measured_in(town: Town, indicator: Indicator, territory: str | None, span_us: int) -> Measure:
    ledger = _ledgers.get(town) or _ledgers.setdefault(town, Ledger())
    key = (indicator.name, territory, span_us)
    end = town.clock()

    def fresh() -> Measure | None:
        known = ledger.measures.get(key)
        return known if known is not None and known.at_us <= end < known.until_us else None

    def measure() -> Measure:
        with ledger.lock:
            known = fresh()
            if known is None:
                known = ledger.measures[key] = _measure(town, indicator, territory, span_us, end)
            return known

    def renew() -> None:
        try:
            measure()
        except Exception:  # the town is being closed, or the next reader is told
            log.warning("the indicator %s could not be computed behind a page", indicator.name, exc_info=True)
        finally:
            ledger.awaited.discard(key)

    last = ledger.measures.get(key)
    if last is None or last.took_us < LONG_US or not last.at_us <= end < last.at_us + OLDEST_US:
        return fresh() or measure()
    if end >= last.until_us and key not in ledger.awaited:
        ledger.awaited.add(key)
        ledger.behind.submit(renew)
    return last


def _measure(town: Town, indicator: Indicator, territory: str | None, span_us: int, end_us: int) -> Measure:
    started = time.perf_counter_ns()
    now = indicator.compute(town, territory, end_us - span_us, end_us)
    known_since = _first(town)
    covered = not indicator.standing and known_since is not None and known_since <= end_us - 2 * span_us
    before = indicator.compute(town, territory, end_us - 2 * span_us, end_us - span_us) if covered else None
    took_us = (time.perf_counter_ns() - started) // 1000
    kept_us = min(HOUR_US, max(MINUTE_US, WORTH * took_us))
    return Measure(now, before, end_us, end_us + kept_us, took_us)


def _first(town: Town) -> int | None:
    """Return the time of the oldest observation: before it, no comparison is honest."""
    with town.store.read() as connection:
        found: int | None = connection.execute(select(func.min(latest.c.first_us))).scalar()
    return found


def _steadiest(town: Town, found: list[Series], kind: str, service: str) -> Series | None:
    """Return the series of a kind that a card shows: the service's oldest one that is not silent.

    Always the same one, so that a figure does not jump from street to street.
    """
    of_kind = [s for s in found if s.kind == kind and s.at_us is not None]
    now = town.clock()
    return min(of_kind, key=lambda s: (silent(s, now), s.service != service, s.id), default=None)


def _card(
    town: Town, who: Principal, card: Declared, service: Service, found: list[Series], figures: Figures
) -> Card | None:
    source, _, name = card.source.partition(":")
    title = card.title.of(figures.words.language)
    if source == "datastream":
        kind = town.registry.datastream_kind(name)
        series = _steadiest(town, found, kind.code if kind else name, service.name)
        if series is None:
            return None
        return series_card(town, series, figures.words.language, title, parse_duration(card.period))
    indicator = town.registry.indicator(name)
    if indicator is None or not may_read(who, indicator.read):
        return None
    measure = indicator_now(town, who, indicator, parse_duration(card.period))
    return Card(
        title, measure.now, f"/services/{service.name}#{indicator.name}", unit=indicator.unit,
        decimals=indicator.decimals, note=_compared(measure, indicator, figures), at_us=measure.at_us,
    )  # fmt: skip


def _compared(measure: Measure, indicator: Indicator, figures: Figures) -> str:
    """Say which way the figure goes: `↗ avant : 12 mm`."""
    if measure.now is None or measure.before is None:
        return ""
    now, before = (round(v, indicator.decimals) for v in (measure.now, measure.before))
    arrow = "→" if now == before else "↗" if now > before else "↘"
    value = figures.quantity(measure.before, indicator.unit, indicator.decimals)
    return f"{arrow} " + figures.words.of("avant : {value}", value=value)


def service_cards(
    town: Town, who: Principal, service: Service, figures: Figures, found: list[Series] | None = None
) -> list[Card]:
    """Return the cards of one service that `who` may see and that have something to show."""
    known = series_of(town, who, language=figures.words.language) if found is None else found
    made = [
        _card(town, who, card, service, known, figures)
        for card in sorted(service.cards, key=lambda c: c.order)
        if may_read(who, card.read)
    ]
    return [card for card in made if card is not None]


def cards_of(town: Town, who: Principal, figures: Figures, found: list[Series]) -> list[Card]:
    """Return the cards of every service in their declared order; without any, the freshest of the series `found`."""
    declared = sorted(
        (
            (card.order, service.name, card, service)
            for service in town.registry.services.values()
            for card in service.cards
        ),
        key=lambda entry: entry[:2],
    )
    made = [
        _card(town, who, card, service, found, figures)
        for _, _, card, service in declared
        if may_read(who, card.read)
    ]
    cards = [card for card in made if card is not None]
    if cards:
        return cards
    fresh = sorted((s for s in found if s.at_us is not None), key=lambda s: -(s.at_us or 0))[:FALLBACK]
    return [series_card(town, s, figures.words.language, s.name) for s in fresh]
