"""Observations: append, read, correct. The port that every face and service uses.

Fresh rows are in SQL (`obs.fresh`), sealed history in Parquet segments (`archive.py`); every read
here merges both, a fresh row winning over a sealed one with its id.
"""

import contextlib
import heapq
import itertools
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from itertools import repeat
from typing import Any

import msgspec
from sqlalchemy import Connection, delete, func, select, text

from beffroi.model.instant import Clock
from beffroi.model.observation import Draft, Observation
from beffroi.model.problem import NotFound
from beffroi.model.result import Result
from beffroi.model.text import Text
from beffroi.store.aggregates import AggregateQuery, Cells, aggregate
from beffroi.store.appender import Ack, Appender
from beffroi.store.archive import Archive, Segment
from beffroi.store.closed import Closed
from beffroi.store.database import Database
from beffroi.store.fresh import COLUMNS, fresh_of
from beffroi.store.observation_query import ObservationQuery
from beffroi.store.prepared import Prepared
from beffroi.store.tables import latest, observation, source_key
from beffroi.store.versions import NOBODY, By, Window
from beffroi.store.writer import writer_for

__all__ = ["Ack", "ObservationQuery", "Observations", "Stat", "observation_of"]

_IN_LIMIT = 5_000
_REWRITTEN = Prepared(select(observation.c.id).where(observation.c.seq.is_not(None)))


class Stat(msgspec.Struct, frozen=True):
    """How many observations a datastream has, and the times of its first and last."""

    count: int
    first_us: int | None
    last_us: int | None


def observation_of(row: Sequence[Any]) -> Observation:
    """Return the observation of a row of the columns id … seq."""
    return Observation(row[0], row[1], row[2], row[3], row[4], Result(row[5], row[6], row[7]), row[8], row[9],
                       row[10], row[11] or row[0])  # fmt: skip


def _spread(ack: Ack, drafts: Sequence[Draft], closed: Container[int]) -> Ack:
    """Return the answer for `drafts` of which those of closed datastreams were not handed in."""
    given = iter(ack.ids)
    ids = [None if draft.datastream_id in closed else next(given) for draft in drafts]
    return Ack(ids, ack.stored, ack.folded)


