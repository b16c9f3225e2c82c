"""DELETE of what a `$filter` selects in a set (FROST's filtered delete), with the rights that each entity takes."""

from typing import Any

import msgspec
from sqlalchemy import Connection, select

from beffroi.model.principal import Principal
from beffroi.model.problem import Problem
from beffroi.model.text import Text
from beffroi.standards.sensorthings.address import Resource, read_options, read_path
from beffroi.standards.sensorthings.dialects import prepare
from beffroi.standards.sensorthings.parse import misread
from beffroi.standards.sensorthings.principal import with_principal
from beffroi.standards.sensorthings.reading import Reader
from beffroi.standards.sensorthings.series_cache import check_writer
from beffroi.standards.sensorthings.sight import sight_of
from beffroi.standards.sensorthings.syntax import Name, Options
from beffroi.standards.sensorthings.writing import EntityWriter, may_write
from beffroi.store import tables
from beffroi.store.change_set import ChangeSet
from beffroi.store.open import Store
from beffroi.store.versions import By

__all__ = ["MOST_DELETED", "delete_matching", "is_set", "read_deletion"]

MOST_DELETED = 100_000  # entities other than observations, in one request
_CHUNK = 5_000
_ID = (Name(("id",)),)


def is_set(path: str) -> bool:
    """True when a path names a set of entities. Raises `NotFound`."""
    resource = read_path(path)
    return bool(resource.hops) and not resource.single and resource.property is None and not resource.suffix


def read_deletion(query: str) -> Options:
    """Return the options of a DELETE of a set: `$filter`, or `$all=true` for all of it. Raises `Problem`."""
    pairs = [pair for pair in query.split("&") if pair]
    everything = [pair for pair in pairs if pair.lower() in ("$all=true", "%24all=true")]
    options, texts = read_options("&".join(pair for pair in pairs if pair not in everything))
    other = [name for name, _ in texts if name.lower() != "$filter"]
    if other:
        raise misread(other[0], 0, other[0], Text("Donnez seulement $filter.", "Give $filter only."))
    if options.filter is None and not everything:
        raise Problem(
            Text("Tout supprimer se demande en toutes lettres.", "Deleting everything must be asked for in so many words."),
            Text("Ajoutez $filter=…, ou $all=true pour l'ensemble entier.", "Add $filter=…, or $all=true for the whole set."),
            "$filter",
        )  # fmt: skip
    return options


def delete_matching(store: Store, who: Principal, now_us: int, resource: Resource, query: str) -> int:
    """Delete what the options of `query` select in a set, and what cannot stand without it; return how many.

    Entities go all or none. Observations go by thousands, each thousand whole: asking again goes on.
    Raises `Problem`, `Forbidden` when one of them is someone else's.
    """
    may_write(who)
    options = with_principal(msgspec.structs.replace(read_deletion(query), select=_ID), who.name)
    prepare(store.database.reader)
    if resource.entity.name == "Observation":
        return _observations(store, who, now_us, resource, options, query)
    return _entities(store, who, now_us, resource, options)


def _entities(store: Store, who: Principal, now_us: int, resource: Resource, options: Options) -> int:
    entity = resource.entity
    ids: list[int] = []
    with store.read() as c:
        reader = Reader(store, c, "", sight_of(who), now_us)
        here = reader.find(resource)
        while len(ids) <= MOST_DELETED:
            page = reader.page(here, msgspec.structs.replace(options, top=_CHUNK), (), "")
            ids += [one["@iot.id"] for one in page["value"]]
            link = page.get("@iot.nextLink")
            if link is None:
                break
            options = msgspec.structs.replace(options, skiptoken=link.rpartition("=")[2])
    if len(ids) > MOST_DELETED:
        raise Problem(
            Text(f"Plus de {MOST_DELETED} entités correspondent.", f"More than {MOST_DELETED} entities match."),
            Text("Filtrez plus étroitement.", "Filter more narrowly."), "$filter",
        )  # fmt: skip
    with ChangeSet.begin(store) as changes:
        writer = EntityWriter(changes, who, now_us)
        for key in ids:
            writer.delete(read_path(f"{entity.set_name}({key})"))
    return len(ids)


def _observations(
    store: Store, who: Principal, now_us: int, resource: Resource, options: Options, query: str
) -> int:
    gone = 0
    allowed: set[int] = set()
    while True:
        with store.read() as c:
            reader = Reader(store, c, "", sight_of(who), now_us)
            here = reader.find(resource)
            found = reader.observed(here, msgspec.structs.replace(options, top=_CHUNK)).found
            _check(who, c, {o.datastream_id for o in found} - allowed)
            allowed |= {o.datastream_id for o in found}
        done = store.observations.delete([o.id for o in found], by=By(who.id)) if found else 0
        if not done:
            break
        gone += done
    if gone:
        detail: dict[str, Any] = {"count": gone, "query": query[:500], "series": sorted(allowed)[:100]}
        with store.write() as c:
            store.audit.note(c, who, "observation.delete", "observation:", detail)
    return gone


def _check(who: Principal, c: Connection, series: set[int]) -> None:
    """Raise `Forbidden` when one of the datastreams is someone else's."""
    t = tables
    owner = select(t.thing.c.territory, t.thing.c.service).join(
        t.datastream, t.datastream.c.thing_id == t.thing.c.id
    )
    for one in sorted(series):
        found = c.execute(owner.where(t.datastream.c.id == one)).first()
        if found is not None:
            check_writer(who, found[0], found[1])
