"""Write entities for someone: make, change, replace, patch, delete, with the rights that it takes (18-088 §10)."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, select

from beffroi.model.observation import Draft
from beffroi.model.principal import Principal
from beffroi.model.problem import Forbidden, NotFound, Problem, Unauthorised
from beffroi.model.result import decode_json, encode_exact
from beffroi.model.text import Text
from beffroi.standards.sensorthings.address import Hop, Resource
from beffroi.standards.sensorthings.body import (
    Changes,
    from_multi,
    observation_changes,
    read_changes,
    read_new,
    reference,
)
from beffroi.standards.sensorthings.entities import BY_NAME, TASKING, Entity, Navigation
from beffroi.standards.sensorthings.json_patch import apply_patch
from beffroi.standards.sensorthings.reading import Here, Reader
from beffroi.standards.sensorthings.render import encode, observation_values, value_json
from beffroi.standards.sensorthings.series_cache import check_writer
from beffroi.standards.sensorthings.sight import sight_of
from beffroi.standards.tasking import tasks
from beffroi.standards.tasking.parameters import read_parameters
from beffroi.store import catalogue, tables
from beffroi.store.catalogue import COMPONENTS, Link, New
from beffroi.store.observations import Ack
from beffroi.store.open import Store
from beffroi.store.versions import By

__all__ = ["WRITERS", "EntityWriter", "KindOf", "may_write", "with_source_key"]

WRITERS = ("admin", "responsable", "agent", "device")


def may_write(who: Principal) -> None:
    """Raise `Unauthorised` or `Forbidden` unless `who` may write observations and entities at all."""
    if who.role in WRITERS:
        return
    mend = Text("Envoyez « Authorization: Bearer … » avec une clé d'écriture.",
                "Send 'Authorization: Bearer …' with a key that may write.")  # fmt: skip
    if who.role == "citizen":
        raise Unauthorised(Text("Il faut une clé pour écrire.", "Writing needs a key."), mend)
    raise Forbidden(Text("Cette clé ne permet pas d'écrire.", "This key may not write."), mend)


def with_source_key(drafts: Sequence[Draft], who: Principal, key: str) -> None:
    """Give drafts the source keys of a request that carries an Idempotency-Key: sent again, they are folded."""
    for i, draft in enumerate(drafts):
        text = f"{who.id}\x1f{key}\x1f{i}"
        draft.source_key = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def _deed(here: Here, what: str) -> tuple[str, str]:
    """Return the audit's action and target for something done to an entity."""
    return f"{here.entity.table}.{what}", f"{here.entity.table}:{here.key}"


KindOf = Callable[[str, str, str, str], tuple[str, str] | None]
"""Returns the declared kind of datastream, and its service, of an observed property (name, definition) and a unit
(symbol, definition); None when no service knows it."""


