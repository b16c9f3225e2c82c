"""The ledger of missing data: found as samples come, filled by late ones, the same when made anew."""

import json
import random
from itertools import pairwise

from sqlalchemy import insert, select, update

from beffroi.model.instant import DAY_US, HOUR_US, MINUTE_US, parse_instant
from beffroi.model.observation import Draft
from beffroi.model.result import number_of
from beffroi.store import tables
from beffroi.store.ledger import Gap, follow, gaps, missing
from beffroi.store.open import Store
from beffroi.store.sealing import seal

START = parse_instant("2026-03-01T00:00:00Z")
STEP = 10 * MINUTE_US


def series(store: Store, interval: str | None = "PT10M") -> int:
    properties = None if interval is None else json.dumps({"expectedInterval": interval})
    with store.write() as c:
        number = store.number(c, "datastream")
        for table, values in (
            (tables.thing, {"name": "t", "description": ""}),
            (tables.sensor, {"name": "s", "description": "", "encoding_type": "", "metadata": ""}),
            (tables.observed_property, {"name": "p", "definition": "", "description": ""}),
            (tables.datastream, {"name": "d", "description": "", "observation_type": "", "properties": properties,
                                 "thing_id": number, "sensor_id": number, "observed_property_id": number}),
        ):  # fmt: skip
            c.execute(insert(table).values(id=number, **values))
    return number


def say(store: Store, number: int, *places: float) -> None:
    store.observations.append([Draft(number, START + round(p * STEP), number_of("1")) for p in places])
    follow(store)


def listed(store: Store, number: int, now: float) -> list[tuple[float, float | None, int, int, str]] | None:
    with store.read() as connection:
        found = gaps(connection, number, START + round(now * STEP))
    if found is None:
        return None
    place = lambda us: None if us is None else (us - START) / STEP  # noqa: E731
    return [(place(g.from_us), place(g.to_us), g.expected, g.received, g.reason) for g in found]  # type: ignore[misc]


def test_a_gap_is_found_then_filled_in_part_then_whole(store: Store) -> None:
    number = series(store)
    say(store, number, 0, 1, 2.2, 2.9)  # a clock that wanders a little misses nothing
    assert listed(store, number, 3) == []
    say(store, number, 7)
    assert listed(store, number, 7) == [(2.9, 7.0, 3, 0, "silence")]
    say(store, number, 5)
    assert listed(store, number, 7) == [(2.9, 7.0, 3, 1, "partial")]
    with store.read() as connection:
        assert missing(connection, number) == (1, 2)
    say(store, number, 4, 6)
    assert listed(store, number, 7) == [(2.9, 7.0, 3, 3, "late")]
    with store.read() as connection:
        assert missing(connection, number) == (0, 0)


def test_a_silence_that_lasts_is_listed_as_open(store: Store) -> None:
    number = series(store)
    say(store, number, 0, 1)
    assert listed(store, number, 2.4) == []
    assert listed(store, number, 6) == [(1.0, None, 4, 0, "silence")]


def test_an_irregular_datastream_has_no_ledger_and_says_so(store: Store) -> None:
    for interval in ("irregular", None):
        number = series(store, interval)
        say(store, number, 0, 50)
        assert listed(store, number, 60) is None


def test_it_is_made_anew_when_the_interval_changes_or_a_time_is_corrected(store: Store) -> None:
    number = series(store)
    say(store, number, 0, 1, 2, 12)
    assert listed(store, number, 12) == [(2.0, 12.0, 9, 0, "silence")]
    with store.write() as c:
        c.execute(
            update(tables.datastream)
            .where(tables.datastream.c.id == number)
            .values(properties='{"expectedInterval": "PT100M"}')
        )
    say(store, number, 22)
    assert listed(store, number, 22) == []
    with store.write() as c:
        c.execute(
            update(tables.datastream)
            .where(tables.datastream.c.id == number)
            .values(properties='{"expectedInterval": "PT10M"}')
        )
    say(store, number, 23)
    assert listed(store, number, 23) == [(12.0, 22.0, 9, 0, "silence"), (2.0, 12.0, 9, 0, "silence")]
    last = store.observations.series(number)[-1]
    store.observations.correct(last.id, start_us=START + 17 * STEP)
    follow(store)
    assert listed(store, number, 22) == [
        (17.0, 22.0, 4, 0, "silence"),
        (12.0, 17.0, 4, 0, "silence"),
        (2.0, 12.0, 9, 0, "silence"),
    ]


def test_following_equals_making_anew_whatever_is_sealed(store: Store) -> None:
    chance = random.Random(3)
    kept = [n for n in range(900) if chance.random() < 0.8]
    one, other = series(store), series(store, None)
    for start in range(0, len(kept), 70):
        part = kept[start : start + 70]
        store.observations.append(
            [Draft(s, START + n * STEP, number_of("1")) for n in part for s in (one, other)]
        )
        follow(store)
    seal(store.database, store.archive, START + 4 * DAY_US, store.observations.head())
    with store.write() as c:
        c.execute(
            update(tables.datastream)
            .where(tables.datastream.c.id == other)
            .values(properties='{"expectedInterval": "PT10M"}')
        )
    store.observations.append([Draft(s, START + 900 * STEP, number_of("1")) for s in (one, other)])
    follow(store)
    followed, anew = listed(store, one, 900), listed(store, other, 900)
    assert followed == anew
    times = [*kept, 900]
    assert (
        anew == [(float(a), float(b), b - a - 1, 0, "silence") for a, b in pairwise(times) if b - a > 1][::-1]
    )
    with store.read() as connection:
        assert connection.execute(
            select(tables.gap.c.datastream_id).distinct().order_by(tables.gap.c.datastream_id)
        ).scalars().all() == [one, other]
    assert Gap(0, HOUR_US, 5).reason == "silence"
