"""The pages of data, as an agent, a manager, a neighbour and a citizen use them without script."""

import csv
import io
import json
import re
from pathlib import Path

import pyogrio
import pytest

from beffroi.model.principal import SYSTEM
from beffroi.store.record import Entry, Query
from beffroi.store.record_import import take
from beffroi.town import Town

LAMPS = 130


@pytest.fixture
def lamps(town: Town) -> list[int]:
    def entries():
        for n in range(LAMPS):
            values = {"code": f"PL-{n:03d}", "street": "Rue de l'Église" if n % 2 else "Quai Neuf", "power_w": 30 + n,
                      "state": "broken" if n % 10 == 0 else "ok", "notes": f"note {n}"}  # fmt: skip
            yield Entry(
                values,
                {"type": "Point", "coordinates": [-2.08 + n / 10_000, 47.65]},
                "35236" if n < 100 else "44007",
            )

    take(town.store.records, "lamp", entries(), who=SYSTEM)
    return [row.id for row in town.store.records.all("lamp", Query(sort="code"))]


def _codes(html: str) -> list[str]:
    return re.findall(r">(PL-\d+)<", html.partition("<tbody>")[2])


def test_collections_are_listed_with_their_counts(browser, lamps) -> None:
    html = browser().get("/donnees").text
    assert '<a href="/donnees/lamp">Points lumineux</a>' in html
    assert ">130<" in html
    assert "/donnees/fault" not in html
    assert "/donnees/fault" in browser("agent").get("/donnees").text
    assert "Light points" in browser().get("/donnees?lang=en").text


def test_a_list_is_paged_forwards_and_back(browser, lamps) -> None:
    citizen = browser()
    seen, address = [], "/donnees/lamp"
    while address:
        html = citizen.get(address).text
        seen += _codes(html)
        found = re.search(r'rel="next" href="([^"]+)"', html)
        address = found[1].replace("&amp;", "&") if found else ""
    assert seen == [f"PL-{n:03d}" for n in range(LAMPS)]
    assert "101 à 130 sur 130" in html
    back = re.search(r'rel="prev" href="([^"]+)"', html)[1].replace("&amp;", "&")
    html = citizen.get(back).text
    assert _codes(html) == seen[50:100]
    assert "51 à 100 sur 130" in html


def test_filters_words_order_and_columns_are_in_the_address(browser, lamps) -> None:
    citizen = browser()
    html = citizen.get("/donnees/lamp?state=broken&street=quai&sort=-power_w&col=code&col=power_w").text
    assert _codes(html) == [f"PL-{n:03d}" for n in range(120, -1, -10)]
    assert '<th scope="col"' in html
    assert "Source" not in html.partition("<thead>")[2].partition("</thead>")[0]
    assert _codes(citizen.get("/donnees/lamp?q=PL-007").text) == ["PL-007"]
    assert _codes(citizen.get("/donnees/lamp?power_w.min=157,5").text) == [
        "PL-129",
        "PL-128",
    ]  # the largest first
    assert len(_codes(citizen.get("/donnees/lamp?territory=44007").text)) == 30
    assert len(_codes(citizen.get("/donnees/lamp?bbox=-2.0801,47,-2.0796,48").text)) == 5
    assert "Rien ne répond à ces critères" in citizen.get("/donnees/lamp?q=zzz").text
    for wrong in ("power_w.min=abc", "bbox=1,2,3", "state=new", "after=zz", "territory=%00"):
        assert citizen.get(f"/donnees/lamp?{wrong}").status_code in (200, 400), wrong
    assert citizen.get("/donnees/lamp?power_w.min=abc").status_code == 400
    assert citizen.get("/donnees/nothing").status_code == 404
    assert (
        citizen.get("/donnees/lamp?notes=note").text.count("<tr>") > 1
    )  # not a field for a citizen: not a filter


