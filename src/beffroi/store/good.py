"""The good values of series, and what they come to: what a quality flag calls suspect or bad is left aside."""

from collections.abc import Iterable
from datetime import tzinfo

from beffroi.model.instant import PARIS
from beffroi.model.observation import Quality
from beffroi.store.aggregates import AggregateQuery, Cell, Grain
from beffroi.store.buckets import Buckets
from beffroi.store.observations import Observations
from beffroi.store.tables import observation

__all__ = ["LEFT_ASIDE", "civil_days", "good_cells", "good_values"]

LEFT_ASIDE = (Quality.SUSPECT, Quality.BAD)


def good_values(
    observations: Observations, datastream_id: int, start_us: int, end_us: int
) -> list[tuple[int, float]]:
    """Return the good numbers of a series with start in [start_us, end_us), with their instants, in order."""
    return [
        (o.start_us, o.result.value)
        for o in observations.series(datastream_id, start_us, end_us)
        if o.result.value is not None and o.quality not in LEFT_ASIDE
    ]


def good_cells(
    observations: Observations,
    ids: Iterable[int],
    start_us: int | None,
    end_us: int | None,
    grain: Grain | None = None,
) -> dict[int, dict[int, Cell]]:
    """Return what the good numbers of each series come to in each bucket that has some (0: no grain), added up by the store."""
    found: dict[int, dict[int, Cell]] = {number: {} for number in ids}
    query = AggregateQuery(
        datastreams=tuple(found), within=(start_us, end_us), grain=grain, by_series=True,
        where=lambda _dialect: observation.c.quality.not_in([int(quality) for quality in LEFT_ASIDE]),
    )  # fmt: skip
    for (number, _, bucket), cell in sorted(observations.aggregate(query).items()) if found else ():
        if cell.numbers:
            found[number][bucket] = cell
    return found


def civil_days(start_us: int, end_us: int, zone: tzinfo = PARIS) -> Grain:
    """Return the grain of civil days (ordinals since 1970) of what lies in [start_us, end_us)."""
    return Buckets("day", zone=zone).grain(start_us, end_us)
