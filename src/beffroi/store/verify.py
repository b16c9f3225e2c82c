"""Verify: does what the store holds agree with what it says it holds? Finds a single flipped bit of a segment."""

from collections.abc import Iterator

from sqlalchemy import Connection, func, select, text

from beffroi.model.text import Text
from beffroi.store.archive import Archive, Segment, file_digest
from beffroi.store.audit import Fault
from beffroi.store.database import Database, connect_sqlite
from beffroi.store.gathering import good
from beffroi.store.tables import latest, obs_counter, observation

__all__ = ["verify_store"]


def verify_store(database: Database, archive: Archive) -> list[Fault]:
    """Return every fault of the database files, the segments and the counts (empty: all is well)."""
    faults = list(_files(database))
    with database.read() as connection:
        segments = archive.live(connection)
        whole = []
        for one in segments:
            found = list(_segment(archive, one))
            faults.extend(found)
            if not found:
                whole.append(one)
        for long in good(connection):
            faults.extend(_file(archive, long.path, long.sha256))
        if len(whole) == len(segments):  # counts mean nothing when a file is damaged
            faults.extend(_counts(connection, archive, segments))
    return faults


def _files(database: Database) -> Iterator[Fault]:
    for path in (database.records_path, database.observations_path):
        if path is None:
            continue
        connection = connect_sqlite(path)
        try:
            for (line,) in connection.execute("PRAGMA integrity_check(20)").fetchall():
                if line != "ok":
                    yield Fault(
                        path.name,
                        Text("La base est abîmée : {line}", "The database is damaged: {line}").filled(
                            line=line
                        ),
                    )
        finally:
            connection.close()


def _segment(archive: Archive, one: Segment) -> Iterator[Fault]:
    for name, digest in ((one.path, one.sha256), (one.rollup, one.rollup_sha256)):
        if name is not None and digest is not None:
            yield from _file(archive, name, digest)


def _file(archive: Archive, name: str, digest: str) -> Iterator[Fault]:
    path = archive.folder / name
    if not path.exists():
        yield Fault(name, Text("Le fichier d'historique manque.", "The history file is missing."))
    elif file_digest(path) != digest:
        yield Fault(name, Text("Le fichier d'historique a changé.", "The history file has changed."))


def _counts(connection: Connection, archive: Archive, segments: list[Segment]) -> Iterator[Fault]:
    """Compare, for each datastream, the rows that can be read with the count that is kept."""
    c = observation.c
    fresh = select(c.datastream_id, func.count()).where(c.deleted.is_(None)).group_by(c.datastream_id)
    held: dict[int, int] = {row[0]: row[1] for row in connection.execute(fresh)}
    hidden = [i for (i,) in connection.execute(select(c.id).where(c.seq.is_not(None)))]
    by_series = select(c.datastream_id, func.count()).group_by(c.datastream_id)
    for series, n in archive.rows(by_series.where(c.id.not_in(hidden)) if hidden else by_series, segments):
        held[series] = held.get(series, 0) + n
    kept = {row[0]: row[1] for row in connection.execute(select(latest.c.datastream_id, latest.c.count))}
    for series in sorted(held.keys() | kept.keys()):
        if held.get(series, 0) != kept.get(series, 0):
            yield Fault(
                f"datastream/{series}",
                Text(
                    "{n} observations lisibles, {m} comptées.",
                    "{n} observations can be read, {m} are counted.",
                ).filled(n=held.get(series, 0), m=kept.get(series, 0)),
            )
    top = connection.execute(select(func.max(c.id))).scalar() or 0
    counter = connection.execute(select(obs_counter.c.next)).scalar_one()
    if max([top, *(s.max_id for s in segments)]) >= counter:
        yield Fault(
            "obs.counter",
            Text("Le compteur est en retard sur les numéros.", "The counter lags behind the ids."),
        )
    twice = archive.rows(select(c.id).group_by(c.id).having(text("count(*) > 1")).limit(5), segments)
    for (number,) in twice:
        yield Fault(f"observation/{number}", Text("Deux segments la contiennent.", "Two segments hold it."))
