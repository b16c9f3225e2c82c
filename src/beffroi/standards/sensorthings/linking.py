"""Tie entities that exist, and untie them, by `$ref` (OData 4.01 §11.4.6, as FROST has it).

`POST Things(1)/Locations/$ref` adds one, `PUT` makes them those of a list (or, over a relation to one, the one),
`DELETE Things(1)/Locations(5)/$ref` or `DELETE Things(1)/Locations/$ref?$id=Locations(5)` takes one away.
"""

import re
from typing import Any

import msgspec
from sqlalchemy import Connection, select

from beffroi.model.problem import NotFound, Problem
from beffroi.model.result import decode_json
from beffroi.model.text import Text
from beffroi.standards.sensorthings.address import Resource
from beffroi.standards.sensorthings.body import Changes, from_multi, link_of, reference
from beffroi.standards.sensorthings.entities import BY_NAME, Navigation
from beffroi.standards.sensorthings.reading import Here
from beffroi.standards.sensorthings.writing import EntityWriter
from beffroi.store import catalogue, tables
from beffroi.store.catalogue import COMPONENTS, Link

__all__ = ["Linker", "named_by"]

_ADDRESS = ("@odata.id", "@id", "@iot.selfLink")
_LOCATIONS = Link("thing_location", "thing_id", "location_id")


def named_by(value: Any, target: str, place: str) -> int:
    """Return the id that a reference names: `{"@iot.id": 5}`, `{"@odata.id": "../Locations(5)"}` or an address.

    Raises `Problem` when it names none, or an entity of another type.
    """
    known = reference(value)
    if known is not None:
        return known
    text = value if isinstance(value, str) else None
    if isinstance(value, dict):
        text = next((value[key] for key in _ADDRESS if isinstance(value.get(key), str)), None)
    found = re.fullmatch(r"(?:.*/)?(\w+)\('?(\d{1,16})'?\)/?", text or "")
    if found is None or found[1] != BY_NAME[target].set_name:
        raise Problem(
            Text(f"Une référence à un {target} est attendue.", f"A reference to a {target} is expected."),
            Text('Écrivez {"@iot.id": 5}.', 'Write {"@iot.id": 5}.'), place=place,
        )  # fmt: skip
    return int(found[2])


