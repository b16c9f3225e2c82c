"""/health: 200 means that a write reached the disk."""

from typing import Any

import anyio
from sqlalchemy import text
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from beffroi import __version__
from beffroi.api.health import ROUTES, examine
from beffroi.election import Election
from beffroi.model.instant import MINUTE_US
from beffroi.plugins import load_registry
from beffroi.store.open import Store
from beffroi.town import Town


def test_health_tells_what_is(store: Store) -> None:
    before = store.clock()
    report = examine(store)
    assert report == {
        "status": "ok", "version": __version__, "store": store.dialect, "keeper": False, "waiting": 0, "lag_s": 0,
    }  # fmt: skip
    assert store.setting("health.written_us") >= before  # it did write


def test_health_knows_of_a_keeper_here_or_elsewhere(store: Store) -> None:
    beside = Store.open(store.settings)
    election = Election(beside)
    assert election.won()
    assert examine(store)["keeper"] is True
    assert election.won()  # asking took nothing from it
    election.resign()
    assert examine(store)["keeper"] is False
    beside.close()


def test_health_counts_what_waits(store: Store) -> None:
    late = store.clock() - 3 * MINUTE_US
    with store.write() as connection:
        for number, due, state in (
            (1, late, "waiting"),
            (2, late + MINUTE_US, "waiting"),
            (3, late, "done"),
            (4, late + 10**12, "waiting"),
        ):
            connection.execute(
                text(
                    "INSERT INTO job (id, kind, payload, state, due_us, attempts) VALUES (:i, 'x', '{}', :s, :d, 0)"
                ),
                {"i": number, "s": state, "d": due},
            )
    report = examine(store)
    assert report["waiting"] == 2
    assert 180 <= report["lag_s"] < 240


def test_who_reads_finds_a_thread_while_health_waits_to_write(store: Store) -> None:
    def read(_request: Request) -> PlainTextResponse:
        return PlainTextResponse("read")

    app = Starlette(routes=[*ROUTES, Route("/", read)])
    app.state.town = Town(store.settings, store, load_registry(()), store.clock)
    answers: list[int] = []

    async def get(path: str) -> tuple[int, bytes]:
        scope = {
            "type": "http",
            "method": "GET",
            "path": path,
            "headers": [],
            "query_string": b"",
            "root_path": "",
        }
        sent: list[Any] = []

        async def send(message: Any) -> None:
            sent.append(message)

        async def receive() -> Any:
            return {"type": "http.request", "body": b""}

        await app(scope, receive, send)
        return sent[0]["status"], sent[1]["body"]

    async def health() -> None:
        answers.append((await get("/health"))[0])

    async def ask() -> None:
        anyio.to_thread.current_default_thread_limiter().total_tokens = 2
        async with anyio.create_task_group() as probes:
            with store.write():  # nobody else can write now
                for _ in range(5):
                    probes.start_soon(health)
                await anyio.wait_all_tasks_blocked()
                with anyio.fail_after(5):
                    assert await get("/") == (200, b"read")

    anyio.run(ask)
    assert answers == [200] * 5