def test_files_are_exactly_what_is_seen(browser, lamps, tmp_path: Path) -> None:
    citizen = browser()
    query = "?state=broken&sort=-code&col=code&col=state"
    table = list(csv.DictReader(io.StringIO(citizen.get(f"/donnees/lamp.csv{query}").text)))
    assert [row["code"] for row in table] == [f"PL-{n:03d}" for n in range(120, -1, -10)]
    assert list(table[0]) == ["_id", "code", "state", "_territory", "_updated", "longitude", "latitude"]
    assert (table[0]["longitude"], table[0]["_territory"]) == ("-2.068", "44007")
    assert [row["code"] for row in citizen.get(f"/donnees/lamp.json{query}").json()] == [
        row["code"] for row in table
    ]
    (tmp_path / "lamps.geojson").write_bytes(citizen.get(f"/donnees/lamp.geojson{query}").content)
    frame = pyogrio.read_arrow(tmp_path / "lamps.geojson")[1]
    assert frame.column("code").to_pylist() == [row["code"] for row in table]
    link = re.search(r'href="(/donnees/lamp\.csv[^"]*)"', citizen.get("/donnees/lamp?state=broken").text)[
        1
    ].replace("&amp;", "&")
    seen = list(csv.DictReader(io.StringIO(citizen.get(link).text)))
    assert (len(seen), list(seen[0])[1:4]) == (13, ["code", "state", "street"])
    all_of_them = citizen.get("/donnees/lamp.csv").text
    assert {"flux_lm", "cie3_percent", "dimming"} <= set(all_of_them.partition("\r\n")[0].split(","))
    assert all_of_them.count("\r\n") == LAMPS + 1
    assert "note 1" not in all_of_them
    assert "note 1" in browser("agent", "35236").get("/donnees/lamp.csv?col=code&col=notes").text


def test_geoparquet_is_read_by_others(browser, lamps, tmp_path: Path) -> None:
    import pyarrow.parquet

    (tmp_path / "lamps.parquet").write_bytes(browser().get("/donnees/lamp.parquet?sort=code").content)
    read = pyarrow.parquet.read_table(tmp_path / "lamps.parquet")
    assert read.num_rows == LAMPS
    geo = json.loads(read.schema.metadata[b"geo"])
    assert (geo["version"], geo["columns"]["geometry"]["encoding"]) == ("1.1.0", "WKB")
    assert read.column("power_w").to_pylist()[:2] == [30.0, 31.0]
    assert len(read.column("geometry").to_pylist()[0]) == 21


def test_a_record_has_its_page_its_map_and_for_staff_its_history(browser, lamps) -> None:
    citizen, agent = browser(), browser("agent", "35236")
    page = citizen.get(f"/donnees/lamp/{lamps[0]}").text
    assert "<h1>PL-000</h1>" in page
    assert "En panne" in page
    assert "30\u00a0W" in page
    assert "note 0" not in page
    assert "Histoire" not in page
    assert "beffroi-map" in page
    page = agent.get(f"/donnees/lamp/{lamps[0]}").text
    assert "note 0" in page
    assert "Histoire" in page
    assert "note 129" not in agent.get(f"/donnees/lamp/{lamps[129]}").text  # the other commune
    assert citizen.get(f"/donnees/lamp/{lamps[0]}.json").json()["code"] == "PL-000"
    assert citizen.get(f"/donnees/lamp/{lamps[0]}.geojson").json()["geometry"]["type"] == "Point"
    for address in ("/donnees/lamp/999999", "/donnees/lamp/99999999999999999999999", "/donnees/lamp/0.json"):
        assert citizen.get(address).status_code == 404


def test_an_agent_creates_changes_and_takes_back(browser, lamps, town: Town) -> None:
    agent = browser("agent", "35236")
    form = "/donnees/lamp/nouveau"
    values = {"code": "PL-900", "power_w": "45,5", "installed": "2020-02-29", "dimming": "0", "state": "ok",
              "longitude": "-2,0836", "latitude": "47,6514", "territory": "35236", "reason": "pose"}  # fmt: skip
    made = agent.submit(form, form, values)
    assert made.status_code == 303
    record_id = int(made.headers["location"].rsplit("/", 1)[1])
    row = town.store.records.get("lamp", record_id)
    assert (row.values["power_w"], row.values["dimming"], str(row.values["installed"])) == (
        45.5,
        False,
        "2020-02-29",
    )
    assert row.geometry == {"type": "Point", "coordinates": [-2.0836, 47.6514]}
    edit = f"/donnees/lamp/{record_id}/modifier"
    page = agent.get(edit).text
    assert 'value="45,5"' in page
    assert 'value="-2,0836"' in page
    changed = agent.submit(
        edit, edit, {**values, "version": "1", "street": "Rue Haute", "latitude": "", "longitude": ""}
    )
    assert changed.status_code == 303
    assert town.store.records.get("lamp", record_id).geometry is None
    page = agent.get(changed.headers["location"]).text
    assert "<ins>Rue Haute</ins>" in page
    change_set = town.store.records.history("lamp", record_id)[0].change_set
    undone = agent.submit(changed.headers["location"], "/donnees/annuler",
                        {"change_set": str(change_set), "back": f"/donnees/lamp/{record_id}"})  # fmt: skip
    assert undone.headers["location"] == f"/donnees/lamp/{record_id}"
    assert town.store.records.get("lamp", record_id).values["street"] is None


