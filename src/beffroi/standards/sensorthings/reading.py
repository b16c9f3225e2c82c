"""Read the entities of the catalogue, alone or in pages, with what is expanded in them, in a fixed number of queries."""

import functools
from collections.abc import Iterable, Sequence
from typing import Any
from urllib.parse import quote

import msgspec
from sqlalchemy import Connection, Select, func, select

from beffroi.model.instant import format_instant
from beffroi.model.observation import Observation
from beffroi.model.problem import NotFound, Problem
from beffroi.model.text import Text
from beffroi.standards.sensorthings.address import Resource
from beffroi.standards.sensorthings.aggregating import Aggregated, aggregated
from beffroi.standards.sensorthings.belonging import belongs, within
from beffroi.standards.sensorthings.bind import bind_filter, bind_orderby
from beffroi.standards.sensorthings.compile import Compiler, table_of
from beffroi.standards.sensorthings.entities import BY_NAME, Entity, Navigation
from beffroi.standards.sensorthings.keyset import after, directed, read_token, write_token
from beffroi.standards.sensorthings.observing import ObservationReader
from beffroi.standards.sensorthings.parse import misread
from beffroi.standards.sensorthings.render import chosen, entity_json, observation_json, observation_raw
from beffroi.standards.sensorthings.settle import settle
from beffroi.standards.sensorthings.sight import Sight
from beffroi.standards.sensorthings.syntax import Expanded, Options
from beffroi.standards.sensorthings.unparse import unparse_options
from beffroi.store.open import Store
from beffroi.store.versions import AsOf, now, window

__all__ = ["DEFAULT_TOP", "LARGEST_TOP", "Here", "Reader", "absent"]

DEFAULT_TOP = 100
LARGEST_TOP = 10_000
MOST_SHOWN = 200_000  # entities in one answer, expanded ones included

Row = Any  # a RowMapping, or a mapping alike
Terms = list[tuple[Any, bool]]


class Here(msgspec.Struct, frozen=True):
    """Where a path ends: an entity (`key`), or a set, perhaps that of a relation `by` of `owner`."""

    entity: Entity
    key: int | None = None
    by: Navigation | None = None
    owner: int | None = None


class _Ranked(msgspec.Struct, frozen=True):
    """A relation that is in order: its rows, the column of the owner's id and that of the place."""

    source: Any
    near: Any
    rank: Any


def absent(entity: Entity, key: int) -> NotFound:
    """Return the problem of an entity that does not exist, or not for this reader."""
    return NotFound(
        Text(f"{entity.name} {key} n'existe pas, ou pas pour vous.", f"There is no {entity.name} {key}, or not for you."),
        Text("Vérifiez l'identifiant, ou votre clé.", "Check the id, or your key."), place=f"{entity.set_name}({key})",
    )  # fmt: skip


def _top(options: Options) -> int:
    return DEFAULT_TOP if options.top is None else min(options.top, LARGEST_TOP)


def _belonging(here: Here) -> tuple[tuple[int, ...] | None, int | None]:
    """Return the datastreams (None: all) and the feature (None: any) of a set of observations."""
    if here.by is None:
        return None, None
    return ((here.owner or 0,), None) if here.by.join.there == "datastream_id" else (None, here.owner)


