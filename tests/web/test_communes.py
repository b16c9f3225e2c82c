"""Several communes in one installation: each its own look and page, its own administrator, figures that add up, and a
neighbour's rule made one's own."""

import random
import re
from typing import Any

import pytest
from sqlalchemy import text
from starlette.testclient import TestClient
from tests.web.test_supplier import addresses

from beffroi.app import routes_of
from beffroi.identity import keys, people, territories
from beffroi.model.principal import ANONYMOUS, SYSTEM, Principal
from beffroi.model.problem import Forbidden, Problem
from beffroi.rules import rulebook
from beffroi.rules.reading import read_rule
from beffroi.store.record import Query
from beffroi.town import Town
from beffroi.web.site.communes import sums_of

HERE, NEIGHBOUR = "35236", "35168"
PLACE = {"type": "Point", "coordinates": [-2.08, 47.65]}
NOISY = "name: Bruit\nwatch: {kind: noise, territory: '35168'}\nwhen: {above: {jaune: 65}}\nactions:\n  - email: [x@voisin.fr]\n"


@pytest.fixture
def communes(town: Town) -> Town:
    territories.add(town.store, SYSTEM, HERE, "Redon")
    territories.add(town.store, SYSTEM, NEIGHBOUR, "Maure")
    return town


def test_figures_add_up(communes: Town) -> None:
    """Of random records, sensors and alarms: the communes and what is of none make the whole, whoever reads."""
    town, chance = communes, random.Random(7)
    records = town.store.records
    for number in range(60):
        records.put(
            "lamp",
            {"code": f"L{number}"},
            geometry=PLACE,
            territory=chance.choice([HERE, NEIGHBOUR, None]),
            who=SYSTEM,
        )
    rule = rulebook.add(town.store, NOISY, SYSTEM, enabled=False)
    for number in range(30):
        records.put("alarm", {"message": "x", "rule": rule.id, "subject": f"thing:{number}", "raised_at": 1_790_000_000_000_000,
                              "public": chance.random() < 0.5, "state": chance.choice(["active", "cleared"])},
                    territory=chance.choice([HERE, NEIGHBOUR, None]), who=SYSTEM)  # fmt: skip
    with town.store.write() as c:
        for number in range(40):
            c.execute(text("INSERT INTO thing (id, name, description, territory, public, approved) VALUES (:i, 'x', 'x', :t, :p, 1)"),
                      {"i": number + 100, "t": chance.choice([HERE, NEIGHBOUR, None]), "p": int(chance.random() < 0.7)})  # fmt: skip
    readers = (ANONYMOUS, Principal("user:9", "", "agent"), Principal("user:9", "", "elu"), SYSTEM)
    for who in readers:
        sums = sums_of(town, who, territories.every(town.store))
        assert {"sensors", "alarms", "record:lamp"} <= set(sums)
        for name, by_place in sums.items():
            whole = by_place.pop(None)
            assert sum(by_place.values()) == whole, (who.role, name)
        assert sum(sums["record:lamp"].values()) == 60
    assert sums_of(town, ANONYMOUS, [])["alarms"][None] < sums_of(town, SYSTEM, [])["alarms"][None]


def test_indicators_that_count_add_up(communes: Town) -> None:
    town, chance, end = communes, random.Random(8), communes.clock()
    for number in range(40):
        values = {
            "title": f"Panne {number}", "seen": end, "severity": chance.choice(["jaune", "rouge"]),
            "state": chance.choice(["open", "planned", "done"]),
        }  # fmt: skip
        town.store.records.put("fault", values, territory=chance.choice([HERE, NEIGHBOUR]), who=SYSTEM)
    for name in ("open_faults", "dangerous_faults"):
        indicator = town.registry.indicator(name)
        assert indicator is not None
        parts = [indicator.compute(town, code, 0, end) or 0.0 for code in (HERE, NEIGHBOUR)]
        assert min(parts) > 0
        assert sum(parts) == indicator.compute(town, None, 0, end)