def test_a_wrong_form_says_every_fault_and_keeps_what_was_written(browser, town: Town) -> None:
    agent = browser("agent", "35236")
    form = "/donnees/lamp/nouveau"
    answer = agent.submit(
        form, form, {"code": "", "power_w": "beaucoup", "colour_k": "12", "street": "Rue <Haute>"}
    )
    assert answer.status_code == 400
    html = answer.text
    assert 'href="#f-code"' in html
    assert 'href="#f-power_w"' in html
    assert 'href="#f-colour_k"' in html
    assert 'value="beaucoup"' in html
    assert "Rue &lt;Haute&gt;" in html
    bad = agent.submit(form, form, {"code": "x", "longitude": "651000", "latitude": "6861000"})
    assert 'href="#f-longitude"' in bad.text
    agent.submit(form, form, {"code": "PL-1", "territory": "35236"})
    taken = agent.submit(form, form, {"code": "PL-1", "territory": "35236"})
    assert taken.status_code == 400
    assert 'href="#f-code"' in taken.text
    assert town.store.records.count("lamp") == 1


def test_a_reference_is_written_by_its_key(browser, lamps, town: Town) -> None:
    agent = browser("agent", "35236")
    support = town.store.records.put("support", {"code": "SU-1"}, territory="35236", who=SYSTEM)
    town.store.records.put("support", {"code": "SU-1"}, territory="44007", who=SYSTEM)
    edit = f"/donnees/lamp/{lamps[0]}/modifier"
    values = {"code": "PL-000", "state": "ok", "territory": "35236"}
    assert agent.submit(edit, edit, {**values, "support": "SU-1"}).status_code == 303
    assert town.store.records.get("lamp", lamps[0]).values["support"] == support.id
    assert 'value="SU-1"' in agent.get(edit).text
    assert "Points lumineux (1)" in agent.get(f"/donnees/support/{support.id}").text
    assert f'href="/donnees/support/{support.id}">SU-1</a>' in agent.get("/donnees/lamp").text
    for wrong in ("SU-9", "99999999"):
        refused = agent.submit(edit, edit, {**values, "support": wrong})
        assert (refused.status_code, 'href="#f-support"' in refused.text) == (400, True), wrong


def test_two_people_at_once_the_second_is_told(browser, lamps) -> None:
    agent = browser("agent", "35236")
    edit = f"/donnees/lamp/{lamps[0]}/modifier"
    values = {"code": "PL-000", "state": "ok", "version": "1", "territory": "35236"}
    assert agent.submit(edit, edit, {**values, "street": "Une"}).status_code == 303
    second = agent.submit(edit, edit, {**values, "street": "Deux"})
    assert second.status_code == 400
    assert "Quelqu" in second.text


def test_bulk_actions_are_undone_as_one(browser, lamps, town: Town) -> None:
    chief = browser("responsable")
    chosen = [str(i) for i in lamps[:3]]
    done = chief.submit(
        "/donnees/lamp", "/donnees/lamp?sort=code", {"row": chosen, "action": "state:removed"}
    )
    assert done.status_code == 303
    assert town.store.records.tally("lamp", "state")["removed"] == 3
    page = chief.get(done.headers["location"]).text
    number = re.search(r'name="change_set" value="(\d+)"', page)[1]
    chief.submit("/donnees/lamp", "/donnees/annuler", {"change_set": number, "back": "/donnees/lamp"})
    assert "removed" not in town.store.records.tally("lamp", "state")
    deleted = chief.submit("/donnees/lamp", "/donnees/lamp", {"row": chosen, "action": "delete"})
    assert deleted.status_code == 303
    assert town.store.records.count("lamp") == LAMPS - 3
    gone = chief.get(f"/donnees/lamp/{lamps[0]}").text
    assert "supprimé" in gone
    assert browser().get(f"/donnees/lamp/{lamps[0]}").status_code == 404
    assert len(_codes(chief.get("/donnees/lamp?deleted=1").text)) == 3
    chief.submit(f"/donnees/lamp/{lamps[0]}", f"/donnees/lamp/{lamps[0]}/restaurer", {})
    assert town.store.records.count("lamp") == LAMPS - 2
    assert chief.submit("/donnees/lamp", "/donnees/lamp", {"row": chosen, "action": "fly"}).status_code == 400


