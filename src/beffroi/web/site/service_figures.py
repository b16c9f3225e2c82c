"""The figures that services answer for: their cards and indicators, computed for one reader."""

from beffroi.model.declaration import Card as Declared
from beffroi.model.declaration import Indicator
from beffroi.model.instant import DAY_US, parse_duration
from beffroi.model.principal import ROLES, Principal
from beffroi.plugins import Service
from beffroi.town import Town
from beffroi.web.kit.card import Card
from beffroi.web.kit.figures import Figures
from beffroi.web.site.catalogue import Series, series_of
from beffroi.web.site.things import series_card

__all__ = ["cards_of", "indicator_now", "may_read", "service_cards"]

FALLBACK = 6
MONTH_US = 30 * DAY_US


def may_read(who: Principal, least: str) -> bool:
    """True when `who` has at least the role `least`."""
    return ROLES.index(who.role) >= ROLES.index(least)


def indicator_now(
    town: Town, who: Principal, indicator: Indicator, span_us: int = MONTH_US
) -> tuple[float | None, float | None]:
    """Return the indicator over the span that ends now, and over the one before it."""
    end = town.clock()
    territory = who.territories[0] if len(who.territories) == 1 else None
    now = indicator.compute(town, territory, end - span_us, end)
    before = indicator.compute(town, territory, end - 2 * span_us, end - span_us)
    return now, before


def _freshest(found: list[Series], kind: str) -> Series | None:
    of_kind = [s for s in found if s.kind == kind and s.at_us is not None]
    return max(of_kind, key=lambda s: (s.at_us or 0, -s.id), default=None)


def _card(
    town: Town, who: Principal, card: Declared, service: Service, found: list[Series], figures: Figures
) -> Card | None:
    source, _, name = card.source.partition(":")
    title = card.title.of(figures.words.language)
    if source == "datastream":
        kind = town.registry.datastream_kind(name)
        series = _freshest(found, kind.code if kind else name)
        return (
            None
            if series is None
            else series_card(town, series, figures.words.language, title, parse_duration(card.period))
        )
    indicator = town.registry.indicator(name)
    if indicator is None or not may_read(who, indicator.read):
        return None
    now, before = indicator_now(town, who, indicator, parse_duration(card.period))
    note = ""
    if now is not None and before is not None:
        note = figures.words.of(
            "période d'avant : {value}", value=figures.quantity(before, indicator.unit, indicator.decimals)
        )
    return Card(
        title,
        now,
        f"/services/{service.name}#{indicator.name}",
        unit=indicator.unit,
        decimals=indicator.decimals,
        note=note,
    )


def service_cards(
    town: Town, who: Principal, service: Service, figures: Figures, found: list[Series] | None = None
) -> list[Card]:
    """Return the cards of one service that `who` may see and that have something to show."""
    known = series_of(town, who) if found is None else found
    made = [
        _card(town, who, card, service, known, figures)
        for card in sorted(service.cards, key=lambda c: c.order)
        if may_read(who, card.read)
    ]
    return [card for card in made if card is not None]


def cards_of(town: Town, who: Principal, figures: Figures) -> list[Card]:
    """Return the cards of every service in their declared order; without any, the freshest series."""
    found = series_of(town, who)
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
