"""An hour of mixed traffic on four workers: no error, no leak, no lost update (`make nightly`).

BEFFROI_SOAK_S shortens it; BEFFROI_SOAK_PAUSE_S is what each client waits before it asks again, in seconds: with one
second the hour can run beside other work.
"""

import os
import statistics
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion
from tests.conftest import free_port
from tests.faults.assault import DEVICE, Assault, Ledger, check, first_series
from tests.faults.assault import _uplink as uplink
from tests.faults.serving import Town, command

SOAK_S = float(os.environ.get("BEFFROI_SOAK_S", "3600"))
PAUSE_S = float(os.environ.get("BEFFROI_SOAK_PAUSE_S", "0.02"))
READ = (
    "/", "/carte", "/capteurs", "/series/1", "/alarmes", "/regles", "/donnees", "/services", "/preuve", "/signaler", "/riviere/cameras",
    "/capteurs-publics", "/health", "/ogc/collections", "/sensorthings/v1.1/Things?$expand=Datastreams($expand=Observations($top=1))",
    "/sensorthings/v1.1/Datastreams(1)/Observations?$top=100&$orderby=phenomenonTime%20desc", "/sensorthings/v1.1/Observations?$count=true&$top=1",
    "/sensorthings/v1.1/Observations?$filter=result%20gt%205&$top=20", "/api/alarms", "/open311/v2/services.json",
)  # fmt: skip
KEYS = 3


class Patient(Town):
    """A town that is asked at a human pace, and remembers every answer that is no success."""

    def __init__(self, data: Path, *options: str, mqtt_port: int) -> None:
        self.refused: list[tuple[str, int, object]] = []
        super().__init__(data, *options, mqtt_port=mqtt_port)
        self.refused.clear()

    def call(
        self, path: str, body: Any = None, *, method: str | None = None, **headers: str
    ) -> tuple[int, Any]:
        time.sleep(PAUSE_S)
        status, said = super().call(path, body, method=method, **headers)
        if status not in (200, 201):
            self.refused.append((path, status, said))
        return status, said


class Soak:
    """Readers, writers of one key each of the same Thing, and a publisher, until `ending`."""

    def __init__(self, town: Town, thing: int, ledger: Ledger, mqtt_port: int) -> None:
        self.town, self.thing, self.ledger = town, thing, ledger
        self.ending = threading.Event()
        self.read: Counter[tuple[str, int]] = Counter()
        self.last: dict[int, int] = {}
        work = [
            lambda: self._reads(0),
            lambda: self._reads(len(READ) // 2),
            lambda: self._publishes(mqtt_port),
        ]
        work += [lambda n=n: self._changes(n) for n in range(KEYS)]  # type: ignore[misc]
        self.threads = [threading.Thread(target=one) for one in work]
        for thread in self.threads:
            thread.start()

    def end(self) -> None:
        self.ending.set()
        for thread in self.threads:
            thread.join(timeout=60)
            assert not thread.is_alive()

    def _reads(self, turn: int) -> None:
        while not self.ending.is_set():
            path = READ[turn % len(READ)]
            self.read[path, self.town.call(path, None, Accept="*/*")[0]] += 1
            turn += 1

    def _changes(self, key: int) -> None:
        """Count upwards in a member of the Thing's properties that is ours alone, beside others who change theirs."""
        number = 0
        while not self.ending.is_set():
            number += 1
            patch = [{"op": "add", "path": f"/properties/k{key}", "value": number}]
            status, _ = self.town.call(
                f"/sensorthings/v1.1/Things({self.thing})",
                patch,
                method="PATCH",
                Content_Type="application/json-patch+json",
            )
            if status != 200:
                return
            self.last[key] = number

    def _publishes(self, port: int) -> None:
        import random

        chance = random.Random(5)
        client = paho.Client(CallbackAPIVersion.VERSION2)
        client.connect("127.0.0.1", port)
        client.loop_start()
        while not self.ending.is_set():
            message = self.ledger.next("uplink", chance)
            said = client.publish(f"v3/app@ttn/devices/{DEVICE}/up", uplink(message), 1)
            said.wait_for_publish(timeout=20)
            self.ledger.settle(message, acknowledged=said.is_published())
            time.sleep(PAUSE_S)
        client.loop_stop()
        client.disconnect()


def memory_mb(town: Town) -> float:
    """Return the memory of every process of the server, each shared page counted once."""
    listed = subprocess.run(
        ["ps", "-o", "pid=", "-g", str(town.process.pid)], capture_output=True, check=False, text=True
    )
    sizes = [
        int(line.split()[1])
        for pid in listed.stdout.split()
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        if line.startswith("Pss:")
    ]
    return sum(sizes) / 1024


def missed(**checks: Callable[[], object]) -> dict[str, str]:
    """Return what is amiss by name: one that fails keeps no other from being looked at."""
    found = {}
    for name, look in checks.items():
        try:
            look()
        except Exception as error:  # noqa: BLE001 -- whatever it is, the others are looked at
            found[name] = f"{type(error).__name__}: {error}"[:2000]
    return found


def equal(found: object, wanted: object) -> None:
    assert found == wanted


def level(sizes: list[float]) -> None:
    """Assert that the last quarter's memory is that of the second quarter."""
    quarter = len(sizes) // 4
    early, late = statistics.fmean(sizes[quarter : 2 * quarter]), statistics.fmean(sizes[-quarter:])
    assert late <= early * 1.1 + 10, (early, late)


@pytest.mark.nightly
def test_an_hour_of_everything(tmp_path: Path) -> None:
    data, port = tmp_path / "town", free_port()
    command("init", "--data", str(data), "--name", "Essai")
    town = Patient(data, "--workers", "4", mqtt_port=port)
    series, ledger, sizes = first_series(town), Ledger(), list[float]()
    thing = int(town.call("/sensorthings/v1.1/Things")[1]["value"][0]["@iot.id"])
    assert town.call(f"/sensorthings/v1.1/Things({thing})", {"properties": {}}, method="PATCH")[0] == 200
    writers = Assault(town, series, ledger, 7)
    soak = Soak(town, thing, ledger, port)
    end, stopped = time.monotonic() + SOAK_S, list[str]()
    try:
        while time.monotonic() < end and not stopped:
            time.sleep(min(15.0, SOAK_S / 40))
            sizes.append(memory_mb(town))
            stopped = [t.name for t in (*writers.threads, *soak.threads) if not t.is_alive()]
    finally:
        soak.end()
        status, answer = town.call(f"/sensorthings/v1.1/Things({thing})")
        kept = answer["properties"] if status == 200 else {}
        town.stop()
        writers.end()
    tenth = max(1, len(sizes) // 10)
    told = [round(statistics.fmean(sizes[i : i + tenth])) for i in range(0, len(sizes) - tenth + 1, tenth)]
    print(  # noqa: T201 -- what a soak is for
        f"{sum(soak.read.values())} reads, {sum(soak.last.values())} changes, {len(ledger.acknowledged)} observations; memory, each tenth of the time: {told} MB"
    )
    amiss = missed(
        errors=lambda: equal({pair: n for pair, n in soak.read.items() if pair[1] != 200}, {}),
        clients=lambda: equal(stopped, []),
        refusals=lambda: equal([one for one in town.refused if one[1]], []),  # 0: it had stopped
        updates=lambda: equal({n: kept.get(f"k{n}") for n in range(KEYS)}, soak.last),
        memory=lambda: level(sizes),
        observations=lambda: check(data, ledger),
    )
    assert amiss == {}