class EntityWriter:
    """Writes for `who`; every method blocks until what it wrote is on disk."""

    def __init__(
        self, store: Store, who: Principal, now_us: int, kind_of: KindOf | None = None, reason: str = ""
    ) -> None:
        may_write(who)
        self.store, self.who, self.now_us, self.kind_of = store, who, now_us, kind_of
        self.by = By(who.id, reason)

    # --- making
    def create(self, resource: Resource, body: Any, key: str = "") -> tuple[Entity, int | None]:
        """Make the entity that `body` describes in a set; return its type and id (None: folded).

        Raises `Problem` when the body or the address is wrong.
        """
        entity = resource.entity
        if resource.single or resource.property is not None or resource.suffix:
            raise _not_a_set()
        owner, by = self._owner(resource)
        given = () if by is None else _back(owner, by)
        if owner is not None and by is not None and COMPONENTS.table == by.join.table:
            raise from_multi("")
        new = read_new(entity, body, self.now_us, given)
        if by is not None and owner is not None:
            _attach(new, by, owner, body, entity, given)
        with self.store.write() as c:
            known = tasks.known_task(c, self.who, key) if entity.name == "Task" else None
            if known is not None:
                return entity, known
            self._allowed_to_make(c, new)
            self._belonging(new)
            self._recognise(c, new, None)
            self._command(c, new, key)
            made = catalogue.create(self.store, c, new)
            if entity.name != "Observation":
                self.store.audit.note(c, self.who, f"{new.table}.create", f"{new.table}:{made.id}")
        ack = self._append(made.drafts, key if entity.name == "Observation" else "")
        if entity.name == "Observation":
            assert ack is not None
            return entity, ack.ids[0]
        return entity, made.id

    def _append(self, drafts: list[Draft], key: str) -> Ack | None:
        if not drafts:
            return None
        if key:
            with_source_key(drafts, self.who, key)
        return self.store.observations.append(drafts)

    def _owner(self, resource: Resource) -> tuple[Here | None, Navigation | None]:
        """Return the entity whose relation the address ends with, after checking that it exists."""
        last = resource.hops[-1]
        if last.by is None:
            return None, None
        with self.store.read() as c:
            here = Reader(self.store, c, "", sight_of(self.who), self.now_us).find(
                Resource(resource.hops[:-1])
            )
        return here, last.by

    def _belonging(self, new: New) -> None:
        """Say whose new Things are: of the writer's territory and service."""
        if new.table == "thing":
            new.values.setdefault("territory", self._territory())
            new.values.setdefault("service", self.who.service or "")
        for part in _parts(new):
            self._belonging(part)

    def _recognise(self, c: Connection, new: New, thing: New | None) -> None:
        """Say what declared kind new Datastreams are of, and that their new Thing is of its service."""
        if new.table == "datastream" and self.kind_of is not None and "observed_property_id" in new.belongs:
            seen = self._seen(c, new.belongs.get("observed_property_id"))
            unit = [str(new.values.get(column) or "") for column in ("unit_symbol", "unit_definition")]
            known = None if seen is None else self.kind_of(*seen, *unit)
            if known is not None:
                new.values.setdefault("kind", known[0])
                if thing is not None and not thing.values.get("service"):
                    thing.values["service"] = known[1]
        for part in _parts(new):
            self._recognise(c, part, new if new.table == "thing" else None)

    @staticmethod
    def _seen(c: Connection, what: int | New | None) -> tuple[str, str] | None:
        """Return name and definition of an observed property, made along or known."""
        if isinstance(what, New):
            return str(what.values["name"]), str(what.values["definition"])
        row = tables.observed_property
        found = c.execute(select(row.c.name, row.c.definition).where(row.c.id == what)).first()
        return None if found is None else (found[0], found[1])

    def _command(self, c: Connection, new: New, key: str) -> None:
        """Check what can be commanded from now on, and what is commanded."""
        if new.table in ("actuator", "tasking_capability"):
            tasks.check_manager(self.who)
        if new.table == "tasking_capability":
            read_parameters(
                decode_json(new.values["tasking_parameters"].encode()), f"{new.place}/taskingParameters"
            )
        if new.table == "task":
            owner = new.belongs["tasking_capability_id"]
            if isinstance(owner, New):
                raise Problem(
                    Text("On ne commande que ce qui existe déjà.", "Only what exists already can be commanded."),
                    Text("Créez d'abord la TaskingCapability.", "Make the TaskingCapability first."), f"{new.place}/TaskingCapability",
                )  # fmt: skip
            new.values = tasks.ready_values(c, self.who, owner, new.values, self.now_us, key, new.place)
        for part in _parts(new):
            self._command(c, part, "")

    def _territory(self) -> str | None:
        if self.who.territories:
            return self.who.territories[0]
        found: str | None = self.store.setting("town.territory")
        return found

    def _allowed_to_make(self, c: Connection, new: New) -> None:
        """Raise `Forbidden` when something of the new entities is tied to a Thing of someone else."""
        things = [new.belongs.get("thing_id")] if "thing_id" in new.belongs else []
        things += [
            what for link, what in new.linked if link.table == "thing_location" and new.table == "location"
        ]
        for thing in things:
            if isinstance(thing, int):
                self._check_thing(c, thing)
        series = new.belongs.get("datastream_id")
        if isinstance(series, int):
            self._check_series(c, series)
        for part in _parts(new):
            self._allowed_to_make(c, part)

    def _check_thing(self, c: Connection, thing_id: int) -> None:
        row = tables.thing
        found = c.execute(select(row.c.territory, row.c.service).where(row.c.id == thing_id)).first()
        if found is not None:
            check_writer(self.who, found[0], found[1])

    def _check_series(self, c: Connection, series_id: int) -> None:
        row = tables.datastream
        thing_id = c.execute(select(row.c.thing_id).where(row.c.id == series_id)).scalar()
        if thing_id is not None:
            self._check_thing(c, thing_id)

    # --- changing
    def update(self, resource: Resource, body: Any, *, whole: bool = False, patch: bool = False) -> Here:
        """Change an entity: PATCH, PUT (`whole`) or JSON-Patch (`patch`). Raises `Problem`, `NotFound`."""
        here = self._single(resource)
        if here.entity.name == "Task":
            self._move(here, self._patched(here, body) if patch else body)
            return here
        with self._holding(here) as c:
            if patch:
                body = self._patched(here, body)
            if here.entity.name == "Observation":
                known = self.store.observations.get(here.key or 0)
                extra = None if known is None else known.extra
                changes = Changes(observation_changes(body, whole=whole, now_us=self.now_us, extra=extra))
            else:
                changes = read_changes(here.entity, body, whole=whole, encoding=self._encoding(here))
            self._change(c, here, changes)
        return here

    @contextmanager
    def _holding(self, here: Here) -> Iterator[Connection]:
        """Give a transaction during which nobody else changes an entity: what a patch is applied to stays the last word."""
        with self.store.write() as c:
            table, key = here.entity.table, here.key or 0
            if here.entity.name == "Observation":
                known = self.store.observations.get(key)
                table, key = "datastream", known.datastream_id if known is not None else 0
            row = tables.metadata.tables[table]
            c.execute(
                select(row.c.id).where(row.c.id == key).with_for_update()
            )  # SQLite has one writer anyway
            yield c

    def _patched(self, here: Here, patch: Any) -> Any:
        plain = self._plain(here)
        return _differing(plain, apply_patch(plain, patch))

    def _encoding(self, here: Here) -> str:
        """Return the encoding of an entity's geometry, "" for other entities."""
        if here.entity.property("encodingType") is None:
            return ""
        row = tables.metadata.tables[here.entity.table]
        with self.store.read() as c:
            return str(c.execute(select(row.c.encoding_type).where(row.c.id == here.key)).scalar() or "")

    def change(self, here: Here, changes: Changes | Callable[[Connection], Changes]) -> None:
        """Change an entity's columns and associations; a function says to what while nobody else changes it.

        Raises `Problem`.
        """
        with self._holding(here) as c:
            self._change(c, here, changes if isinstance(changes, Changes) else changes(c))

    def _change(self, c: Connection, here: Here, changes: Changes) -> None:
        if not changes.values and not changes.linked:
            return
        if here.entity.name == "Observation":
            self._correct(c, here, changes.values)
            return
        if "tasking_parameters" in changes.values:
            read_parameters(decode_json(changes.values["tasking_parameters"].encode()))
        self._allowed_to_change(c, here)
        self._allowed_to_tie(c, here, changes)
        catalogue.change(
            self.store, c, here.entity.table, here.key or 0, changes.values, changes.linked, self.by
        )
        self.store.audit.note(c, self.who, *_deed(here, "change"), {"fields": sorted(changes.values)})

    def _allowed_to_tie(self, c: Connection, here: Here, changes: Changes) -> None:
        """Raise `Forbidden` when a change ties an entity to a Thing of someone else."""
        things = [changes.values["thing_id"]] if isinstance(changes.values.get("thing_id"), int) else []
        for link, ids in changes.linked.items():
            if link.table == "thing_location" and here.entity.name == "Location":
                things += ids
        for thing in things:
            self._check_thing(c, thing)

    def _move(self, here: Here, body: Any) -> None:
        """Let a Task become what its device, or its author, says; its parameters were sent and stay."""
        state = body.get("status") if isinstance(body, dict) else None
        if not isinstance(state, str):
            raise Problem(
                Text("D'une Task, seul « status » se change.", "Of a Task, only 'status' can be changed."),
                Text("Envoyez par exemple (status: done).", "Send for example (status: done)."), "/status",
            )  # fmt: skip
        words = body.get("statusMessage")
        with self.store.write() as c:
            error = words if isinstance(words, str) else ""
            tasks.advance(
                self.store, c, self.who, here.key or 0, state, error=error[:500], now_us=self.now_us
            )

    def _correct(self, c: Connection, here: Here, changed: dict[str, Any]) -> None:
        known = self.store.observations.get(here.key or 0)
        assert known is not None
        multi = changed.pop("multi", None)
        self._check_series(c, known.datastream_id)
        if changed.get("feature_id") is not None:
            catalogue.require(c, "feature_of_interest", changed["feature_id"], "/FeatureOfInterest", 400)
        if "datastream_id" in changed:
            self._check_moved(c, known.datastream_id, changed["datastream_id"], multi=bool(multi))
        series, result = (
            changed.get("datastream_id", known.datastream_id),
            changed.get("result", known.result),
        )
        catalogue.fitting(c, series, result, multi=bool(catalogue.components(c, series)))
        if changed:
            self.store.observations.correct(known.id, by=self.by, **changed)
            self.store.audit.note(c, self.who, *_deed(here, "change"), {"fields": sorted(changed)})

    def _check_moved(self, c: Connection, old: int, new: int, *, multi: bool) -> None:
        """Raise `Problem` unless an observation may go from a datastream to another of the same type."""
        self._check_series(c, new)
        size, was_multi = catalogue.components(c, new), bool(catalogue.components(c, old))
        name = "MultiDatastream" if multi else "Datastream"
        if size is None or bool(size) is not multi:
            raise Problem(
                Text(f"{name} {new} n'existe pas.", f"There is no {name} {new}."),
                Text("Vérifiez l'identifiant.", "Check the id."), place=f"/{name}",
            )  # fmt: skip
        if multi is not was_multi:
            raise Problem(
                Text("Une observation ne passe pas d'un Datastream à un MultiDatastream, ni l'inverse.",
                     "An observation does not go from a Datastream to a MultiDatastream, nor back."),
                Text("Créez une autre observation.", "Create another observation."), place=f"/{name}",
            )  # fmt: skip

    def _single(self, resource: Resource) -> Here:
        if not resource.hops or not resource.single or resource.property is not None or resource.suffix:
            raise Problem(
                Text("Cette adresse n'est pas celle d'une entité.", "This is not the address of an entity."),
                Text("Écrivez par exemple Things(1).", "Write for example Things(1)."), status=405,
            )  # fmt: skip
        return self.found(resource)

    def found(self, resource: Resource) -> Here:
        """Return what an address leads to. Raises `NotFound`."""
        with self.store.read() as c:
            return Reader(self.store, c, "", sight_of(self.who), self.now_us).find(resource)

    def found_one(self, entity: Entity, key: int) -> Here:
        """Return an entity by its id. Raises `Problem` (400) when it does not exist, or not for the writer."""
        try:
            return self.found(Resource((Hop(entity, None, key),)))
        except NotFound as problem:
            raise Problem(problem.reason, problem.mend, problem.place) from problem

    def _plain(self, here: Here) -> dict[str, Any]:
        """Return an entity's own properties as JSON values, and what it belongs to as references."""
        if here.entity.name == "Observation":
            known = self.store.observations.get(here.key or 0)
            assert known is not None
            found = observation_values(known)
            ties: Any = {"datastream_id": known.datastream_id, "feature_id": known.feature_id}
            with self.store.read() as c:
                multi = bool(catalogue.components(c, known.datastream_id))
            hidden = "Datastream" if multi else "MultiDatastream"
        else:
            with self.store.read() as c:
                row = Reader(self.store, c, "", sight_of(self.who), self.now_us).row(here)
            found = {p.name: v for p in here.entity.properties if (v := value_json(p, row, {})) is not None}
            ties, hidden = row, ""
        for hop in here.entity.navigations:
            if not hop.many and hop.name != hidden and ties[hop.join.here] is not None:
                found[hop.name] = {"@iot.id": ties[hop.join.here]}
        plain: dict[str, Any] = decode_json(encode(found))
        return plain

    def _allowed_to_change(self, c: Connection, here: Here) -> None:
        if here.entity.name in TASKING:
            tasks.check_manager(self.who)
        things = self._things_of(c, here)
        for thing in things:
            self._check_thing(c, thing)
        if not things and self.who.role == "device":
            raise Forbidden(
                Text("Une clé d'appareil ne change que ce qui est à ses Things.", "A device key changes only what is its Things'."),
                Text("Utilisez une clé d'agent.", "Use an agent's key."),
            )  # fmt: skip

    def _things_of(self, c: Connection, here: Here) -> list[int]:
        if here.entity.name == "Thing":
            return [here.key or 0]
        if here.entity.table in ("datastream", "historical_location", "tasking_capability"):
            row = tables.metadata.tables[here.entity.table]
            return list(c.execute(select(row.c.thing_id).where(row.c.id == here.key)).scalars())
        if here.entity.name == "Location":
            link = tables.thing_location
            return list(c.execute(select(link.c.thing_id).where(link.c.location_id == here.key)).scalars())
        return []

    # --- deleting
    def delete(self, resource: Resource) -> None:
        """Delete an entity and what cannot stand without it. Raises `NotFound`."""
        here = self._single(resource)
        key = here.key or 0
        if here.entity.name == "Observation":
            known = self.store.observations.get(key)
            with self.store.read() as c:
                if known is not None:
                    self._check_series(c, known.datastream_id)
            self.store.observations.delete([key], by=self.by)
            with self.store.write() as c:
                self.store.audit.note(c, self.who, *_deed(here, "delete"))
            return
        with self.store.write() as c:
            self._allowed_to_change(c, here)
            gone = catalogue.remove(self.store, c, here.entity.table, key, self.by)
            self.store.audit.note(c, self.who, *_deed(here, "delete"), {"series": gone} if gone else None)
        for series in gone:
            self.store.observations.delete_series(series)
        if here.entity.name == "FeatureOfInterest":
            self._delete_observations_of(key)

    def _delete_observations_of(self, feature: int) -> None:
        with self.store.read() as c:
            reader = Reader(self.store, c, "", sight_of(self.who), self.now_us)
            while found := reader.observing.of_feature(feature, 5_000):
                self.store.observations.delete(found, by=self.by)


