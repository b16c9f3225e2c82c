"""Hamburg's `aio-sensorthings` copies one town to another, unmodified, in a Python 3.13 environment of its own."""

import contextlib
import json
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from tests.oracles import oracle
from tests.sensorthings_town import Clock, app_of, client_of, made, station

from beffroi.plugins import Registry
from beffroi.settings import Settings
from beffroi.store.open import Store
from beffroi.town import Town

SCRIPT = Path(__file__).with_name("copy_town.py")


@pytest.fixture(scope="module")
def python() -> str:
    """Return an interpreter that has aio-sensorthings; without one, the tests are skipped, saying so."""
    return oracle("aio")


@contextlib.contextmanager
def served(data: Path) -> Iterator[tuple[str, Town]]:
    """Serve an empty town on a free port of the loopback."""
    data.mkdir()
    settings = Settings(data=data)
    town = Town(settings, Store.open(settings), Registry(()), Clock())
    server = uvicorn.Server(uvicorn.Config(app_of(town), port=0, log_level="error"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}/sensorthings", town
    server.should_exit = True
    thread.join()
    town.close()


def _own(entity: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in entity.items() if "@iot" not in name}


def test_a_town_is_copied_to_another(python: str, tmp_path: Path) -> None:
    with served(tmp_path / "a") as (source, town), served(tmp_path / "b") as (target, _):
        with client_of(town) as client:
            for n in range(104):  # more than a page
                body = station(name=f"station {n}")
                for part in (body["Locations"][0], body["Datastreams"][0], body["Datastreams"][0]["Sensor"],
                             body["Datastreams"][0]["ObservedProperty"]):  # fmt: skip
                    part["name"] = f"{part['name']} {n}"
                made(client.post("Things", json=body))
            there = {
                n: client.get(f"{n}?$top=1000").json()["value"]
                for n in ("Locations", "Sensors", "ObservedProperties", "Datastreams")
            }
        ran = subprocess.run(
            [python, str(SCRIPT), source, target], capture_output=True, text=True, timeout=240, check=False
        )
        assert ran.returncode == 0, ran.stderr[-2_000:]
        copied = json.loads(ran.stdout.splitlines()[-1])
        assert [len(copied[n]) for n in ("Things", "Locations", "Datastreams", "Observations")] == [
            104,
            104,
            104,
            1,
        ]
        for name, entities in there.items():

            def rank(one: dict[str, Any]) -> str:
                return str(one["name"])

            # the one Datastream that was given an observation has a phenomenonTime
            mine = [{k: v for k, v in _own(one).items() if k != "phenomenonTime"} for one in copied[name]]
            assert sorted(mine, key=rank) == sorted(map(_own, entities), key=rank)
        assert sum(one["description"] == "copiée" for one in copied["Things"]) == 1
        assert copied["Observations"][0]["result"] == 2.5
