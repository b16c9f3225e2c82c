"""People, territories and keys: who may have which rights, and who may give them."""

import hashlib
import threading

import pytest
from sqlalchemy import select, text

from beffroi.identity import keys, people, pseudonyms, territories
from beffroi.identity.gate import Gate
from beffroi.identity.people import Person
from beffroi.model.instant import DAY_US, HOUR_US
from beffroi.model.principal import SYSTEM, Principal
from beffroi.model.problem import Conflict, Forbidden, NotFound, Problem
from beffroi.store.open import Store
from beffroi.store.tables import token


def agent(store: Store, **more: object) -> Person:
    return people.add(
        store, SYSTEM, **{"email": "agent@essai.fr", "name": "Léo Agent", "role": "agent", **more}
    )  # type: ignore[arg-type]


def test_an_account_is_found_by_its_address_in_any_case(store: Store, admin: Person) -> None:
    assert admin.email == "maire@essai.fr"
    assert people.find(store, "  MAIRE@essai.FR ") == admin
    assert people.find(store, "nobody@essai.fr") is None
    assert admin.principal == Principal(f"user:{admin.id}", "Ada Maire", "admin")


@pytest.mark.parametrize(
    ("values", "place"),
    [
        ({"email": "not an address"}, "email"),
        ({"email": "a@b\r\nBcc: all@town"}, "email"),
        ({"email": "<script>@x.fr"}, "email"),
        ({"name": ""}, "name"),
        ({"name": "two\nlines"}, "name"),
        ({"name": "x" * 121}, "name"),
        ({"role": "emperor"}, "role"),
        ({"role": "device"}, "role"),
        ({"role": "supplier"}, "service"),
        ({"role": "supplier", "service": "../etc"}, "service"),
        ({"language": "de"}, "language"),
        ({"territories": ["99999"]}, "territories"),
    ],
)
def test_what_is_typed_wrong_is_refused_at_its_field(
    store: Store, values: dict[str, object], place: str
) -> None:
    with pytest.raises(Problem) as caught:
        agent(store, **values)
    assert caught.value.place == place
    assert caught.value.status == 400
    assert people.every(store) == []


def test_two_accounts_cannot_share_an_address(store: Store, admin: Person) -> None:
    with pytest.raises(Conflict):
        agent(store, email="MAIRE@essai.fr")


def test_the_last_administrator_stays(store: Store, admin: Person) -> None:
    for change in ({"disabled": True}, {"role": "agent"}):
        with pytest.raises(Problem, match="no administrator"):
            people.change(store, SYSTEM, admin.id, **change)
    second = agent(store, role="admin")
    assert people.change(store, SYSTEM, admin.id, disabled=True).disabled
    with pytest.raises(Problem, match="no administrator"):
        people.change(store, SYSTEM, second.id, role="agent")


def test_an_administrator_of_one_commune_reaches_no_other(store: Store, admin: Person) -> None:
    for code in ("35236", "35168"):
        territories.add(store, SYSTEM, code, f"Commune {code}")
    delegate = agent(store, role="admin", territories=["35236"]).principal
    inside = people.add(store, delegate, email="a@x.fr", name="A", role="agent", territories=["35236"])
    for codes in (["35168"], ["35236", "35168"], []):
        with pytest.raises(Forbidden):
            people.add(store, delegate, email="b@x.fr", name="B", role="agent", territories=codes)
        with pytest.raises(Forbidden):
            people.change(store, delegate, inside.id, territories=codes)
        with pytest.raises(Forbidden):
            keys.create(store, delegate, role="device", territories=codes)
    with pytest.raises(Forbidden):
        people.change(store, delegate, admin.id, name="Taken")
    with pytest.raises(Forbidden):
        territories.add(store, delegate, "35000", "Elsewhere")
    territories.rename(store, delegate, "35236", "Redon")
    assert [t.name for t in territories.every(store)] == ["Commune 35168", "Redon"]


def test_only_administrators_give_rights(store: Store) -> None:
    for role in ("citizen", "device", "supplier", "elu", "agent", "responsable"):
        who = Principal("user:99", "X", role, service="water")  # type: ignore[arg-type]
        with pytest.raises(Forbidden):
            people.add(store, who, email="a@x.fr", name="A", role="agent")
        with pytest.raises(Forbidden):
            keys.create(store, who, role="device")