def _not_a_set() -> Problem:
    return Problem(
        Text("On crée une entité dans un ensemble.", "An entity is made in a set."),
        Text("Envoyez à Things, ou à Things(1)/Datastreams.", "Send to Things, or to Things(1)/Datastreams."), status=405,
    )  # fmt: skip


def _differing(before: dict[str, Any], after: Any) -> Any:
    """Return the members that a JSON-Patch changed, None for those it took away."""
    if not isinstance(after, dict):
        return after
    return {
        name: after.get(name)
        for name in {**before, **after}
        if encode_exact(before.get(name)) != encode_exact(after.get(name))
    }


def _parts(new: New) -> list[New]:
    inner = [*new.belongs.values(), *(child for _, child in new.has), *(what for _, what in new.linked)]
    return [part for part in inner if isinstance(part, New)]


def _back(owner: Here | None, by: Navigation) -> tuple[str, ...]:
    """Return the relations of the target that lead back to `owner` over `by`."""
    assert owner is not None
    target = BY_NAME[by.target]
    return tuple(
        n.name for n in target.navigations
        if n.target == owner.entity.name and not n.many and n.join.here == by.join.there
    )  # fmt: skip


def _attach(new: New, by: Navigation, owner: Here, body: Any, entity: Entity, given: tuple[str, ...]) -> None:
    """Tie a new entity to the one whose relation the address names; refuse a body that names another."""
    assert owner.key is not None
    join = by.join
    if join.table:
        new.linked.append((Link(join.table, join.far, join.near), owner.key))
        return
    for name in given:
        said = body.get(name) if isinstance(body, dict) else None
        if said is not None and reference(said) != owner.key:
            raise Problem(
                Text(f"Le corps et l'adresse nomment deux {name} différents.", f"Body and address name two different {name}s."),
                Text(f"Retirez {name} du corps de {entity.name}.", f"Take {name} out of the body of {entity.name}."),
                place=f"/{name}",
            )  # fmt: skip
    new.belongs = {**new.belongs, join.there: owner.key}
