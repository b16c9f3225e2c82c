"""The pages of the lighting: what each shows, to whom, in both languages; an order from the form to its end."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient
from tests.services.lighting.conftest import COMMUNE, lit_town

from beffroi.app import create_app
from beffroi.identity import keys
from beffroi.model.principal import SYSTEM
from beffroi.services.lighting.screens import orders
from beffroi.services.lighting.talq.keeping import add_devices
from beffroi.store.record import Query
from beffroi.town import Town

ADDRESS = "11111111-1111-4111-8111-111111111111"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Town, TestClient]]:
    """Return a town with lamps, a gateway and one remotely controlled lamp, and a client."""
    town = lit_town(tmp_path_factory.mktemp("pages") / "town")
    gateway = town.store.records.put(
        "talq_gateway", {"address": ADDRESS, "name": "Val"}, territory=COMMUNE, who=SYSTEM
    )
    device = {
        "address": ADDRESS.replace("1", "2"),
        "name": "L1",
        "class": "lampe",
        "functions": [{"id": "lamp", "type": "LampActuatorFunction"}],
    }
    add_devices(town, gateway, [device])
    client = TestClient(create_app(town))
    yield town, client
    town.close()


def headers(town: Town, role: str) -> dict[str, str]:
    """Return what a key of a role sends."""
    _, secret = keys.create(town.store, SYSTEM, role=role, service=None, territories=[COMMUNE])
    return {"Authorization": f"Bearer {secret}", "Accept": "text/html"}


def test_everybody_sees_the_stock_in_both_languages(served: tuple[Town, TestClient]) -> None:
    town, client = served
    cabinet = town.store.records.find("cabinet", Query(limit=1)).rows[0].id
    french = {"/services/lighting/apercu": "Parc et armoires", f"/services/lighting/armoires/{cabinet}": "Départ D1",
              "/services/lighting/horaires": "Heures à pleine puissance", "/services/lighting/arrete": "donnée : ULR"}  # fmt: skip
    english = ("Stock and cabinets", "Feeder D1", "Hours at full power", "datum: ULR")
    for (path, words), said in zip(french.items(), english, strict=True):
        assert words in client.get(path, params={"lang": "fr"}).text
        assert said in client.get(path, params={"lang": "en"}).text
    page = client.get(f"/services/lighting/armoires/{cabinet}", params={"lang": "fr"}).text
    assert "Aucune courbe de charge" in page
    assert "coucher 100, 23:00 0, 05:00 100, lever" in page
    assert client.get("/services/lighting/armoires/999").status_code == 404


def test_a_wrong_schedule_is_said_beside_its_field(served: tuple[Town, TestClient]) -> None:
    _, client = served
    answer = client.get(
        "/services/lighting/horaires",
        params={"before": "coucher 100, lever", "after": "midi, lever", "price": "x", "lang": "en"},
    )
    assert answer.status_code == 400
    assert "neither a time nor an event of the sun" in answer.text
    assert 'id="f-price-error"' in answer.text
    asked = {"before": "sunset 100, sunrise", "after": "coucher 50, lever"}
    good = client.get("/services/lighting/horaires", params={**asked, "lang": "en"}).text
    assert "(−50" in good
    assert ('value="sunset 50, sunrise"' in good, "coucher" in re.sub(r'href="[^"]*"', "", good)) == (
        True,
        False,
    )
    french = client.get("/services/lighting/horaires", params={**asked, "lang": "fr"}).text
    assert 'value="coucher 100, lever"' in french


def test_hours_are_checked_on_the_page(served: tuple[Town, TestClient]) -> None:
    _, client = served
    asked = {"usage": "window", "off": "01:30", "on": "07:00", "end": "19:00", "start": "09:00", "lang": "en"}
    text = client.get("/services/lighting/arrete", params=asked).text
    assert re.search(
        r"not as asked.*off at 01:30, at the latest 01:00.*article 2, order of 27 December 2018",
        text,
        re.DOTALL,
    )
    assert (
        client.get("/services/lighting/arrete", params={"usage": "window", "off": "soir"}).status_code == 400
    )


def test_an_order_needs_two_people(served: tuple[Town, TestClient]) -> None:
    town, client = served
    first, second = headers(town, "responsable"), headers(town, "responsable")
    assert client.get("/services/lighting/ordres", follow_redirects=False).status_code in (302, 303, 401)
    number = town.store.records.find("talq_device", Query(limit=1)).rows[0].id
    form: dict[str, Any] = {"title": "Fête", "level": "60", "minutes": "90", "device": str(number)}
    wrong = client.post("/services/lighting/ordres", data=form | {"level": "160"}, headers=first)
    assert (wrong.status_code, 'id="f-level-error"' in wrong.text) == (400, True)
    typed = {"title": "Fête du port", "level": "35", "minutes": "150", "cocher": "toutes"}
    ticked = client.post("/services/lighting/ordres", data=typed, headers=first)  # without script
    assert ticked.status_code == 200
    for said in ('value="Fête du port"', 'value="35"', 'value="150"', f'value="{number}" checked'):
        assert said in ticked.text
    assert "point à corriger" not in ticked.text
    emptied = client.post("/services/lighting/ordres", data=typed | {"cocher": "aucune"}, headers=first).text
    assert ('value="Fête du port"' in emptied, "checked" in emptied) == (True, False)
    assert town.store.records.count("lighting_order") == 0
    made = client.post("/services/lighting/ordres", data=form, headers=first, follow_redirects=False)
    assert made.status_code == 303
    place = made.headers["location"]
    shown = client.get(place, headers=second, params={"lang": "en"}).text
    assert "What would be sent" in shown
    assert "/override-commands" in shown
    assert "Confirm and send" in shown
    assert "Confirm and send" not in client.get(place, headers=first, params={"lang": "en"}).text
    assert (
        client.post(place, data={"deed": "confirm"}, headers=first, follow_redirects=False).status_code == 403
    )
    assert (
        client.post(place, data={"deed": "confirm"}, headers=second, follow_redirects=False).status_code
        == 303
    )
    row = town.store.records.find("lighting_order", Query(limit=1)).rows[0]
    assert (row.values["state"], row.values["level"]) == ("confirmed", 60)
    assert client.post(place, data={"deed": "confirm"}, headers=second).status_code == 409
    assert (
        "Rendre les lampes à leur programme maintenant"
        in client.get(place, headers=first, params={"lang": "fr"}).text
    )
    assert (
        client.post(place, data={"deed": "release"}, headers=first, follow_redirects=False).status_code == 303
    )
    assert town.store.records.get("lighting_order", row.id).values["state"] == "ended"
    again = client.get("/services/lighting/ordres", headers=first, params={"ordre": row.id}).text
    for said in ('value="Fête"', 'value="60"', 'value="90"', f'value="{number}" checked'):
        assert said in again
    with pytest.MonkeyPatch.context() as patch:  # a stock too large for one page: a cabinet at a time
        patch.setattr(orders, "_SHOWN", 0)
        page = client.get("/services/lighting/ordres", headers=first, params={"lang": "fr"}).text
        assert ("1 lampe : choisissez une armoire." in page, 'name="device"' in page, "AR1 (1)" in page) == (
            True,
            False,
            True,
        )


def test_a_lamp_its_reports_and_its_interventions_lead_to_one_another(
    served: tuple[Town, TestClient],
) -> None:
    town, client = served
    lamp = town.store.records.find("lamp", Query(limit=1, sort="code")).rows[0]
    name, now = f"lamp/{lamp.id}", town.clock()
    fault = town.store.records.put(
        "fault", {"title": "Éteinte", "asset": name, "seen": now}, territory=COMMUNE, who=SYSTEM
    )
    report = town.store.records.put("service_request", {"number": "S-1", "description": "Lampe éteinte", "asset": name, "requested": now}, territory=COMMUNE, who=SYSTEM)  # fmt: skip
    town.store.records.put(
        "fault", {"title": "Autre", "asset": "lamp/999999", "seen": now}, territory=COMMUNE, who=SYSTEM
    )
    agent = headers(town, "agent")
    page = client.get(f"/donnees/{name}", headers=agent).text
    assert f'href="/donnees/fault?asset={name}"' in page
    assert f'href="/donnees/service_request?asset={name}"' in page
    listed = client.get(f"/donnees/fault?asset={name}", headers=agent).text
    assert ("Éteinte" in listed, "Autre" in listed) == (True, False)
    for path in (f"/donnees/fault/{fault.id}", f"/donnees/service_request/{report.id}"):
        assert f'href="/donnees/{name}"' in client.get(path, headers=agent).text
    assert "/donnees/fault?asset" not in client.get(f"/donnees/{name}").text  # faults are the staff's
    cabinet = client.get(f"/services/lighting/armoires/{lamp.values['cabinet']}", headers=agent).text
    assert "Éteinte" in cabinet


def test_the_case_of_leds_is_that_of_the_command(served: tuple[Town, TestClient]) -> None:
    """The vector of the field notes on the page, and a number without meaning beside its field."""
    _, client = served
    asked = {"points": "1000", "watts0": "110", "watts1": "45", "loss0": "12", "loss1": "5", "hours": "4100", "dimmed": "25", "cut": "0",
             "euros_kwh": "0,20", "euros_point": "650", "upkeep0": "18", "upkeep1": "8", "rate": "3", "years": "20", "lang": "en"}  # fmt: skip
    text = client.get("/services/lighting/led", params=asked).text.replace("\xa0", " ")
    for said in ("505,120 kWh → 145,294 kWh", "7.9 years", "569,436 €"):
        assert said in text
    wrong = client.get("/services/lighting/led", params=asked | {"cut": "140"})
    assert (wrong.status_code, 'id="f-cut-error"' in wrong.text) == (400, True)
    assert client.get("/services/lighting/led").status_code == 200  # the town's own numbers


def test_a_calendar_is_compared_and_what_cannot_be_read_is_told(served: tuple[Town, TestClient]) -> None:
    town, client = served
    put = town.store.records.put
    program = {"code": "demi", "title": "Demi", "program": "sunset 50, sunrise"}
    number = put("lighting_program", program, territory=COMMUNE, who=SYSTEM).id
    calendar = {"code": "semaine", "title": "Semaine", "default_program": number, "rules": "sam,dim absent"}
    put("lighting_calendar", calendar, territory=COMMUNE, who=SYSTEM)
    asked = {"before": "coucher 100, lever", "after": "semaine", "lang": "en"}
    text = client.get("/services/lighting/horaires", params=asked, headers=headers(town, "agent")).text
    assert "(−50" in text
    assert "Night of 25 hours" in text
    assert "There is no program &#39;absent&#39;." in text
    unknown = client.get("/services/lighting/horaires", params={"after": "inconnu", "lang": "en"})
    assert (unknown.status_code, "No calendar or program has the code" in unknown.text) == (400, True)
    listed = client.get("/donnees/lighting_program", params={"lang": "fr"}).text
    assert "coucher 50, lever" in listed
    form = client.get(
        f"/donnees/lighting_program/{number}/modifier?lang=fr", headers=headers(town, "agent")
    ).text
    assert 'value="coucher 50, lever"' in form


def test_every_verdict_of_a_point_and_of_all(served: tuple[Town, TestClient]) -> None:
    town, client = served
    lamp = town.store.records.find("lamp", Query(limit=1, sort="code")).rows[0]
    text = client.get("/services/lighting/arrete", params={"point": "L1", "lang": "en"}).text
    assert text.count("article 5, order of 27 December 2018") == 6 * 2  # the table's, and the point's
    assert f'href="/donnees/lamp/{lamp.id}"' in text
    assert "No installed point has the code" in client.get("/services/lighting/arrete?point=X&lang=en").text
    door, fault = "/services/lighting/arrete?point=L1#point", f"/donnees/fault/nouveau?asset=lamp/{lamp.id}"
    shown = client.get(f"/donnees/lamp/{lamp.id}").text
    assert (f'href="{door}"' in shown, f'href="{fault}"' in shown) == (True, False)
    agent = headers(town, "agent")
    assert f'href="{fault}"' in client.get(f"/donnees/lamp/{lamp.id}", headers=agent).text
    assert f'value="lamp/{lamp.id}"' in client.get(fault, headers=agent).text
    rows = client.get("/services/lighting/arrete.csv?lang=en").text.removeprefix("\ufeff").splitlines()
    assert rows[0].startswith("point,street,rule,verdict")
    assert rows[1] == (
        "L1,rue Foch,datum: ULR,missing,ULR: missing,5,order of 27 December 2018 (NOR TREP1831126A),2018-12-27,"
    )
    points = client.get("/services/lighting/points.csv").text.removeprefix("\ufeff").splitlines()
    assert (len(points), points[1].split(",")[0]) == (4, "L1")


def test_a_gateway_shows_what_it_said_and_what_was_refused(served: tuple[Town, TestClient]) -> None:
    """A gateway nobody declared, a message refused with its place, what would be sent and why it cannot be."""
    town, client = served
    key = headers(town, "device") | {"talq-api-version": "2.7.1"}
    stranger = ADDRESS.replace("1", "9")

    def say(address: str, body: Any) -> int:
        query = {"clientAddress": address, "talqRequestId": ADDRESS}
        return client.patch("/talq/v2/devices", params=query, json=body, headers=key).status_code

    assert say(stranger, []) == 403
    assert say(ADDRESS, [{"address": "x"}]) == 400
    assert [say(ADDRESS, []), say(ADDRESS, [])] == [200, 200]
    assert stranger in client.get("/services/lighting/ordres", headers=headers(town, "responsable")).text
    number = town.store.records.find("talq_gateway", Query(limit=1)).rows[0].id
    place = f"/services/lighting/passerelles/{number}"
    text = client.get(place, params={"lang": "en"}, headers=headers(town, "agent")).text
    for said in (
        "<code>/0/address</code>",
        "a UUID is expected",
        "2 messages",
        "They cannot be sent as they are.",
        "no program",
    ):
        assert said in text
    assert client.post(place, data={"deed": "send"}, headers=headers(town, "agent")).status_code == 403
    asked = client.post(
        place, data={"deed": "send"}, params={"lang": "en"}, headers=headers(town, "responsable")
    )
    assert (asked.status_code, "The URL of this gateway is missing." in asked.text) == (400, True)
    assert client.get(place, follow_redirects=False).status_code in (302, 303, 401)


def test_what_is_not_known_is_not_said_to_be_zero(served: tuple[Town, TestClient]) -> None:
    town, client = served
    agent = headers(town, "agent")
    lamps = list(town.store.records.all("lamp"))
    was = {lamp.id: {k: lamp.values[k] for k in ("power_w", "source")} for lamp in lamps}
    for lamp in lamps:
        town.store.records.put("lamp", {"power_w": None, "source": None}, id=lamp.id, who=SYSTEM)
    try:
        page = client.get("/services/lighting/apercu", params={"lang": "fr"}).text
        facts = re.findall(r"<dt>([^<]+)</dt><dd>([^<]+)</dd>", page)
        assert dict(facts)["Puissance installée"] == dict(facts)["En LED"] == "–"
        assert "Rien d&#39;anormal" not in page
        page = client.get("/services/lighting/horaires", params={"lang": "fr"}).text
        assert ("rien ne se calcule encore" in page, "Importer les points" in page) == (True, False)
        asked = {"before": "coucher 100, lever", "after": "coucher 50, lever", "watts": "70", "lang": "fr"}
        page = client.get("/services/lighting/horaires", params=asked, headers=agent).text
        assert ("3 points comptés à 70" in page, "(−50" in page) == (True, True)
        assert "/donnees/lighting_program/nouveau?program=coucher%2050%2C%20lever" in page
        assert "sont un exemple" in client.get("/services/lighting/led", params={"lang": "fr"}).text
    finally:
        for number, values in was.items():
            town.store.records.put("lamp", values, id=number, who=SYSTEM)


def test_lamps_that_fail_the_order_lead_to_a_fault(served: tuple[Town, TestClient]) -> None:
    town, client = served
    agent = headers(town, "agent")
    lamp = town.store.records.by_key("lamp", "L2", COMMUNE)
    town.store.records.put("lamp", {"colour_k": 4000, "installed": "2022-03-01"}, id=lamp.id, who=SYSTEM)
    page = client.get(
        "/services/lighting/arrete", params={"lang": "fr", "regle": "toutes"}, headers=agent
    ).text
    assert "1 point non conforme" in page
    shown = page[page.index('id="points"') : page.index('id="point"')]
    assert re.findall(r'href="\?point=(\w+)#point"', shown) == ["L2"]
    href = re.search(r'href="(/donnees/fault/nouveau[^"]+)"', shown)[1].replace("&amp;", "&")
    assert href.startswith(f"/donnees/fault/nouveau?asset=lamp%2F{lamp.id}&title=temp")
    form = client.get(href, headers=agent).text
    assert (f'value="lamp/{lamp.id}"' in form, 'value="rue Foch"' in form) == (True, True)
    assert "Ouvrir une panne" not in client.get("/services/lighting/arrete", params={"regle": "toutes"}).text
    assert client.get("/services/lighting/arrete", params={"regle": "colour"}).status_code == 404
