"""The pages of the platform on a real store, asked as a citizen and as an agent do."""

import csv
import io
import json

import pytest

from beffroi.model.instant import DAY_US, HOUR_US
from beffroi.model.principal import SYSTEM
from beffroi.rules.rulebook import add
from beffroi.town import Town
from beffroi.web.kit.words import Words
from beffroi.web.site import trace
from beffroi.web.site.open_alarms import OpenAlarm
from beffroi.web.site.situation import sentence

RULE = """name: Crue
watch: {datastream: %d}
when: {above: 20}
severity: orange
"""
PAGES = ["/", "/carte", "/capteurs", "/services", "/services/equipment", "/preuve", "/accessibilite"]


def alarm(town: Town, thing_id: int, **values: object) -> int:
    """Open an alarm on a thing."""
    known = {
        "message": "Eau haute", "severity": "orange", "worst": "orange", "state": "active", "rule": 1,
        "subject": f"thing:{thing_id}", "thing_id": thing_id, "raised_at": town.clock(), "public": True,
    }  # fmt: skip
    return town.store.records.put("alarm", {**known, **values}, who=SYSTEM).id


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("language", ["fr", "en"])
def test_every_page_answers_in_an_empty_town(browser, page, language):
    answer = browser().get(f"{page}?lang={language}")
    assert answer.status_code == 200
    assert f'<html lang="{language}"' in answer.text
    assert answer.text.count("<h1>") == 1


def test_quiet_town_says_so(browser):
    assert "Tout est calme : aucune alarme, tous les capteurs répondent." in browser().get("/").text


def test_situation_counts_alarms_and_silent_sensors_in_words():
    alarms = [OpenAlarm(i, "x", s, "active", 0) for i, s in enumerate(["rouge", "jaune", "jaune"])]
    french, english = Words("fr"), Words("en")
    assert sentence(alarms, 1, french) == "1 alarme rouge, 2 vigilances jaunes, 1 capteur muet."
    assert sentence(alarms[1:], 2, french) == "2 vigilances jaunes, 2 capteurs muets, rien d'urgent."
    assert sentence([], 0, english) == "Tout est calme : aucune alarme, tous les capteurs répondent."


def test_public_page_hides_who_took_an_alarm_and_the_agents_page_shows_it(town, browser, post):
    thing_id, _ = post("Sonde du pont")
    alarm(town, thing_id, assignee="Nadia Belkacem")
    alarm(town, thing_id, message="Coffret ouvert", public=False)
    public = browser().get("/").text
    assert "Eau haute" in public and "Sonde du pont" in public
    assert "Belkacem" not in public and "Coffret ouvert" not in public
    agent = browser("agent").get("/").text
    assert "Belkacem" in agent and "Coffret ouvert" in agent
    assert "2 alarmes depuis hier" in agent


def test_private_and_unapproved_things_are_for_staff(browser, post):
    post("Sonde publique")
    private, series = post("Compteur privé", public=False)
    post("Appareil inconnu", approved=False)
    public = browser().get("/capteurs").text
    assert "Sonde publique" in public
    assert "Compteur privé" not in public and "Appareil inconnu" not in public
    for address in (
        f"/capteurs/{private}",
        f"/series/{series}",
        f"/series/{series}.json",
        f"/series/{series}.csv",
    ):
        assert browser().get(address).status_code == 404
    names = {f["properties"]["name"] for f in browser().get("/capteurs.geojson").json()["features"]}
    assert names == {"Sonde publique"}
    staff = browser("agent").get("/capteurs").text
    assert "Compteur privé" in staff and "à approuver" in staff


def test_silent_things_are_found_the_longest_silent_first(browser, post, fill):
    for name, days in (("Une heure", 0), ("Deux jours", 2), ("Cinq jours", 5)):
        fill(post(name)[1], ["1"], ago_us=days * DAY_US + 60_000_000)
    html = browser().get("/capteurs?etat=muets").text
    assert "Une heure" not in html
    assert html.index("Cinq jours") < html.index("Deux jours")
    assert "2 capteurs muets, rien d&#39;urgent." in browser().get("/").text


def test_things_are_paged_searched_and_exported(browser, post):
    for n in range(53):
        post(f"Sonde {n:02}")
    assert "1 à 50 sur 53" in browser().get("/capteurs").text
    second = browser().get("/capteurs?page=2").text
    assert "51 à 53 sur 53" in second and "Sonde 52" in second and "Sonde 49" not in second
    assert "Aucun capteur ne répond" in browser().get("/capteurs?q=100%25").text
    rows = list(
        csv.DictReader(io.StringIO(browser().get("/capteurs.csv").text.lstrip("\ufeff")), delimiter=";")
    )
    assert len(rows) == 53
    assert (rows[0]["nom"], rows[0]["longitude"]) == ("Sonde 00", "2,37")


def test_series_page_shows_value_gap_threshold_table_and_files(town, browser, post, fill):
    _, series_id = post("Sonde du pont", every_us=HOUR_US)
    fill(series_id, ["12.50", "13.00", "14.25"], ago_us=10 * HOUR_US)
    fill(series_id, ["18.00", "15.75"])
    add(town.store, RULE % series_id, SYSTEM, enabled=True)
    html = browser().get(f"/series/{series_id}?periode=24h").text
    assert "15,75" in html
    path = html.split('height="90%"><path d="')[1].split('"')[0]
    assert path.count("M") == 2  # the silence is a gap
    assert ">orange\u00a020\u00a0cm</text>" in html
    assert html.count('<tr><th scope="row">') == 5
    assert f'href="/series/{series_id}.csv?periode=24h"' in html
    body = browser().get(f"/series/{series_id}.json?periode=24h").json()
    assert body["values"] == [12.5, 13.0, 14.25, None, 18.0, 15.75]
    assert body["thresholds"] == [
        {"value": 20.0, "label": "orange\u00a020\u00a0cm", "severity": "orange", "near": True}
    ]