def test_territories_are_checked(store: Store) -> None:
    with pytest.raises(Problem, match="territory's code"):
        territories.add(store, SYSTEM, "35 236", "Redon")
    territories.add(store, SYSTEM, "243500741", "Agglomération", kind="group")
    territories.add(store, SYSTEM, "2A004", "Ajaccio", parent="243500741")
    with pytest.raises(Conflict):
        territories.add(store, SYSTEM, "2A004", "Ajaccio")
    with pytest.raises(NotFound):
        territories.add(store, SYSTEM, "2B033", "Bastia", parent="nowhere")
    with pytest.raises(NotFound):
        territories.rename(store, SYSTEM, "2B033", "Bastia")


def test_a_key_is_random_and_only_its_hash_is_kept(store: Store) -> None:
    made = [keys.create(store, SYSTEM, role="device")[1] for _ in range(3)]
    assert len(set(made)) == 3
    assert all(len(secret) == len("beffroi_") + 43 for secret in made)  # 256 bits
    with store.read() as connection:
        kept = connection.execute(select(token.c.hash, token.c.prefix)).all()
        everything = " ".join(map(str, connection.execute(text("SELECT * FROM token")).all()))
    assert {bytes(row.hash) for row in kept} == {hashlib.sha256(s.encode()).digest() for s in made}
    assert not any(secret in everything for secret in made)


def test_a_key_is_known_until_revoked_or_expired(store: Store, clock: object) -> None:
    gate = Gate(store)
    key, secret = keys.create(store, SYSTEM, role="supplier", service="water", days=2)
    assert gate.who("token", secret) == Principal(
        f"token:{key.id}", "supplier water", "supplier", service="water"
    )
    assert gate.who("token", secret + "x") is None
    assert gate.who("session", secret) is None
    assert gate.recall("token", secret) is not None or gate.look_up("token", secret) is not None
    clock.on(2 * DAY_US)
    assert gate.recall("token", secret) is None
    assert gate.who("token", secret) is None
    _, other = keys.create(store, SYSTEM, role="device")
    assert gate.who("token", other) is not None
    keys.revoke(store, SYSTEM, other[:14])
    assert gate.who("token", other) is None
    with pytest.raises(NotFound):
        keys.revoke(store, SYSTEM, 12345)
    gate.close()


def test_a_key_revoked_by_another_process_is_refused_by_the_next_request(store: Store) -> None:
    """The other process is another store on the same data, as a command beside `serve` is."""
    gate = Gate(store)
    key, secret = keys.create(store, SYSTEM, role="device")
    for _ in range(3):
        assert gate.who("token", secret) is not None
    beside = Store.open(store.settings, store.clock)
    keys.revoke(beside, SYSTEM, key.id)
    beside.close()
    if store.dialect == "sqlite":
        assert gate.recall("token", secret) is None  # at once
    else:
        threading.Event().wait(0.06)  # PostgreSQL: within 50 ms
    assert gate.who("token", secret) is None
    gate.close()


def test_last_use_is_kept_by_the_hour(store: Store, clock: object) -> None:
    gate = Gate(store)
    _, secret = keys.create(store, SYSTEM, role="device")
    assert keys.every(store)[0].used_us is None
    gate.who("token", secret)
    first = keys.every(store)[0].used_us
    assert first == store.clock()
    clock.on(HOUR_US // 2)
    gate.who("token", secret)
    assert keys.every(store)[0].used_us == first
    clock.on(HOUR_US)
    gate.who("token", secret)
    assert keys.every(store)[0].used_us == store.clock()
    gate.close()


@pytest.mark.parametrize(
    "options", [{"role": "citizen"}, {"role": "x"}, {"role": "supplier"}, {"role": "device", "days": 0}]
)
def test_a_wrong_key_is_refused(store: Store, options: dict[str, object]) -> None:
    with pytest.raises(Problem):
        keys.create(store, SYSTEM, **options)  # type: ignore[arg-type]


def test_pseudonyms_agree_within_a_purpose_only() -> None:
    one = pseudonyms.pseudonym(b"s" * 32, "reports", "33612345678")
    assert one == pseudonyms.pseudonym(b"s" * 32, "reports", "33612345678")
    others = {
        pseudonyms.pseudonym(b"s" * 32, "water", "33612345678"),
        pseudonyms.pseudonym(b"t" * 32, "reports", "33612345678"),
        pseudonyms.pseudonym(b"s" * 32, "reports", "33612345679"),
    }
    assert len({one, *others}) == 4
    assert len(one) == 16
    assert one.isalnum()
