"""The device registry: who waits, who is silent, weak batteries; approval shows a thing to everybody."""

from collections.abc import Callable
from typing import Any

from sqlalchemy import select
from starlette.testclient import TestClient

from beffroi.intake.devices import approve, devices, learn_rhythm
from beffroi.intake.identify import Entrance
from beffroi.intake.take import Intake
from beffroi.model.instant import HOUR_US, MINUTE_US, to_datetime
from beffroi.model.principal import SYSTEM
from beffroi.standards.lorawan.uplink import Gateway, Uplink, readings_of
from beffroi.store.tables import datastream, thing
from beffroi.town import Town

Browser = Callable[..., TestClient]
PAGE = "/capteurs/appareils"


def hear(town: Town, eui: str, count: int = 12, *, ago_us: int = 0, battery: float = 90.0) -> None:
    intake = Intake(town.store, town.registry.datastream_kind, town.registry.service_of)
    last = town.clock() - ago_us
    for n in range(count):
        at = last - (count - 1 - n) * 10 * MINUTE_US
        uplink = Uplink(eui, f"Sonde {eui}", at, n, payload=str(n), decoded={"temperature": 20 + n / 10, "battery": battery},
                        gateways=(Gateway("g", -101, 4.5),), application="ecole")  # fmt: skip
        intake.take(readings_of(uplink, town.clock()), door=Entrance(approved=False))


def ids(town: Town) -> dict[str, int]:
    with town.store.read() as connection:
        return {row.key: row.id for row in connection.execute(select(thing.c.key, thing.c.id))}


def test_the_registry_tells_battery_signal_and_silence(town: Town) -> None:
    hear(town, "a1")
    hear(town, "b2", battery=12)
    hear(town, "c3", count=2)
    learn_rhythm(town.store, ids(town).values())
    now = town.clock()
    told = {one.key: one for one in devices(town.store, SYSTEM, now)}
    first = told["lora/a1"]
    assert (first.battery, first.rssi, first.snr, first.series, first.approved) == (90, -101, 4.5, 4, False)
    assert (first.expected_us, first.silent_us, first.source) == (10 * MINUTE_US, None, "ecole")
    assert told["lora/c3"].expected_us is None
    with town.store.read() as connection:
        assert set(connection.execute(select(thing.c.service)).scalars()) == {"environment"}
    later = {one.key: one for one in devices(town.store, SYSTEM, now + 3 * HOUR_US)}
    assert (later["lora/a1"].silent_us or 0) >= 3 * HOUR_US
    assert later["lora/c3"].silent_us is None


def test_an_irregular_series_is_never_called_silent(town: Town) -> None:
    intake = Intake(town.store, town.registry.datastream_kind, town.registry.service_of)
    for n in range(12):
        uplink = Uplink("d4", "Porte", 1000 * MINUTE_US + 7**n % 5000 * MINUTE_US, n, decoded={"open": n})
        intake.take(readings_of(uplink, town.clock()))
    assert learn_rhythm(town.store, ids(town).values()) == 0


def test_an_agent_approves_and_the_public_sees(town: Town, browser: Browser, csrf: Any) -> None:
    hear(town, "a1")
    number = ids(town)["lora/a1"]
    public, agent = browser(), browser("agent")
    things = "/sensorthings/v1.1/Things"
    assert public.get(things).json()["value"] == []
    page = agent.get(PAGE).text
    assert "Sonde a1" in page
    assert "à approuver" in page
    form = {"csrf": csrf(agent, PAGE), "action": "approve", "row": str(number)}
    assert agent.post(PAGE, data=form).status_code == 303
    assert [one["name"] for one in public.get(things).json()["value"]] == ["Sonde a1"]
    with town.store.read() as connection:
        steps = connection.execute(select(datastream.c.expected_interval_us)).scalars().all()
    assert steps == [10 * MINUTE_US] * 4
    assert agent.post(PAGE, data={**form, "action": "hide"}).status_code == 303
    assert public.get(things).json()["value"] == []


def test_the_page_keeps_what_is_asked_and_speaks_english(town: Town, browser: Browser) -> None:
    hear(town, "a1")
    hear(town, "b2", battery=12)
    approve(town.store, SYSTEM, [ids(town)["lora/a1"]])
    agent = browser("agent")
    waiting = agent.get(PAGE + "?etat=attente").text
    assert "Sonde b2" in waiting
    assert "Sonde a1" not in waiting
    assert "Sonde b2" in agent.get(PAGE + "?etat=piles").text
    assert "No device in this state" in agent.get(PAGE + "?etat=muets&lang=en", follow_redirects=True).text
    assert to_datetime(town.clock()).year >= 2024


def test_others_do_not_see_or_change_devices(town: Town, browser: Browser, csrf: Any) -> None:
    hear(town, "a1")
    assert browser().get(PAGE).status_code == 401
    assert browser("elu").get(PAGE).status_code == 403
    agent = browser("agent")
    token = csrf(agent, PAGE)
    for form in (
        {},
        {"action": "approve"},
        {"action": "burn", "row": "1"},
        {"action": "approve", "row": "9" * 30},
    ):
        assert agent.post(PAGE, data={"csrf": token, **form}).status_code == 400
    assert agent.post(PAGE, data={"csrf": token, "action": "approve", "row": "999"}).status_code == 404
    assert agent.post(PAGE, data={"action": "approve", "row": "1"}).status_code == 403
