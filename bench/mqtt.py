"""How fast observations come in over MQTT, published to stored at QoS 1, beside a bare mosquitto and paho in the same run.

The embedded broker confirms once the observation is on disk; mosquitto confirms once it has it, and the town stores it
behind. The floor is what mosquitto carries to paho, which the town reads with, without a town. One publisher for all of
them (`publisher.py`), in a process of its own: paho takes longer to publish a message than the town to store it.
"""

import argparse
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import paho.mqtt.client as paho

from bench.ingest import things
from bench.server import call, free_port, machine, scratch, serving

SERIES = 200
COUNT = 20_000
IN_FLIGHT = 2_000
LONGEST_S = 600.0


@contextlib.contextmanager
def mosquitto(folder: Path) -> Iterator[int]:
    """Give the port of a mosquitto that keeps its sessions in memory and drops nothing."""
    if shutil.which("mosquitto") is None:
        raise RuntimeError("mosquitto is not installed (Debian package mosquitto)")
    port = free_port()
    config = folder / "mosquitto.conf"
    config.write_text(
        f"listener {port} 127.0.0.1\nallow_anonymous true\nmax_queued_messages 0\nmax_inflight_messages 0\n"
        + ("user root\n" if os.getuid() == 0 else "")
    )
    process = subprocess.Popen(["mosquitto", "-c", str(config)], stderr=subprocess.DEVNULL)
    try:
        time.sleep(0.5)
        yield port
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)


def client(port: int, key: str = "", name: str = "") -> paho.Client:
    """Return a connected client."""
    made = paho.Client(paho.CallbackAPIVersion.VERSION2, name)
    made.max_inflight_messages_set(IN_FLIGHT)
    made.max_queued_messages_set(0)
    if key:
        made.username_pw_set("bench", key)
    made.connect("127.0.0.1", port)
    made.loop_start()
    return made


def published(port: int, count: int) -> tuple[float, float]:
    """Publish `count` observations at QoS 1; return when it began, and the seconds until the last one is confirmed."""
    command = [sys.executable, "-m", "bench.publisher", str(port), str(count), str(SERIES)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdin is not None and writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
        began = time.perf_counter()
        writer.stdin.write("\n")
        writer.stdin.flush()
        said = writer.stdout.readline()
    if not said:
        raise RuntimeError("the publisher was not confirmed all that it published")
    return began, float(said)


def floor(folder: Path, count: int) -> float:
    """Return messages/s of mosquitto and paho, published to received at QoS 1."""
    with mosquitto(folder) as port:
        heard, done = [0], threading.Event()
        reader = client(port)

        def on_message(_client: Any, _data: Any, _message: Any) -> None:
            heard[0] += 1
            if heard[0] == count:
                done.set()

        reader.on_message = on_message
        reader.subscribe("v1.1/+/Observations", 1)
        time.sleep(0.5)
        began, _ = published(port, count)
        done.wait(LONGEST_S)
        rate = count / (time.perf_counter() - began)
        reader.disconnect()
        reader.loop_stop()
        return rate


def topic_of(n: int) -> str:
    """Return where the n-th observation is published."""
    return f"v1.1/Datastreams({n % SERIES + 1})/Observations"


def stored(url: str) -> int:
    """Return how many observations the town has."""
    return int(call(f"{url}/sensorthings/v1.1/Observations?$count=true&$top=0")["@iot.count"])


def prepared(url: str) -> int:
    """Make the datastreams; return how many observations there are then."""
    things(url, SERIES)
    begun = [
        {"Datastream": {"@iot.id": i + 1}, "components": ["result"], "dataArray": [[0]]}
        for i in range(SERIES)
    ]
    call(f"{url}/sensorthings/v1.1/CreateObservations", begun)
    return stored(url)


def queryable(url: str, port: int, key: str) -> float:
    """Return the seconds from publishing one observation to reading it over HTTP, the worst of 20."""
    writer, worst = client(port, key), 0.0
    time.sleep(0.3)
    for n in range(20):
        mark = 1_000_000 + n
        began = time.perf_counter()
        writer.publish(topic_of(0), json.dumps({"result": mark}), 1)
        while (
            call(f"{url}/sensorthings/{topic_of(0)}?$filter=result%20eq%20{mark}&$count=true&$top=0")[
                "@iot.count"
            ]
            < 1
        ):
            if time.perf_counter() - began > 10:
                raise RuntimeError("an observation is not to be seen after 10 s")
        worst = max(worst, time.perf_counter() - began)
    writer.disconnect()
    writer.loop_stop()
    return worst


class Outcome(msgspec.Struct, frozen=True):
    """Observations/s, the town's CPU microseconds an observation, how many were lost, the worst time to be seen."""

    rate: float
    cpu_us: float
    lost: int
    seen_s: float


def own(count: int) -> Outcome:
    """Return what comes through the embedded broker."""
    port = free_port()
    with scratch() as data, serving(data, "--mqtt-port", str(port)) as server:
        before, used = prepared(server.url), server.cpu_s()
        _, spent = published(port, count)
        cpu_us = (server.cpu_s() - used) / count * 1e6
        lost = count - (stored(server.url) - before)
        return Outcome(count / spent, cpu_us, lost, queryable(server.url, port, ""))


def through(count: int) -> Outcome:
    """Return what comes through an external mosquitto, from the first publish to the last one stored."""
    with scratch() as data, mosquitto(data.parent) as port:
        (data / "beffroi.toml").write_text(
            (data / "beffroi.toml").read_text() + f'\n[mqtt]\nurl = "mqtt://127.0.0.1:{port}"\n'
        )
        with serving(data) as server:
            before = prepared(server.url)
            time.sleep(2)  # until the town has subscribed
            used = server.cpu_s()
            began, _ = published(port, count)
            while stored(server.url) - before < count and time.perf_counter() - began < LONGEST_S:
                time.sleep(0.1)
            spent = time.perf_counter() - began
            cpu_us = (server.cpu_s() - used) / count * 1e6
            lost = count - (stored(server.url) - before)
            return Outcome(count / spent, cpu_us, lost, queryable(server.url, port, ""))


def main(arguments: list[str] | None = None) -> None:
    """Print the table."""
    options = argparse.ArgumentParser()
    options.add_argument(
        "--count", type=int, default=COUNT, help="messages of each run (the issue's: 200,000)"
    )
    chosen = options.parse_args(arguments or [])
    print(machine(), "·", chosen.count, "messages, QoS 1,", SERIES, "datastreams")
    with scratch() as data:
        bare = floor(data, chosen.count)
    print(f"mosquitto, paho, no town: {bare:>8,.0f} messages/s", flush=True)
    for name, run in (("embedded broker", own), ("external mosquitto", through)):
        got = run(chosen.count)
        print(
            f"{name:>18}: {got.rate:>8,.0f} obs/s published to stored, ratio {got.rate / bare:.2f}; {got.cpu_us:.0f} us of the"
            f" town's CPU each; {got.lost} lost; seen within {got.seen_s * 1000:.0f} ms",
            flush=True,
        )


if __name__ == "__main__":
    main(sys.argv[1:])
