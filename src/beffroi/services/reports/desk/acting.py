"""What the staff does with reports: each deed is one change set, so that it can be undone as one.

A step of the life (`states.move`) and everything else (whom, how urgent, by when, which category, public or not) is
written with its `report_update` in one transaction, all reports of a bulk deed or none.
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

import msgspec
from sqlalchemy import Connection

from beffroi.model.principal import Principal
from beffroi.model.problem import Forbidden, NotFound, Problem
from beffroi.model.text import Text
from beffroi.services.reports import states
from beffroi.services.reports.arrival.table import settle
from beffroi.store.desk import Desk
from beffroi.store.record import Query, Row
from beffroi.store.record_writer import Writer
from beffroi.town import Town

__all__ = ["MOST", "REQUEST", "UPDATE", "Deed", "Handling"]

REQUEST, UPDATE = "service_request", "report_update"
MOST = 500  # reports of one bulk deed
DEPTH = 30  # links of duplicates or parents that are followed


class Deed(msgspec.Struct, frozen=True):
    """One step asked for, with what it may need (see `states.ACTIONS`)."""

    action: str
    text: str = ""
    reason: str = ""
    until_us: int | None = None
    duplicate_of: int | None = None


class Handling:
    """The reports, as `who` may handle them. Raises `Unauthorised`, `Forbidden`, `NotFound`, `Conflict`, `Problem`."""

    def __init__(self, town: Town, who: Principal, c: Connection | None = None) -> None:
        """With `c`, what is done joins the caller's transaction."""
        self.town = town
        self._c = c
        self.records = town.store.records
        self.who = who
        self.desk = Desk(town.store.records, who)

    def _writer(self, reason: str = "") -> AbstractContextManager[Writer]:
        return self.records.writer(self.who, reason, c=self._c)

    # --- Which reports.

    def held(self, ids: Sequence[int]) -> list[Row]:
        """Return the reports of `ids`, in that order, when each may be changed."""
        if not 0 < len(ids) <= MOST:
            raise Problem(
                Text("Choisissez d'abord des signalements.", "Choose reports first.")
                if not ids
                else Text("Cela fait trop de signalements.", "That is too many reports."),
                Text(f"De 1 à {MOST} à la fois.", f"From 1 to {MOST} at a time."),
                place="row",
            )
        collection = self.desk.collection(REQUEST)
        found = {
            row.id: row for row in self.desk.find(REQUEST, Query(where={"_id": list(ids)}, limit=MOST)).rows
        }
        for number in ids:
            if number not in found:
                raise NotFound(
                    Text("Ce signalement n'existe pas, ou pas pour vous.", "There is no such report, or not for you."),
                    Text("Il a peut-être été supprimé.", "It may have been deleted."), place=f"row {number}",
                )  # fmt: skip
            if not self.desk.writable(collection, found[number].territory):
                raise Forbidden(
                    Text("Ce signalement n'est pas de votre territoire.", "This report is not of your territory."),
                    Text("Demandez-le à ses agents.", "Ask its agents."), place=f"row {number}",
                )  # fmt: skip
        if self.desk.own(REQUEST, ids) != set(ids):
            raise Forbidden(
                Text("Ce signalement revient à un autre service.", "This report is another department's."),
                Text("Demandez-le à son responsable.", "Ask its manager."), place="row",
            )  # fmt: skip
        return [found[number] for number in dict.fromkeys(ids)]

    # --- Steps of the life.

    def act(self, ids: Sequence[int], deed: Deed, version: int | None = None) -> int:
        """Take one step on one or several reports; return its change set. A single one may be held to a `version`."""
        rows = self.held(ids)
        if deed.action == "merge":
            raise Problem(
                Text("Dites avec quel signalement.", "Say with which report."), place="duplicate_of"
            )
        with self._writer(deed.text[:200]) as writer:
            for row in rows:
                self._step(writer, row, deed, version if len(rows) == 1 else None)
        return writer.change_set or 0

    def _step(self, writer: Writer, row: Row, deed: Deed, version: int | None = None) -> None:
        now = self.town.clock()
        made = states.move(
            row.values, deed.action, "agent", now, reason=deed.reason, text=deed.text, until_us=deed.until_us,
            duplicate_of=deed.duplicate_of,
        )  # fmt: skip
        writer.change(REQUEST, row.id, made.values, version=version)
        self.tell(writer, row, made.update, shown=True)

    def tell(self, writer: Writer, row: Row, update: Mapping[str, Any], *, shown: bool) -> Row:
        """Write one update of a report; the public reads it when it is `shown` and the report is public."""
        values = {"request": row.id, "actor": "agent", "at": self.town.clock(), **update}
        values["shown"] = shown and bool(row.values["shown"])
        return writer.create(UPDATE, values, territory=row.territory)

    # --- Merging.

    def root(self, row: Row) -> Row:
        """Return the report at the end of a chain of duplicates."""
        for _ in range(DEPTH):
            above = row.values["duplicate_of"]
            if above is None:
                return row
            row = self.records.get(REQUEST, above)
        return row

    def merge(self, ids: Sequence[int], into: int) -> int:
        """Close reports as duplicates of another one, whose news their reporters then get; return the change set.

        Nothing of them is moved, so `unmerge` (or undoing) gives back exactly what was.
        """
        (target,) = self.held([into])
        kept = self.root(target)
        rows = [row for row in self.held(ids) if row.id not in (kept.id, into)]
        if not rows:
            raise Problem(
                Text("Un signalement n'est pas le doublon de lui-même.", "A report is not a duplicate of itself."),
                Text("Choisissez un autre signalement.", "Choose another report."), place="duplicate_of",
            )  # fmt: skip
        number = kept.values["number"]
        with self._writer(f"→ {number}") as writer:
            for row in rows:
                self._step(writer, row, Deed("merge", duplicate_of=kept.id))
            note = {"kind": "note", "action": "merge", "detail": {"merged": [row.id for row in rows]}}
            self.tell(writer, kept, note, shown=False)
        return writer.change_set or 0

    def unmerge(self, number: int) -> int:
        """Give a report that was merged its own life back; return the change set."""
        (row,) = self.held([number])
        with self._writer() as writer:
            self._step(writer, row, Deed("unmerge"))
        return writer.change_set or 0

    def merged_into(self, number: int) -> list[Row]:
        """Return every report that was merged into one, directly or through another."""
        found: dict[int, Row] = {}
        layer = [number]
        for _ in range(DEPTH):
            query = Query(where={"duplicate_of": layer}, limit=MOST)
            rows = [row for row in self.records.find(REQUEST, query).rows if row.id not in found]
            found.update({row.id: row for row in rows})
            layer = [row.id for row in rows]
            if not layer:
                break
        found.pop(number, None)
        return list(found.values())

    # --- Everything else.

    def set(
        self, ids: Sequence[int], values: Mapping[str, Any], reason: str = "", version: int | None = None
    ) -> int:
        """Change fields of reports that are not steps of their life: whom, how urgent, by when; return the change set.

        A department that is new to a report received is passed on to: the report then waits there.
        """
        rows = self.held(ids)
        with self._writer(reason) as writer:
            for row in rows:
                changed = {k: v for k, v in values.items() if row.values.get(k) != v}
                if changed:
                    writer.change(REQUEST, row.id, changed, version=version if len(rows) == 1 else None)
                if changed.get("department") is not None and row.values["state"] in ("received", "reopened"):
                    self._step(writer, row, Deed("route"))
        return writer.change_set or 0

    def numbered(self, number: str) -> int:
        """Return the id of the report with this number (as people write it). Raises `NotFound`."""
        found = self.desk.find(REQUEST, Query(where={"number": number.strip().upper()}, limit=1)).rows
        if not found:
            raise NotFound(
                Text(f"Il n'y a pas de signalement {number[:40]}.", f"There is no report {number[:40]}."),
                Text("Vérifiez le numéro.", "Check the number."), place="into",
            )  # fmt: skip
        return found[0].id

    def recategorise(self, ids: Sequence[int], category: int, version: int | None = None) -> int:
        """Give reports another category; department, priority and deadline follow, as if they arrived so."""
        rows = self.held(ids)
        if not self.records.count("report_category", Query(where={"_id": category})):
            raise Problem(
                Text("Cette catégorie n'existe pas.", "There is no such category."), place="category"
            )
        with self._writer() as writer:
            for row in rows:
                place = (
                    row.geometry["coordinates"][:2]
                    if row.geometry and row.geometry["type"] == "Point"
                    else None
                )
                asked = {**row.values, "category": category}
                made = settle(self.town, asked, (place[0], place[1]) if place else None, row.territory)
                values = {
                    "category": category,
                    "department": made.department,
                    "priority": made.priority,
                    "due": made.due_us,
                }
                writer.change(REQUEST, row.id, values, version=version if len(rows) == 1 else None)
        return writer.change_set or 0

    def note(self, number: int, text: str) -> int:
        """Write what only the staff reads; return the change set."""
        (row,) = self.held([number])
        if not text.strip():
            raise Problem(Text("La note est vide.", "The note is empty."), Text("Écrivez quelques mots.", "Write a few words."), place="text")  # fmt: skip
        with self._writer() as writer:
            self.tell(writer, row, {"kind": "note", "text": text.strip()[:5000]}, shown=False)
        return writer.change_set or 0

    def moderate(self, ids: Sequence[int], moderation: str) -> int:
        """Publish reports or hide them, with what was said about them; return the change set."""
        rows = self.held(ids)
        with self._writer() as writer:
            for row in rows:
                after = {**row.values, "moderation": moderation}
                shown = states.shown_after(after)
                writer.change(REQUEST, row.id, {"moderation": moderation, "shown": shown})
                self._show_updates(writer, row, shown)
        return writer.change_set or 0

    def _show_updates(self, writer: Writer, row: Row, shown: bool) -> None:
        """Let the updates of a report be public, or not, with it; notes and what is hidden by itself never are."""
        for update in self.records.all(UPDATE, Query(where={"request": row.id})):
            public = update.values["kind"] in ("reply", "state", "comment", "photo")
            wanted = shown and public and update.values["moderation"] == "accepted"
            if update.values["shown"] != wanted:
                writer.change(UPDATE, update.id, {"shown": wanted})

    def split(self, number: int, parts: Sequence[Mapping[str, Any]]) -> int:
        """Cut one report into several works: each part becomes a child with its own description and department.

        Children are the town's own (private, without reporter): the parent stays what citizens follow.
        """
        (row,) = self.held([number])
        if not parts:
            raise Problem(Text("Il n'y a pas de partie.", "There is no part."), Text("Décrivez au moins un travail.", "Describe at least one work."), place="parts")  # fmt: skip
        children = self.records.count(REQUEST, Query(where={"parent": row.id}, deleted=None))
        copied = {
            k: row.values[k] for k in ("category", "place", "address", "area", "asset", "priority", "due")
        }
        with self._writer() as writer:
            for n, part in enumerate(parts, children + 1):
                values = {
                    **copied, **part, "number": f"{row.values['number']}-{n}", "requested": self.town.clock(), "parent": row.id,
                    "channel": "agent", "confidential": True, "moderation": "accepted", "shown": False,
                    "state": "waiting" if part.get("department") else "received",
                }  # fmt: skip
                writer.create(REQUEST, values, row.geometry, row.territory)
            note = {"kind": "note", "action": "split", "detail": {"parts": len(parts)}}
            self.tell(writer, row, note, shown=False)
        return writer.change_set or 0

    def undo(self, change_set: int) -> None:
        """Take back a deed of this principal's own territory."""
        self.desk.undo(change_set)
