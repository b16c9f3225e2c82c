"""A query over its limit is stopped and named; others are answered meanwhile."""

import threading
import time
from urllib.parse import quote

import msgspec
import pytest
from starlette.testclient import TestClient
from tests.sensorthings_town import Clock, client_of, made, series_of, station

from beffroi.model.observation import Draft
from beffroi.model.result import number_of
from beffroi.plugins import Registry
from beffroi.settings import Settings
from beffroi.store.limits import TooHeavy, limited
from beffroi.store.open import Store
from beffroi.town import Town

TERMS = " or ".join(f"substringof('z{n}',concat(result,concat(result,'abc')))" for n in range(40))
SLOW = "Observations?$count=true&$filter=" + quote(TERMS)


def town_of(settings: Settings, **limits: float) -> Town:
    clock = Clock()
    store = msgspec.structs.replace(settings.store, **limits)
    chosen = msgspec.structs.replace(settings, store=store)
    return Town(chosen, Store.open(chosen, clock), Registry(()), clock)


def fill(client: TestClient, town: Town, n: int = 60_000) -> int:
    series = series_of(client, made(client.post("Things", json=station())))
    town.store.observations.append([Draft(series, i, number_of(f"{i}.5")) for i in range(n)])
    return series


def test_a_query_over_its_time_is_told_the_limit_and_the_mend(settings: Settings) -> None:
    town = town_of(settings, query_seconds=0.1)
    with client_of(town) as client:
        series = fill(client, town)
        answer = client.get(SLOW)
        assert answer.status_code == 422
        told = answer.json()
        assert told["place"] == "store.query_seconds"
        assert told["texts"]["fr"][0] == "La requête dépasse la limite de 0.1 s (store.query_seconds)."
        assert "$filter" in told["texts"]["en"][1]
        # the connection that was stopped is as good as before
        assert client.get(f"Datastreams({series})/Observations?$top=1").status_code == 200
    town.store.close()


def test_others_are_answered_while_a_long_query_runs(settings: Settings) -> None:
    town = town_of(settings, query_seconds=30)
    with client_of(town) as client:
        series = fill(client, town, 5_000)
        began = time.monotonic()
        done: list[float] = []
        slow = threading.Thread(target=lambda: (client.get(SLOW), done.append(time.monotonic())))
        slow.start()
        short = []
        while slow.is_alive():
            asked = time.monotonic()
            assert client.get(f"Datastreams({series})/Observations?$top=1").status_code == 200
            short.append(time.monotonic() - asked)
        slow.join()
        assert short
        assert min(short) < (done[0] - began)
    town.store.close()


def test_duckdb_is_interrupted_and_goes_on(settings: Settings) -> None:
    town = town_of(settings, query_memory_mb=64)
    began = time.monotonic()
    with limited(0.3), pytest.raises(TooHeavy) as slow:
        town.store.archive.run("SELECT sum(hash(i)) FROM range(1000000000000) r(i)")
    assert time.monotonic() - began < 5
    assert slow.value.place == "store.query_seconds"
    assert town.store.archive.run("SELECT 1") == [(1,)]
    with pytest.raises(TooHeavy) as large:
        town.store.archive.run("SELECT length(list(i)) FROM range(200000000) r(i)")
    assert large.value.place == "store.query_memory_mb"
    assert town.store.archive.run("SELECT 2") == [(2,)]
    town.store.close()
