"""Signing in: passwords, links, sessions, and what a guesser meets."""

import statistics
import threading
import time

import pytest
from sqlalchemy import select, text

from beffroi.identity import attempts, people, sessions, sign_in
from beffroi.identity.gate import Gate
from beffroi.identity.passwords import check_strength, hash_password, matches
from beffroi.identity.people import Person
from beffroi.model.instant import DAY_US, HOUR_US, MINUTE_US, SECOND_US
from beffroi.model.principal import SYSTEM
from beffroi.model.problem import Forbidden, NotFound, Problem, Unauthorised
from beffroi.store.open import Store
from beffroi.store.tables import account

GOOD = "lavande quatre volets"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"


@pytest.fixture
def ada(store: Store, admin: Person) -> Person:
    people.set_password(store, SYSTEM, admin.id, GOOD)
    return people.get(store, admin.id)


def enter(
    store: Store, password: str = GOOD, email: str = "maire@essai.fr", address: str = "192.0.2.7"
) -> str:
    return sign_in.by_password(store, email, password, address=address, agent=FIREFOX)[1]


def test_a_password_is_kept_as_argon2id(store: Store, ada: Person) -> None:
    with store.read() as connection:
        kept = connection.execute(select(account.c.password)).scalar_one()
    assert kept.startswith("$argon2id$v=19$m=32768,t=3,p=1$")
    assert matches(kept, GOOD)
    assert not matches(kept, GOOD + "x")
    assert not matches(None, GOOD)
    assert not matches("not a hash", GOOD)


@pytest.mark.parametrize(
    "password", ["", "short", "x" * 11, "aaaaaaaaaaaaaaaa", "123456789012345", "maire-essai-1", "x" * 201]
)
def test_weak_passwords_are_refused(store: Store, admin: Person, password: str) -> None:
    with pytest.raises(Problem) as caught:
        people.set_password(store, SYSTEM, admin.id, password)
    assert caught.value.place == "password"
    assert not people.get(store, admin.id).has_password


def test_a_long_phrase_may_contain_the_name() -> None:
    check_strength("ada maire lavande quatre volets", "maire@essai.fr", "Ada Maire")


def test_nobody_sets_anothers_password(store: Store, ada: Person) -> None:
    other = people.add(store, SYSTEM, email="b@x.fr", name="B", role="admin")
    with pytest.raises(Forbidden):
        people.set_password(store, other.principal, ada.id, "entirely other words")


def test_signing_in_opens_a_session_that_is_new_each_time(store: Store, ada: Person) -> None:
    first, second = enter(store), enter(store)
    assert first != second
    gate = Gate(store)
    assert gate.who("session", first) == ada.principal
    assert [s.agent for s in sessions.of_person(store, ada.id)] == ["Firefox, Linux"] * 2
    with store.read() as connection:
        kept = " ".join(map(str, connection.execute(text("SELECT * FROM session")).all()))
    assert first not in kept
    sessions.end_secret(store, ada.principal, first)
    assert gate.who("session", first) is None
    assert gate.who("session", second) == ada.principal
    (left,) = sessions.of_person(store, ada.id)
    with pytest.raises(NotFound):
        sessions.end(store, SYSTEM, left.id, person_id=ada.id + 1)
    sessions.end(store, SYSTEM, left.id, person_id=ada.id)
    assert gate.who("session", second) is None
    gate.close()


def test_a_session_ends_idle_and_at_its_age(store: Store, ada: Person, clock: object) -> None:
    gate = Gate(store)
    idle, busy = enter(store), enter(store)
    for _ in range(8):
        clock.on(2 * HOUR_US)
        assert gate.who("session", busy) == ada.principal
    assert gate.who("session", idle) is None
    while store.clock() < sessions.of_person(store, ada.id)[0].expires_us - 3 * HOUR_US:
        clock.on(3 * HOUR_US)
        assert gate.who("session", busy) == ada.principal
    clock.on(3 * HOUR_US)
    assert gate.who("session", busy) is None
    assert sessions.ABSOLUTE_US == 7 * DAY_US
    gate.close()


def test_losing_rights_ends_sessions_at_once(store: Store, ada: Person) -> None:
    person = people.add(store, SYSTEM, email="b@x.fr", name="B", role="agent")
    gate = Gate(store)
    for change in ({"role": "responsable"}, {"disabled": True}):
        _, secret = sign_in.by_link(store, sign_in.make_link(store, SYSTEM, person.id), agent="")
        link = sign_in.make_link(store, SYSTEM, person.id)
        assert gate.who("session", secret) is not None
        people.change(store, SYSTEM, person.id, **change)
        assert gate.who("session", secret) is None
        with pytest.raises(Unauthorised):
            sign_in.by_link(store, link, agent="")
    people.set_password(store, SYSTEM, person.id, GOOD)
    with pytest.raises(Unauthorised):
        enter(store, email="b@x.fr")
    gate.close()


def test_a_link_works_once_and_not_for_long(store: Store, ada: Person, clock: object) -> None:
    link = sign_in.make_link(store, SYSTEM, ada.id)
    assert sign_in.link_person(store, link) == ada
    assert sign_in.by_link(store, link, agent="")[0].id == ada.id
    for again in (link, "nonsense", ""):
        with pytest.raises(Unauthorised):
            sign_in.by_link(store, again, agent="")
    late = sign_in.make_link(store, SYSTEM, ada.id, hours=1)
    clock.on(HOUR_US)
    with pytest.raises(Unauthorised):
        sign_in.by_link(store, late, agent="")
    path = sign_in.admin_link(store)
    assert path is not None
    assert path.startswith("/connexion/lien/")


