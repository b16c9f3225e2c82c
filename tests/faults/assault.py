"""An assault on a town: clients that write until it falls silent and note what was acknowledged, and a sealer beside.

Every message carries a source key (an Idempotency-Key, or device and frame counter) and values that no other has.
What was not acknowledged is sent again after the next start, and now and then what was: each value must be held once.
"""

import contextlib
import json
import random
import signal
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, SimpleQueue

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion
from tests.faults.serving import THING, Town
from tests.forked import Forked, script

from beffroi.settings import load_settings
from beffroi.store.observations import ObservationQuery
from beffroi.store.open import Store

CLIENTS = 3
DEVICE = "assault"
_SEALER = """
import sys, time
from pathlib import Path
from beffroi.model.instant import DAY_US
from beffroi.settings import load_settings
from beffroi.store.open import Store
from beffroi.store.sealing import seal
store = Store.open(load_settings(Path(sys.argv[1])))
store.archive.cursor().close()
print("ready", flush=True)
while True:
    seal(store.database, store.archive, store.clock() - 2 * DAY_US, store.observations.head())
    store.archive.sweep()
    print("sealed", flush=True)
    time.sleep(0.02)
"""


@dataclass(frozen=True)
class Message:
    """A message that can be sent any number of times: `values` of consecutive numbers."""

    kind: str  # "single", "array" or "uplink"
    values: tuple[int, ...]

    @property
    def time(self) -> str:
        """The phenomenon time: of the last five days, in no order."""
        ago = self.values[0] * 7919 % (5 * 86_400)
        return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(_NOW - ago))


_NOW = int(time.time())


@dataclass
class Ledger:
    """What was sent and what was acknowledged, over all rounds."""

    acknowledged: set[int] = field(default_factory=set)
    sent: set[int] = field(default_factory=set)
    unsure: deque[Message] = field(default_factory=deque)
    sure: list[Message] = field(default_factory=list)
    again: int = 0  # messages sent a second time
    lock: threading.Lock = field(default_factory=threading.Lock)

    def next(self, kind: str, chance: random.Random) -> Message:
        """Return a message to send: one that was not acknowledged, now and then one that was, else a new one."""
        with self.lock:
            of_kind = [m for m in self.unsure if m.kind == kind]
            if of_kind:
                self.unsure.remove(of_kind[0])
                self.again += 1
                return of_kind[0]
            if self.sure and chance.random() < 0.1:
                old = chance.choice(self.sure[-500:])
                if old.kind == kind:
                    self.again += 1
                    return old
            first = len(self.sent)
            message = Message(kind, tuple(range(first, first + (20 if kind == "array" else 1))))
            self.sent.update(message.values)
            return message

    def settle(self, message: Message, *, acknowledged: bool) -> None:
        """Note what became of a message."""
        with self.lock:
            if acknowledged:
                self.acknowledged.update(message.values)
                self.sure.append(message)
            else:
                self.unsure.append(message)


