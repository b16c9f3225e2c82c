"""Read observations as SensorThings asks: the query language made into an `ObservationQuery` of the store."""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from sqlalchemy import BigInteger, ColumnElement, Connection, and_, case, literal, select, true

from beffroi.model.observation import Observation
from beffroi.model.result import Numeral
from beffroi.standards.sensorthings import meaning
from beffroi.standards.sensorthings.bind import bind_filter, bind_orderby
from beffroi.standards.sensorthings.compile import Compiler, table_of
from beffroi.standards.sensorthings.entities import BY_NAME, Entity, Kind, Navigation
from beffroi.standards.sensorthings.evaluate import evaluate
from beffroi.standards.sensorthings.keyset import after, read_token, write_token
from beffroi.standards.sensorthings.meaning import Bound, Term, fields
from beffroi.standards.sensorthings.reach import reach_of
from beffroi.standards.sensorthings.settle import settle
from beffroi.standards.sensorthings.sight import Sight, of_type
from beffroi.standards.sensorthings.syntax import Node, Options
from beffroi.store import tables
from beffroi.store.observations import ObservationQuery, observation_of
from beffroi.store.open import Store
from beffroi.store.versions import Window

__all__ = ["ObservationReader", "Observed", "plain_row"]

OBSERVATION = BY_NAME["Observation"]
_COLUMNS = ("id", "datastream_id", "start_us", "end_us", "result_time_us", "value", "decimals", "literal", "feature_id",
            "quality", "extra", "seq")  # fmt: skip
Terms = list[tuple[ColumnElement[Any], bool]]


class Observed(msgspec.Struct):
    """A page of observations; `token` when there are more; `count` of all when it was asked."""

    found: list[Observation]
    token: str | None = None
    count: int | None = None


def plain_row(found: Observation) -> dict[str, Any]:
    """Return an observation as `evaluate` reads it."""
    extra = {} if found.extra is None else msgspec.json.decode(found.extra)
    result = found.result
    value = (
        None if result.literal is None or result.value is not None else msgspec.json.decode(result.literal)
    )
    if result.value is not None:
        value = Numeral(result.json())  # a number that, taken as a text, has the digits that were received
    return {
        "@iot.id": found.id, "phenomenonTime": (found.start_us, found.start_us if found.end_us is None else found.end_us),
        "resultTime": found.result_time_us, "result": value, "Datastream/@iot.id": found.datastream_id,
        "FeatureOfInterest/@iot.id": found.feature_id, **extra,
    }  # fmt: skip


class _Rank:
    """Orders observations by a property of what they belong to: the place of its id in that order."""

    def __init__(self, term: Term, column: str, ordered: Sequence[int]) -> None:
        self.term, self.column = term, column
        self.places = {entity_id: place for place, entity_id in enumerate(ordered)}

    def sql(self, _dialect: str) -> Terms:
        if not self.places:
            return []
        ranked = case(self.places, value=tables.observation.c[self.column], else_=literal(-1, BigInteger))
        return [(ranked, False)]

    def values(self, found: Observation) -> list[Any]:
        return [self.places.get(getattr(found, self.column), -1)] if self.places else []


class _Own:
    """Orders observations by what they hold themselves."""

    def __init__(self, term: Term) -> None:
        self.term = term

    def _by(self) -> str:
        by = self.term.by
        return by.kind if isinstance(by, meaning.Field) and not by.inside else ""

    def sql(self, dialect: str) -> Terms:
        return [(e, self.term.descending) for e in Compiler(dialect, OBSERVATION).order(self.term.by)]

    def values(self, found: Observation) -> list[Any]:
        if self._by() == "moment":
            return [found.start_us]
        if self._by() == "result":
            return [found.result.value, found.result.literal]
        value = evaluate(self.term.by, plain_row(found), lambda _row, _hop: [])
        if self.term.by.kind == "json" and value is not None and not isinstance(value, str):
            return [msgspec.json.encode(value).decode()]
        return [value[0] if isinstance(value, tuple) else value]