def test_nobody_does_what_they_may_not(browser, lamps, town: Town) -> None:
    citizen, neighbour, official = browser(), browser("agent", "44007"), browser("elu")
    for address in ("/donnees/lamp/nouveau", f"/donnees/lamp/{lamps[0]}/modifier", "/donnees/lamp/importer"):
        assert citizen.get(address).status_code == 401, address
        assert official.get(address).status_code == 403, address
    assert citizen.get("/donnees/fault").status_code == 401
    assert citizen.get("/donnees/fault.csv").status_code == 401
    assert neighbour.get(f"/donnees/lamp/{lamps[0]}/modifier").status_code == 403
    own = neighbour.submit(
        "/donnees/lamp/nouveau", f"/donnees/lamp/{lamps[0]}/modifier", {"code": "PL-000", "street": "x"}
    )
    assert own.status_code == 403
    bulk = neighbour.submit(
        "/donnees/lamp", "/donnees/lamp", {"row": [str(lamps[0])], "action": "state:removed"}
    )
    assert bulk.status_code == 403
    assert citizen.post("/donnees/lamp/nouveau", data={"code": "x"}).status_code == 403  # no token
    assert town.store.records.history("lamp", lamps[0])[0].action == "create"


def test_views_are_kept_shared_and_forgotten(browser, lamps) -> None:
    anne, bruno = browser("agent"), browser("agent")
    kept = anne.submit(
        "/donnees/lamp",
        "/donnees/lamp/vues",
        {"name": "En panne", "query": "state=broken&sort=code", "shared": "1"},
    )
    assert kept.headers["location"] == "/donnees/lamp?state=broken&sort=code"
    page = bruno.get("/donnees/lamp").text
    assert "En panne</a>" in page
    number = re.search(r'name="forget" value="(\d+)"', anne.get("/donnees/lamp").text)[1]
    assert bruno.submit("/donnees/lamp", "/donnees/lamp/vues", {"forget": number}).status_code == 404
    anne.submit("/donnees/lamp", "/donnees/lamp/vues", {"forget": number})
    assert "En panne</a>" not in bruno.get("/donnees/lamp").text


def test_a_file_is_imported_with_a_report_and_undone(browser, town: Town) -> None:
    agent = browser("agent", "35236")
    page = "/donnees/support/importer"
    table = "Identifiant;Nature;Hauteur;x;y\nS1;Candélabre;8,5;320000;6740000\nS2;Girafe;8;320010;6740000\nS3;mat;9;;\n".encode(
        "cp1252"
    )
    form = {"crs": "EPSG:2154", "territory": "35236"}
    answer = agent.submit(page, page, form, {"file": ("supports.csv", table, "text/csv")})
    assert answer.status_code == 200
    assert "3 lignes lues : 2 ajoutées, 0 modifiées, 0 inchangées, 1 refusées." in answer.text
    assert "Girafe" in answer.text
    assert "ligne 3" in answer.text
    row = town.store.records.by_key("support", "S1", "35236")
    assert (row.values["kind"], row.values["height_m"]) == ("candelabre", 8.5)
    x, y = row.geometry["coordinates"]
    assert (round(x, 3), round(y, 3)) == (-2.064, 47.639) or 47 < y < 48
    again = agent.submit(page, page, form, {"file": ("supports.csv", table, "text/csv")})
    assert "2 inchangées" in again.text
    number = re.search(r'name="change_set" value="(\d+)"', answer.text)[1]
    agent.submit(page, "/donnees/annuler", {"change_set": number, "back": "/donnees/support"})
    assert town.store.records.count("support") == 0
    for name, body in (
        ("x.pdf", b"%PDF-1.7"),
        ("x.json", b"{"),
        ("x.json", b'{"type": "Point"}'),
        ("x.csv", b""),
        ("x.csv", b"a;b\n1;2\n"),
    ):
        refused = agent.submit(page, page, form, {"file": (name, body, "text/csv")})
        assert refused.status_code == 400, name
        assert 'href="#f-file"' in refused.text