def test_doubtful_values_are_marks_outside_the_line_and_the_figures(browser, post, fill):
    _, series_id = post("Sonde du pont", every_us=HOUR_US)
    fill(series_id, ["10", "11"], ago_us=5 * HOUR_US)
    fill(series_id, ["999"], ago_us=4 * HOUR_US, quality=2)
    fill(series_id, ["12", "13", "14"])
    body = browser().get(f"/series/{series_id}.json?periode=24h").json()
    assert [v for v in body["values"] if v is not None] == [10.0, 11.0, 12.0, 13.0, 14.0]
    assert [value for _, value in body["doubtful"]] == [999.0]
    html = browser().get(f"/series/{series_id}?periode=24h").text
    assert html.count('class="doubt"') == 1
    assert "1 valeur douteuse" in html and "<dd>14\u00a0cm</dd>" in html


def test_a_long_series_is_read_piece_by_piece_to_the_same_end(town, browser, post, fill, monkeypatch):
    _, series = post("Pont")
    fill(series, [str(n * n % 17) for n in range(60)])
    fill(series, ["99"], quality=2, ago_us=5 * HOUR_US)
    end = town.clock()
    client, pages = browser(), {}
    for most in (10_000, 1, 7):
        monkeypatch.setattr(trace, "MOST_AT_ONCE", most)
        found = list(trace.pieces(town, series, end - DAY_US, end))
        assert (len(found) == 1) == (most == 10_000)
        assert [o for some in found for o in some] == town.store.observations.series(
            series, end - DAY_US, end
        )
        pages[most] = [
            client.get(f"/series/{series}{rest}").text.split("<main")[-1].split("<footer")[0]
            for rest in ("?du=2020-01-01&au=2100-01-01", ".csv", ".json?du=2020-01-01&au=2100-01-01")
        ]
    assert pages[1] == pages[7] == pages[10_000]
    assert list(trace.pieces(town, series + 1, 0, end)) == []


def test_series_file_keeps_the_digits_received(browser, post, fill):
    _, series_id = post("Sonde du pont")
    fill(series_id, ["2.00", "-0.5", "100"])
    answer = browser().get(f"/series/{series_id}.csv")
    assert answer.headers["content-disposition"] == f'attachment; filename="serie-{series_id}.csv"'
    rows = list(csv.DictReader(io.StringIO(answer.text.lstrip("\ufeff")), delimiter=";"))
    assert [r["valeur"] for r in rows] == ["2,00", "-0,5", "100"]
    assert {r["unite"] for r in rows} == {"cm"} and {r["qualite"] for r in rows} == {"bonne"}


def test_series_without_recent_value_ends_at_its_last_one(browser, post, fill):
    _, series_id = post("Ancienne sonde", every_us=HOUR_US)
    fill(series_id, ["1", "2", "3"], ago_us=400 * DAY_US)
    html = browser().get(f"/series/{series_id}").text
    assert "la période montrée finit à la dernière valeur" in html
    assert browser().get(f"/series/{series_id}.json").json()["values"] == [1.0, 2.0, 3.0]


@pytest.mark.parametrize(
    "address", ["/series/{}?du=hier", "/series/{}?du=2026-02-30", "/series/{}?du=2026-03-02&au=2026-03-01", "/carte.geojson?bbox=1,2", "/live?datastreams=x"]
)  # fmt: skip
def test_bad_input_is_refused_with_its_place(browser, post, address):
    _, series_id = post("Sonde du pont")
    answer = browser().get(address.format(series_id))
    assert answer.status_code == 400
    assert "du" in answer.text or "bbox" in answer.text or "datastreams" in answer.text


def test_map_gives_things_and_records_with_the_gravest_severity(town, browser, post):
    thing_id, _ = post("Sonde du pont")
    post("Sonde du lac", place=(3.5, 48.0))
    alarm(town, thing_id, severity="jaune", worst="jaune")
    alarm(town, thing_id, severity="rouge", worst="rouge", message="Pont fermé")
    body = browser().get("/carte.geojson").json()
    found = {f["properties"]["name"]: f["properties"] for f in body["features"]}
    assert found["Sonde du pont"]["severity"] == "rouge"
    assert found["Sonde du pont"]["note"] == "Pont fermé"
    assert found["Sonde du lac"]["severity"] == ""
    inside = browser().get("/carte.geojson?bbox=3,47,4,49").json()
    assert [f["properties"]["name"] for f in inside["features"]] == ["Sonde du lac"]
    page = browser().get("/carte").text
    assert page.index("Sonde du pont</a>") < page.index("Sonde du lac</a>")
    assert 'class="mark rouge"' in page


def test_thing_page_gives_the_exact_call(browser, post, fill):
    thing_id, series_id = post("Sonde du pont")
    fill(series_id, ["12.5"])
    html = browser().get(f"/capteurs/{thing_id}").text
    assert f"http://127.0.0.1:8080/sensorthings/v1.1/Things({thing_id})" in html
    assert f'href="/series/{series_id}"' in html and "12,5" in html
    assert (
        json.loads(browser().get(f"/carte.geojson?objet={thing_id}").text)["features"][0]["id"]
        == f"capteurs/{thing_id}"
    )