def test_a_commune_has_its_own_name_colour_logo_and_page(browser, csrf, communes: Town) -> None:
    client = browser("admin", territories=[HERE])
    place = f"/administration/territoires/{HERE}"
    drawing = b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1 1"><path d="M0 0h1v1z"/></svg>'
    sent = client.post(
        place, data={"csrf": csrf(client, place), "name": "Redon", "accent": "#7a1f3d", "words": "Bienvenue à Redon.", "words_en": "Welcome to Redon."},
        files={"logo": ("logo.svg", drawing)},
    )  # fmt: skip
    assert (sent.status_code, sent.headers["location"]) == (303, f"{place}?fait")
    page = browser().get(f"/communes/{HERE}").text
    assert "Bienvenue à Redon." in page
    assert "<title>Redon" in page
    assert "Welcome to Redon." in browser().get(f"/communes/{HERE}?lang=en").text
    style, logo = (
        re.search(rf'"(/communes/{HERE}/{kind}-[^"]+)"', page).group(1) for kind in ("ville", "logo")
    )  # type: ignore[union-attr]
    assert "#7a1f3d" in browser().get(style).text
    assert browser().get(logo).headers["content-type"] == "image/svg+xml"
    assert "Essai-les-Bains" in browser().get("/").text  # the whole town's page is as it was
    assert "#7a1f3d" not in browser().get(f"/communes/{NEIGHBOUR}").text
    assert (
        f"/communes/{HERE}/ville-" in client.get("/compte").text
    )  # who works there sees its look everywhere
    for code, status in ((NEIGHBOUR, 403), ("99999", 404)):
        assert client.get(f"/administration/territoires/{code}").status_code == status
    assert (
        client.post(
            f"/administration/territoires/{NEIGHBOUR}",
            data={"csrf": csrf(client, place), "name": "x", "accent": "#000000"},
        ).status_code
        == 403
    )
    table = browser().get("/communes").text
    assert table.index("Maure") < table.index("Redon") < table.index("Ensemble")


def test_a_communes_own_map_and_sensors_are_its_own(browser, communes: Town) -> None:
    town = communes
    for code, name in ((HERE, "L-Redon"), (NEIGHBOUR, "L-Maure")):
        town.store.records.put("lamp", {"code": name}, geometry=PLACE, territory=code, who=SYSTEM)
    with town.store.write() as c:
        for number, code in enumerate((HERE, NEIGHBOUR), 900):
            c.execute(text("INSERT INTO thing (id, name, description, territory, public, approved) VALUES (:i, :n, 'x', :t, 1, 1)"),
                      {"i": number, "n": f"Sonde {code}", "t": code})  # fmt: skip
    reader, place = browser(), f"/communes/{HERE}"
    assert "beffroi-map" in reader.get(place).text
    page = reader.get(f"{place}/carte").text
    assert "L-Redon" in page
    assert "L-Maure" not in page
    assert "<title>Carte · Redon</title>" in page
    assert f'href="{place}" ' in page or f'href="{place}">' in page  # its own situation in the navigation
    assert 'aria-current="page"' in page
    (address,) = re.findall(r'data-url="([^"]+)"', page)
    assert address.startswith(f"{place}/carte.geojson?")
    for one in (address.replace("&amp;", "&"), f"{place}/carte.geojson?couche=lamp"):
        found = reader.get(one).json()["features"]
        assert [f["properties"]["name"] for f in found] == ["L-Redon"]
    listed = reader.get(f"{place}/capteurs").text
    assert "Sonde 35236" in listed
    assert "Sonde 35168" not in listed
    assert "Sonde 35168" not in reader.get(f"{place}/capteurs.csv").text
    assert reader.get("/communes/99999/carte").status_code == 404
    neighbour = browser("admin", territories=[NEIGHBOUR])  # reads there what everybody does
    assert "L-Redon" in neighbour.get(f"{place}/carte").text
    assert "L-Maure" in browser().get("/carte?couche=lamp").text


