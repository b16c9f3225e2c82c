"""What arriving observations must know: read once for many, features made once for each place."""

from collections.abc import Callable

from sqlalchemy import event, func, select

from beffroi.model.observation import Draft
from beffroi.model.result import Result
from beffroi.standards.sensorthings.series_cache import SeriesCache
from beffroi.store import catalogue
from beffroi.store.catalogue import New
from beffroi.store.open import Store
from beffroi.store.tables import feature_of_interest

PLACE = '{"type":"Point","coordinates":[-2.08,47.65]}'


def town(store: Store, things: int) -> list[int]:
    """Make Things, each with a place and two datastreams (the last has no place); return the datastreams."""
    common = {"name": "n", "description": "d", "properties": None}
    with store.write() as c:
        sensor = catalogue.create(
            store, c, New("sensor", {**common, "encoding_type": "t", "metadata": '"m"'})
        ).id
        seen = catalogue.create(store, c, New("observed_property", {**common, "definition": "http://e/p"})).id
        for i in range(things):
            unit = {"unit_name": "u", "unit_symbol": "u", "unit_definition": "u", "observation_type": "t"}
            series = [
                (
                    "thing_id",
                    New(
                        "datastream", {**common, **unit}, {"sensor_id": sensor, "observed_property_id": seen}
                    ),
                )
                for _ in range(2)
            ]
            place = New("location", {**common, "encoding_type": "application/geo+json", "location": PLACE})
            linked = [(catalogue._THING_LOCATION, place)] if i < things - 1 else []
            catalogue.create(store, c, New("thing", {**common, "service": ""}, has=series, linked=linked))
    return list(range(1, 2 * things + 1))


def statements(store: Store, work: Callable[[], object]) -> int:
    """Return how many statements `work` sends to the database."""
    sent: list[str] = []
    listen = lambda _c, _cursor, sql, *_: sent.append(sql)  # noqa: E731
    engines = (store.database.reader, store.database.writer)
    for engine in engines:
        event.listen(engine, "before_cursor_execute", listen)
    work()
    for engine in engines:
        event.remove(engine, "before_cursor_execute", listen)
    return len(sent)


def test_a_cold_town_is_read_and_made_together(store: Store) -> None:
    ids = town(store, 40)
    cache = SeriesCache(store)
    assert cache.recall(ids) is None
    assert statements(store, lambda: cache.look_up(ids)) < 20
    known = cache.look_up(ids)
    features = [one.feature_id if one is not None else 0 for one in known.values()]
    assert features[::2] == features[1::2] and features[-1] is None
    assert sorted(features[:-2:2]) == list(range(1, 40))
    with store.read() as c:
        assert c.execute(select(func.count()).select_from(feature_of_interest)).scalar() == 39
    if cache.recall(ids) is None:  # the features were a change of the catalogue: one more look
        cache.look_up(ids)
    assert cache.recall(ids) == known
    cache.close()


def test_commits_of_observations_do_not_send_us_to_the_catalogue(store: Store) -> None:
    (one, *_) = town(store, 2)
    cache = SeriesCache(store)
    cache.look_up([one])
    cache.recall([one])
    cache.look_up([one])
    cache._glanced += 3_600  # as if nothing could be older than the last look
    for _ in range(3):
        store.observations.append([Draft(one, 0, Result(1.0), feature_id=1)])
        assert cache.recall([one]) is not None
    with store.write() as c:
        catalogue.touch(c)
    assert cache.recall([one]) is None  # what this process changed counts at once
    cache.close()
