"""The doctor: each check finds the illness it is for, and says nothing when there is none."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import insert
from starlette.testclient import TestClient
from tests.sensorthings_town import Clock, client_of, made, series_of, station

from beffroi import doctor
from beffroi.app import create_app
from beffroi.doctor import BACKUP_NOTE, examine, metrics
from beffroi.identity import keys
from beffroi.model.instant import DAY_US, HOUR_US
from beffroi.model.observation import Draft
from beffroi.model.principal import SYSTEM
from beffroi.model.result import number_of
from beffroi.store.tables import job
from beffroi.town import Town, open_town


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def town(tmp_path: Path, clock: Clock) -> Iterator[Town]:
    folder = tmp_path / "town"
    folder.mkdir()
    (folder / "beffroi.toml").write_text('name = "Essai"\n', "utf-8")
    opened = open_town(folder, clock=clock)
    yield opened
    opened.close()


def states(town: Town) -> dict[str, str]:
    return {one.name: one.state for one in examine(town)}


def test_a_backup_grows_old(town: Town, clock: Clock) -> None:
    note = town.settings.data / BACKUP_NOTE
    assert states(town)["backup"] == "warning"
    found = []
    for age_us in (HOUR_US, 3 * DAY_US, 9 * DAY_US):
        note.write_bytes(msgspec.json.encode({"at_us": clock() - age_us, "snapshot": "x"}))
        found.append(states(town)["backup"])
    assert found == ["ok", "warning", "fault"]
    note.write_text("not json", "utf-8")
    assert states(town)["backup"] == "warning"


def test_a_clock_that_went_back_and_a_key_that_others_read_are_faults(town: Town, clock: Clock) -> None:
    with client_of(town) as client:
        series = series_of(client, made(client.post("Things", json=station())))
    town.store.observations.append([Draft(series, clock(), number_of("1"))])
    town.settings.secret()
    before = states(town)
    assert (before["clock"] != "fault", before["keys"]) == (True, "ok")
    clock.now_us -= HOUR_US
    (town.settings.data / "secret.key").chmod(0o644)
    after = {one.name: one for one in examine(town)}
    assert (after["clock"].state, after["keys"].state) == ("fault", "fault")
    assert "3599" in after["clock"].said.en
    assert "secret.key" in after["keys"].said.fr


def test_work_that_waits_too_long_is_a_fault(town: Town, clock: Clock) -> None:
    assert states(town)["queue"] == "ok"
    with town.store.write() as connection:
        connection.execute(
            insert(job).values(id=1, kind="x", payload="{}", due_us=clock() - 2 * HOUR_US, state="waiting")
        )
    found = {one.name: dict(one.figures) for one in examine(town)}["queue"]
    assert (found["jobs_waiting"], found["jobs_lag_seconds"]) == (1, 7200)
    assert states(town)["queue"] == "fault"


def test_a_full_disk_is_seen(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    real = doctor.shutil.disk_usage(town.settings.data)
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda _p: real._replace(free=100_000_000))
    assert states(town)["disk"] == "fault"


def test_prometheus_reads_the_figures_with_an_administrators_key_only(town: Town) -> None:
    families = {f.name: f for f in text_string_to_metric_families(metrics(examine(town)))}
    assert {s.labels["check"] for s in families["beffroi_check"].samples} >= {"disk", "clock", "backup", "queue"}  # fmt: skip
    assert "beffroi_disk_free_bytes" in families
    _, secret = keys.create(town.store, SYSTEM, name="prometheus", role="admin")
    _, other = keys.create(town.store, SYSTEM, name="agent", role="agent")
    with TestClient(create_app(town)) as client:
        assert client.get("/metrics").status_code == 401
        assert client.get("/metrics", headers={"Authorization": f"Bearer {other}"}).status_code == 403
        answer = client.get("/metrics", headers={"Authorization": f"Bearer {secret}"})
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")


def test_the_command_ends_with_1_at_a_fault(town: Town) -> None:
    data = town.settings.data
    town.settings.secret()

    def run() -> tuple[int, dict[str, object]]:
        done = subprocess.run(
            [sys.executable, "-m", "beffroi", "doctor", "--data", str(data), "--json"],
            capture_output=True, text=True, check=False, env={**os.environ, "BEFFROI_LANG": "fr"},
        )  # fmt: skip
        return done.returncode, json.loads(done.stdout)

    code, report = run()
    assert (code, report["ok"]) == (0, True)
    (data / "secret.key").chmod(0o666)
    code, report = run()
    assert (code, report["ok"]) == (1, False)
