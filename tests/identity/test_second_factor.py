"""The second factor: the RFC's own vectors, codes used once, recovery codes, and roles that must have one."""

import re

import pytest
from sqlalchemy import text

from beffroi.identity import people, second_factor, sessions, sign_in, totp
from beffroi.identity.gate import Gate
from beffroi.identity.people import Person
from beffroi.identity.second_factor import OneMoreStep
from beffroi.model.instant import SECOND_US
from beffroi.model.principal import SYSTEM
from beffroi.model.problem import Forbidden, Problem, Unauthorised
from beffroi.store.open import Store

GOOD = "lavande quatre volets"
SECRET = b"12345678901234567890"
STEP_US = 30 * SECOND_US


@pytest.mark.parametrize(
    ("seconds", "sha1", "sha256", "sha512"),
    [
        (59, "94287082", "46119246", "90693936"), (1111111109, "07081804", "68084774", "25091201"),
        (1111111111, "14050471", "67062674", "99943326"), (1234567890, "89005924", "91819424", "93441116"),
        (2000000000, "69279037", "90698825", "38618901"), (20000000000, "65353130", "77737706", "47863826"),
    ],
)  # fmt: skip
def test_the_vectors_of_rfc_6238(seconds: int, sha1: str, sha256: str, sha512: str) -> None:
    step = totp.step_at(seconds * 1_000_000)
    assert totp.code(SECRET, step, digits=8) == sha1
    assert totp.code((SECRET * 2)[:32], step, digits=8, digest="sha256") == sha256
    assert totp.code((SECRET * 4)[:64], step, digits=8, digest="sha512") == sha512


@pytest.mark.parametrize(
    ("count", "said"), list(enumerate(["755224", "287082", "359152", "969429", "338314", "254676"]))
)
def test_the_vectors_of_rfc_4226(count: int, said: str) -> None:
    assert totp.code(SECRET, count) == said


def test_what_a_generator_reads() -> None:
    said = totp.address(SECRET, "Essai: la ville", "a@b.fr")
    assert said == (
        "otpauth://totp/Essai%20%20la%20ville%3Aa%40b.fr?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Essai%20%20la%20ville"
    )


def now_code(store: Store, shift: int = 0) -> str:
    return totp.code(SECRET, totp.step_at(store.clock()) + shift)


@pytest.fixture
def ada(store: Store, admin: Person) -> Person:
    people.set_password(store, SYSTEM, admin.id, GOOD)
    return people.get(store, admin.id)


@pytest.fixture
def codes(store: Store, ada: Person) -> list[str]:
    return second_factor.enrol(store, ada.principal, ada, SECRET, now_code(store), address="192.0.2.7")


def check(store: Store, ada: Person, given: str) -> None:
    second_factor.check(store, ada, given, address="192.0.2.7")


def test_a_password_alone_is_no_longer_enough(
    store: Store, ada: Person, codes: list[str], clock: object
) -> None:
    with pytest.raises(OneMoreStep) as met:
        sign_in.by_password(store, ada.email, GOOD, address="192.0.2.7", agent="x")
    assert (met.value.stage, met.value.status) == ("code", 401)
    with pytest.raises(OneMoreStep):  # nor is a link
        sign_in.by_link(store, sign_in.make_link(store, SYSTEM, ada.id), agent="x")
    assert sessions.of_person(store, ada.id) == []
    clock.on(STEP_US)  # type: ignore[attr-defined]
    _, secret = sign_in.by_code(store, ada, now_code(store), address="192.0.2.7", agent="x")
    assert Gate(store).who("session", secret) == ada.principal


def test_a_code_is_used_once_and_within_a_minute(
    store: Store, ada: Person, codes: list[str], clock: object
) -> None:
    with pytest.raises(Unauthorised):  # the one that set the generator up
        check(store, ada, now_code(store))
    clock.on(STEP_US)  # type: ignore[attr-defined]
    check(store, ada, f"{now_code(store)[:3]} {now_code(store)[3:]}")
    with pytest.raises(Unauthorised):
        check(store, ada, now_code(store))
    check(store, ada, now_code(store, 1))  # a telephone that is ahead
    with pytest.raises(Unauthorised):  # an earlier one than the last used
        check(store, ada, now_code(store))
    clock.on(4 * STEP_US)  # type: ignore[attr-defined]
    for shift in (-2, 2):
        with pytest.raises(Unauthorised):
            check(store, ada, now_code(store, shift))
    check(store, ada, now_code(store, -1))