def test_pages_are_light_and_english_is_complete(browser, lamps) -> None:
    citizen = browser()
    for address in ("/donnees", "/donnees/lamp", f"/donnees/lamp/{lamps[0]}"):
        answer = citizen.get(address + "?lang=en")
        assert answer.status_code == 200
        assert answer.headers["content-language"] == "en"
    assert "Rechercher" not in citizen.get("/donnees/lamp?lang=en").text


def test_a_place_is_pasted_as_what_other_tools_write(browser, csrf, town) -> None:
    """GeoJSON of three shapes and WKT make one outline; what is none keeps what was written and says how to write it."""
    agent = browser("agent")
    form = "/donnees/works_declaration/nouveau"
    ring = [[-2.08, 47.65], [-2.079, 47.65], [-2.079, 47.651], [-2.08, 47.65]]
    bare = {"type": "Polygon", "coordinates": [ring]}
    feature = {"type": "Feature", "properties": {}, "geometry": bare}
    wkt = "POLYGON ((" + ", ".join(f"{x} {y}" for x, y in ring) + "))"
    written = [
        json.dumps(bare),
        json.dumps(feature),
        json.dumps({"type": "FeatureCollection", "features": [feature]}),
        wkt,
    ]
    for n, text in enumerate(written):
        answer = agent.post(
            form,
            data={"csrf": csrf(agent, form), "number": f"D{n}", "received": "2026-11-02", "geojson": text},
        )
        assert answer.status_code == 303
    rows = town.store.records.all("works_declaration")
    assert [json.loads(json.dumps(row.geometry["coordinates"])) for row in rows] == [[ring]] * 4
    wrong = agent.post(
        form,
        data={
            "csrf": csrf(agent, form),
            "number": "D9",
            "received": "2026-11-02",
            "geojson": "rue des Lilas",
        },
    )
    assert (wrong.status_code, "rue des Lilas" in wrong.text, "POLYGON ((" in wrong.text) == (400, True, True)


def test_a_person_is_erased_after_being_asked_twice(browser, town: Town) -> None:
    chief, agent = browser("responsable"), browser("agent")
    form = "/donnees/fault/nouveau"
    values = {
        "title": "Lampe éteinte",
        "seen": "2026-11-22T14:05",
        "severity": "jaune",
        "state": "open",
        "caller": "Mme Le Goff",
    }
    page = agent.submit(form, form, values).headers["location"]
    assert "Mme Le Goff" in agent.get(page).text
    assert "Effacer la personne" not in agent.get(page).text
    assert agent.get(page + "/effacer").status_code == 403
    assert "gardée 90 jours" in agent.get(form).text
    assert "jamais être lues" in chief.get(page + "/effacer").text
    assert chief.submit(page + "/effacer", page + "/effacer", {}).status_code == 303
    after = chief.get(page).text
    assert "Mme Le Goff" not in after
    assert "Effacement de données personnelles" in after
    assert "Effacer la personne" not in after
    assert "Mme Le Goff" not in chief.get("/donnees/fault.csv").text


NASTY = [
    "-1",
    "9" * 40,
    "1e999",
    "'; DROP TABLE c_lamp; --",
    "\x00",
    "é" * 300,
    "{{7*7}}",
    "-180,-90,180,90",
    "<script>",
]


def test_no_address_however_odd_breaks_a_page(browser, lamps) -> None:
    names = ["q", "state", "power_w.min", "power_w.max", "installed.min", "support", "dimming", "bbox", "sort", "after", "n", "col",
             "territory", "deleted", "done", "limit", "datetime", "crs", "bbox-crs", "lang"]  # fmt: skip
    agent = browser("agent", "35236")
    for name in names:
        for value in NASTY:
            for page in ("/donnees/lamp", "/donnees/lamp.csv", "/ogc/collections/lamp/items"):
                answer = agent.get(page, params={name: value})
                assert answer.status_code < 500, (page, name, value, answer.text[:300])
                if "html" in answer.headers["content-type"]:
                    assert "<script>" not in answer.text.replace('<script type="module"', "")
