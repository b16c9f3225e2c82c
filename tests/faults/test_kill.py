"""20 kills -9 at random moments of a server that is written to by several clients: nothing acknowledged is lost."""

import random
import threading
from pathlib import Path

import pytest
from tests.faults.serving import THING, Town, command

from beffroi.settings import load_settings
from beffroi.store.open import Store

ROUNDS = 20
CLIENTS = 4


def write_until_silence(town: Town, client: int, round_: int, acknowledged: list[str]) -> None:
    """Post observations, singly and by batches, and note each value once it was acknowledged."""
    n = 0
    while True:
        values = [f"{round_}{client}{n + i:06d}" for i in range(1 if n % 3 else 20)]
        n += len(values)
        if len(values) == 1:
            status, _ = town.call("/sensorthings/v1.1/Observations",
                                  {"result": int(values[0]), "phenomenonTime": "2026-03-01T12:00:00Z",
                                   "Datastream": {"@iot.id": town.series}})  # fmt: skip
        else:
            rows = [["2026-03-01T12:00:00Z", int(v)] for v in values]
            status, _ = town.call("/sensorthings/v1.1/CreateObservations", [
                {"Datastream": {"@iot.id": town.series}, "components": ["phenomenonTime", "result"], "dataArray": rows}
            ])  # fmt: skip
        if status != 201:
            return
        acknowledged.extend(values)


@pytest.mark.parametrize("workers", ["1", "2"])
def test_nothing_acknowledged_is_lost(tmp_path: Path, workers: str) -> None:
    data = tmp_path / "town"
    command("init", "--data", str(data), "--name", "Essai")
    acknowledged: list[str] = []
    series = None
    chance = random.Random(20261122)
    for round_ in range(10, 10 + ROUNDS // 2):
        town = Town(data, "--workers", workers)
        if series is None:
            status, made = town.call("/sensorthings/v1.1/Things", THING)
            assert status == 201, made
            series = town.call("/sensorthings/v1.1/Datastreams")[1]["value"][0]["@iot.id"]
        town.series = series
        clients = [
            threading.Thread(target=write_until_silence, args=(town, c, round_, acknowledged))
            for c in range(CLIENTS)
        ]
        for client in clients:
            client.start()
        clients[0].join(timeout=chance.uniform(0.05, 0.8))
        town.kill()
        for client in clients:
            client.join()
    store = Store.open(load_settings(data))
    try:
        held = [o.result.json() for o in store.observations.series(series)]
        assert len(acknowledged) > 200
        assert set(acknowledged) - set(held) == set()
        assert len(held) == len(set(held))
        assert store.verify() == []
    finally:
        store.close()