class Observations:
    """All observations of an installation (see the module)."""

    def __init__(self, database: Database, archive: Archive, clock: Clock) -> None:
        self._database = database
        self._archive = archive
        self.closed = Closed(database)
        self._appender = Appender(
            writer_for(database), clock, database.notify_observations, database.observations_turn
        )

    def close(self) -> None:
        """Write what waits, then stop the writer."""
        self._appender.close()

    # --- writing
    def append(self, drafts: Sequence[Draft]) -> Ack:
        """Store `drafts`, all or none; they are on disk when this returns. Raises `Unavailable`.

        Those of closed datastreams are left out: their ids are None.
        """
        left = self.closed.open_of(drafts)
        ack = self._appender.submit(left).result() if left else Ack([], 0, 0)
        return ack if left is drafts else _spread(ack, drafts, self.closed.ids())

    async def append_soon(self, drafts: Sequence[Draft]) -> Ack:
        """Store `drafts` from the event loop, together with what other requests bring. Raises `Unavailable`, and
        `Forbidden` when all of them are of closed datastreams; otherwise as `append`."""
        left = self.closed.open_of(drafts)
        if left is drafts:
            return await self._appender.submit_async(drafts)
        if not left:
            raise self.closed.refusal(drafts)
        return _spread(await self._appender.submit_async(left), drafts, self.closed.ids())

    def correct(self, observation_id: int, *, by: By = NOBODY, **changes: Any) -> Observation:
        """Change columns of one observation and return it as it is now; its id stays, what it was is kept.

        Raises `NotFound`.
        """
        known = self.get(observation_id)
        if known is None:
            raise NotFound(Text("Cette observation n'existe pas.", "There is no such observation."))
        now = msgspec.structs.replace(known, **changes)
        self._appender.rewrite([now], [known], by)
        self._relatest([known, now], gone=0)
        return self.get(observation_id) or now

    def correct_results(self, results: Mapping[int, Result], *, by: By = NOBODY) -> int:
        """Give observations other results, all in one write; return how many there were. What they were is kept."""
        known = [o for i in results if (o := self.get(i)) is not None]
        if known:
            now = [msgspec.structs.replace(o, result=results[o.id]) for o in known]
            self._appender.rewrite(now, known, by)
            self._relatest(now, gone=0)
        return len(known)

    def delete(self, ids: Iterable[int], *, by: By = NOBODY) -> int:
        """Delete observations and return how many there were. What they were is kept as a version."""
        known = [o for i in ids if (o := self.get(i)) is not None]
        if known:
            self._appender.rewrite(known, known, by, deleted=True)
            self._relatest(known, gone=1)
        return len(known)

    def _relatest(self, changed: Sequence[Observation], gone: int) -> None:
        touched: dict[int, int] = {}
        for one in changed:
            touched[one.datastream_id] = touched.get(one.datastream_id, 0) + gone
        for series_id, n in touched.items():
            self._appender.relatest(series_id, lambda s=series_id: self._newest(s), n)  # type: ignore[misc]

    def _newest(self, datastream_id: int) -> Observation | None:
        found = self.series(datastream_id, limit=1, newest_first=True)
        return found[0] if found else None

    def delete_series(self, datastream_id: int) -> None:
        """Delete every observation of a datastream that is going away."""
        self._appender.forget_series(datastream_id)
        self._archive.forget_series(datastream_id)

    def forget_keys(self, before_us: int) -> int:
        """Forget source keys taken in before an instant; what they folded could then be stored again."""
        with self._database.write_observations() as connection:
            return connection.execute(delete(source_key).where(source_key.c.at_us < before_us)).rowcount

    def forget_keys_of(self, first_id: int, last_id: int) -> int:
        """Forget the source keys of observations that were deleted: their file may come in again."""
        mine = source_key.c.observation_id.between(first_id, last_id)
        with self._database.write_observations() as connection:
            return connection.execute(delete(source_key).where(mine)).rowcount

    # --- reading
    def of_keys(self, keys: Sequence[bytes]) -> dict[bytes, int]:
        """Return the ids of the observations that were stored with these source keys."""
        found: dict[bytes, int] = {}
        with self._database.read() as connection:
            for i in range(0, len(keys), _IN_LIMIT):
                wanted = source_key.c.key.in_(keys[i : i + _IN_LIMIT])
                rows = connection.execute(select(source_key.c.key, source_key.c.observation_id).where(wanted))
                found.update({bytes(row[0]): row[1] for row in rows})
        return found

    def get(self, observation_id: int, window: Window | None = None) -> Observation | None:
        """Return one observation, perhaps as it was in a window, or None."""
        if window is not None and (
            observation_id in window.changed
            or (window.below_id is not None and observation_id >= window.below_id)
        ):
            query = ObservationQuery(where=lambda _d: observation.c.id == observation_id, window=window)
            with self._database.read() as connection:
                before = self._before(connection, query)
            return observation_of(before[0]) if before else None
        wanted = select(*COLUMNS, observation.c.deleted).where(observation.c.id == observation_id)
        with self._database.read() as connection:
            row = connection.execute(wanted).first()
            if row is not None:
                return None if row[12] else observation_of(row)
            segments = self._archive.matching(connection, (None, None), observation_id)
        found = self._archive.rows(wanted, segments)
        return observation_of(found[0]) if found else None

    def series(self, datastream_id: int, start_us: int | None = None, end_us: int | None = None, *,
               limit: int | None = None, newest_first: bool = False) -> list[Observation]:  # fmt: skip
        """Return a datastream's observations with start in [start_us, end_us), in time then id order."""
        return self.select(
            ObservationQuery(
                datastreams=(datastream_id,),
                order=lambda _dialect: [(observation.c.start_us, newest_first)],
                id_descending=newest_first,
                between=(start_us, end_us),
                limit=limit,
            )
        )

    def select(self, query: ObservationQuery, reading: Connection | None = None) -> list[Observation]:
        """Return the observations of `query`, fresh and sealed merged in its order.

        `reading`: a connection of `Database.read` that is open, to see what it sees and to spare another.
        """
        reach = None if query.limit is None else query.limit + query.offset
        opened = self._database.read() if reading is None else contextlib.nullcontext(reading)
        with opened as connection:
            segments, held = self._archive.sought(connection, query.between, datastreams=query.datastreams)
            before = self._before(connection, query)
            if not segments and not before:
                return [
                    observation_of(row) for row in self._fresh(connection, query, query.limit, query.offset)
                ]
            fresh = self._fresh(connection, query, reach)
            hidden = self._rewritten(connection)
        down = query.by_time()
        if down is not None and reach is not None and query.window is None:
            sealed = self._walk(query, segments, held, fresh, hidden, reach, down=down)
        elif reach is not None and query.window is None and not (query.order and query.order("duckdb")):
            sealed = self._walk_ids(query, segments, hidden, reach)
        else:
            sealed = self._sealed(query, segments, None if reach is None else reach + len(hidden), hidden)
        parts = [rows for rows in (fresh, sealed, before) if rows]
        merged = (
            heapq.merge(*parts, key=query.rank(self._database.dialect))
            if len(parts) > 1
            else iter(*parts or [()])
        )
        return [observation_of(row) for row in itertools.islice(merged, query.offset, reach)]

    def _fresh(
        self, connection: Connection, query: ObservationQuery, limit: int | None, offset: int = 0
    ) -> Sequence[Any]:
        down = query.by_time()
        bare = query.where is None and query.window is None and query.ended_by is None
        if bare and down is not None and query.datastreams is not None and len(query.datastreams) == 1:
            return fresh_of(
                connection, query.datastreams[0], query.between, limit=limit, offset=offset, newest_first=down,
                id_descending=query.id_descending,
            )  # fmt: skip
        statement = query.statement(self._database.dialect).where(observation.c.deleted.is_(None))
        return connection.execute(statement.limit(limit).offset(offset or None)).fetchall()

    def _walk(
        self, query: ObservationQuery, segments: list[Segment], held: dict[int, int] | None, fresh: Sequence[Any],
        hidden: set[int], reach: int, *, down: bool,
    ) -> list[Any]:  # fmt: skip
        """Return the first `reach` sealed rows in the order of time, opening no more segments than they need.

        Segments follow one another in time: once enough rows are found, those further on hold none of them.
        """
        if len(fresh) >= reach:  # a segment beyond the last of the fresh rows has nothing to add
            last_us = fresh[reach - 1][2]
            segments = [s for s in segments if (s.max_us >= last_us if down else s.min_us <= last_us)]
        found: list[Any] = []
        waiting = sorted(segments, key=lambda s: s.min_us, reverse=down)
        most = 1  # segments read at once: doubled each time, as what a condition keeps of them is not known
        while waiting and len(found) < reach:
            opened: list[Segment] = []
            rows = 0
            while waiting and len(opened) < most and rows < reach - len(found):
                opened.append(waiting.pop(0))
                rows += held.get(opened[-1].id, 0) if held is not None else 0
            if (
                held is not None
                and query.where is None
                and query.between == (None, None)
                and query.ended_by is None
            ):
                while waiting and rows < reach - len(found):  # the index knows how far to go
                    opened.append(waiting.pop(0))
                    rows += held.get(opened[-1].id, 0)
            found.extend(self._sealed(query, opened, reach - len(found) + len(hidden), hidden))
            most *= 2
        return found

    def _walk_ids(
        self, query: ObservationQuery, segments: list[Segment], hidden: set[int], reach: int
    ) -> list[Any]:
        """Return the first `reach` sealed rows in the order of ids, opening no segment that begins beyond them."""
        down = query.id_descending

        def begins(one: Segment) -> int:
            return -one.max_id if down else one.min_id

        found: list[Any] = []
        waiting = sorted((s for s in segments if s.count), key=begins)
        most = 1
        while waiting:
            if len(found) == reach and begins(waiting[0]) > (-found[-1][0] if down else found[-1][0]):
                break
            opened, waiting = waiting[:most], waiting[most:]
            found += self._sealed(query, opened, reach + len(hidden), hidden)
            found = sorted(found, key=lambda row: row[0], reverse=down)[:reach]
            most = 1 if len(found) == reach else most * 2
        return found

    def _sealed(
        self, query: ObservationQuery, segments: Sequence[Segment], limit: int | None, hidden: set[int]
    ) -> list[Any]:
        bare = query.where is None and query.window is None
        if bare and query.datastreams is not None and query.by_time() is not None:
            rows = self._plain(query, segments, limit)
        else:
            rows = self._archive.rows(query.statement("duckdb").limit(limit), segments)
        return [r for r in rows if r[0] not in hidden] if hidden else rows

    def _plain(self, query: ObservationQuery, segments: Sequence[Segment], limit: int | None) -> list[Any]:
        """Return the rows of some datastreams in the order of time, and their rank.

        The statement is written without a compiler, since only integers go in, and asks only for what differs.
        """
        assert query.datastreams is not None
        start, end = query.between
        ids = ", ".join(str(int(i)) for i in query.datastreams)
        conditions = [
            f"datastream_id = {ids}" if len(query.datastreams) == 1 else f"datastream_id IN ({ids or 'NULL'})"
        ]
        conditions += [] if start is None else [f"start_us >= {int(start)}"]
        conditions += [] if end is None else [f"start_us < {int(end)}"]
        known: dict[str, int | None] = {"seq": None, **self._archive.constants(segments)}
        by = query.ended_by
        if by is not None and (known.get("end_us", by) is not None or end is None or end - 1 > by):
            conditions.append(f"coalesce(end_us, start_us) <= {int(by)}")  # else each ends where it starts
        down = query.by_time()
        way = "DESC" if down else "ASC"
        tail = "" if limit is None else f" LIMIT {int(limit)}"
        if len(query.datastreams) == 1:
            known["datastream_id"] = query.datastreams[0]
        asked = [c.name for c in COLUMNS if c.name not in known or c.name in ("id", "start_us")]
        found = self._archive.run(
            f"SELECT {', '.join(asked)} FROM read_parquet({self._archive.files(segments)}) WHERE {' AND '.join(conditions)}"
            f" ORDER BY start_us {way}, id {'DESC' if query.id_descending else 'ASC'}{tail}"
        )
        columns = dict(zip(asked, zip(*found, strict=True), strict=True)) if found else {}
        whole = (columns.get(c.name) or repeat(known.get(c.name), len(found)) for c in COLUMNS)
        return list(
            zip(*whole, columns.get("start_us", ()), strict=True)
        )  # the rank of this order is its time

    def count(self, query: ObservationQuery) -> int:
        """Return how many observations `query` selects (its limit and offset aside)."""
        plain = query.where is None and query.window is None
        if plain and query.between == (None, None) and query.ended_by is None:
            return self._counted(query.datastreams)
        with self._database.read() as connection:
            statement = query.statement(self._database.dialect, func.count()).order_by(None)
            found: int = connection.execute(statement.where(observation.c.deleted.is_(None))).scalar_one()
            found += sum(row[0] for row in self._before(connection, query, func.count()))
            segments = self._archive.matching(connection, query.between, datastreams=query.datastreams)
            if not segments:
                return found
            hidden = self._rewritten(connection)
        sealed = query.statement("duckdb", func.count()).order_by(None)
        if hidden:
            sealed = sealed.where(observation.c.id.not_in(hidden))
        return found + int(self._archive.rows(sealed, segments)[0][0])

    def holders(self, query: ObservationQuery, column: str) -> set[int]:
        """Return the distinct values of `column` (datastream_id, feature_id) among what `query` selects."""
        wanted = observation.c[column]
        with self._database.read() as connection:
            statement = query.statement(self._database.dialect, wanted).order_by(None).distinct()
            rows = connection.execute(statement.where(observation.c.deleted.is_(None))).scalars()
            found = {value for value in rows if value is not None}
            found |= {row[0] for row in self._before(connection, query, wanted) if row[0] is not None}
            segments = self._archive.matching(connection, query.between, datastreams=query.datastreams)
            if not segments:
                return found
            hidden = self._rewritten(connection)
        sealed = query.statement("duckdb", wanted).order_by(None).distinct()
        if hidden:
            sealed = sealed.where(observation.c.id.not_in(hidden))
        return found | {row[0] for row in self._archive.rows(sealed, segments) if row[0] is not None}

    def aggregate(self, query: AggregateQuery) -> Cells:
        """Return what the observations of `query` come to, by datastream, feature and bucket of time as it asks."""
        return aggregate(self._database, self._archive, query)

    def distinct(
        self, query: ObservationQuery, columns: Callable[[str], Sequence[Any]], limit: int
    ) -> list[Any]:
        """Return the distinct rows of `columns(dialect)` among what `query` selects, in no order; at most about `limit`."""
        with self._database.read() as connection:
            wanted = columns(self._database.dialect)
            statement = query.statement(self._database.dialect, *wanted).order_by(None).distinct()
            fresh = statement.where(observation.c.deleted.is_(None)).limit(limit)
            found = {tuple(row) for row in connection.execute(fresh)}
            found |= {tuple(row) for row in self._before(connection, query, *wanted)}
            segments = self._archive.matching(connection, query.between)
            if not segments:
                return list(found)
            hidden = self._rewritten(connection)
        sealed = query.statement("duckdb", *columns("duckdb")).order_by(None).distinct()
        if hidden:
            sealed = sealed.where(observation.c.id.not_in(hidden))
        found.update(tuple(row) for row in self._archive.rows(sealed.limit(limit), segments))
        return list(found)

    def _counted(self, datastreams: tuple[int, ...] | None) -> int:
        statement = select(func.coalesce(func.sum(latest.c.count), 0))
        if datastreams is not None:
            statement = statement.where(latest.c.datastream_id.in_(datastreams))
        with self._database.read() as connection:
            return int(connection.execute(statement).scalar_one())

    def last(self, ids: Iterable[int] | None = None) -> dict[int, Observation]:
        """Return the newest observation of each datastream of `ids` (None: of all), in O(datastreams)."""
        c = latest.c
        found = {}
        for row in self._latest(ids, c.observation_id, c.datastream_id, c.start_us, c.end_us, c.result_time_us,
                                c.value, c.decimals, c.literal, c.feature_id, c.quality, c.extra, c.observation_id):  # fmt: skip
            if row[0] is not None:
                found[row[1]] = observation_of(row)
        return found

    def stats(self, ids: Iterable[int] | None = None) -> dict[int, Stat]:
        """Return count, first and last time of each datastream of `ids` (None: of all)."""
        c = latest.c
        return {
            r[0]: Stat(*r[1:]) for r in self._latest(ids, c.datastream_id, c.count, c.first_us, c.start_us)
        }

    def received(self, ids: Iterable[int] | None = None) -> dict[int, int]:
        """Return when each datastream of `ids` last received anything, in microseconds."""
        return {r[0]: r[1] for r in self._latest(ids, latest.c.datastream_id, latest.c.received_us) if r[1]}

    def _latest(self, ids: Iterable[int] | None, *columns: Any) -> list[Any]:
        rows: list[Any] = []
        with self._database.read() as connection:
            if ids is None:
                return list(connection.execute(select(*columns)))
            wanted = list(ids)
            for i in range(0, len(wanted), _IN_LIMIT):
                part = wanted[i : i + _IN_LIMIT]
                rows.extend(connection.execute(select(*columns).where(latest.c.datastream_id.in_(part))))
        return rows

    def after(self, seq: int, limit: int = 10_000) -> list[Observation]:
        """Return what was committed after `seq`, new and corrected observations, in commit order.

        Sealing waits for the consumers' cursors, so fresh rows are enough.
        """
        found = sorted(map(observation_of, self._committed(COLUMNS, seq, limit)), key=lambda o: o.seq)
        return found[:limit]

    def times_after(self, seq: int, limit: int) -> list[tuple[int, int, int, int | None]]:
        """Return id, datastream, phenomenon start and number of correction of what was committed after `seq`, in that
        order: what a consumer of times alone reads, five times faster than `after`."""
        c = observation.c
        found = self._committed((c.id, c.datastream_id, c.start_us, c.seq), seq, limit)
        if any(row[3] is not None for row in found):
            found.sort(key=lambda row: row[3] or row[0])
        return found[:limit]

    def _committed(self, columns: Sequence[Any], seq: int, limit: int) -> list[Any]:
        """Return the first `limit` new observations after `seq`, then the first `limit` corrected ones."""
        c = observation.c
        new = select(*columns).where(c.id > seq, c.seq.is_(None), c.deleted.is_(None))
        corrected = select(*columns).where(c.seq > seq, c.deleted.is_(None))
        with self._database.read() as connection:
            return [
                *connection.execute(new.order_by(c.id).limit(limit)).fetchall(),
                *connection.execute(corrected.order_by(c.seq).limit(limit)).fetchall(),
            ]

    def head(self) -> int:
        """Return the last number of the commit sequence of observations (0 when there is none)."""
        with self._database.read() as connection:
            return int(connection.execute(text("SELECT next FROM obs.counter")).scalar_one()) - 1

    def _before(self, connection: Connection, query: ObservationQuery, *columns: Any) -> list[Any]:
        """Return the rows of `query` among what has changed since its window, as it was then.

        The statement is the same; it reads the versions then in force in place of the observations.
        """
        if query.window is None or not query.window.changed:
            return []
        plain = msgspec.structs.replace(query, window=None)
        statement = plain.statement(self._database.dialect, *columns)
        if columns:
            statement = statement.order_by(None)
        reach = None if query.limit is None else query.limit + query.offset
        compiled = statement.limit(reach).compile(
            dialect=connection.dialect, compile_kwargs={"render_postcompile": True}
        )
        names = ", ".join(c.name for c in observation.c)
        source = f"WITH observation AS (SELECT {names} FROM obs.observation_version WHERE {query.window.in_force()}) "
        sql = source + str(compiled).replace("obs.fresh", "observation")
        values = compiled.params
        given: Any = [values[n] for n in compiled.positiontup] if compiled.positiontup is not None else values
        return list(connection.exec_driver_sql(sql, tuple(given) if isinstance(given, list) else given))

    @staticmethod
    def _rewritten(connection: Connection) -> set[int]:
        return {row[0] for row in _REWRITTEN.rows(connection)}
