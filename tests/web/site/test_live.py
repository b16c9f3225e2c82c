"""Live values, read over a real connection."""

import json
import socket
import threading
import time
from collections.abc import Iterator

import httpx2
import pytest
import uvicorn

from beffroi.app import create_app


@pytest.fixture
def address(town) -> Iterator[str]:
    """Serve the town on a free port."""
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(create_app(town), log_level="error", timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    while not server.started:
        time.sleep(0.02)
    yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    server.should_exit = True
    thread.join()
    listening.close()


def events(answer: httpx2.Response, count: int) -> list[tuple[int, dict]]:
    """Read `count` events: their ids and data."""
    found, current = [], ""
    for line in answer.iter_lines():
        if line.startswith("id: "):
            current = line[4:]
        elif line.startswith("data: "):
            found.append((int(current), json.loads(line[6:])))
            if len(found) == count:
                return found
    return found


def test_values_arrive_and_a_reader_that_comes_back_misses_none(address, post, fill):
    _, watched = post("Sonde du pont")
    _, other = post("Sonde du lac")
    url = f"{address}/live?datastreams={watched}"
    with httpx2.Client(timeout=20) as client:
        with client.stream("GET", url) as answer:
            assert answer.headers["content-type"].startswith("text/event-stream")
            lines = answer.iter_lines()
            assert next(lines) == "retry: 2000"
            time.sleep(0.3)
            started = time.monotonic()
            fill(other, ["9"])
            fill(watched, ["12.5"])
            first = next(line for line in lines if line.startswith("id: "))
            assert time.monotonic() - started < 1
        fill(watched, ["13.5", "14.5"])
        with client.stream("GET", url, headers={"Last-Event-ID": first[4:]}) as answer:
            missed = events(answer, 2)
    assert [data["value"] for _, data in missed] == [13.5, 14.5]
    assert {data["datastream"] for _, data in missed} == {watched}
    assert missed[0][0] > int(first[4:])


def test_private_series_are_not_told(address, post, fill):
    _, private = post("Compteur", public=False)
    _, public = post("Sonde")
    with httpx2.Client(timeout=20) as client, client.stream(
        "GET", f"{address}/live?datastreams={private},{public}&after=0"
    ) as answer:  # fmt: skip
        fill(private, ["1"])
        fill(public, ["2"])
        ((_, data),) = events(answer, 1)
    assert data["datastream"] == public