def test_a_neighbours_rule_is_copied_in_two_clicks(browser, csrf, communes: Town) -> None:
    town = communes
    theirs = rulebook.add(town.store, NOISY, SYSTEM, enabled=True)
    client = browser("responsable", territories=[HERE])
    page = client.get(f"/regles/{theirs.id}")  # the first click, from the list
    assert "Copier pour Redon" in page.text
    assert "Supprimer la règle" not in page.text
    token = csrf(client, f"/regles/{theirs.id}")
    done = client.post(f"/regles/{theirs.id}/copie", data={"csrf": token, "territory": HERE})  # the second
    mine = town.store.records.find("rule", Query(sort="-_id", limit=1)).rows[0]
    assert (done.status_code, done.headers["location"]) == (303, f"/regles/{mine.id}")
    rule = read_rule(mine.values["yaml"])
    assert (rule.name, rule.watch.kind, rule.watch.territory, rule.actions) == (
        "Bruit – Redon",
        "noise",
        HERE,
        (),
    )
    assert not mine.values["enabled"]
    assert "Supprimer la règle" in client.get(f"/regles/{mine.id}").text
    with town.store.read() as c:
        (entry,) = town.store.audit.entries(c, action="rule.copy")
    assert entry.detail == {"from": theirs.id, "territory": HERE}
    assert (
        client.post(f"/regles/{theirs.id}/copie", data={"csrf": token, "territory": NEIGHBOUR}).status_code
        == 400
    )


BENCHES = "Numéro;Rue;Posé le\nB1;Place A;01/02/2024\nB2;Quai B;15/03/2024\n"


def bring(client: TestClient, csrf: Any, body: str, **sent: str) -> str:
    """Bring a file of benches, do one more thing with it when told what, and return its address."""
    token = csrf(client, "/donnees/apporter")
    answer = client.post("/donnees/apporter", data={"csrf": token}, files={"file": ("bancs.csv", body)})
    address = str(answer.headers["location"])
    if sent:
        assert client.post(address, data={"csrf": token, **sent}).status_code == 303
    return address


def benches(town: Town) -> list[tuple[str, str | None]]:
    rows = town.store.records.find("bancs", Query(sort="numero")).rows
    return [(str(r.values["numero"]), r.territory) for r in rows]


def test_a_neighbours_matching_is_copied_in_two_clicks(browser, csrf, communes: Town) -> None:
    town = communes
    theirs, mine = browser("agent", territories=[NEIGHBOUR]), browser("responsable", territories=[HERE])
    bring(theirs, csrf, BENCHES, action="import")
    page = mine.get(bring(mine, csrf, BENCHES)).text
    assert "Maure apporte des fichiers aux mêmes colonnes" in page
    assert "Reconnu" not in page  # offered, not taken: its rows are Maure's
    kept = mine.get("/donnees/apporter/correspondances").text  # the first click, from the page of bringing
    assert "Copier pour Redon" in kept
    assert "Oublier" not in kept
    (number,) = re.findall(r"correspondances/(\d+)", kept)
    place, token = (
        f"/donnees/apporter/correspondances/{number}",
        csrf(mine, "/donnees/apporter/correspondances"),
    )
    for wrong, status in (
        ({"action": "forget"}, 403),
        ({"action": "rename", "name": "x"}, 403),
        ({"action": "copy", "territory": NEIGHBOUR}, 403),
        ({"action": "copy", "territory": HERE}, 303),  # the second
        ({"action": "copy", "territory": HERE}, 409),
    ):
        assert mine.post(place, data={"csrf": token, **wrong}).status_code == status, wrong
    address = bring(mine, csrf, BENCHES.replace("Place A", "Place du Parlement"))
    page = mine.get(address).text
    assert "Reconnu" in page
    facts = dict(re.findall(r"<dt>([^<]+)</dt><dd>([^<]*)</dd>", page))
    assert [facts[n] for n in ("Nouveaux", "Changés", "Disparus du fichier")] == ["2", "0", "0"]
    mine.post(address, data={"csrf": token, "action": "import"})
    assert benches(town) == [("B1", NEIGHBOUR), ("B1", HERE), ("B2", NEIGHBOUR), ("B2", HERE)]
    with town.store.read() as c:
        (entry,) = town.store.audit.entries(c, action="mapping.copy")
    assert entry.detail == {"from": int(number), "territory": HERE}
    # each commune's next file: its own of before, and no more, can be gone from it
    fields = {"target": "collection", "collection": "bancs", "c0": "numero", "c1": "rue", "c2": "pose_le"}
    bring(mine, csrf, BENCHES.replace("B1", "B7"), action="import", gone="delete", **fields)
    assert benches(town) == [("B1", NEIGHBOUR), ("B2", NEIGHBOUR), ("B2", HERE), ("B7", HERE)]


