"""One file taken in: what it is, its values and records under one number, told in the journal, and taken back by that number."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from beffroi.identity.wording import clean_territories
from beffroi.model.principal import Principal
from beffroi.model.problem import Conflict, NotFound, Problem
from beffroi.model.text import Text
from beffroi.services.energy.bills import take_bill
from beffroi.services.energy.facturx import read_bill
from beffroi.services.energy.flows.reading import read_flow, recognised
from beffroi.services.energy.gas import read_adict
from beffroi.services.energy.importing import ORIGIN, Taken, take_rows
from beffroi.services.energy.points import known_series, point_by_number, points_of
from beffroi.services.energy.studying import study_again
from beffroi.store import record_import
from beffroi.store.record import Query, Row
from beffroi.store.versions import By
from beffroi.town import Town

__all__ = ["Arrival", "Back", "arrivals", "take_back", "take_file"]

_TAKEN, _BACK = "energy.import", "energy.undo"
_SHOWN = 200  # lines of the journal that are looked through
_AT_ONCE = 400
_STUDIED = (
    20  # points of a file that are studied at once; those of a larger one wait for the night, or the button
)
_FILES, _NAMES = "energy.files", 50  # setting: the names of the last files, by number; how many are kept


class Arrival(msgspec.Struct, frozen=True):
    """A file that was taken in, as the journal says it."""

    number: int
    at_us: int
    who: str
    file: str
    flow: str
    stored: int
    points: int
    bills: int
    back: bool  # it was taken back since


class Back(msgspec.Struct):
    """What taking a file back did: values deleted, changes of records undone, records that others changed since and stay."""

    number: int
    values: int
    records: int
    kept: int


def take_file(
    town: Town, path: Path, who: Principal, territory: str | None, flow: str = "", name: str = ""
) -> tuple[str, Taken, list[Row]]:
    """Take a whole file; return what it was read as, what that did, and the bills of a Factur-X. Raises `Problem` with the place."""
    with path.open("rb") as file:
        read = flow.lower() or recognised(file.read(65_536)) or ""
    if not read:
        raise Problem(
            Text("Ce fichier ne dit pas ce qu'il est.", "This file does not say what it is."),
            Text("Choisissez sa nature dans la liste.", "Choose what it is in the list."), "flow",
        )  # fmt: skip
    with town.store.write() as c:
        if territory is not None:
            clean_territories(c, [territory])
        number = town.store.next(c)
    bills: list[Row] = []
    if read == "facturx":
        bills = take_bill(town, read_bill(path), who, territory, number)
        taken, seen = Taken(bills=len(bills), number=number), set[str]()
    else:
        rows = read_adict(path.read_bytes()) if read == "adict" else read_flow(read, path)
        ready = list(rows)
        taken, seen = take_rows(town, ready, who, territory, number), {row.prm for row in ready}
    if len(seen) <= _STUDIED:
        _study(town, seen)
    detail = {
        "flow": read, "stored": taken.stored, "replaced": taken.replaced, "points": len(taken.points),
        "contracts": taken.contracts, "bills": taken.bills,
    }  # fmt: skip
    with town.store.write() as c:
        town.store.audit.note(c, who, _TAKEN, f"energy:{number}", detail)
        names = _names(town)  # beside the journal, which never forgets: a file may be called after someone
        kept = dict(list(names.items())[1 - _NAMES :]) | {str(number): (name or path.name)[:120]}
        town.store.put_setting(c, _FILES, kept)
    return read, taken, bills


def _study(town: Town, numbers: Iterable[str]) -> None:
    for code in sorted(numbers):
        point = point_by_number(town, code)
        if point is not None:
            study_again(town, point, town.clock())


def _names(town: Town) -> dict[str, str]:
    return dict(town.store.setting(_FILES, {}))


def arrivals(town: Town, most: int = 20) -> list[Arrival]:
    """Return the files taken in last, the newest first."""
    with town.store.read() as c:
        lines = town.store.audit.entries(c, limit=_SHOWN, action=_TAKEN)
        gone = {e.target for e in town.store.audit.entries(c, limit=_SHOWN, action=_BACK)}
    names = _names(town)
    return [
        Arrival(int(number), e.at_us, e.who, names.get(number, ""), d["flow"], d["stored"], d["points"], d["bills"], e.target in gone)
        for e in lines[:most]
        for number, d in ((e.target.partition(":")[2], e.detail),)
    ]  # fmt: skip


def take_back(town: Town, number: int, who: Principal) -> Back:
    """Take a file back: the values that it brought go, the records that it made or changed are as before.

    A value that it replaced stays as it made it. Raises `NotFound` for a number that no file has, `Conflict` when it is back already.
    """
    target = f"energy:{number}"
    with town.store.read() as c:
        known = [e for e in town.store.audit.entries(c, action=_TAKEN, target=target) if e.target == target]
        back = [e for e in town.store.audit.entries(c, action=_BACK, target=target) if e.target == target]
    if not known:
        raise NotFound(Text("Aucune reprise n'a ce numéro.", "No file was taken under this number."),
                       Text("Voyez la liste des dernières reprises.", "See the list of the last files taken."), place="number")  # fmt: skip
    if back:
        raise Conflict(Text("Cette reprise est déjà annulée.", "This file is taken back already."),
                       Text("Reprenez le fichier de nouveau s'il le faut.", "Take the file in again if need be."), place="number")  # fmt: skip
    reason = f"annulation de « {_names(town).get(str(number), number)} »"
    store, values = town.store, 0
    touched = {
        c.record_id for c in store.records.changes(number, 1_000_000) if c.collection == "delivery_point"
    }
    series: set[int] = set()
    for ids in _ids(town, number, known[0].at_us):
        series |= {o.datastream_id for i in ids if (o := store.observations.get(i)) is not None}
        values += store.observations.delete(ids, by=By(who.id, reason))
        store.observations.forget_keys_of(ids[0], ids[-1])
    undone = record_import.take_back(store.records, number, who=who, reason=reason)
    needed = _needed(town, number, who, reason)
    done = Back(number, values, undone.changes - len(undone.kept) - needed, len(undone.kept) + needed)
    with store.write() as c:
        store.audit.note(
            c, who, _BACK, target, {"values": values, "records": done.records, "kept": done.kept}
        )
    _study(
        town,
        {
            p.values["code"]
            for p in points_of(town)
            if p.id in touched or not series.isdisjoint(known_series(town, p).values())
        },
    )
    return done


def _needed(town: Town, number: int, who: Principal, reason: str) -> int:
    """Put back the points that the file made and that others need since: their measurements, their bills. Return how many."""
    records, back = town.store.records, 0
    for change in records.changes(number, 1_000_000):
        if change.collection != "delivery_point" or change.action != "create":
            continue
        point = records.get("delivery_point", change.record_id, deleted=None)
        held = any(town.store.observations.series(n, limit=1) for n in known_series(town, point).values())
        if point.deleted_us is not None and (
            held or records.count("energy_bill", Query(where={"point": point.id}))
        ):
            with records.writer(who, reason) as writer:
                writer.restore("delivery_point", point.id)
            back += 1
    return back


def _ids(town: Town, number: int, since_us: int) -> Iterator[range]:
    """Yield the observations that a file brought, some that follow one another at a time."""
    begun = since_us - 86_400_000_000  # a long import began before its line of the journal
    for first, count, _ in list(town.store.provenance.brought_by(ORIGIN, ORIGIN, number, begun)):
        for start in range(first, first + count, _AT_ONCE):
            yield range(start, min(start + _AT_ONCE, first + count))