def test_who_may_make_links(store: Store, ada: Person) -> None:
    low = people.add(store, SYSTEM, email="b@x.fr", name="B", role="responsable")
    with pytest.raises(Forbidden):
        sign_in.make_link(store, low.principal, ada.id)
    with pytest.raises(Problem, match="no such person"):
        sign_in.make_link(store, SYSTEM, 999)


def test_what_is_wrong_is_never_said(store: Store, ada: Person) -> None:
    people.add(store, SYSTEM, email="link@only.fr", name="Link", role="agent")
    off = people.add(store, SYSTEM, email="off@x.fr", name="Off", role="agent")
    people.set_password(store, SYSTEM, off.id, GOOD)
    people.change(store, SYSTEM, off.id, disabled=True)
    said = set()
    for email, password in (("maire@essai.fr", "wrong words here"), ("nobody@x.fr", GOOD), ("link@only.fr", GOOD),
                            ("off@x.fr", GOOD), ("", ""), ("maire@essai.fr\0", GOOD)):  # fmt: skip
        with pytest.raises(Unauthorised) as caught:
            enter(store, password, email, address=email)
        said.add((caught.value.reason, caught.value.mend, caught.value.place))
    assert len(said) == 1


def test_an_unknown_account_takes_as_long(store: Store, ada: Person) -> None:
    kept = hash_password(GOOD)

    def took(hashed: str | None) -> float:
        start = time.process_time()
        matches(hashed, "wrong words here")
        return time.process_time() - start

    known, unknown = (statistics.median(took(h) for _ in range(9)) for h in (kept, None))
    assert 0.4 < known / unknown < 2.5


def test_guessing_is_slowed_down_for_known_and_unknown_alike(
    store: Store, ada: Person, clock: object
) -> None:
    for email in ("maire@essai.fr", "nobody@x.fr"):
        for _ in range(attempts.FREE["account"]):
            with pytest.raises(Unauthorised):
                enter(store, "wrong words here", email, address=email)
        for wait in (15, 30, 60):
            with pytest.raises(Problem, match=f"wait {wait} s") as caught:
                enter(store, GOOD, email, address=email)
            assert caught.value.status == 429
            clock.on((wait - 1) * SECOND_US)
            with pytest.raises(Problem, match="wait 1 s"):
                enter(store, GOOD, email, address=email)
            clock.on(SECOND_US)
            with pytest.raises(Unauthorised):
                enter(store, "wrong words here", email, address=email)
    clock.on(16 * MINUTE_US)
    assert enter(store, GOOD, address="a")
    for _ in range(attempts.FREE["account"]):  # a success forgets the failures
        with pytest.raises(Unauthorised):
            enter(store, "wrong words here", address="a")


def test_one_address_cannot_try_every_account(
    store: Store, ada: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        sign_in, "matches", lambda kept, password: False
    )  # argon2 thirty times tells nothing more
    for n in range(attempts.FREE["address"]):
        with pytest.raises(Unauthorised):
            enter(store, "wrong words here", f"person{n}@x.fr")
    with pytest.raises(Problem, match="Too many attempts"):
        enter(store, GOOD)
    with pytest.raises(Unauthorised):
        enter(store, GOOD, address="198.51.100.4")


def test_an_ipv6_network_counts_as_one_address(
    store: Store, ada: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sign_in, "matches", lambda kept, password: False)
    for n in range(attempts.FREE["address"]):
        with pytest.raises(Unauthorised):
            enter(store, "wrong words here", f"person{n}@x.fr", address=f"2001:db8:1:2::{n:x}")
    with pytest.raises(Problem, match="Too many attempts"):
        enter(store, GOOD, address="2001:db8:1:2:ffff::1")
    with pytest.raises(Unauthorised):
        enter(store, GOOD, address="2001:db8:1:3::1")


def test_processes_counting_at_once_all_count(store: Store, ada: Person) -> None:
    """Two stores stand for two workers; none of twelve guesses may slip by uncounted."""
    beside = Store.open(store.settings, store.clock)
    outcomes: list[str] = []

    def guess(mine: Store) -> None:
        for _ in range(6):
            try:
                attempts.admit(mine, "maire@essai.fr", "192.0.2.7")
                outcomes.append("admitted")
            except Problem:
                outcomes.append("made to wait")

    threads = [threading.Thread(target=guess, args=(s,)) for s in (store, beside)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    beside.close()
    assert len(outcomes) == 12
    assert outcomes.count("admitted") in (5, 6)  # PostgreSQL may admit one that was already asking


def test_waits_double_up_to_a_quarter_of_an_hour() -> None:
    waits = [attempts.wait_us(n, 5) // SECOND_US for n in (0, 4, 5, 6, 7, 8, 11, 12, 1000)]
    assert waits == [0, 0, 15, 30, 60, 120, 900, 900, 900]


def test_guesses_leave_no_address_in_the_database(store: Store, ada: Person) -> None:
    with pytest.raises(Unauthorised):
        enter(store, "wrong words here", "secret.person@x.fr", address="192.0.2.99")
    with store.read() as connection:
        rows = [
            *connection.execute(text("SELECT * FROM attempt")),
            *connection.execute(text("SELECT * FROM audit")),
        ]
    assert "secret.person" not in str(rows)
    assert "192.0.2.99" not in str(rows)
