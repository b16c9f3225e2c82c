"""A town behind another broker: a real mosquitto, killed, flooded, and told what the town stores."""

import itertools
import os
import re
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from tests.mqtt.test_town import Client, Serving, add_series, digits, free_port, until

from beffroi.model.observation import Draft
from beffroi.model.problem import Unavailable
from beffroi.model.result import number_of
from beffroi.model.text import Text
from beffroi.mqtt import bridge
from beffroi.store import tables
from beffroi.town import Town, open_town


class Mosquitto:
    """A mosquitto that keeps its sessions on disk, as a town's would."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        folder.chmod(0o777)
        self.port = free_port()
        self.config = folder / "mosquitto.conf"
        self.config.write_text(
            f"listener {self.port} 127.0.0.1\nallow_anonymous true\npersistence true\npersistence_location {folder}/\n"
            "autosave_interval 1\nautosave_on_changes true\nmax_queued_messages 0\n"
            + ("user root\n" if os.getuid() == 0 else "")
        )
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(["mosquitto", "-c", str(self.config)], stderr=subprocess.DEVNULL)
        until(self.answers)

    def answers(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def stop(self, how: signal.Signals) -> None:
        self.process.send_signal(how)
        self.process.wait(20)


@pytest.fixture
def mosquitto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mosquitto]:
    if shutil.which("mosquitto") is None:
        pytest.skip("mosquitto is not installed")
    started = Mosquitto(tmp_path_factory.mktemp("broker") / "data")
    yield started
    started.stop(signal.SIGTERM)


@pytest.fixture
def bridged(tmp_path: Path, mosquitto: Mosquitto) -> Iterator[Town]:
    (tmp_path / "beffroi.toml").write_text(f'[mqtt]\nurl = "mqtt://127.0.0.1:{mosquitto.port}"\n', "utf-8")
    opened = open_town(tmp_path)
    serving = Serving(opened, 0)
    assert serving.ready.wait(10)
    yield opened
    serving.close()
    opened.close()


def test_a_broker_that_vanishes_loses_nothing(bridged: Town, mosquitto: Mosquitto) -> None:
    series = add_series(bridged.store)
    topic = f"v1.1/Datastreams({series})/Observations"
    writer = Client(mosquitto.port)
    time.sleep(1)  # until the town has subscribed
    for n in range(3):
        writer.publish(topic, f'{{"result": {n}}}')
    until(lambda: len(digits(bridged, series)) == 3)
    mosquitto.stop(signal.SIGKILL)
    for n in range(3, 6):
        writer.paho.publish(topic, f'{{"result": {n}}}', 1)
    mosquitto.start()
    until(lambda: len(set(digits(bridged, series))) == 6, 40)
    writer.leave()
    assert sorted(set(digits(bridged, series))) == [str(n) for n in range(6)]


def test_while_the_town_cannot_write_messages_wait_at_the_broker(
    bridged: Town, mosquitto: Mosquitto, monkeypatch: pytest.MonkeyPatch
) -> None:
    series = add_series(bridged.store)
    real, full = bridged.store.observations.append_soon, True

    async def append_soon(drafts: Any) -> Any:
        if full:
            raise Unavailable(Text("plein", "full"))
        return await real(drafts)

    monkeypatch.setattr(bridged.store.observations, "append_soon", append_soon)
    writer = Client(mosquitto.port)
    time.sleep(1)
    writer.publish(f"v1.1/Datastreams({series})/Observations", '{"result": 7}')
    time.sleep(1)
    assert digits(bridged, series) == []
    full = False
    until(lambda: digits(bridged, series) == ["7"])
    writer.leave()


def test_the_town_publishes_its_commits_there_and_does_not_hear_itself(
    bridged: Town, mosquitto: Mosquitto
) -> None:
    reader = Client(mosquitto.port).subscribe(
        "v1.1/#"
    )  # before there is anything: what is not retained is told once
    time.sleep(1)
    series = add_series(bridged.store)
    bridged.store.observations.append([Draft(series, 5, number_of("5.0"))])
    until(
        lambda: (
            {"v1.1/Things", "v1.1/Sensors(1)", "v1.1/Observations"} <= {topic for topic, _, _ in reader.heard}
        )
    )
    time.sleep(1)
    found = [(topic, body["result"]) for topic, body, _ in reader.heard if "result" in body]
    assert found == [(f"v1.1/Datastreams({series})/Observations", 5.0), ("v1.1/Observations", 5.0)]
    assert {topic for topic, _, _ in reader.heard} >= {"v1.1/Things", "v1.1/Things(1)", "v1.1/Sensors(1)"}
    later = Client(mosquitto.port).subscribe("v1.1/+/Observations", "v1.1/+")
    until(lambda: len(later.heard) >= 6)
    kept = {topic for topic, _, retained in later.heard if retained}
    later.leave()
    assert kept == {
        f"v1.1/Datastreams({series})/Observations",
        *(f"v1.1/{name}(1)" for name in ("Things", "Locations", "HistoricalLocations", "Datastreams", "Sensors",
                                         "ObservedProperties")),
    }  # fmt: skip
    assert digits(bridged, series) == ["5.0"]
    reader.leave()


def test_a_flood_from_there_is_stored_whole_and_ends_with_the_last_values(
    bridged: Town, mosquitto: Mosquitto
) -> None:
    series = add_series(bridged.store)
    topic, n = f"v1.1/Datastreams({series})/Observations", 900
    writer = Client(mosquitto.port)
    before = publishing(bridged, mosquitto, series)
    strange = {
        200: (topic, '{"result": '), 400: (topic.replace(f"({series})", "(999)"), '{"result": 1}'),
        600: ("v1.1/Observations", f'{{"result": 7000.0, "Datastream": {{"@iot.id": {series}}}}}'),
        800: ("v1.1/ObservedProperties", '{"name": "vent", "definition": "http://a.test/v", "description": "v"}'),
    }  # fmt: skip
    for i in range(n):
        where, body = strange.get(i, (topic, f'{{"result": {i}.25}}'))
        writer.paho.publish(where, body, 1)
    stored = [*before, *("7000.0" if i == 600 else f"{i}.25" for i in range(n) if i not in (200, 400, 800))]
    until(lambda: bridged.store.observations.stats([series])[series].count == len(stored), 60)
    assert digits(bridged, series) == stored  # in the order in which they came
    with bridged.store.read() as c:
        until(lambda: "vent" in c.execute(select(tables.observed_property.c.name)).scalars().all())
    newest = bridged.store.observations.last([series])[series].result.json()
    until(lambda: (series, newest) in last_there(mosquitto), 60)
    writer.leave()


def test_what_is_put_off_is_told_with_its_last_value(
    bridged: Town, mosquitto: Mosquitto, monkeypatch: pytest.MonkeyPatch
) -> None:
    series = add_series(bridged.store)
    start = len(publishing(bridged, mosquitto, series)) + 1
    monkeypatch.setattr(bridge, "BUSY", 0)  # from now on the town has more to do than to tell
    for n in range(3):
        bridged.store.observations.append([Draft(series, start + n, number_of(f"{n}.25"))])
    time.sleep(1)
    assert (series, "0.5") in last_there(mosquitto)
    monkeypatch.undo()
    writer = Client(mosquitto.port)
    writer.publish("v1.1/Observations", "{}")  # whatever comes next is also an occasion to tell
    writer.leave()
    until(lambda: (series, "2.25") in last_there(mosquitto), 60)


def publishing(town: Town, mosquitto: Mosquitto, series: int) -> list[str]:
    """Store observations until the town has subscribed there and publishes; return their digits."""
    starts = itertools.count(1)

    def told() -> bool:
        town.store.observations.append([Draft(series, next(starts), number_of("0.5"))])
        return (series, "0.5") in last_there(mosquitto)

    until(told, 60)
    return digits(town, series)


def last_there(mosquitto: Mosquitto) -> set[tuple[int, str]]:
    """Return what that broker keeps as the last value of each datastream."""
    reader = Client(mosquitto.port).subscribe("v1.1/+/Observations")
    time.sleep(0.3)
    reader.leave()
    found = ((re.search(r"Datastreams\((\d+)\)", topic), body) for topic, body, kept in reader.heard if kept)
    return {(int(name[1]), str(body["result"])) for name, body in found if name is not None}


def test_a_broker_of_mqtt_311_is_listened_to_and_nothing_goes_out(
    tmp_path: Path, mosquitto: Mosquitto
) -> None:
    (tmp_path / "beffroi.toml").write_text(
        f'[mqtt]\nurl = "mqtt://127.0.0.1:{mosquitto.port}?version=3"\n', "utf-8"
    )
    town = open_town(tmp_path)
    serving = Serving(town, 0)
    assert serving.ready.wait(10)
    series = add_series(town.store)
    reader = Client(mosquitto.port).subscribe("v1.1/+/Observations")
    time.sleep(1)
    reader.publish("v1.1/Observations", f'{{"result": 4.0, "Datastream": {{"@iot.id": {series}}}}}')
    until(lambda: digits(town, series) == ["4.0"])
    time.sleep(0.5)
    assert reader.heard == []
    reader.leave()
    serving.close()
    town.close()
