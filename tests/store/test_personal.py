"""Personal values: sealed at rest and in history, erased with their key, gone after their time."""

from datetime import datetime

import pytest
from sqlalchemy import text

from beffroi.model.collection import Collection, Personal, Record, field
from beffroi.model.instant import DAY_US
from beffroi.model.principal import SYSTEM
from beffroi.model.problem import NotFound, Problem
from beffroi.model.text import Text
from beffroi.settings import Settings
from beffroi.store.open import Store
from beffroi.store.record import Query
from beffroi.store.retention import erase_person, expire

SHORT = Personal(Text("Rappeler", "Call back"), 30)
LONG = Personal(Text("Contentieux", "Dispute"), 300)


class Call(Record):
    subject: str = field("Objet", "Subject")
    caller: str | None = field("Appelant", "Caller", personal=SHORT)
    phone: str | None = field("Téléphone", "Phone", personal=LONG)
    closed: datetime | None = field("Clos le", "Closed on")


CALL = Collection(
    "call", Text("Appels", "Calls"), Call, read="agent", end_of_life="closed", retention_days=100
)
SECRET = "Yvonne Kervella"


class Clock:
    now = 1_700_000_000_000_000

    def __call__(self) -> int:
        self.now += 1000
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def calls(settings: Settings, clock: Clock) -> Store:
    store = Store.open(settings, clock)
    store.records.declare([CALL])
    yield store
    store.close()


def _everything(store: Store) -> str:
    with store.read() as c:
        rows = [
            list(map(bytes_or_text, row))
            for t in ("c_call", "history")
            for row in c.execute(text(f"SELECT * FROM {t}"))
        ]
    return str(rows)


def bytes_or_text(value: object) -> str:
    return bytes(value).decode("latin-1") if isinstance(value, bytes | memoryview) else str(value)


def test_a_personal_value_is_read_back_but_never_stored_in_clear(calls: Store) -> None:
    row = calls.records.put("call", {"subject": "lampe", "caller": SECRET, "phone": "0601020304"}, who=SYSTEM)
    assert calls.records.get("call", row.id).values["caller"] == SECRET
    calls.records.put("call", {"caller": SECRET + " fils"}, id=row.id, who=SYSTEM)
    for part in (SECRET, "Kervella", "0601020304"):
        assert part not in _everything(calls)
    if calls.dialect == "sqlite":
        raw = b"".join(p.read_bytes() for p in calls.settings.data.glob("records.db*"))
        assert b"Kervella" not in raw
        assert b"0601020304" not in raw
    assert calls.records.count("call", Query(text="Kervella")) == 0
    assert [c.after.get("caller") for c in calls.records.after(0)] == [None, None]
    assert [c.after["caller"] for c in calls.records.history("call", row.id, reveal=True)] == [
        SECRET + " fils",
        SECRET,
    ]


def test_the_same_value_again_is_no_change(calls: Store) -> None:
    row = calls.records.put("call", {"subject": "lampe", "caller": SECRET}, who=SYSTEM)
    assert calls.records.put("call", {"caller": SECRET}, id=row.id, who=SYSTEM).version == 1


def test_undo_brings_a_personal_value_back(calls: Store) -> None:
    row = calls.records.put("call", {"subject": "lampe", "caller": SECRET}, who=SYSTEM)
    calls.records.put("call", {"caller": None}, id=row.id, who=SYSTEM)
    assert calls.records.get("call", row.id).values["caller"] is None
    assert calls.records.undo(calls.records.head(), SYSTEM)[0].values["caller"] == SECRET


def test_dropping_the_key_erases_everywhere(calls: Store) -> None:
    first = calls.records.put("call", {"subject": "lampe", "caller": SECRET}, who=SYSTEM)
    second = calls.records.put("call", {"subject": "banc", "phone": "06"}, person=first.person, who=SYSTEM)
    other = calls.records.put("call", {"subject": "arbre", "caller": "Paul"}, who=SYSTEM)
    assert erase_person(calls.records, "call", first.id, who=SYSTEM, reason="demande") == 2
    for row in (first, second):
        now = calls.records.get("call", row.id)
        assert (now.values["caller"], now.values["phone"], now.person) == (None, None, None)
        assert now.values["subject"] == row.values["subject"]
        assert all(c.after.get("caller") is None for c in calls.records.history("call", row.id, reveal=True))
    assert calls.records.history("call", first.id)[0].action == "erase"
    assert calls.records.get("call", other.id).values["caller"] == "Paul"
    with pytest.raises(NotFound):
        erase_person(calls.records, "call", first.id, who=SYSTEM)
    with pytest.raises(Problem):
        calls.records.undo(calls.records.head(), SYSTEM)
    again = calls.records.put("call", {"caller": "Anne"}, id=first.id, who=SYSTEM)
    assert again.values["caller"] == "Anne"


def test_each_field_goes_after_its_own_time_counted_from_the_end_of_life(calls: Store, clock: Clock) -> None:
    day0 = clock.now
    values = {"subject": "lampe", "caller": SECRET, "phone": "0601020304"}
    running = calls.records.put("call", values, who=SYSTEM)
    closed = calls.records.put("call", {**values, "closed": day0}, who=SYSTEM)
    assert expire(calls.records, day0 + 29 * DAY_US).emptied == 0
    assert expire(calls.records, day0 + 31 * DAY_US).emptied == 1
    now = calls.records.get("call", closed.id).values
    assert (now["caller"], now["phone"]) == (None, "0601020304")
    created = calls.records.history("call", closed.id, reveal=True)[-1]
    assert "caller" not in created.after
    assert created.after["phone"] == "0601020304"
    assert expire(calls.records, day0 + 301 * DAY_US).emptied == 1
    assert calls.records.get("call", closed.id).person is None
    assert calls.records.get("call", running.id).values["caller"] == SECRET


def test_deleted_records_are_purged_with_their_history(calls: Store, clock: Clock) -> None:
    row = calls.records.put("call", {"subject": "lampe sans", "caller": SECRET}, who=SYSTEM)
    calls.records.delete("call", row.id, who=SYSTEM)
    assert expire(calls.records, clock.now + 20 * DAY_US).purged == 0
    assert expire(calls.records, clock.now + 101 * DAY_US).purged == 1
    with pytest.raises(NotFound):
        calls.records.get("call", row.id, deleted=None)
    lines = calls.records.history("call", row.id)
    assert lines[0].action == "erase"
    assert all(not c.before and not c.after for c in lines)
    with calls.read() as c:
        assert c.execute(text("SELECT wrapped FROM person_key")).scalar() is None


def test_a_sealed_value_moved_to_another_record_does_not_open(calls: Store) -> None:
    one = calls.records.put("call", {"subject": "a", "caller": SECRET}, who=SYSTEM)
    two = calls.records.put("call", {"subject": "b"}, person=one.person, who=SYSTEM)
    with calls.write() as c:
        c.execute(
            text(
                f"UPDATE c_call SET caller = (SELECT caller FROM c_call WHERE _id = {one.id}) WHERE _id = {two.id}"
            )
        )
    with pytest.raises(Problem):
        calls.records.get("call", two.id)