class Linker:
    """Ties and unties for the writer's principal; every method blocks until it is on disk."""

    def __init__(self, writer: EntityWriter) -> None:
        self.writer, self.store = writer, writer.store

    def add(self, resource: Resource, body: Any) -> None:
        """Tie one more entity (POST). Raises `Problem`, `NotFound`."""
        owner, hop, _ = self._place(resource)
        wanted = named_by(body, hop.target, "")
        self._tie(owner, hop, [wanted], keep=True)

    def replace(self, resource: Resource, body: Any) -> None:
        """Make what is tied the one, or those, of the body (PUT). Raises `Problem`, `NotFound`."""
        owner, hop, _ = self._place(resource)
        if isinstance(body, dict) and isinstance(body.get("value"), list):
            body = body["value"]
        if hop.many != isinstance(body, list):
            raise Problem(
                Text("Cette relation mène à plusieurs entités." if hop.many else "Cette relation mène à une entité.",
                     "This relation leads to several entities." if hop.many else "This relation leads to one entity."),
                Text('Écrivez [{"@iot.id": 5}, …].' if hop.many else 'Écrivez {"@iot.id": 5}.',
                     'Write [{"@iot.id": 5}, …].' if hop.many else 'Write {"@iot.id": 5}.'),
            )  # fmt: skip
        given = body if isinstance(body, list) else [body]
        wanted = [named_by(one, hop.target, f"/{i}" if hop.many else "") for i, one in enumerate(given)]
        self._tie(owner, hop, wanted, keep=False)

    def take(self, resource: Resource, named: str = "") -> None:
        """Untie one entity (DELETE), which the address names, or `named` (`$id`). Raises `Problem`, `NotFound`."""
        owner, hop, key = self._place(resource)
        if key is None and not named:
            raise Problem(
                Text("L'adresse ne dit pas quelle entité détacher.", "The address does not say which entity to untie."),
                Text("Écrivez Locations(5)/$ref, ou Locations/$ref?$id=Locations(5).",
                     "Write Locations(5)/$ref, or Locations/$ref?$id=Locations(5)."), place="$id",
            )  # fmt: skip
        gone = key if key is not None else named_by(named, hop.target, "$id")
        if not hop.join.table:
            raise Problem(
                Text(f"{hop.name} ne peut pas rester sans rien.", f"{hop.name} cannot be left without."),
                Text("Rattachez-le ailleurs avec PUT, ou supprimez-le.", "Tie it elsewhere with PUT, or delete it."),
            )  # fmt: skip
        link = link_of(hop)
        with self.store.read() as c:
            tied = catalogue.linked_to(c, link, owner.key or 0)
        if gone not in tied:
            raise NotFound(
                Text(
                    f"{hop.target} {gone} n'est pas rattaché ici.", f"{hop.target} {gone} is not tied here."
                ),
                place=f"{hop.name}({gone})",
            )
        if link == COMPONENTS:
            self._drop_component(owner, tied.index(gone), tied)
        elif hop.name == "MultiDatastreams":
            raise from_multi("")
        elif owner.entity.name == "Location" and hop.target == "Thing":
            self._tie_places(gone, owner, away=True)
        else:
            self.writer.change(
                owner,
                lambda c: Changes(
                    {}, {link: [i for i in catalogue.linked_to(c, link, owner.key or 0) if i != gone]}
                ),
            )

    def _place(self, resource: Resource) -> tuple[Here, Navigation, int | None]:
        """Return the owner, the relation and the key at the end of an address that ends with `$ref`."""
        last = resource.hops[-1]
        if last.by is None or resource.suffix != "$ref":
            raise Problem(
                Text("On rattache par une relation.", "Entities are tied over a relation."),
                Text("Écrivez par exemple Things(1)/Locations/$ref.", "Write for example Things(1)/Locations/$ref."),
                status=405,
            )  # fmt: skip
        return self.writer.found(Resource(resource.hops[:-1])), last.by, last.key

    def _tie(self, owner: Here, hop: Navigation, wanted: list[int], *, keep: bool) -> None:
        if hop.name == "MultiDatastreams" and owner.entity.name == "ObservedProperty":
            raise from_multi("")
        if not hop.many:
            multi = {"multi": hop.name == "MultiDatastream"} if hop.join.here == "datastream_id" else {}
            self.writer.change(owner, Changes({hop.join.here: wanted[0], **multi}))
        elif not hop.join.table:
            self._tie_from_there(owner, hop, wanted, keep=keep)
        elif owner.entity.name == "Location" and hop.target == "Thing":
            with self.store.read() as c:
                before = catalogue.linked_to(c, link_of(hop), owner.key or 0)
            for thing in wanted:
                if thing not in before:
                    self._tie_places(thing, owner, away=False)
            for thing in before if not keep else ():
                if thing not in wanted:
                    self._tie_places(thing, owner, away=True)
        else:
            link = link_of(hop)

            def more(c: Connection) -> Changes:
                before = catalogue.linked_to(c, link, owner.key or 0) if keep else []
                tied = keep and wanted[0] in before and not link.rank
                return Changes({}, {} if tied else {link: [*before, *wanted]})

            self.writer.change(owner, more)

    def _tie_from_there(self, owner: Here, hop: Navigation, wanted: list[int], *, keep: bool) -> None:
        """Tie over a relation that the others state: each of them names `owner` now."""
        target = BY_NAME[hop.target]
        if not keep:
            with self.store.read() as c:
                self._check_left(c, hop, owner.key or 0, wanted)
        for one in wanted:
            there = self.writer.found_one(target, one)
            multi = (
                {"multi": owner.entity.name == "MultiDatastream"} if hop.join.there == "datastream_id" else {}
            )
            self.writer.change(there, Changes({hop.join.there: owner.key, **multi}))

    @staticmethod
    def _check_left(c: Connection, hop: Navigation, owner: int, wanted: list[int]) -> None:
        """Raise `Problem` when a list leaves out an entity that cannot be without its owner."""
        if hop.target == "Observation":
            left = True
        else:
            row = tables.metadata.tables[BY_NAME[hop.target].table]
            mine = select(row.c.id).where(row.c[hop.join.there] == owner)
            left = bool(set(c.execute(mine).scalars()) - set(wanted))
        if left:
            raise Problem(
                Text(f"Des {hop.name} resteraient sans rien.", f"Some {hop.name} would be left without."),
                Text("Rattachez-les un par un avec POST.", "Tie them one by one with POST."),
            )  # fmt: skip

    def _tie_places(self, thing: int, location: Here, *, away: bool) -> None:
        """Add a Location to a Thing's, or take it away."""
        there = self.writer.found_one(BY_NAME["Thing"], thing)

        def places(c: Connection) -> Changes:
            kept = [p for p in catalogue.linked_to(c, _LOCATIONS, thing) if p != location.key]
            return Changes({}, {_LOCATIONS: kept if away else [*kept, location.key or 0]})

        self.writer.change(there, places)

    def _drop_component(self, owner: Here, index: int, tied: list[int]) -> None:
        """Take a component of a MultiDatastream away: its observed property with its type and its unit."""
        if len(tied) == 1:
            raise Problem(
                Text("Un MultiDatastream garde au moins un ObservedProperty.",
                     "A MultiDatastream keeps at least one ObservedProperty."),
                Text("Supprimez le MultiDatastream.", "Delete the MultiDatastream."),
            )  # fmt: skip
        row = tables.datastream
        with self.store.read() as c:
            types, units = c.execute(
                select(row.c.multi, row.c.multi_units).where(row.c.id == owner.key)
            ).one()
        values = {"multi": _less(types, index), "multi_units": _less(units, index)}
        self.writer.change(owner, Changes(values, {COMPONENTS: tied[:index] + tied[index + 1 :]}))


def _less(text: str, index: int) -> str:
    items: list[Any] = decode_json(text)
    del items[index]
    return msgspec.json.encode(items).decode()
