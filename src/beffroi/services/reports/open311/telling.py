"""Our records told in GeoReport's words, as one principal may see them.

A request that came from another system says again what that system said (`source_data`), until something happened
to it here. Times are the town's civil time, with its offset.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from beffroi.model.collection import Field
from beffroi.model.instant import to_datetime
from beffroi.model.principal import Principal
from beffroi.standards.open311.bulk import BulkRequest
from beffroi.standards.open311.nouns import (
    Attribute,
    Note,
    RequestUpdate,
    Service,
    ServiceDefinition,
    ServiceRequest,
    Value,
)
from beffroi.standards.open311.reading import request_of
from beffroi.store.desk import Desk
from beffroi.store.record import Query, Row
from beffroi.store.records import Records

__all__ = ["Teller"]

_MANY = 400


class Teller:
    """What one reader is told, in one language. `photo(row)` gives the address of a published photo."""

    def __init__(self, records: Records, who: Principal, language: str, zone: ZoneInfo, base: str) -> None:
        self.desk = Desk(records, who)
        self._records = records
        self.language = language
        self.zone = zone
        self.base = base
        self._named: dict[str, dict[int, Row]] = {}

    def moment(self, instant_us: int | None) -> str | None:
        """Return an instant as W3C text in the town's civil time, None for none."""
        if instant_us is None:
            return None
        return to_datetime(instant_us).astimezone(self.zone).isoformat(timespec="seconds")

    # --- services

    def services(self, territory: str | None) -> list[Service]:
        """Return the categories that citizens may choose; one that only holds others is their group."""
        rows = self._all("report_category")
        mothers = {row.values["parent"] for row in rows.values() if row.values["parent"]}
        return [
            self._service(row, rows)
            for row in sorted(rows.values(), key=lambda r: (r.values["position"], r.values["name"]))
            if row.values["active"]
            and row.id not in mothers
            and territory in (None, "", row.territory or territory)
        ]

    def _service(self, row: Row, rows: Mapping[int, Row]) -> Service:
        mother = rows.get(row.values["parent"] or 0)
        words = (w.strip() for w in (row.values["synonyms"] or "").split(","))
        return Service(
            row.values["code"], self._words(row, "name"), self._words(row, "description"),
            metadata=bool(row.values["questions"]), keywords=tuple(w for w in words if w),
            group=self._words(mother, "name") if mother is not None else "",
        )  # fmt: skip

    def service(self, code: str) -> Row | None:
        """Return the category called `code`, offered or not."""
        return next((r for r in self._all("report_category").values() if r.values["code"] == code), None)

    def definition(self, row: Row) -> ServiceDefinition:
        """Return the questions of a category."""
        asked = row.values["questions"] or []
        return ServiceDefinition(
            row.values["code"], tuple(self._attribute(q, i) for i, q in enumerate(asked, 1))
        )

    def _attribute(self, question: Mapping[str, Any], order: int) -> Attribute:
        values = question.get("values") or []
        return Attribute(
            str(question.get("code", "")), self._said(question), str(question.get("kind") or "string"),
            bool(question.get("required")), variable=question.get("kind") != "info",
            datatype_description=str(question.get(f"hint_{self.language}") or question.get("hint_fr") or ""), order=order,
            values=tuple(Value(str(v.get("key", "")), self._said(v)) for v in values),
        )  # fmt: skip

    def _said(self, words: Mapping[str, Any]) -> str:
        return str(words.get(self.language) or words.get("fr") or words.get("key") or "")

    # --- requests

    def requests(self, rows: Sequence[Row], *, extensions: bool = False) -> list[ServiceRequest]:
        """Return requests in the order of their rows."""
        photos = self._photos([r for r in rows if r.values["photos"]])
        said = self._updates(rows)
        received = self._received([r for r in rows if r.values["source"]])
        return [
            self._request(row, received.get(row.id), photos.get(row.id), said.get(row.id, []), extensions)
            for row in rows
        ]

    def _request(
        self, row: Row, received: ServiceRequest | None, photo: str | None, said: list[Row], extensions: bool
    ) -> ServiceRequest:
        v = row.values
        if received is not None and not said:
            return msgspec.structs.replace(received, service_request_id=v["number"])
        category = self._all("report_category").get(v["category"] or 0)
        department = self._all("report_department").get(v["department"] or 0)
        point = row.geometry["coordinates"] if row.geometry else (None, None)
        moved = max([u.values["at"] for u in said], default=None)
        return ServiceRequest(
            service_request_id=v["number"], status="closed" if v["state"] == "closed" else "open",
            status_notes=self._status_notes(row, said),
            service_name=self._words(category, "name") if category is not None else None,
            service_code=category.values["code"] if category is not None else None, description=v["description"],
            agency_responsible=self._words(department, "name") if department is not None else None,
            requested_datetime=received.requested_datetime if received else self.moment(v["requested"]),
            updated_datetime=self.moment(max(filter(None, (moved, v["requested"], v["first_answered"], v["closed"])))),
            expected_datetime=self.moment(v["scheduled"] or v["due"]), address=v["address"] or v["place"],
            lat=point[1], long=point[0], media_url=photo,
            attributes=received.attributes if received else {},
            extended_attributes=self._extended(row) if extensions else {},
            notes=self._notes(row, said) if extensions else (),
        )  # fmt: skip

    def bulk(self, rows: Sequence[Row]) -> list[BulkRequest]:
        """Return requests as lines of GeoReport Bulk."""
        categories = self._all("report_category")
        found = []
        for row, told in zip(rows, self.requests(rows), strict=True):
            category = categories.get(row.values["category"] or 0)
            mother = categories.get(category.values["parent"] or 0) if category is not None else None
            name = (told.service_name or "", "") if mother is None else (self._words(mother, "name"), told.service_name or "")  # fmt: skip
            found.append(
                BulkRequest(
                    told.service_request_id, told.requested_datetime, told.updated_datetime, self.moment(row.values["closed"]),
                    self._choice(row, "state"), told.status_notes, self._choice(row, "channel"), *name, told.description,
                    told.agency_responsible, told.address, told.lat, told.long,
                )
            )  # fmt: skip
        return found

    def _received(self, rows: Sequence[Row]) -> dict[int, ServiceRequest]:
        """Return what their sources published of requests that this reader may see."""
        found: dict[int, ServiceRequest] = {}
        ids = [r.id for r in rows]
        for i in range(0, len(ids), _MANY):
            query = Query(where={"_id": ids[i : i + _MANY]}, limit=_MANY, fields=("source_data",))
            for row in self._records.find("service_request", query).rows:
                told = row.values["source_data"]
                if isinstance(told, Mapping) and "status" in told:
                    found[row.id] = request_of(told)
        return found

    def _status_notes(self, row: Row, said: list[Row]) -> str:
        words = [self._choice(row, "state")]
        if row.values["reason"]:
            words.append(self._choice(row, "reason"))
        reply = next(
            (
                u.values["text"]
                for u in reversed(said)
                if u.values["actor"] in ("agent", "firm") and u.values["text"]
            ),
            "",
        )
        return " : ".join(words) + (f". {reply}" if reply else "")

    def _extended(self, row: Row) -> dict[str, Any]:
        v = row.values
        told = {"state": v["state"], "closing_reason": v["reason"], "channel": v["channel"], "area": v["area"],
                "me_too": v["me_too"], "reopened": v["reopened"], "first_answered_datetime": self.moment(v["first_answered"]),
                "closed_datetime": self.moment(v["closed"]), "kind": v["kind"]}  # fmt: skip
        if v["duplicate_of"]:
            told |= {"duplicate": True, "parent_service_request_id": self._number(v["duplicate_of"])}
        return {k: x for k, x in told.items() if x not in (None, 0, "")}

    def _number(self, record_id: int) -> str | None:
        found = self.desk.find(
            "service_request", Query(where={"_id": record_id}, limit=1, fields=("number",))
        ).rows
        return found[0].values["number"] if found else None

    def _notes(self, row: Row, said: list[Row]) -> tuple[Note, ...]:
        opened = Note(
            self.moment(row.values["requested"]) or "", self._choice(row, "channel"), None, "opened"
        )
        return (opened, *(
            Note(self.moment(u.values["at"]) or "", self._choice(u, "state") if u.values["kind"] == "state" else self._choice(u, "kind"),
                 u.values["text"], "closed" if u.values["state"] == "closed" and u.values["kind"] == "state" else u.values["kind"])
            for u in said
        ))  # fmt: skip

    # --- updates

    def updates(self, rows: Iterable[Row]) -> list[RequestUpdate]:
        """Return public words on requests, oldest first; one on a request that may not be seen is left out."""
        shown = [r for r in rows if _public(r)]
        numbers: dict[int, dict[str, Any]] = {}
        ids = sorted({r.values["request"] for r in shown})
        for i in range(0, len(ids), _MANY):
            query = Query(where={"_id": ids[i : i + _MANY]}, limit=_MANY, fields=("number", "state"))
            numbers |= {r.id: r.values for r in self.desk.find("service_request", query).rows}
        return [
            RequestUpdate(
                str(r.id), numbers[r.values["request"]]["number"], self._open(r, numbers[r.values["request"]]),
                self.moment(r.values["at"]) or "", r.values["text"] or self._choice(r, "state"),
            )
            for r in shown if r.values["request"] in numbers
        ]  # fmt: skip

    @staticmethod
    def _open(row: Row, report: Mapping[str, Any]) -> str:
        return "closed" if (row.values["state"] or report["state"]) == "closed" else "open"

    # --- what they stand on

    def _all(self, name: str) -> dict[int, Row]:
        if name not in self._named:
            self._named[name] = {row.id: row for row in self.desk.all(name)}
        return self._named[name]

    def _updates(self, rows: Sequence[Row]) -> dict[int, list[Row]]:
        """Return the public updates of requests, in time order."""
        found: dict[int, list[Row]] = {}
        ids = [r.id for r in rows]
        for i in range(0, len(ids), _MANY):
            where = {"request": ids[i : i + _MANY], "kind": ["state", "reply", "comment"]}
            for row in self.desk.all("report_update", Query(where=where)):
                if _public(row):
                    found.setdefault(row.values["request"], []).append(row)
        for some in found.values():
            some.sort(key=lambda r: (r.values["at"], r.id))
        return found

    def _photos(self, rows: Sequence[Row]) -> dict[int, str]:
        """Return the address of the first published photo of each request that has one."""
        found: dict[int, str] = {}
        ids = [r.id for r in rows]
        for i in range(0, len(ids), _MANY):
            where = {"request": ids[i : i + _MANY], "state": "ready"}
            for row in self.desk.all("report_photo", Query(where=where)):
                if _public(row):
                    found.setdefault(
                        row.values["request"], f"{self.base}/signalements/photos/{row.values['file']}.jpg"
                    )
        return found

    def _words(self, row: Row | None, name: str) -> str:
        if row is None:
            return ""
        return str(
            (row.values.get(f"{name}_en") if self.language == "en" else None) or row.values.get(name) or ""
        )

    def _choice(self, row: Row, name: str) -> str:
        field: Field | None = self.desk.collection(row.collection).field(name)
        return field.title_of(row.values[name], self.language) if field is not None else ""


def _public(row: Row) -> bool:
    """Return whether an update or a photo is published: staff are given the others too."""
    return bool(row.values.get("shown", True))