class Reader:
    """Reads for one reader over one connection; `base` is the address of the service root, without final slash.

    `as_of_us`: everything is shown as it was at that instant.
    """

    def __init__(
        self, store: Store, c: Connection, base: str, sight: Sight, now_us: int, as_of_us: int | None = None
    ) -> None:
        self.view = now if as_of_us is None else AsOf(as_of_us)
        self.window = None if as_of_us is None else window(c, as_of_us)
        sight = msgspec.structs.replace(sight, view=self.view)
        self.store, self.c, self.base, self.sight, self.now_us = store, c, base, sight, now_us
        self.observing = ObservationReader(store, c, sight, now_us, self.window)
        self._shown = 0

    # --- paths
    def find(self, resource: Resource) -> Here:
        """Follow a path to what it names. Raises `NotFound` when an entity on the way does not exist."""
        here: Here | None = None
        for hop in resource.hops:
            owner = None if here is None else here.key
            if hop.by is not None and not hop.by.many:
                assert here is not None
                here = self._over(here, hop.by)
                continue
            here = Here(hop.entity, None, hop.by, owner)
            if hop.key is not None:
                self._check(here, hop.key)
                here = Here(hop.entity, hop.key)
        assert here is not None
        return here

    def _over(self, here: Here, by: Navigation) -> Here:
        """Follow a relation to one."""
        target = BY_NAME[by.target]
        assert here.key is not None
        if here.entity.name == "Observation":
            known = self.store.observations.get(here.key, self.window)
            found = None if known is None else getattr(known, by.join.here)
        else:
            row = self.table(here.entity)
            found = self.c.execute(select(row.c[by.join.here]).where(row.c.id == here.key)).scalar()
        if found is None:
            raise NotFound(
                Text(f"Cette entité n'a pas de {by.name}.", f"This entity has no {by.name}."),
                place=f"path:{by.name}",
            )
        self._check(Here(target), found)
        return Here(target, found)

    def _check(self, scope: Here, key: int) -> None:
        """Raise `NotFound` unless the entity `key` is in the set and shown to the reader."""
        if scope.entity.name == "Observation":
            known = self.store.observations.get(key, self.window)
            owner = None if scope.by is None or known is None else getattr(known, scope.by.join.there)
            if known is None or (scope.by is not None and owner != scope.owner):
                raise absent(scope.entity, key)
            if not self.sight.everything:
                series = self.view("datastream")
                shown = select(series.c.id).where(
                    series.c.id == known.datastream_id, *self.sight.series(series)
                )
                if self.c.execute(shown).first() is None:
                    raise absent(scope.entity, key)
            return
        if self.window is None:
            found = belongs(scope.entity.name, None if scope.by is None else scope.by.join, self.sight)
            rows: Sequence[Any] = found.rows(self.c, key=key, owner=scope.owner)
        else:
            row = self.table(scope.entity)
            rows = self.c.execute(
                select(row.c.id).where(row.c.id == key, *self.within(scope, row))
            ).fetchall()
        if not rows:
            raise absent(scope.entity, key)

    def within(self, scope: Here, row: Any) -> list[Any]:
        """Return the conditions of a set: its relation, and what the reader may see."""
        return within(self.sight, scope.entity, None if scope.by is None else scope.by.join, scope.owner, row)

    # --- entities
    def row(self, here: Here) -> Row:
        """Return the row of a catalogue entity. Raises `NotFound`."""
        table = self.table(here.entity)
        found = self.c.execute(select(table).where(table.c.id == here.key)).mappings().first()
        if found is None:
            raise absent(here.entity, here.key or 0)
        return found

    def one(self, here: Here, options: Options) -> Any:
        """Return an entity as it is shown."""
        if here.entity.name == "Observation":
            found = self.store.observations.get(here.key or 0, self.window)
            if found is None:
                raise absent(here.entity, here.key or 0)
            return self._observations([found], options)[0]
        return self._entities(here.entity, [self.row(here)], options)[0]

    def page(
        self, here: Here, options: Options, texts: Sequence[tuple[str, str]], path: str
    ) -> dict[str, Any]:
        """Return a page of a set as it is shown; `texts` are the options as they were sent, `path` the address."""
        if options.apply is not None:
            return self._aggregated(here, options, texts, path)
        if here.entity.name == "Observation":
            observed = self.observed(here, options)
            answer = self._head(observed.count, observed.token, texts, path)
            answer["value"] = self._observations(observed.found, options)
            return answer
        table = self.table(here.entity)
        within, ranked = self.within(here, table), self._ranked(here.by, table)
        statement, terms = self._statement(here.entity, table, within, options, ranked)
        if ranked is not None:
            statement = statement.select_from(ranked.source).where(ranked.near == here.owner)
        rows, token = self._take(statement, terms, options)
        count = self.count(here, options) if options.count else None
        answer = self._head(count, token, texts, path)
        answer["value"] = self._entities(here.entity, rows, options)
        return answer

    def observed(self, here: Here, options: Options) -> Any:
        """Return a page of observations of a set, not yet written."""
        return self.observing.page(options, _top(options), *_belonging(here))

    def _aggregated(
        self, here: Here, options: Options, texts: Sequence[tuple[str, str]], path: str
    ) -> dict[str, Any]:
        found = self.grouped(here, options, _top(options))
        answer = self._head(found.count, found.token, texts, path)
        answer["value"] = found.rows
        return answer

    def grouped(self, here: Here, options: Options, top: int) -> Aggregated:
        """Return a page of the groups of `options.apply` over a set of observations."""
        if here.entity.name != "Observation":
            raise misread(
                "$apply", 0, "", Text("Demandez-le pour Observations.", "Ask for it on Observations."),
                Text("$apply agrège des observations.", "$apply aggregates observations."),
            )  # fmt: skip
        return aggregated(self.observing, options, top, *_belonging(here))

    def count(self, here: Here, options: Options) -> int:
        """Return how many entities a set has."""
        if here.entity.name == "Observation":
            counted = msgspec.structs.replace(options, top=0, count=True)
            return int(self.observed(here, counted).count or 0)
        table = self.table(here.entity)
        within, ranked = self.within(here, table), self._ranked(here.by, table)
        if ranked is not None:
            within.append(ranked.near == here.owner)
        return self._count(here.entity, table, within, options, ranked)

    def _head(
        self, count: int | None, token: str | None, texts: Sequence[tuple[str, str]], path: str
    ) -> dict[str, Any]:
        answer: dict[str, Any] = {}
        if count is not None:
            answer["@iot.count"] = count
        if token is not None:
            answer["@iot.nextLink"] = self.next_link(path, texts, token)
        return answer

    def next_link(self, path: str, texts: Iterable[tuple[str, str]], token: str) -> str:
        """Return the address of the page that begins after `token`."""
        kept = [(n, t) for n, t in texts if n.lower() not in ("$skip", "$skiptoken")]
        return f"{self.base}/{path}?{_pairs(kept)}$skiptoken={token}"

    # --- statements
    def filtered(self, entity: Entity, row: Any, options: Options) -> list[Any]:
        """Return the condition of a `$filter`, in a list that is empty without one."""
        if options.filter is None:
            return []
        bound = settle(
            entity,
            bind_filter(entity, options.filter, self.now_us),
            self.observing.ids,
            self.observing.values,
        )
        return [Compiler(self.store.dialect, entity, row, self.sight.of, view=self.view).condition(bound)]

    def _terms(self, entity: Entity, row: Any, options: Options, ranked: "_Ranked | None") -> Terms:
        compiler = Compiler(self.store.dialect, entity, row, view=self.view)
        bound = bind_orderby(entity, options.orderby, self.now_us)
        terms = [(sql, term.descending) for term in bound for sql in compiler.order(term.by)]
        own: Terms = [] if ranked is None else [(ranked.rank, False)]
        return [*terms, *own, (row.c.id, False)]

    def _statement(
        self,
        entity: Entity,
        row: Any,
        conditions: list[Any],
        options: Options,
        ranked: "_Ranked | None" = None,
    ) -> tuple[Select[Any], Terms]:
        terms = self._terms(entity, row, options, ranked)
        labels = [sql.label(f"sort_{i}") for i, (sql, _) in enumerate(terms[:-1])]
        statement = select(*row.c, *labels).where(*conditions, *self.filtered(entity, row, options))
        return statement, terms

    def _take(self, statement: Select[Any], terms: Terms, options: Options) -> tuple[list[Row], str | None]:
        """Return the rows of a page, and the token of the next one if there are more."""
        top = _top(options)
        if top == 0:
            return [], None
        statement = statement.order_by(*(directed(sql, descending=down) for sql, down in terms))
        if options.skiptoken:
            statement = statement.where(after(terms, read_token(options.skiptoken, len(terms))))
        elif options.skip:
            statement = statement.offset(options.skip)
        rows: list[Row] = list(self.c.execute(statement.limit(top + 1)).mappings())
        if len(rows) <= top:
            return rows, None
        return rows[:top], _token(rows[top - 1], len(terms))

    def _count(
        self,
        entity: Entity,
        row: Any,
        conditions: list[Any],
        options: Options,
        ranked: "_Ranked | None" = None,
    ) -> int:
        source = row if ranked is None else ranked.source
        counted = (
            select(func.count()).select_from(source).where(*conditions, *self.filtered(entity, row, options))
        )
        return int(self.c.execute(counted).scalar_one())

    # --- changes
    def changed(self, here: Here, ids: Sequence[int], options: Options) -> list[Row]:
        """Return which rows of a set (or the one entity) are among `ids`, shown to the reader and fulfil `$filter`."""
        table = table_of(here.entity)
        conditions = [
            table.c.id.in_(ids),
            *self.within(here, table),
            *self.filtered(here.entity, table, options),
        ]
        return list(self.c.execute(select(table).where(*conditions).order_by(table.c.id)).mappings())

    def written(self, entity: Entity, rows: Sequence[Any], options: Options) -> list[Any]:
        """Return entities of the catalogue (rows) or observations as they are shown, selected and expanded."""
        if entity.name == "Observation":
            return self._observations(rows, options)
        return self._entities(entity, rows, options)

    # --- what is shown
    def _spend(self, n: int) -> None:
        self._shown += n
        if self._shown > MOST_SHOWN:
            raise Problem(
                Text("La réponse serait trop grande.", "The answer would be too large."),
                Text("Demandez moins avec $top, dehors et dans $expand.", "Ask for less with $top, outside and inside $expand."),
                place="$expand",
            )  # fmt: skip

    def _entities(self, entity: Entity, rows: Sequence[Row], options: Options) -> list[dict[str, Any]]:
        self._spend(len(rows))
        keep = chosen(entity, options.select)
        stats = {}
        if entity.table == "datastream" and keep.has("phenomenonTime") and self.window is None:
            stats = self.store.observations.stats({row["id"] for row in rows})
        shown = [entity_json(entity, row, self.base, keep, stats) for row in rows]
        self._expand(entity, rows, shown, options.expand)
        return shown

    def _observations(self, found: Sequence[Any], options: Options) -> list[Any]:
        self._spend(len(found))
        entity = BY_NAME["Observation"]
        keep = chosen(entity, options.select)
        multi = self.multis(found)
        if keep.names is None and not options.expand:
            return [
                observation_raw(one, self.base, multi=one.datastream_id in multi)
                if multi
                else observation_raw(one, self.base)
                for one in found
            ]
        shown = [observation_json(one, self.base, keep, multi=one.datastream_id in multi) for one in found]
        if options.expand:
            rows = [{"id": o.id, "datastream_id": o.datastream_id, "feature_id": o.feature_id} for o in found]
            self._expand(entity, rows, shown, options.expand)
        return shown

    def multis(self, found: Sequence[Observation]) -> set[int]:
        """Return which of the observations' datastreams are MultiDatastreams: their results are arrays."""
        perhaps = {o.datastream_id for o in found if o.result.literal and o.result.literal[0] == "["}
        if not perhaps:
            return set()
        row = self.view("datastream")
        known = select(row.c.id).where(row.c.id.in_(perhaps), row.c.multi.is_not(None))
        return set(self.c.execute(known).scalars())

    def table(self, entity: Entity) -> Any:
        """Return what holds the rows of an entity type, now or as of an instant."""
        return table_of(entity, self.view)

    def _ranked(self, by: Navigation | None, table: Any) -> "_Ranked | None":
        """Return how a relation that is in order meets its rows, or None for any other relation."""
        if by is None or not by.join.rank:
            return None
        link = self.view(by.join.table)
        source = link.join(table, link.c[by.join.far] == table.c[by.join.there])
        return _Ranked(source, link.c[by.join.near], link.c[by.join.rank])

    def _expand(
        self, entity: Entity, rows: Sequence[Row], shown: list[dict[str, Any]], parts: Sequence[Expanded]
    ) -> None:
        for part in parts:
            hop = entity.navigation(part.name)
            if hop is None:
                names = ", ".join(n.name for n in entity.navigations)
                raise misread(
                    "$expand", part.at, part.name[:40].replace("{", "("),
                    Text(f"{entity.name} mène à : {names}.", f"{entity.name} leads to: {names}."),
                )  # fmt: skip
            if not hop.many:
                self._expand_one(hop, rows, shown, part)
            elif hop.target == "Observation":
                self._expand_observations(entity, hop, rows, shown, part)
            else:
                self._expand_many(entity, hop, rows, shown, part)

    def _expand_one(
        self, hop: Navigation, rows: Sequence[Row], shown: list[dict[str, Any]], part: Expanded
    ) -> None:
        target = BY_NAME[hop.target]
        table = self.table(target)
        wanted = sorted({row[hop.join.here] for row in rows} - {None})
        if not wanted:
            return
        filtered = self.filtered(target, table, part.options)
        statement = select(table).where(table.c.id.in_(wanted), *self.sight.of(target, table), *filtered)
        found = list(self.c.execute(statement).mappings())
        by_id = dict(zip([f["id"] for f in found], self._entities(target, found, part.options), strict=True))
        for row, entity in zip(rows, shown, strict=True):
            if row[hop.join.here] in by_id:
                entity[hop.name] = by_id[row[hop.join.here]]

    def _expand_many(
        self,
        entity: Entity,
        hop: Navigation,
        rows: Sequence[Row],
        shown: list[dict[str, Any]],
        part: Expanded,
    ) -> None:
        target, options = BY_NAME[hop.target], part.options
        owners = [row["id"] for row in rows]
        table = self.table(target)
        source, key = self._source(hop, table)
        conditions = [key.in_(owners), *self.sight.of(target, table)]
        statement, terms = self._statement(target, table, conditions, options, self._ranked(hop, table))
        order = [directed(sql, descending=down) for sql, down in terms]
        place = func.row_number().over(partition_by=key, order_by=order).label("place")
        ranked = statement.add_columns(key.label("owner"), place).select_from(source).subquery()
        top = _top(options)
        last = options.skip + top + 1
        chosen_rows = select(ranked).where(ranked.c.place > options.skip, ranked.c.place <= last)
        found = list(self.c.execute(chosen_rows.order_by(ranked.c.owner, ranked.c.place)).mappings())
        counts = self._counts(hop, owners, target, table, options) if options.count else {}
        kept = [row for row in found if row["place"] < last]
        more = {row["owner"] for row in found if row["place"] == last}
        by_owner: dict[int, list[dict[str, Any]]] = {}
        tokens: dict[int, str] = {}
        for row, written in zip(kept, self._entities(target, kept, options), strict=True):
            by_owner.setdefault(row["owner"], []).append(written)
            if row["owner"] in more:
                tokens[row["owner"]] = _token(row, len(terms))
        for owner, outer in zip(owners, shown, strict=True):
            self._put(
                entity,
                hop,
                owner,
                outer,
                by_owner.get(owner, []),
                tokens.get(owner),
                options,
                counts.get(owner, 0),
            )

    def _source(self, hop: Navigation, table: Any) -> tuple[Any, Any]:
        """Return where the rows of a relation to many come from, and the column with the id of their owner."""
        if not hop.join.table:
            return table, table.c[hop.join.there]
        link = self.view(hop.join.table)
        return link.join(table, link.c[hop.join.far] == table.c.id), link.c[hop.join.near]

    def _counts(
        self, hop: Navigation, owners: list[int], target: Entity, table: Any, options: Options
    ) -> dict[int, int]:
        source, key = self._source(hop, table)
        counted = (
            select(key, func.count())
            .select_from(source)
            .where(key.in_(owners), *self.sight.of(target, table), *self.filtered(target, table, options))
            .group_by(key)
        )
        return {row[0]: row[1] for row in self.c.execute(counted)}

    def _put(
        self, entity: Entity, hop: Navigation, owner: int, outer: dict[str, Any], inner: list[Any],
        token: str | None, options: Options, count: int | None,
    ) -> None:  # fmt: skip
        if options.count and count is not None:
            outer[f"{hop.name}@iot.count"] = count
        outer[hop.name] = inner
        if token is not None:
            link = f"{self.base}/{entity.set_name}({owner})/{hop.name}"
            outer[f"{hop.name}@iot.nextLink"] = f"{link}?{_query(options)}{self._then()}$skiptoken={token}"

    def _then(self) -> str:
        return "" if self.window is None else f"$asOf={format_instant(self.window.as_of_us)}&"

    def _expand_observations(
        self,
        entity: Entity,
        hop: Navigation,
        rows: Sequence[Row],
        shown: list[dict[str, Any]],
        part: Expanded,
    ) -> None:
        options = part.options
        if hop.join.there == "datastream_id" and _is_latest(options) and self.window is None:
            return self._expand_latest(entity, hop, rows, shown, options)
        top = _top(options)
        several = len(rows) > 1 and hop.join.there == "datastream_id" and _is_newest(options)
        several = several and self.window is None
        newest = self.observing.newest([row["id"] for row in rows], top + 1) if several else {}
        for row, outer in zip(rows, shown, strict=True):
            if row["id"] in newest:
                found = newest[row["id"]]
                token = (
                    write_token([found[top - 1].start_us, found[top - 1].id]) if len(found) > top else None
                )
                self._put(
                    entity,
                    hop,
                    row["id"],
                    outer,
                    self._observations(found[:top], options),
                    token,
                    options,
                    None,
                )
                continue
            observed = self.observed(Here(BY_NAME["Observation"], None, hop, row["id"]), options)
            inner = self._observations(observed.found, options)
            self._put(entity, hop, row["id"], outer, inner, observed.token, options, observed.count)
        return None

    def _expand_latest(
        self,
        entity: Entity,
        hop: Navigation,
        rows: Sequence[Row],
        shown: list[dict[str, Any]],
        options: Options,
    ) -> None:
        """Expand the newest observation of each datastream, all from the table of last values."""
        owners = [row["id"] for row in rows]
        newest = self.store.observations.last(owners)
        counts = self.store.observations.stats(owners)
        written = dict(zip(newest, self._observations(list(newest.values()), options), strict=True))
        for owner, outer in zip(owners, shown, strict=True):
            inner = [written[owner]] if owner in written else []
            count = counts[owner].count if owner in counts else 0
            token = write_token([newest[owner].start_us, newest[owner].id]) if count > 1 and inner else None
            self._put(entity, hop, owner, outer, inner, token, options, count)


def _pairs(texts: Iterable[tuple[str, str]]) -> str:
    return "".join(f"{name}={quote(text, safe='$(),;=/:@*')}&" for name, text in texts)


@functools.lru_cache(maxsize=512)
def _query(options: Options) -> str:
    """Return the options of an expanded relation as the start of a query string."""
    return _pairs(unparse_options(options))


def _token(row: Row, length: int) -> str:
    return write_token([*(row[f"sort_{i}"] for i in range(length - 1)), row["id"]])


def _is_newest(options: Options) -> bool:
    """True when the options ask for the newest observations, and for nothing else."""
    if (
        not options.top
        or options.skip
        or options.count
        or options.filter is not None
        or len(options.orderby) != 1
    ):
        return False
    order = options.orderby[0]
    return order.descending and getattr(order.by, "steps", None) == ("phenomenonTime",)


def _is_latest(options: Options) -> bool:
    """True when the options ask for the one newest observation, which the table of last values holds."""
    return options.top == 1 and _is_newest(msgspec.structs.replace(options, count=False))
