"""Keeper and election: exactly one process keeps, another takes over, a duty that fails starts again."""

import asyncio
import threading

import pytest

from beffroi import keeper as keeper_module
from beffroi.election import Election
from beffroi.keeper import Keeper
from beffroi.model.text import Text
from beffroi.plugins import Registry, Service
from beffroi.store.open import Store
from beffroi.town import Town


def test_one_is_elected_and_another_takes_over(store: Store) -> None:
    other = Store.open(store.settings)
    first, second = Election(store), Election(other)
    assert (first.won(), second.won(), first.won()) == (True, False, True)
    first.resign()
    assert (second.won(), first.won()) == (True, False)
    second.resign()
    other.close()


def test_failing_duty_is_started_again_and_others_go_on(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []

    async def fails_once(_keeper: Keeper) -> None:
        seen.append("fail")
        if seen.count("fail") == 1:
            raise RuntimeError("this is the first time")

    async def steady(_keeper: Keeper) -> None:
        seen.append("steady")

    monkeypatch.setattr(keeper_module, "DUTIES", {"fails_once": fails_once, "steady": steady})
    monkeypatch.setattr(keeper_module, "PAUSE_S", 0.01)

    async def live() -> bool:
        async with Keeper(Town(store.settings, store, Registry([]), store.clock)) as keeper:
            await asyncio.sleep(0.2)
            return keeper.elected

    assert asyncio.run(live())
    assert sorted(seen) == ["fail", "fail", "steady"]


def test_a_second_keeper_waits_until_the_first_is_gone(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeper_module, "DUTIES", {})
    monkeypatch.setattr(keeper_module, "ELECTION_S", 0.02)
    other = Store.open(store.settings)

    async def live() -> tuple[bool, bool]:
        second = Keeper(Town(other.settings, other, Registry([]), other.clock))
        async with Keeper(Town(store.settings, store, Registry([]), store.clock)), second:
            before = second.elected
        async with second:
            await asyncio.sleep(0.1)
            return before, second.elected

    assert asyncio.run(live()) == (False, True)
    other.close()


def test_the_duties_of_services_are_kept_too(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeper_module, "DUTIES", {})
    done: list[Town] = []

    def sweep_leaves(town: Town, stop: threading.Event) -> None:
        done.append(town)
        stop.wait(5)

    town = Town(
        store.settings,
        store,
        Registry([Service("garden", Text("Jardin", "Garden"), duties=(sweep_leaves,))]),
        store.clock,
    )

    async def live() -> None:
        async with Keeper(town):
            await asyncio.sleep(0.2)

    asyncio.run(live())
    assert done == [town]


def test_duties_that_last_leave_the_loop_its_threads(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeper_module, "DUTIES", {})
    met = threading.Barrier(41)  # forty duties at once, and the one who counts

    def duty_of(number: int) -> object:
        def duty(town: Town, stop: threading.Event) -> None:
            met.wait(20)
            stop.wait(20)

        duty.__name__ = f"duty_{number}"
        return duty

    duties = tuple(duty_of(n) for n in range(40))
    town = Town(
        store.settings,
        store,
        Registry([Service("garden", Text("Jardin", "Garden"), duties=duties)]),
        store.clock,
    )

    async def live() -> str:
        async with Keeper(town):
            await asyncio.to_thread(met.wait, 20)  # short work of the loop's own pool, while all of them last
        return "met"

    assert asyncio.run(live()) == "met"


def test_two_services_may_call_their_duties_alike(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeper_module, "DUTIES", {})
    met = threading.Barrier(3)

    def duty_of(_service: str) -> object:
        def follow(town: Town, stop: threading.Event) -> None:
            met.wait(20)

        return follow

    services = [Service(name, Text(name, name), duties=(duty_of(name),)) for name in ("garden", "pool")]
    town = Town(store.settings, store, Registry(services), store.clock)

    async def live() -> str:
        async with Keeper(town):
            await asyncio.to_thread(met.wait, 20)
        return "met"

    assert asyncio.run(live()) == "met"
