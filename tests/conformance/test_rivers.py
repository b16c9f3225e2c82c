"""`cl-hubeau` and `vigicrues` (PyPI) read a town's rivers unmodified, in a Python environment of their own."""

import json
import os
import subprocess
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from sqlalchemy import select
from tests.oracles import oracle

from beffroi.app import create_app
from beffroi.cli.init import create_town
from beffroi.connectors.schedule import run_once
from beffroi.connectors.source import Source
from beffroi.identity import territories
from beffroi.intake.take import Intake
from beffroi.model.instant import MINUTE_US, format_instant, parse_instant
from beffroi.model.principal import SYSTEM
from beffroi.model.result import number_of
from beffroi.services.water.hubeau import polling
from beffroi.standards.reading import Reading, Series, Station
from beffroi.store.tables import datastream
from beffroi.town import Town, open_town

SCRIPT = Path(__file__).with_name("read_rivers.py")
CODE, NOW, COUNT = "V500401001", parse_instant("2026-11-22T10:00:00Z"), 250
VALUES = [1000 + (n * 37) % 211 for n in range(COUNT)]  # millimetres


@pytest.fixture(scope="module")
def python() -> str:
    """Return an interpreter that has both clients; without one, the tests are skipped, saying so."""
    return oracle("rivers")


def fill(town: Town) -> None:
    """Write a station and its levels, every ten minutes."""
    intake = Intake(town.store, town.registry.datastream_kind, town.registry.service_of)
    series = Series("s", "river_level", Station("g", "Échelle"), unit="m")
    readings = [
        Reading(series, NOW - (COUNT - n) * 10 * MINUTE_US, number_of(f"{v / 1000:.3f}"))
        for n, v in enumerate(VALUES)
    ]
    number = intake.take(readings).datastreams[0]
    values = {"code": CODE, "name": "L'Ardèche au pont de Meyras", "river": "L'Ardèche", "level": number}
    point = {"type": "Point", "coordinates": [4.2694, 44.6807]}
    town.store.records.put("river_station", values, geometry=point, territory="07156", who=SYSTEM)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Serve the town on a free port of the loopback."""
    data = tmp_path_factory.mktemp("rivers") / "town"
    create_town(data, "Meyras", email="maire@essai.fr")
    town = open_town(data, clock=lambda: NOW)
    territories.add(town.store, SYSTEM, "07156", "Meyras")
    fill(town)
    server = uvicorn.Server(uvicorn.Config(create_app(town), port=0, log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join()
    town.close()


def test_both_clients_read_the_town_s_rivers_unchanged(python: str, root: str, tmp_path: Path) -> None:
    environment = {**os.environ, "HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path)}
    done = subprocess.run(
        [python, str(SCRIPT), root, CODE],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env=environment,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    told: dict[str, Any] = json.loads(done.stdout)
    hubeau, vigicrues = told["hubeau"], told["vigicrues"]
    assert hubeau["warnings"] == []
    assert hubeau["stations"] == [[CODE, "L'Ardèche au pont de Meyras", 4.2694, 44.6807]]
    assert hubeau["sites"] == [CODE[:8]]
    assert [value for _, value, _ in hubeau["observations"]] == VALUES
    assert hubeau["observations"][0][0] == "2026-11-20 16:20:00+00:00"
    by_day: dict[str, int] = {}
    for moment, value, _code in hubeau["observations"]:
        by_day[moment[:10]] = max(by_day.get(moment[:10], 0), value)
    assert dict(map(tuple, hubeau["days"])) == by_day
    assert vigicrues == {
        "territories": ["Meyras"], "rivers": [["l-ardeche", "L'Ardèche"]], "stations": [CODE],
        "details": ["L'Ardèche au pont de Meyras", "L'Ardèche", 4.2694, 44.6807],
        "level": ["2026-11-22T09:50:00+00:00", VALUES[-1] / 1000, "m"], "found": [CODE],
    }  # fmt: skip


def test_our_own_connector_reads_what_the_town_serves_digit_by_digit(root: str, tmp_path: Path) -> None:
    source = Source("voisine", "hubeau", f"{root}/api/hubeau/v2/hydrometrie", MINUTE_US, {"stations": CODE})
    create_town(tmp_path / "t", "Ucel", email="maire@essai.fr")
    town = open_town(tmp_path / "t", clock=lambda: NOW)
    intake = Intake(town.store, town.registry.datastream_kind, town.registry.service_of)
    state = run_once(intake, source, lambda s, c: polling.poll(s, c, lambda: NOW))
    with town.store.read() as connection:
        (number,) = connection.execute(
            select(datastream.c.id).where(datastream.c.key == f"hubeau/{CODE}/H")
        ).scalars()
    read = [(o.start_us, o.result.json()) for o in town.store.observations.series(number)]
    town.close()
    assert (state.error, state.stored) == (None, COUNT)
    assert read == [(NOW - (COUNT - n) * 10 * MINUTE_US, f"{v / 1000:.3f}") for n, v in enumerate(VALUES)]


@pytest.mark.parametrize(
    "wrong", ["size=0", "size=20001", "cursor=zz", "sort=asc&cursor=AAAA", "date_debut_obs=hier", "bbox=1,2", "distance=x&latitude=1&longitude=1"]
)  # fmt: skip
def test_what_makes_no_sense_is_refused_as_hubeau_refuses(root: str, wrong: str) -> None:
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(f"{root}/api/hubeau/v2/hydrometrie/observations_tr?{wrong}")
    with refused.value as answer:
        told = json.loads(answer.read())
    assert refused.value.code == 400
    assert told["field_errors"][0]["field"] in wrong


def test_pages_of_observations_follow_a_cursor_with_206_and_end(root: str) -> None:
    following, seen, statuses = (
        f"{root}/api/hubeau/v2/hydrometrie/observations_tr?code_entite={CODE}&size=60&fields=date_obs",
        [],
        [],
    )
    while following:
        with urllib.request.urlopen(following) as answer:
            told = json.loads(answer.read())
            statuses.append(answer.status)
        assert told["count"] == COUNT
        seen += [row["date_obs"] for row in told["data"]]
        following = told["next"]
    assert statuses == [206, 206, 206, 206, 200]
    assert seen == sorted(seen, reverse=True)
    assert len(set(seen)) == COUNT


def test_days_and_months_are_those_of_the_observations(root: str) -> None:
    def served(**asked: str) -> list[tuple[str, float]]:
        query = urllib.parse.urlencode({"code_entite": CODE, **asked})
        with urllib.request.urlopen(f"{root}/api/hubeau/v2/hydrometrie/obs_elab?{query}") as answer:
            return [
                (row["date_obs_elab"], row["resultat_obs_elab"]) for row in json.loads(answer.read())["data"]
            ]

    held: dict[str, list[int]] = {}
    for n, value in enumerate(VALUES):
        held.setdefault(format_instant(NOW - (COUNT - n) * 10 * MINUTE_US)[:10], []).append(value)
    days = [(day, float(max(values))) for day, values in sorted(held.items())]
    assert len(days) == 3
    assert served(grandeur_hydro_elab="HIXnJ") == days
    assert (
        served(grandeur_hydro_elab="HIXnJ", date_debut_obs_elab=days[1][0], date_fin_obs_elab=days[1][0])
        == days[1:2]
    )
    assert served(grandeur_hydro_elab="HIXM") == [("2026-11-01", float(max(VALUES)))]
    assert served(grandeur_hydro_elab="QmnJ") == []
