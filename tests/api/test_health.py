"""/health: 200 means that a write reached the disk."""

from sqlalchemy import text

from beffroi import __version__
from beffroi.api.health import examine
from beffroi.election import Election
from beffroi.model.instant import MINUTE_US
from beffroi.store.open import Store


def test_health_tells_what_is(store: Store) -> None:
    before = store.clock()
    report = examine(store)
    assert report == {
        "status": "ok", "version": __version__, "store": store.dialect, "keeper": False, "waiting": 0, "lag_s": 0,
    }  # fmt: skip
    assert store.setting("health.written_us") >= before  # it did write


def test_health_knows_of_a_keeper_here_or_elsewhere(store: Store) -> None:
    beside = Store.open(store.settings)
    election = Election(beside)
    assert election.won()
    assert examine(store)["keeper"] is True
    assert election.won()  # asking took nothing from it
    election.resign()
    assert examine(store)["keeper"] is False
    beside.close()


def test_health_counts_what_waits(store: Store) -> None:
    late = store.clock() - 3 * MINUTE_US
    with store.write() as connection:
        for number, due, state in (
            (1, late, "waiting"),
            (2, late + MINUTE_US, "waiting"),
            (3, late, "done"),
            (4, late + 10**12, "waiting"),
        ):
            connection.execute(
                text(
                    "INSERT INTO job (id, kind, payload, state, due_us, attempts) VALUES (:i, 'x', '{}', :s, :d, 0)"
                ),
                {"i": number, "s": state, "d": due},
            )
    report = examine(store)
    assert report["waiting"] == 2
    assert 180 <= report["lag_s"] < 240