def test_ten_recovery_codes_work_once_each_and_are_kept_hashed(
    store: Store, ada: Person, codes: list[str]
) -> None:
    assert len(set(codes)) == 10
    assert all(re.fullmatch(r"[A-Z][A-Z2-9]{4}-[A-Z2-9]{5}", code) for code in codes)
    with store.read() as c:
        kept = " ".join(map(str, c.execute(text("SELECT * FROM recovery_code")).all()))
        kept += " ".join(map(str, c.execute(text("SELECT * FROM second_factor")).all()))
    assert not any(code in kept or code.replace("-", "") in kept for code in codes)
    assert SECRET.hex() not in kept
    check(store, ada, codes[3].lower().replace("-", " "))
    assert second_factor.codes_left(store, ada.id) == 9
    with pytest.raises(Unauthorised):
        check(store, ada, codes[3])
    other = people.add(store, SYSTEM, email="b@x.fr", name="B", role="agent")
    with pytest.raises(Unauthorised):  # nobody else's
        check(store, other, codes[4])
    with store.read() as c:
        assert [e.detail for e in store.audit.entries(c, action="factor.recovery")] == [{"left": 9}]


def test_new_codes_void_the_old(store: Store, ada: Person, codes: list[str], clock: object) -> None:
    clock.on(STEP_US)  # type: ignore[attr-defined]
    fresh = second_factor.new_codes(store, ada.principal, ada, now_code(store), address="192.0.2.7")
    assert not set(fresh) & set(codes)
    with pytest.raises(Unauthorised):
        check(store, ada, codes[0])
    check(store, ada, fresh[0])


def test_guessing_waits_and_says_for_how_long(
    store: Store, ada: Person, codes: list[str], clock: object
) -> None:
    clock.on(STEP_US)  # type: ignore[attr-defined]
    for _ in range(5):
        with pytest.raises(Unauthorised):
            check(store, ada, "000000" if now_code(store) != "000000" else "000001")
    with pytest.raises(Problem) as met:
        check(store, ada, now_code(store))
    assert met.value.status == 429
    assert "15 s" in met.value.reason.fr
    clock.on(16 * SECOND_US)  # type: ignore[attr-defined]
    check(store, ada, now_code(store))
    clock.on(STEP_US)  # type: ignore[attr-defined]
    check(store, ada, now_code(store))  # a success wipes the count


def test_a_role_that_must_have_one_sets_it_up_first(store: Store, ada: Person, clock: object) -> None:
    nour = people.add(store, SYSTEM, email="nour@essai.fr", name="Nour", role="agent")
    link = sign_in.make_link(store, SYSTEM, nour.id)
    sign_in.by_link(store, link, agent="x")
    with pytest.raises(Problem) as met:
        second_factor.require_for(store, ada.principal, ["admin"])
    assert met.value.place == "roles"  # one's own first: nobody shuts themselves out
    second_factor.require_for(store, ada.principal, ["agent"])
    assert second_factor.required(store) == ("agent",)
    assert sessions.of_person(store, nour.id) == []
    with pytest.raises(OneMoreStep) as asked:
        sign_in.by_link(store, sign_in.make_link(store, SYSTEM, nour.id), agent="x")
    assert asked.value.stage == "enrol"
    second_factor.enrol(store, nour.principal, nour, SECRET, now_code(store), address="192.0.2.7")
    clock.on(STEP_US)  # type: ignore[attr-defined]
    with pytest.raises(Problem):  # not while the role must have it
        second_factor.remove(store, nour.principal, nour, now_code(store), address="192.0.2.7")
    with pytest.raises(Forbidden):
        second_factor.reset(store, nour.principal, ada)
    second_factor.reset(store, ada.principal, nour)
    assert not second_factor.has(store, nour.id)
    assert second_factor.codes_left(store, nour.id) == 0
    with store.read() as c:
        deeds = [e.action for e in store.audit.entries(c, action="factor.")]
    assert deeds == ["factor.reset", "factor.enrol", "factor.require"]


def test_it_is_taken_away_with_a_code_only(
    store: Store, ada: Person, codes: list[str], clock: object
) -> None:
    with pytest.raises(Unauthorised):
        second_factor.remove(store, ada.principal, ada, "000000", address="192.0.2.7")
    clock.on(STEP_US)  # type: ignore[attr-defined]
    second_factor.remove(store, ada.principal, ada, now_code(store), address="192.0.2.7")
    assert not second_factor.has(store, ada.id)