class ObservationReader:
    """Reads observations for one reader; `c` sees the catalogue.

    `reading`: that connection again when it is open for one answer only, which then sees one moment. One that is open for
    long would name segments that are gone meanwhile.
    """

    def __init__(
        self, store: Store, c: Connection, sight: Sight, now_us: int, window: Window | None = None
    ) -> None:
        self.store, self.c, self.sight, self.now_us, self.window = store, c, sight, now_us, window
        self.reading: Connection | None = None

    def page(
        self,
        options: Options,
        limit: int,
        datastreams: tuple[int, ...] | None = None,
        feature: int | None = None,
    ) -> Observed:
        """Return one page of the observations of `datastreams` (None: of all) or of a feature."""
        conditions = self._conditions(options, feature)
        unseen = [] if datastreams is not None else self._unseen()
        order = self._order(options, one=datastreams is not None and len(datastreams) == 1)
        down = bool(order) and order[-1].term.descending and isinstance(order[-1], _Own)
        reach = reach_of(conditions, datastreams)
        query = ObservationQuery(
            datastreams=reach.datastreams,
            where=_where([*reach.rest, *unseen], self._after(options, order, down=down)),
            order=functools.cache(lambda dialect: [t for o in order for t in o.sql(dialect)])
            if order
            else None,
            id_descending=down,
            between=(reach.start, reach.end),
            ended_by=reach.ended_by,
            limit=limit + 1,
            offset=0 if options.skiptoken else options.skip,
            window=self.window,
        )
        page = Observed(self.store.observations.select(query, self.reading) if limit else [])
        if len(page.found) > limit:
            page.found.pop()
            last = page.found[-1]
            page.token = write_token([*(v for o in order for v in o.values(last)), last.id])
        if options.count:
            page.count = self._count(conditions, datastreams)
        return page

    def query(self, options: Options, by: Navigation | None, owner: int | None) -> ObservationQuery:
        """Return the query of the observations of a set: all, or those of the datastream or feature `owner`."""
        series = by is not None and by.join.there == "datastream_id"
        conditions = self._conditions(options, None if series else owner)
        unseen = [] if series else self._unseen()
        datastreams = (owner or 0,) if series else None
        reach = reach_of(conditions, datastreams)
        return ObservationQuery(
            datastreams=reach.datastreams, where=_where([*reach.rest, *unseen], None),
            between=(reach.start, reach.end), ended_by=reach.ended_by, window=self.window,
        )  # fmt: skip

    def newest(self, owners: Sequence[int], limit: int) -> dict[int, list[Observation]]:
        """Return the `limit` newest observations of each datastream, newest first, by one statement.

        A datastream is left out when sealed history may hold some of them.
        """
        row, series = tables.observation, tables.datastream
        inner = row.alias()
        last = (
            select(inner if self.store.dialect == "postgresql" else inner.c.id)
            .where(inner.c.datastream_id == series.c.id, inner.c.deleted.is_(None))
            .order_by(inner.c.start_us.desc(), inner.c.id.desc())
            .limit(limit)
            .correlate(series)
        )
        if self.store.dialect == "postgresql":
            found: Any = last.lateral()
            statement = select(*found.c).select_from(series.join(found, true()))
        else:
            found = row
            statement = select(*row.c).select_from(series.join(row, row.c.id.in_(last)))
        rows = self.c.execute(
            statement.where(series.c.id.in_(owners)).order_by(
                found.c.datastream_id, found.c.start_us.desc(), found.c.id.desc()
            )
        ).mappings()
        newest: dict[int, list[Observation]] = {owner: [] for owner in owners}
        for one in rows:
            newest[one["datastream_id"]].append(observation_of([one[name] for name in _COLUMNS]))
        sealed_us = max((segment.max_us for segment in self.store.archive.live(self.c)), default=None)
        if sealed_us is None:
            return newest
        return {o: few for o, few in newest.items() if len(few) == limit and few[-1].start_us > sealed_us}

    def holders(self, condition: Bound, column: str) -> tuple[int, ...]:
        """Return the values of `column` among the observations that fulfil a settled condition."""
        reach = reach_of([condition])
        query = ObservationQuery(
            datastreams=reach.datastreams, where=_where([*reach.rest, *self._unseen()], None),
            between=(reach.start, reach.end), ended_by=reach.ended_by, window=self.window,
        )  # fmt: skip
        return tuple(sorted(self.store.observations.holders(query, column)))

    def of_feature(self, feature: int, limit: int) -> list[int]:
        """Return ids of observations of a feature, at most `limit`."""
        query = ObservationQuery(where=_where([meaning.Among("feature_id", (feature,))], None), limit=limit)
        return [found.id for found in self.store.observations.select(query)]

    def ids(self, entity: Entity, condition: Bound, column: str) -> tuple[int, ...]:
        """Return the values of a column among the entities of a type that fulfil a settled condition."""
        if entity.name == "Observation":
            return self.holders(condition, column)
        row = table_of(entity, self.sight.view)
        compiler = Compiler(self.store.dialect, entity, row, self.sight.of, view=self.sight.view)
        statement = select(row.c[column]).where(compiler.condition(condition), *self.sight.of(entity, row))
        return tuple(v for v in self.c.execute(statement).scalars() if v is not None)

    def values(self, entity: Entity, field: meaning.Field) -> tuple[tuple[int, Any], ...]:
        """Return the id and the value of a field, over relations to one, of every entity of a type."""
        view = self.sight.view
        row = table_of(entity, view)
        compiler = Compiler(self.store.dialect, entity, row, view=view)
        kinds: tuple[Kind, ...] = ("number", "text", "boolean")
        taken = [meaning.Cast(field, kind) for kind in kinds] if field.kind == "json" else [field]
        found = self.c.execute(
            select(row.c.id, *(compiler.sql(one) for one in taken)).where(*self.sight.of(entity, row))
        )
        return tuple((key, next((v for v in some if v is not None), None)) for key, *some in found)

    def settled(self, condition: Node) -> Bound:
        """Return a condition on observations, bound and settled. Raises `Problem`."""
        return settle(OBSERVATION, bind_filter(OBSERVATION, condition, self.now_us), self.ids, self.values)

    def hidden(self) -> tuple[int, ...]:
        """Return the datastreams that this reader may not see."""
        return () if self.sight.everything else tuple(self.c.execute(self.sight.hidden_series()).scalars())

    def hides(self, datastreams: Sequence[int]) -> bool:
        """True when this reader may not see some of `datastreams`."""
        return bool(set(self.hidden()) & set(datastreams))

    def _conditions(self, options: Options, feature: int | None) -> list[Bound]:
        found: list[Bound] = []
        if feature is not None:
            found.append(meaning.Among("feature_id", (feature,)))
        if options.filter is not None:
            found.append(self.settled(options.filter))
        return found

    def _unseen(self) -> list[Bound]:
        hidden = self.hidden()
        return [meaning.Not(meaning.Among("datastream_id", hidden))] if hidden else []

    def _order(self, options: Options, *, one: bool) -> list[_Own | _Rank]:
        if not options.orderby:
            return [_Own(Term(_TIME, descending=False))] if one else []
        return [self._ranked(t) if any(f.hops for f in fields(t.by)) else _Own(t) for t in
                bind_orderby(OBSERVATION, options.orderby, self.now_us)]  # fmt: skip

    def _ranked(self, term: Term) -> _Rank:
        hop = next(f.hops[0] for f in fields(term.by) if f.hops)
        target = BY_NAME[hop.target]
        view = self.sight.view
        row = table_of(target, view)
        inner = meaning.without(term.by, 1)
        by = Compiler(self.store.dialect, target, row, view=view).order(inner)
        ordered = [e.desc().nulls_last() if term.descending else e.asc().nulls_first() for e in by]
        return _Rank(
            term,
            hop.join.here,
            list(
                self.c.execute(
                    select(row.c.id).where(*of_type(target, row)).order_by(*ordered, row.c.id)
                ).scalars()
            ),
        )

    def _after(
        self, options: Options, order: list[_Own | _Rank], *, down: bool
    ) -> Callable[[str], ColumnElement[bool]] | None:
        if not options.skiptoken:
            return None
        length = len([t for o in order for t in o.sql(self.store.dialect)]) + 1
        values = read_token(options.skiptoken, length)

        def beyond(dialect: str) -> ColumnElement[bool]:
            terms = [t for o in order for t in o.sql(dialect)]
            return after([*terms, (tables.observation.c.id, down)], values)

        return beyond

    def _count(self, conditions: list[Bound], datastreams: tuple[int, ...] | None) -> int:
        if datastreams is None and self._unseen():
            row = self.sight.view("datastream")
            datastreams = tuple(self.c.execute(select(row.c.id).where(*self.sight.series(row))).scalars())
            if not datastreams:
                return 0
        reach = reach_of(conditions, datastreams)
        return self.store.observations.count(
            ObservationQuery(
                datastreams=reach.datastreams, where=_where(reach.rest, None), between=(reach.start, reach.end), ended_by=reach.ended_by,
                window=self.window,
            )
        )  # fmt: skip


_TIME = meaning.Field((), OBSERVATION.properties[0], (), "moment")


def _where(
    conditions: Sequence[Bound], beyond: Callable[[str], ColumnElement[bool]] | None
) -> Callable[[str], ColumnElement[bool]] | None:
    if not conditions and beyond is None:
        return None

    def where(dialect: str) -> ColumnElement[bool]:
        compiler = Compiler(dialect, OBSERVATION)
        found = [compiler.condition(condition) for condition in conditions]
        return and_(*found, *([] if beyond is None else [beyond(dialect)]))

    return where