def test_a_neighbours_matching_is_taken_from_the_page_of_the_file(browser, csrf, communes: Town) -> None:
    theirs, mine = browser("agent", territories=[NEIGHBOUR]), browser("agent", territories=[HERE])
    bring(theirs, csrf, BENCHES, action="import")
    address = bring(mine, csrf, BENCHES)  # the first click
    number = re.search(r'name="mapping" value="(\d+)"', mine.get(address).text)
    assert number is not None
    mine.post(address, data={"csrf": csrf(mine, address), "action": "adopt", "mapping": number[1]})
    page = mine.get(address).text
    assert "Reconnu" in page
    assert "Dans la collection « bancs »" in page
    mine.post(address, data={"csrf": csrf(mine, address), "action": "import"})
    assert benches(communes) == [("B1", NEIGHBOUR), ("B1", HERE), ("B2", NEIGHBOUR), ("B2", HERE)]


def test_stations_of_one_name_are_each_communes_own(browser, csrf, communes: Town) -> None:
    body = "Date;Compteur;Consommation (kWh)\n01/11/2026;École;{0}\n02/11/2026;École;{0}\n"
    for code, value in ((NEIGHBOUR, "7"), (HERE, "9")):
        bring(browser("agent", territories=[code]), csrf, body.format(value), action="import")
    query = text("SELECT t.territory, d.id FROM thing t JOIN datastream d ON d.thing_id = t.id ORDER BY d.id")
    with communes.store.read() as c:
        series = c.execute(query).all()
    held = {
        code: [o.result.value for o in communes.store.observations.series(number)] for code, number in series
    }
    assert held == {NEIGHBOUR: [7, 7], HERE: [9, 9]}
    agent = browser("agent", territories=[HERE])
    address = bring(agent, csrf, body.format("8"), action="import", target="measures", territory=NEIGHBOUR)
    assert "Cette commune n&#39;est pas des vôtres." in agent.get(address).text


def test_who_writes_for_one_commune_writes_no_rule_of_another(communes: Town) -> None:
    town = communes
    who = Principal("user:9", "", "responsable", (HERE,))
    theirs = rulebook.add(town.store, NOISY, SYSTEM, enabled=True)
    mine = rulebook.add(town.store, NOISY.replace(NEIGHBOUR, HERE), who, enabled=False)
    for wrong in (
        NOISY,
        NOISY.replace(", territory: '35168'", ""),
        "name: x\nwatch: {collection: lamp}\nwhen: {matches: {code: x}}\n",
    ):
        with pytest.raises(Problem):
            rulebook.add(town.store, wrong, who, enabled=False)
        with pytest.raises(Problem):
            rulebook.change(town.store, mine.id, wrong, who)
    with pytest.raises(Forbidden):
        rulebook.change(town.store, theirs.id, NOISY.replace(NEIGHBOUR, HERE), who)
    with pytest.raises(Forbidden):
        rulebook.switch(town.store, theirs.id, who, enabled=False)
    with pytest.raises(Forbidden):
        rulebook.delete(town.store, theirs.id, who)
    assert town.store.records.get("rule", theirs.id).version == theirs.version
    rulebook.switch(town.store, mine.id, who, enabled=True)
    rulebook.delete(town.store, mine.id, who)