class Assault:
    """The clients of one round against one town."""

    def __init__(self, town: Town, series: int, ledger: Ledger, seed: int, mqtt_port: int = 0) -> None:
        self.town, self.series, self.ledger = town, series, ledger
        self.ending = threading.Event()
        kinds = [*("single" if i % 2 else "array" for i in range(CLIENTS))]
        self.threads = [
            threading.Thread(target=self._http, args=(kind, random.Random(seed * 100 + i)))
            for i, kind in enumerate(kinds)
        ]
        if mqtt_port:
            self.threads.append(
                threading.Thread(target=self._mqtt, args=(mqtt_port, random.Random(seed * 100 + 99)))
            )
        for thread in self.threads:
            thread.start()

    def end(self) -> None:
        """Wait until every client has found the town silent."""
        self.ending.set()
        for thread in self.threads:
            thread.join(timeout=60)
            assert not thread.is_alive()

    def _http(self, kind: str, chance: random.Random) -> None:
        while True:
            message = self.ledger.next(kind, chance)
            key = {"Idempotency_Key": f"m{message.values[0]}"}
            if kind == "single":
                body: object = {"result": message.values[0], "phenomenonTime": message.time,
                                "Datastream": {"@iot.id": self.series}}  # fmt: skip
                status, _ = self.town.call("/sensorthings/v1.1/Observations", body, **key)
            else:
                rows = [[message.time, value] for value in message.values]
                body = [{"Datastream": {"@iot.id": self.series}, "components": ["phenomenonTime", "result"],
                         "dataArray": rows}]  # fmt: skip
                status, _ = self.town.call("/sensorthings/v1.1/CreateObservations", body, **key)
            self.ledger.settle(message, acknowledged=status in (200, 201))
            if status not in (200, 201):
                return

    def _mqtt(self, port: int, chance: random.Random) -> None:
        """Publish uplinks at QoS 1, ten under way; a PUBACK is the acknowledgement."""
        under_way: dict[int, Message] = {}
        confirmed: SimpleQueue[int] = SimpleQueue()  # paho's thread never waits for us

        def settle(wait: float) -> None:
            with contextlib.suppress(Empty):
                while under_way:
                    self.ledger.settle(under_way.pop(confirmed.get(timeout=wait)), acknowledged=True)
                    wait = 0

        client = paho.Client(CallbackAPIVersion.VERSION2, reconnect_on_failure=False)
        client.on_publish = lambda _client, _data, mid, *_rest: confirmed.put(mid)
        try:
            client.connect("127.0.0.1", port)
        except OSError:
            return
        client.loop_start()
        while not self.ending.is_set():
            if len(under_way) < 10:
                message = self.ledger.next("uplink", chance)
                under_way[client.publish(f"v3/app@ttn/devices/{DEVICE}/up", _uplink(message), 1).mid] = (
                    message
                )
            settle(0.1 if len(under_way) >= 10 else 0)
        client.loop_stop()
        settle(0)
        for message in under_way.values():
            self.ledger.settle(message, acknowledged=False)


def _uplink(message: Message) -> str:
    (value,) = message.values
    return json.dumps({
        "end_device_ids": {"device_id": DEVICE, "application_ids": {"application_id": "app"}, "dev_eui": "70B3D57ED0000001"},
        "received_at": message.time,
        "uplink_message": {"session_key_id": "s", "f_cnt": value, "f_port": 1, "decoded_payload": {"t": value},
                           "received_at": message.time},
    })  # fmt: skip


class Sealer:
    """A process that seals without pause, to be killed."""

    def __init__(self, data: Path) -> None:
        self.process = Forked(script, _SEALER, str(data))

    def ready(self) -> None:
        """Wait until it seals."""
        assert self.process.stdout.readline() == b"ready\n"

    def kill(self) -> int:
        """Kill it; return how many sealings it had finished."""
        self.process.signal(signal.SIGKILL)
        return self.process.rest().count(b"sealed")


def first_series(town: Town) -> int:
    """Make a Thing with a Datastream and return the Datastream's id."""
    status, made = town.call("/sensorthings/v1.1/Things", THING)
    assert status == 201, made
    return int(town.call("/sensorthings/v1.1/Datastreams")[1]["value"][0]["@iot.id"])


def check(data: Path, ledger: Ledger) -> int:
    """Assert that all that was acknowledged is held, once, and nothing is amiss; return how many rows are sealed."""
    store = Store.open(load_settings(data))
    try:
        with store.read() as connection:
            segments = store.archive.live(connection)
        held = [int(o.result.json()) for o in store.observations.select(ObservationQuery())]
        assert ledger.acknowledged - set(held) == set()
        assert len(held) == len(set(held))
        assert set(held) <= ledger.sent
        assert store.verify() == []
        return sum(s.count for s in segments)
    finally:
        store.close()
