"""The audit: whatever is altered, removed, added or cut is found."""

import random
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from sqlalchemy import text

from beffroi.identity import keys, people, territories
from beffroi.model.principal import SYSTEM
from beffroi.store.audit import Fault
from beffroi.store.open import Store


def verified(store: Store) -> tuple[int, list[Fault]]:
    with store.read() as connection:
        return store.audit.verify(connection)


def filled(store: Store, entries: int = 20) -> None:
    for n in range(entries):
        with store.write() as connection:
            store.audit.note(connection, "user:1", "record.update", f"bin/{n}", {"champs": ["état"], "n": n})


def alter(store: Store, statement: str, **values: object) -> None:
    with store.write() as connection:
        assert connection.execute(text(statement), values).rowcount > 0


def test_an_untouched_journal_is_whole(store: Store) -> None:
    assert verified(store) == (0, [])
    filled(store)
    assert verified(store) == (20, [])
    assert verified(store) == (20, [])


ALTERATIONS = [
    "UPDATE audit SET detail = '{}' WHERE number = 7",
    "UPDATE audit SET who = 'user:2' WHERE number = 1",
    "UPDATE audit SET at_us = at_us + 1 WHERE number = 20",
    "UPDATE audit SET action = 'record.delete' WHERE number = 20",
    "UPDATE audit SET hash = (SELECT hash FROM audit WHERE number = 3) WHERE number = 4",
    "UPDATE audit SET writer = 'other' WHERE number = 12",
    "DELETE FROM audit WHERE number = 9",
    "DELETE FROM audit WHERE number = 20",
    "DELETE FROM audit WHERE number = 1",
    "DELETE FROM audit",
    "DELETE FROM audit_head",
    "UPDATE audit_head SET number = 19",
    "UPDATE audit_head SET signature = hash",
    "INSERT INTO audit SELECT writer, 21, at_us, who, action, target, detail, hash FROM audit WHERE number = 20",
]


@pytest.mark.parametrize("statement", ALTERATIONS)
def test_every_alteration_is_found(store: Store, statement: str) -> None:
    filled(store)
    alter(store, statement)
    _, faults = verified(store)
    assert faults
    assert all(f.place.startswith("audit/") and f.reason.fr and f.reason.en for f in faults)


def test_any_single_altered_value_is_found(store: Store) -> None:
    filled(store)
    chance = random.Random(7)
    for _ in range(12):
        column = chance.choice(["who", "action", "target", "detail"])
        number = chance.randint(1, 20)
        with store.read() as connection:
            before = connection.execute(
                text(f"SELECT {column} FROM audit WHERE number = :n"), {"n": number}
            ).scalar_one()
        place = chance.randrange(len(before))
        after = before[:place] + chr(ord(before[place]) ^ 1) + before[place + 1 :]
        alter(store, f"UPDATE audit SET {column} = :v WHERE number = :n", v=after, n=number)
        count, faults = verified(store)
        assert (count, len(faults)) == (20, 1)
        assert faults[0].place.endswith(f"/{number}")
        alter(store, f"UPDATE audit SET {column} = :v WHERE number = :n", v=before, n=number)
        assert verified(store)[1] == []


def test_a_journal_cut_back_with_its_older_signed_head_is_found(store: Store) -> None:
    """Who kept an old head cannot put it back once a later one was verified."""
    filled(store, 10)
    with store.read() as connection:
        old = connection.execute(text("SELECT number, hash, signature FROM audit_head")).one()
    filled(store, 10)
    assert verified(store) == (20, [])
    with store.write() as connection:
        connection.execute(text("DELETE FROM audit WHERE number > 10"))
        connection.execute(
            text("UPDATE audit_head SET number = :a, hash = :b, signature = :c"),
            dict(zip("abc", old, strict=True)),
        )
    _, faults = verified(store)
    assert [f.reason.en for f in faults] == ["The chain was cut short."]


def test_a_forger_without_the_key_is_found(store: Store, tmp_path: Path) -> None:
    """Someone rewrites the whole chain consistently, signing with a key of their own."""
    filled(store, 5)
    key = store.settings.data / "audit.key"
    assert key.stat().st_mode & 0o777 == 0o600
    honest = key.read_bytes()
    key.unlink()
    (store.settings.data / "audit.pub").unlink()
    with store.write() as connection:
        connection.execute(text("DELETE FROM audit"))
        connection.execute(text("DELETE FROM audit_head"))
    forger = Store.open(store.settings, store.clock)
    filled(forger, 5)
    forger.close()
    key.write_bytes(honest)
    _, faults = verified(store)
    assert [f.reason.en for f in faults] == ["The signature of the head is false."]


def test_what_is_undone_leaves_no_entry(store: Store) -> None:
    filled(store, 2)
    with pytest.raises(RuntimeError), store.write() as connection:
        store.audit.note(connection, SYSTEM, "record.update", "bin/1")
        raise RuntimeError
    filled(store, 1)
    assert verified(store) == (3, [])


def test_writers_together_keep_whole_chains(store: Store) -> None:
    script = (
        "import sys; from pathlib import Path; from beffroi.settings import Settings, StoreSettings\n"
        "from beffroi.store.open import Store\n"
        "store = Store.open(Settings(data=Path(sys.argv[1]), store=StoreSettings(records=sys.argv[2])))\n"
        "for n in range(20):\n"
        "    with store.write() as c: store.audit.note(c, 'system', 'try', str(n))\n"
        "store.close()\n"
    )
    arguments = [str(store.settings.data), store.settings.store.records]
    beside = [subprocess.Popen([sys.executable, "-c", script, *arguments]) for _ in range(2)]
    threads = [threading.Thread(target=filled, args=(store, 10)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [p.wait(60) for p in beside] == [0, 0]
    assert verified(store) == (70, [])


def test_every_change_of_rights_is_noted(store: Store) -> None:
    person = people.add(store, SYSTEM, email="Ada@x.fr", name="Ada Lovelace", role="admin")
    territories.add(store, SYSTEM, "35236", "Redon")
    people.add(store, person.principal, email="b@x.fr", name="B", role="admin")
    people.change(store, person.principal, person.id, role="agent", name="Ada L.")
    key, _ = keys.create(store, SYSTEM, role="device", territories=["35236"])
    keys.revoke(store, SYSTEM, key.id)
    with store.read() as connection:
        entries = store.audit.entries(connection)
        some = store.audit.entries(connection, action="key.", limit=1)
        first = entries[2]
        older = store.audit.entries(connection, before=(first.at_us, first.writer, first.number))
    assert [e.action for e in entries] == [
        "key.revoke", "key.create", "person.change", "person.add", "territory.add", "person.add",
    ]  # fmt: skip
    assert [e.action for e in some] == ["key.revoke"]
    assert older == entries[3:]
    assert entries[2].detail == {"role": ["admin", "agent"], "renamed": True}
    assert entries[3].who == person.principal.id
    assert entries[5].detail["email"] == store.audit.digest("ada@x.fr ")
    assert "Lovelace" not in str(entries)
    assert "ada@x.fr" not in str(entries).lower()