def others(town: Town) -> dict[str, list[Any]]:
    """Return everything that is not Redon's: the neighbour's people, keys, records, rules, and the whole town's settings."""
    with town.store.read() as c:
        found: dict[str, list[Any]] = {}
        found["account"] = c.execute(
            text(
                "SELECT id, email, name, role, territories, service, disabled FROM account WHERE territories NOT LIKE '%35236%'"
            )
        ).all()
        found["token"] = c.execute(
            text(
                "SELECT id, name, role, territories, revoked_us FROM token WHERE territories NOT LIKE '%35236%'"
            )
        ).all()
        found["territory"] = c.execute(text("SELECT * FROM territory WHERE code <> '35236'")).all()
        found["setting"] = c.execute(
            text("SELECT * FROM setting WHERE key NOT IN ('kept.figures', 'health.written_us')")
        ).all()
        found["extension"] = c.execute(text("SELECT * FROM extension")).all()
        found["thing"] = c.execute(
            text("SELECT id, name, public, approved FROM thing WHERE territory = '35168'")
        ).all()
    for name in town.registry.collections:
        rows = town.store.records.all(name, Query(territories=(NEIGHBOUR,), limit=100))
        found[f"record:{name}"] = [(row.id, row.version) for row in rows]
    found["rules"] = [(r.id, r.version) for r in rulebook.rules(town.store) if NEIGHBOUR in r.values["yaml"]]
    return found


def test_an_administrator_of_one_commune_changes_nothing_of_another(browser, communes: Town) -> None:
    """Every door of the house, by session, with ids that are all the neighbour's or the whole town's."""
    town = communes
    person = people.add(
        town.store,
        SYSTEM,
        email="secret@voisin.fr",
        name="SECRET-voisine",
        role="agent",
        territories=[NEIGHBOUR],
    )
    keys.create(town.store, SYSTEM, role="device", name="SECRET-key", territories=[NEIGHBOUR])
    rulebook.add(town.store, NOISY, SYSTEM, enabled=True)
    for name, values in (
        ("lamp", {"code": "L1"}),
        ("alarm", {"message": "x", "rule": 1, "subject": "thing:1", "raised_at": 1_790_000_000_000_000}),
    ):
        town.store.records.put(name, values, territory=NEIGHBOUR, who=SYSTEM)
    with town.store.write() as c:
        c.execute(
            text(
                "INSERT INTO thing (id, name, description, territory, public, approved) VALUES (1, 'SECRET-thing', 'x', '35168', 0, 0)"
            )
        )
    client = browser("admin", territories=[HERE])
    page = client.get("/compte").text
    client.headers.update(
        {
            "X-CSRF-Token": re.search(r'name="csrf" value="(\w+)"', page).group(1),
            "Origin": "http://127.0.0.1:8080",
        }
    )  # type: ignore[union-attr]
    before, tried, seen = others(town), 0, {}
    form = {"row": "1", "action": "delete", "name": "x", "code": "x", "role": "admin", "email": "x@x.fr", "state": "closed", "do": "delete",
            "yaml": NOISY, "accent": "#000000", "territory": NEIGHBOUR, "deed": "remove", "kind": "commune", "roles": "agent"}  # fmt: skip
    for method, path in addresses(routes_of(town), ["lamp", "request"]):
        full = path.replace("/personnes/1", f"/personnes/{person.id}").replace(
            "territoires/1", f"territoires/{NEIGHBOUR}"
        )
        if full.startswith(("/compte", "/connexion", "/deconnexion", "/signaler")):
            continue
        if method == "GET":
            answer = client.get(full)
            if found := re.findall(r"SECRET-\w+|secret@voisin", answer.text):
                seen[full] = sorted(set(found))
        else:
            programs = full.startswith(("/api", "/ogc", "/sensorthings", "/open311", "/hooks"))
            body = {"json": {"name": "x", "territory": NEIGHBOUR}} if programs else {"data": form}
            answer = client.request(method, full, **body)
            tried += 1
        assert answer.status_code < 500, (method, full, answer.text[:300])
    after = others(town)
    assert {name: rows for name, rows in after.items() if rows != before[name]} == {}
    assert seen == {}
    assert tried > 100
