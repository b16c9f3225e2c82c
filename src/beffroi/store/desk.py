"""Desk: the records as one principal may see and change them.

The rule in one sentence: outside their territories and their service, a principal is a citizen. So an agent of
commune A sees of commune B what is public, field by field, and changes nothing there. So is an agent of one
department, where records are kept to departments (`Collection.kept_to`), for those of the others.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NoReturn

import msgspec

from beffroi.model.collection import Collection, Field
from beffroi.model.principal import ANONYMOUS, Principal
from beffroi.model.problem import Forbidden, NotFound, Problem, Unauthorised
from beffroi.model.text import Text
from beffroi.store.record import Change, Entry, Kept, Outcome, Page, Query, Reject, Row
from beffroi.store.record_import import at_home, take
from beffroi.store.record_writer import missing
from beffroi.store.records import Records
from beffroi.store.retention import erase_person

__all__ = ["Desk"]

_OWN = ("_id", "_version", "_territory", "_created", "_updated")


def _hidden_in(reader: Principal) -> tuple[str, ...] | None:
    """Return the territories whose hidden records `reader` sees: the staff's own; None: all of them."""
    if not reader.staff:
        return ()
    return (*reader.territories, "") if reader.territories else None


class Desk:
    """What `who` may do with the records. Raises `Unauthorised` (nobody signed in) or `Forbidden`."""

    def __init__(self, records: Records, who: Principal) -> None:
        self._records = records
        self._groups: dict[str, tuple[int, ...]] = {}
        self.who = who

    # --- What there is.

    def collections(self) -> list[Collection]:
        """Return the collections that may be read, by their French title."""
        readable = [c for c in self._records.collections.values() if self._reader(c) is not None]
        return sorted(readable, key=lambda c: c.title.fr)

    def collection(self, name: str) -> Collection:
        """Return a collection that may be read."""
        collection = self._records.shelf(name).collection
        if self._reader(collection) is None:
            raise self._refused(collection)
        return collection

    def fields(self, collection: Collection) -> tuple[Field, ...]:
        """Return the fields seen in one's own territory (elsewhere, those of a citizen)."""
        return collection.visible_fields(self._reader(collection) or ANONYMOUS)

    def writable(self, collection: Collection, territory: str | None = None) -> bool:
        """True when records of `territory` may be created and changed."""
        return collection.writable(self.who) and self.who.covers(territory)

    def deletable(self, collection: Collection, territory: str | None = None) -> bool:
        """True when records of `territory` may be deleted."""
        return collection.deletable(self.who) and self.who.covers(territory)

    def staffed(self, territory: str | None) -> bool:
        """True when the principal is staff there: sees history and deleted records."""
        return self.who.staff and self.who.covers(territory)

    def groups(self, name: str) -> tuple[int, ...]:
        """Return the ids of the records of a collection that have an agent among their `members`; () limits nothing."""
        if self.who.role != "agent" or name not in self._records.collections:
            return ()
        if name not in self._groups:
            rows = self._records.all(name, Query(fields=("members",), limit=500))
            self._groups[name] = tuple(r.id for r in rows if self.who.id in (r.values.get("members") or ()))
        return self._groups[name]

    def _kept(self, collection: Collection) -> Kept | None:
        """Return the group whose records these are for the principal, or None: all are."""
        at, target = collection, ""
        for step in collection.kept_to.split(".") if collection.kept_to else ():
            field = at.field(step)
            target = (field.reference or "") if field is not None else ""
            at = self._records.collections.get(target, at)
        ids = self.groups(target) if target else ()
        return Kept(collection.kept_to, ids) if ids else None

    def own(self, name: str, ids: Iterable[int]) -> set[int]:
        """Return which records of `ids` are the principal's own, where records are kept to groups; else all."""
        kept, wanted = self._kept(self._records.shelf(name).collection), set(ids)
        return wanted if kept is None else self._records.leading(name, wanted, kept.path, kept.ids)

    def _must_own(self, collection: Collection, ids: Iterable[int]) -> None:
        wanted = set(ids)
        if self.own(collection.name, wanted) != wanted:
            raise Forbidden(
                Text("Cela revient à un autre service.", "This is another department's."),
                Text("Demandez-le à son responsable.", "Ask its manager."),
            )

    def _reader(self, collection: Collection) -> Principal | None:
        """Return who the principal is for this collection: themselves, a citizen, or nobody."""
        if collection.readable(self.who):
            return self.who
        return ANONYMOUS if collection.readable(ANONYMOUS) else None

    def _refused(self, collection: Collection) -> Problem:
        title = collection.title
        said = Text(f"« {title.fr} » n'est pas public.", f"'{title.en}' is not public.")
        if self.who.role == "citizen":
            return Unauthorised(said, Text("Connectez-vous.", "Sign in."))
        return Forbidden(
            said, Text("Demandez ce droit à votre responsable.", "Ask your manager for this right.")
        )

    # --- Reading.

    def find(self, name: str, query: Query = Query()) -> Page:
        """Return one page of the records that may be read, without the fields that may not."""
        collection = self.collection(name)
        page = self._records.find(name, self._within(collection, query))
        own = self.own(name, (row.id for row in page.rows))
        return msgspec.structs.replace(
            page, rows=[self._masked(collection, row, row.id in own) for row in page.rows]
        )

    def all(self, name: str, query: Query = Query()) -> Iterator[Row]:
        """Yield every record of a query that may be read."""
        collection = self.collection(name)
        if self._kept(collection) is None:
            for row in self._records.all(name, self._within(collection, query)):
                yield self._masked(collection, row)
            return
        following: str | None = query.after
        while True:
            page = self.find(name, msgspec.structs.replace(query, after=following))
            yield from page.rows
            if page.next is None:
                return
            following = page.next

    def get(self, name: str, record_id: int, *, deleted: bool | None = False) -> Row:
        """Return one record (with `deleted` None, also a deleted one in one's territory).

        Raises `NotFound` also when it may not be seen.
        """
        collection = self.collection(name)
        if abs(record_id) < 2**63:
            for gone in (False, True) if deleted is None else (deleted,):
                found = self.find(name, Query(where={"_id": record_id}, deleted=gone, limit=1)).rows
                if found and (found[0].deleted_us is not None) == gone:
                    return found[0]
        raise missing(collection, record_id)

    def count(self, name: str, query: Query = Query(), most: int | None = None) -> int:
        """Return how many records of a query may be read; with `most`, counting ends there."""
        return self._records.count(name, self._within(self.collection(name), query), most=most)

    def extent(self, name: str, query: Query = Query()) -> tuple[float, float, float, float] | None:
        """Return the box around the records of a query that may be read."""
        return self._records.extent(name, self._within(self.collection(name), query))

    def tally(self, name: str, field: str, query: Query = Query()) -> dict[Any, int]:
        """Return how many records that may be read have each value of a field that everyone may see."""
        collection = self.collection(name)
        asked = msgspec.structs.replace(query, sort=field)
        return self._records.tally(name, field, self._within(collection, asked))

    def history(self, name: str, record_id: int) -> list[Change]:
        """Return the changes of a record, for the staff of its territory."""
        row = self.get(name, record_id, deleted=None)
        if not self.staffed(row.territory) or row.id not in self.own(name, (row.id,)):
            raise self._refused(self._records.shelf(name).collection)
        seen = {f.name for f in self.fields(self._records.shelf(name).collection)} | {
            "_geometry",
            "_territory",
        }
        return [
            msgspec.structs.replace(
                change,
                before={k: v for k, v in change.before.items() if k in seen},
                after={k: v for k, v in change.after.items() if k in seen},
            )
            for change in self._records.history(name, record_id, reveal=True)
        ]

    def _within(self, collection: Collection, query: Query) -> Query:
        """Return the query limited to what may be asked: fields, words, territories, deleted records."""
        reader = self._reader(collection) or ANONYMOUS
        seen = {f.name for f in collection.visible_fields(reader)}
        public = {f.name for f in collection.visible_fields(ANONYMOUS)}
        asked = {n for n in (*query.where, query.sort.removeprefix("-")) if n not in _OWN}
        for name in asked - seen:
            raise Problem(
                Text(f"« {name[:60]} » n'est pas un champ que l'on peut chercher ou trier.",
                     f"'{name[:60]}' is not a field that can be searched or sorted."),
                Text(f"Les champs sont : {', '.join(sorted(seen))}.", f"The fields are: {', '.join(sorted(seen))}."),
                place=name[:60],
            )  # fmt: skip
        limited = reader.territories and (
            collection.read != "citizen" or bool(asked - public) or query.deleted is not False
        )
        if query.deleted is not False and not reader.staff:
            query = msgspec.structs.replace(query, deleted=False)
        territories = query.territories
        if limited:
            own = (*reader.territories, "")
            territories = own if territories is None else tuple(t for t in territories if t in own)
        everywhere = not reader.territories or limited
        wanted = tuple(f for f in (query.fields if query.fields is not None else seen) if f in seen)
        kept = self._kept(collection)
        if kept is not None:
            inner = collection.read != "citizen" or bool(asked - public) or bool(query.text.strip())
            kept = msgspec.structs.replace(kept, strict=inner or query.deleted is not False)
        return msgspec.structs.replace(
            query, territories=territories, fields=wanted, text_fields=tuple(seen if everywhere else public),
            hidden_in=_hidden_in(reader), kept=kept,
        )  # fmt: skip

    def _masked(self, collection: Collection, row: Row, own: bool = True) -> Row:
        reader = self._reader(collection) or ANONYMOUS
        if own and reader.covers(row.territory):
            return row
        public = {f.name for f in collection.visible_fields(ANONYMOUS)}
        return msgspec.structs.replace(
            row, values={k: v for k, v in row.values.items() if k in public}, author=""
        )

    # --- Writing.

    def put(
        self, name: str, values: Mapping[str, Any], *, id: int | None = None, version: int | None = None,  # noqa: A002
        geometry: Mapping[str, Any] | None = None, territory: str | None = None, reason: str = "",
        change_set: int | None = None,
    ) -> Row:  # fmt: skip
        """Create or change a record within one's rights; a creation falls in one's own territory by default."""
        collection = self.collection(name)
        if id is None:
            territory = territory or (self.who.territories[0] if self.who.territories else None)
        else:
            self._may(collection, self.get(name, id).territory, self.writable(collection))
            self._must_own(collection, (id,))
        self._may(collection, territory, self.writable(collection))
        hidden = set(values) & (
            {f.name for f in collection.fields} - {f.name for f in self.fields(collection)}
        )
        if hidden:
            raise self._refused(collection).at(min(hidden))
        row = self._records.put(name, values, id=id, version=version, geometry=geometry, territory=territory,
                                who=self.who, reason=reason, change_set=change_set)  # fmt: skip
        return self._seen(collection, row)

    def delete(self, name: str, record_id: int, *, version: int | None = None, reason: str = "") -> Row:
        """Delete a record within one's rights."""
        collection = self.collection(name)
        self._may(collection, self.get(name, record_id).territory, self.deletable(collection))
        self._must_own(collection, (record_id,))
        row = self._records.delete(name, record_id, version=version, who=self.who, reason=reason)
        return self._seen(collection, row)

    def change_many(self, name: str, ids: Sequence[int], values: Mapping[str, Any], reason: str = "") -> int:
        """Change the same fields of several records, all or none; return the change set."""
        collection = self.collection(name)
        for row in self._rows(name, ids):
            self._may(collection, row.territory, self.writable(collection))
        with self._records.writer(self.who, reason) as writer:
            for record_id in ids:
                writer.change(name, record_id, values)
        return writer.change_set or 0

    def delete_many(self, name: str, ids: Sequence[int], reason: str = "") -> int:
        """Delete several records, all or none; return the change set."""
        collection = self.collection(name)
        for row in self._rows(name, ids):
            self._may(collection, row.territory, self.deletable(collection))
        with self._records.writer(self.who, reason) as writer:
            for record_id in ids:
                writer.delete(name, record_id)
        return writer.change_set or 0

    def _rows(self, name: str, ids: Sequence[int]) -> list[Row]:
        rows = self.find(name, Query(where={"_id": list(ids[:1000])}, limit=1000)).rows
        if len(rows) != len(set(ids)):
            raise missing(self.collection(name), next(iter(set(ids) - {row.id for row in rows})))
        self._must_own(self._records.shelf(name).collection, ids)
        return rows

    def restore(self, name: str, record_id: int, reason: str = "") -> Row:
        """Bring a deleted record back, within one's rights."""
        collection = self.collection(name)
        self._may(collection, self.get(name, record_id, deleted=True).territory, self.writable(collection))
        self._must_own(collection, (record_id,))
        with self._records.writer(self.who, reason) as writer:
            return self._seen(collection, writer.restore(name, record_id))

    def erasable(self, collection: Collection, row: Row) -> bool:
        """True when the record holds a person whom the principal may erase."""
        return (
            row.person is not None
            and self.deletable(collection, row.territory)
            and self.staffed(row.territory)
        )

    def erase(self, name: str, record_id: int, reason: str = "") -> int:
        """Erase the person of a record for good, everywhere they are; return how many records that touched."""
        collection = self.collection(name)
        row = self.get(name, record_id, deleted=None)
        self._may(collection, row.territory, self.deletable(collection))
        self._must_own(collection, (record_id,))
        return erase_person(self._records, name, record_id, who=self.who, reason=reason)

    def take(
        self, name: str, entries: Iterable[Entry | Reject], *, territory: str | None = None, reason: str = "",
        progress: Callable[[Outcome], None] | None = None,
    ) -> Outcome:  # fmt: skip
        """Import many records into one territory (one's own by default), within one's rights."""
        collection = self.collection(name)
        own = territory or (self.who.territories[0] if self.who.territories else None)
        self._may(collection, own, self.writable(collection))
        placed = (
            (msgspec.structs.replace(e, territory=own) if isinstance(e, Entry) else e for e in entries)
            if own
            else at_home(self._records, collection, entries, self.who)
        )
        return take(self._records, name, placed, who=self.who, reason=reason, progress=progress)

    def refuse(self, collection: Collection) -> NoReturn:
        """Say that the collection may not be changed by this principal."""
        self._may(collection, None, allowed=False)
        raise AssertionError

    def undo(self, change_set: int, reason: str = "") -> list[Row]:
        """Take back a change set, when every record in it is within one's rights."""
        made = self._records.changes(change_set, limit=1_000_000)
        if not made:
            raise NotFound(Text("Cette modification n'existe pas.", "There is no such change."))
        checked: set[tuple[str, int]] = set()
        for change in made:
            if (change.collection, change.record_id) not in checked:
                checked.add((change.collection, change.record_id))
                collection = self._records.shelf(change.collection).collection
                row = self._records.get(change.collection, change.record_id, deleted=None)
                self._may(collection, row.territory, self.writable(collection))
                self._must_own(collection, (change.record_id,))
        return self._records.undo(change_set, self.who, reason)

    def _seen(self, collection: Collection, row: Row) -> Row:
        seen = {f.name for f in self.fields(collection)}
        return msgspec.structs.replace(row, values={k: v for k, v in row.values.items() if k in seen})

    def _may(self, collection: Collection, territory: str | None, allowed: bool) -> None:
        if allowed and self.who.covers(territory):
            return
        title = collection.title
        if self.who.role == "citizen":
            raise Unauthorised(Text("Il faut être connecté pour modifier.", "Sign in to make changes."),
                               Text("Connectez-vous.", "Sign in."))  # fmt: skip
        where = f" ({territory})" if territory and not self.who.covers(territory) else ""
        raise Forbidden(
            Text(
                f"Vous ne pouvez pas modifier « {title.fr} »{where}.",
                f"You may not change '{title.en}'{where}.",
            ),
            Text("Demandez ce droit à votre responsable.", "Ask your manager for this right."),
        )
