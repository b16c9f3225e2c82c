"""A PostgreSQL that restarts under us: the write in hand is refused whole, the next ones go through by themselves."""

from pathlib import Path

import pytest
from tests.conftest import PostgresqlServer

from beffroi.model.instant import parse_instant
from beffroi.model.observation import Draft
from beffroi.model.problem import Unavailable
from beffroi.model.result import number_of
from beffroi.settings import Settings, StoreSettings
from beffroi.store.open import Store

NOON = parse_instant("2026-03-01T12:00:00Z")


@pytest.mark.postgres
def test_restart_refuses_then_resumes_and_loses_nothing(
    postgresql_server: PostgresqlServer, tmp_path: Path
) -> None:
    store = Store.open(Settings(data=tmp_path, store=StoreSettings(records=postgresql_server.database())))
    try:
        store.observations.append([Draft(1, NOON, number_of("1"))])
        postgresql_server.stop("immediate")
        with pytest.raises(Unavailable) as told:
            store.observations.append([Draft(1, NOON, number_of("2"))])
        assert told.value.status == 503 and told.value.mend.en.startswith("Nothing was stored")
        with pytest.raises(Unavailable), store.read() as connection:
            connection.exec_driver_sql("SELECT 1")
        postgresql_server.start()
        assert store.observations.append([Draft(1, NOON + 1, number_of("3"))]).stored == 1
        assert [o.result.json() for o in store.observations.series(1)] == ["1", "3"]
        store.set_setting("k", 1)
        assert store.setting("k") == 1
    finally:
        store.close()
