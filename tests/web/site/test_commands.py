"""Commanding a device from its page: without JavaScript, with a yes before anything is sent, by who may."""

import re
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from sqlalchemy import select
from starlette.testclient import TestClient

from beffroi.connectors.tasking import Ways, send_due
from beffroi.demo import lamps
from beffroi.rules import outbox
from beffroi.rules.actions import Hands, work_off
from beffroi.store.catalogue import New, create
from beffroi.store.tables import task, tasking_capability, thing
from beffroi.town import Town

Browser = Callable[..., TestClient]
Post = Callable[..., tuple[int, int]]


@pytest.fixture
def lamp(town: Town, post: Post) -> int:
    """A lamp that can be dimmed by agents, whose actuator is simulated."""
    number, _ = post("Lampadaire", unit="%", key=lamps.KEY + "L1")
    capability = New(
        "tasking_capability",
        {"name": "Gradation", "description": "d", "tasking_parameters": msgspec.json.encode(lamps.PARAMETERS).decode(),
         "properties": '{"simulated": true}'},
        belongs={"thing_id": number, "actuator_id": New("actuator", {
            "name": "Gradateur", "description": "d", "encoding_type": "x", "metadata": '"m"'})},
    )  # fmt: skip
    with town.store.write() as c:
        create(town.store, c, capability)
    return number


def states(town: Town) -> list[tuple[str, str]]:
    with town.store.read() as c:
        return [(row.tasking_parameters, row.state) for row in c.execute(select(task).order_by(task.c.id))]


def hidden(page: str) -> dict[str, str]:
    form = page[page.index('<form class="form"') :]
    return dict(
        re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', form[: form.index("</form>")])
    )


def test_a_command_is_checked_confirmed_given_once_and_answered(
    town: Town, browser: Browser, lamp: int
) -> None:
    agent = browser("agent")
    address = f"/capteurs/{lamp}/commandes"
    assert f'href="{address}?capacite=1"' in agent.get(f"/capteurs/{lamp}").text
    page = agent.get(address).text
    assert "Aucune commande encore" in page
    assert "De 0 à 100." in page
    asked = agent.post(address, data={**hidden(page), "p-level": "40"})
    assert (asked.status_code, "Niveau 40" in asked.text, states(town)) == (200, True, [])
    given = {**hidden(asked.text)}
    for _ in range(2):  # a double click
        answer = agent.post(address, data=given)
        assert (answer.status_code, answer.headers["location"]) == (303, f"{address}?capacite=1")
    assert states(town) == [('{"level":40}', "created")]
    assert "à envoyer" in agent.get(address).text
    send_due(town.store, Ways(lambda: None))
    assert [lamps.answer(town) for _ in range(3)] == [1, 1, 0]
    assert states(town) == [('{"level":40}', "done")]
    shown = agent.get(f"/capteurs/{lamp}").text
    assert "faite" in shown and "Un agent" in shown
    assert "done" in agent.get(f"{address}?lang=en").text


@pytest.mark.parametrize(
    ("level", "said"), [("101", "n&#39;est pas permis"), ("beaucoup", "est un nombre"), ("", "est un nombre")]
)
def test_a_wrong_value_is_said_beside_its_field(
    town: Town, browser: Browser, lamp: int, level: str, said: str
) -> None:
    agent = browser("agent")
    page = agent.get(f"/capteurs/{lamp}/commandes").text
    answer = agent.post(f"/capteurs/{lamp}/commandes", data={**hidden(page), "p-level": level})
    assert answer.status_code == 400
    assert said in answer.text and 'id="f-p-level-error"' in answer.text
    assert states(town) == []


def test_who_may_not_command_sees_no_form_and_gives_none(town: Town, browser: Browser, lamp: int) -> None:
    address = f"/capteurs/{lamp}/commandes"
    assert address not in browser().get(f"/capteurs/{lamp}").text
    assert browser().get(address).status_code in (303, 401, 404)
    with town.store.write() as c:
        c.execute(tasking_capability.update().values(properties='{"role": "responsable"}'))
    agent, manager = browser("agent"), browser("responsable")
    page = agent.get(address).text
    assert "Votre rôle permet de voir" in page
    token = hidden(manager.get(address).text)
    assert manager.post(address, data={**token, "p-level": "1"}).status_code == 200
    stolen = re.search(r'name="csrf" value="([^"]+)"', page)
    refused = agent.post(
        address, data={"csrf": stolen[1] if stolen else "", "capability": "1", "step": "send", "p-level": "1"}
    )
    assert refused.status_code == 403
    assert states(town) == []


def test_commands_are_cancelled_and_given_again(town: Town, browser: Browser, lamp: int) -> None:
    agent = browser("agent")
    address = f"/capteurs/{lamp}/commandes"
    asked = agent.post(address, data={**hidden(agent.get(address).text), "p-level": "40"})
    agent.post(address, data=hidden(asked.text))
    token = {"csrf": hidden(agent.get(address).text)["csrf"]}
    assert agent.post(f"{address}/suite", data={**token, "row": "1", "action": "cancel"}).status_code == 303
    assert states(town) == [('{"level":40}', "cancelled")]
    assert agent.post(f"{address}/suite", data={**token, "row": "1", "action": "retry"}).status_code == 409
    assert agent.post(f"{address}/suite", data={**token, "row": "9", "action": "retry"}).status_code == 404
    assert agent.post(f"{address}/suite", data={**token, "action": "retry"}).status_code == 400


def test_a_command_is_tried_without_giving_it(town: Town, browser: Browser, lamp: int) -> None:
    client = browser("agent")
    with town.store.write() as c:
        c.execute(tasking_capability.update().values(properties="{}"))
    headers: dict[str, Any] = {"Origin": "http://127.0.0.1:8080", "Accept": "application/json"}
    from beffroi.identity import keys
    from beffroi.model.principal import SYSTEM

    headers["Authorization"] = f"Bearer {keys.create(town.store, SYSTEM, role='agent', name='a')[1]}"
    answer = client.post(
        "/tasking/v1/TaskingCapabilities(1)/check", json={"taskingParameters": {"level": 7}}, headers=headers
    )
    told = answer.json()
    assert (told["way"], told["topic"], told["message"]["parameters"]) == (
        "mqtt",
        f"things/{lamp}/commands",
        {"level": 7},
    )
    assert states(town) == []


def test_an_alarm_commands_a_device_once(town: Town, lamp: int) -> None:
    payload = {
        "moment": "raise", "at": "2026-01-01T00:00:00Z", "alarm": {"id": 3, "message": "crue", "severity": "rouge", "worst": "rouge"},
        "action": {"kind": "command", "moments": ["raise"], "options": {"command": "1", "parameters": {"level": "100"}}},
    }  # fmt: skip
    from threading import Event

    for _ in range(2):
        with town.store.write() as c:
            body = msgspec.json.encode(payload).decode()
            known = c.execute(outbox.job.select().where(outbox.job.c.key == "a/3/raise")).first()
            if known is None:
                c.execute(
                    outbox.job.insert().values(
                        id=town.store.next(c), kind=outbox.KIND, key="a/3/raise", payload=body, due_us=0
                    )
                )
        work_off(town.store, Hands(town.settings), Event())
    assert states(town) == [('{"level":100}', "created")]
    with town.store.read() as c:
        assert c.execute(select(thing.c.name).where(thing.c.id == lamp)).scalar() == "Lampadaire"
