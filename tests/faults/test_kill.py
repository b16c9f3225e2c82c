"""`kill -9` at random moments of writers, broker, sealer and database: nothing acknowledged is lost, nothing stored twice."""

import random
from pathlib import Path

import pytest
from tests.conftest import PostgresqlServer, free_port
from tests.faults.assault import Assault, Ledger, Sealer, check, first_series
from tests.faults.serving import Town, command

ROUNDS = 7  # with the clients' messages sent again after each
POSTGRESQL_ROUNDS = 5
NIGHTLY_ROUNDS = 100


def assault(
    data: Path, rounds: int, seed: int, *options: str, server: PostgresqlServer | None = None
) -> tuple[Ledger, int]:
    """Kill everything `rounds` times while it is written to; return what was sent and the rows that were sealed."""
    chance = random.Random(seed)
    ledger, series, sealings = Ledger(), 0, 0
    for number in range(rounds):
        port = free_port()
        sealer = Sealer(data)
        town = Town(data, *options, mqtt_port=port)
        series = series or first_series(town)
        sealer.ready()
        clients = Assault(town, series, ledger, seed + number, port)
        clients.threads[0].join(timeout=chance.uniform(0.1, 1.5))
        early = chance.random() < 0.5
        if early:
            sealings += sealer.kill()
            clients.threads[0].join(timeout=chance.uniform(0.0, 0.3))
        if server is not None and number % 2:
            server.kill()
        town.kill()
        clients.end()
        if not early:
            sealings += sealer.kill()
        if server is not None and number % 2:
            server.start()
    assert len(ledger.acknowledged) > 20 * rounds
    assert ledger.again > rounds
    return ledger, sealings


@pytest.mark.parametrize("workers", ["1", "2"])
def test_nothing_is_lost_or_doubled(tmp_path: Path, workers: str) -> None:
    data = tmp_path / "town"
    command("init", "--data", str(data), "--name", "Essai")
    ledger, sealings = assault(data, ROUNDS, 20261122, "--workers", workers)
    assert sealings > 0
    assert check(data, ledger) > 0


@pytest.mark.postgres
def test_nothing_is_lost_or_doubled_on_postgresql(
    tmp_path: Path, postgresql_server: PostgresqlServer
) -> None:
    data = tmp_path / "town"
    command("init", "--data", str(data), "--name", "Essai", "--database", postgresql_server.database())
    ledger, sealings = assault(data, POSTGRESQL_ROUNDS, 20261125, server=postgresql_server)
    assert sealings > 0
    assert check(data, ledger) > 0


@pytest.mark.nightly
@pytest.mark.parametrize("workers", ["1", "3"])
def test_hundred_rounds(tmp_path: Path, workers: str) -> None:
    data = tmp_path / "town"
    command("init", "--data", str(data), "--name", "Essai")
    ledger, _ = assault(data, NIGHTLY_ROUNDS // 2, 1, "--workers", workers)
    assert check(data, ledger) > 0


@pytest.mark.nightly
@pytest.mark.postgres
def test_hundred_rounds_on_postgresql(tmp_path: Path, postgresql_server: PostgresqlServer) -> None:
    data = tmp_path / "town"
    command("init", "--data", str(data), "--name", "Essai", "--database", postgresql_server.database())
    ledger, _ = assault(data, NIGHTLY_ROUNDS, 2, "--workers", "2", server=postgresql_server)
    assert check(data, ledger) > 0
