"""What nobody reports, for a page: the rate by area and category, and words that explain it to a mayor."""

from collections.abc import Iterable, Sequence

import msgspec

from beffroi.model.text import Text
from beffroi.services.reports.rate.estimate import ENOUGH, Gap, Rate, delay_gap, rate_of, rates_by
from beffroi.services.reports.rate.incidents import Incident
from beffroi.services.reports.rate.regression import Fit, fit_rates

__all__ = ["Bias", "Cell", "bias_of", "explain"]

_NAMED = 12  # areas without enough data that are named


class Cell(msgspec.Struct, frozen=True):
    """The rate of one area and one category; "" is all of them."""

    area: str
    category: str
    rate: Rate


class Bias(msgspec.Struct, frozen=True):
    """The numbers of the page. `cells` holds only pairs that have incidents; `fit` is None with too little data."""

    town: Rate
    areas: tuple[Cell, ...]
    categories: tuple[Cell, ...]
    cells: tuple[Cell, ...]
    gap: Gap | None
    fit: Fit | None

    @property
    def unknown(self) -> tuple[str, ...]:
        """Return the areas that have too few duplicates to be told about."""
        return tuple(cell.area for cell in self.areas if not cell.rate.known)


def bias_of(
    incidents: Sequence[Incident], neighbours: Sequence[tuple[str, str]] = (), *, fitted: bool = True
) -> Bias:
    """Return the numbers of the page, areas and categories in alphabetical order. `neighbours` are areas that touch:
    their effects in `fit` are then smoothed over the map. The regression is left out when not `fitted`."""
    town = rate_of(incidents)
    areas = tuple(Cell(a, "", r) for a, r in sorted(rates_by(incidents, lambda i: i.area).items()))
    kinds = tuple(Cell("", c, r) for c, r in sorted(rates_by(incidents, lambda i: i.category).items()))
    both = rates_by(incidents, lambda i: (i.area, i.category))
    return Bias(
        town=town,
        areas=areas,
        categories=kinds,
        cells=tuple(Cell(a, c, r) for (a, c), r in sorted(both.items())),
        gap=delay_gap([(cell.area, cell.rate) for cell in areas]),
        fit=fit_rates(incidents, neighbours=neighbours) if fitted and town.known else None,
    )


def explain(bias: Bias) -> tuple[Text, ...]:
    """Return the paragraphs of the page, in plain words, with this town's own figures."""
    return tuple(_paragraphs(bias))


def _paragraphs(bias: Bias) -> Iterable[Text]:
    yield Text(
        "Un problème que personne ne signale n'apparaît dans aucun compte. Compter les signalements par habitant ne "
        "dit donc pas où sont les problèmes : un quartier qui signale peu peut être en bon état, ou ne pas signaler.",
        "A problem that nobody reports is in no count. Counting reports per inhabitant therefore does not tell where "
        "problems are: a district that reports little may be in good repair, or may not report.",
    )
    yield Text(
        "Nous regardons autre chose : une fois un problème connu, combien d'autres personnes le signalent encore avant "
        "qu'il soit traité ? Là où elles sont nombreuses, un nouveau problème est vite connu ; là où elles sont rares, "
        "il attend. Le premier signalement et les rappels d'une même personne ne sont pas comptés.",
        "We look at something else: once a problem is known, how many other people still report it before it is dealt "
        "with? Where they are many, a new problem is soon known; where they are few, it waits. The first report and "
        "repeats by the same person are not counted.",
    )
    yield _town(bias.town)
    if bias.gap is not None:
        yield _gap(bias.gap)
    if bias.unknown:
        yield _unknown(bias.unknown)
    yield Text(
        "Ce calcul suppose qu'un problème d'une même catégorie se voit autant d'un quartier à l'autre. Il ne dit pas "
        "pourquoi l'on signale moins : l'outil, l'habitude, la confiance ou la langue. Il aide à décider où envoyer des "
        "tournées sans attendre d'appel.",
        "This assumes that a problem of one category is as visible in one district as in another. It does not tell why "
        "people report less: the tool, habit, trust or language. It helps to decide where to send rounds without "
        "waiting for a call.",
    )


def _unknown(areas: Sequence[str]) -> Text:
    named = ", ".join(name or "—" for name in areas[:_NAMED])
    more = len(areas) - _NAMED
    fr, en = (f" et {more} autres", f" and {more} others") if more > 0 else ("", "")
    return Text(
        f"Secteurs où l'on ne sait pas, faute de données (moins de {ENOUGH} signalements répétés) : {named}{fr}. Ne pas "
        "savoir n'est pas « tout va bien ».",
        f"Areas where we do not know, for lack of data (fewer than {ENOUGH} repeated reports): {named}{en}. Not knowing "
        "is not 'all is well'.",
    )


def _town(rate: Rate) -> Text:
    if not rate.known or rate.delay is None or rate.delay_low is None or rate.delay_high is None:
        return Text(
            "Dans cette commune, {n} signalements répétés sont connus : il en faut {enough} pour dire un délai.",
            "In this town {n} repeated reports are known: {enough} are needed to tell a delay.",
        ).filled(n=rate.duplicates, enough=ENOUGH)
    delay, low, high = map(_decimal, (rate.delay, rate.delay_low, rate.delay_high))
    return Text(
        f"Dans cette commune, un problème attend en moyenne {delay.fr} jours avant d'être signalé (entre {low.fr} et "
        f"{high.fr} jours, à 95 %), d'après {rate.duplicates} signalements répétés de {rate.incidents} problèmes.",
        f"In this town a problem waits {delay.en} days on average before it is reported (between {low.en} and "
        f"{high.en} days, at 95%), from {rate.duplicates} repeated reports of {rate.incidents} problems.",
    )


def _gap(gap: Gap) -> Text:
    if gap.low <= 1:
        return Text(
            "Entre secteurs connus, aucun écart de délai n'est sûr.",
            "Between the areas known, no gap in delay is certain.",
        )
    figures = {
        "slow": gap.slow_days,
        "fast": gap.fast_days,
        "times": gap.times,
        "low": gap.low,
        "high": gap.high,
    }
    said = {name: _decimal(value) for name, value in figures.items()}
    fr = (
        "Le même problème attend {slow} jours dans « {slowest} » et {fast} jours dans « {fastest} » : {times} fois plus (entre {low} "
        "et {high} fois, à 95 %)."
    )
    en = (
        "The same problem waits {slow} days in '{slowest}' and {fast} days in '{fastest}': {times} times longer (between "
        "{low} and {high} times, at 95%)."
    )
    names = {"slowest": gap.slowest or "—", "fastest": gap.fastest or "—"}
    return Text(
        fr.format(**names, **{k: v.fr for k, v in said.items()}),
        en.format(**names, **{k: v.en for k, v in said.items()}),
    )


def _decimal(number: float) -> Text:
    """Return a number as each language writes it, with a decimal below ten."""
    text = f"{number:.0f}" if number >= 10 else f"{number:.1f}"
    return Text(text.replace(".", ","), text)
