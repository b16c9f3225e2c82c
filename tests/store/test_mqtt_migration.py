"""A town of the first version becomes one of today: nothing is lost, and what is new is there."""

from sqlalchemy import inspect, text

from beffroi.settings import Settings
from beffroi.store.catalogue import New, create
from beffroi.store.migrate import LATEST
from beffroi.store.observations import ObservationQuery
from beffroi.store.open import Store

GONE = (
    "task",
    "tasking_capability",
    "actuator",
    "mqtt_session",
    "mqtt_message",
    "mqtt_retained",
    "obs.provenance",
    "obs.leaving",
)
FILE_MAPPING = """CREATE TABLE file_mapping (id BIGINT PRIMARY KEY, shape TEXT NOT NULL UNIQUE, name TEXT NOT NULL, plan TEXT NOT NULL,
    owner TEXT NOT NULL, used_us BIGINT NOT NULL, uses INTEGER DEFAULT 1 NOT NULL)"""
CHANGED = ("location", "historical_location", "sensor", "observed_property", "feature_of_interest")


def test_a_town_of_the_first_version_is_brought_to_this_one(settings: Settings) -> None:
    first = Store.open(settings)
    sensor = New("sensor", {"name": "s", "description": "d", "encoding_type": "e", "metadata": '"m"'})
    with first.write() as c:
        number = create(first, c, sensor).id
    with first.database.reader.begin() as c:
        c.execute(text("DROP VIEW obs.fresh"))
        for table in GONE:
            c.execute(text(f"DROP TABLE {table}"))
        for table in CHANGED:
            c.execute(text(f"ALTER TABLE {table} DROP COLUMN seq"))
        c.execute(text("DROP TABLE file_mapping"))
        c.execute(text(FILE_MAPPING))
        c.execute(text("INSERT INTO file_mapping VALUES (7, 'abc', 'Bancs', '{}', 'user:1', 5, 2)"))
        c.execute(text("UPDATE alembic_version SET version_num = '0001'"))
    first.close()
    again = Store.open(settings)
    with again.read() as c:
        assert c.execute(text("SELECT version_num FROM alembic_version")).scalar() == LATEST
        assert c.execute(text("SELECT name, seq FROM sensor WHERE id = :id"), {"id": number}).one() == (
            "s",
            0,
        )
        found = inspect(c)
        assert [
            t
            for t in GONE
            if not found.has_table(t.removeprefix("obs."), schema="obs" if "obs." in t else None)
        ] == []
        kept = c.execute(text("SELECT id, name, uses, territory, file FROM file_mapping")).one()
        assert kept == (7, "Bancs", 2, "", "")  # what was remembered is the whole town's
    ids = [1, 2]
    again.provenance.note("file", {"file": "a"}, ids)
    assert again.provenance.of(2) is not None
    assert again.observations.select(ObservationQuery()) == []
    again.close()
