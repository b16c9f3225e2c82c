"""The pages of rules: written in words, tried on the past, switched on; their text stays readable and editable."""

import html
import re

import pytest

from beffroi.model.instant import MINUTE_US
from beffroi.model.observation import Draft
from beffroi.model.problem import Problem
from beffroi.model.result import number_of
from beffroi.rules import rulebook
from beffroi.rules.reading import read_rule
from beffroi.web.site.watch.rule_form import yaml_of


def yaml_in(body):
    return html.unescape(
        re.search(r"<textarea[^>]*name=\"yaml\"[^>]*>(.*?)</textarea>", body, re.DOTALL).group(1)
    )


def test_a_rule_is_written_in_words_tried_then_switched_on(town, place, browser, csrf):
    series = place.series("Niveau", "Étang")
    start = town.clock() - 600 * MINUTE_US
    town.store.observations.append(
        [Draft(series, start + i * MINUTE_US, number_of(str(v))) for i, v in enumerate([1, 9, 9, 1, 9, 1])]
    )
    client = browser("responsable")
    token = csrf(client, f"/regles/nouvelle?serie={series}")
    said = {"csrf": token, "watch": f"datastream:{series}", "condition": "above", "orange": "5,5", "for": "30 s", "name": "Étang haut",
            "email": "a@b.fr, c@d.fr", "do": "try"}  # fmt: skip
    body = client.post("/regles/nouvelle", data=said).text
    assert "Alerte orange quand Niveau (Étang) dépasse 5,5 cm pendant 30 s." in html.unescape(body)
    assert "Elle aurait donné 2 alarmes" in html.unescape(body)
    assert [r.values["name"] for r in rulebook.rules(town.store)].count("Étang haut") == 0
    answer = client.post("/regles/nouvelle", data={"csrf": token, "yaml": yaml_in(body), "do": "enable"})
    page = client.get(answer.headers["location"]).text
    assert "en service depuis" in page
    (row,) = [r for r in rulebook.rules(town.store) if r.values["name"] == "Étang haut"]
    assert read_rule(row.values["yaml"]).actions[0].options == {"email": ("a@b.fr", "c@d.fr")}


@pytest.mark.parametrize(("changes", "words"), [
    ({"watch": ""}, "Choisissez ce qu'il faut surveiller."), ({"orange": ""}, "Il manque un seuil."), ({"orange": "haut"}, "Un nombre est attendu"),
    ({"for": "bientôt"}, "La durée n'est pas comprise"), ({"name": ""}, "Ce champ est nécessaire."), ({"hours": "25"}, "Les heures ne sont pas"),
    ({"email": "personne"}, "adresse électronique"), ({"watch": "datastream:99999"}, "99999"),
])  # fmt: skip
def test_a_wrong_form_says_where_and_keeps_what_was_typed(town, place, browser, csrf, changes, words):
    client = browser("responsable")
    token = csrf(client, "/regles/nouvelle")
    said = {"csrf": token, "watch": f"datastream:{place.alarms()[0].values['datastream_id']}", "condition": "above", "orange": "5",
            "name": "Ma règle", "message": "Texte gardé", "do": "try", **changes}  # fmt: skip
    answer = client.post("/regles/nouvelle", data=said)
    assert answer.status_code == 400
    assert words in html.unescape(answer.text)
    assert "Texte gardé" in answer.text


def test_the_text_of_a_rule_is_tried_and_changed(town, place, browser, csrf):
    client = browser("responsable")
    row = next(r for r in rulebook.rules(town.store) if r.values["name"] == "Débit fort")
    page = client.get(f"/regles/{row.id}").text
    assert "Elle aurait donné 1 alarme" in html.unescape(page)
    token, text = csrf(client, f"/regles/{row.id}"), yaml_in(page)
    tried = client.post(
        f"/regles/{row.id}", data={"csrf": token, "yaml": text.replace("above: 5", "above: 50"), "do": "try"}
    )
    assert "Elle n'aurait donné aucune alarme du" in html.unescape(tried.text)
    wrong = client.post(
        f"/regles/{row.id}", data={"csrf": token, "yaml": text.replace("above", "abvoe"), "do": "save"}
    )
    assert wrong.status_code == 400
    assert "Écrivez above." in html.unescape(wrong.text)
    assert "abvoe" in wrong.text
    kept = client.post(
        f"/regles/{row.id}",
        data={
            "csrf": token,
            "yaml": text.replace("above: 5", "above: 50"),
            "do": "save",
            "version": row.version,
        },
    )
    assert kept.status_code == 303
    assert "50" in town.store.records.get("rule", row.id).values["yaml"]
    late = client.post(
        f"/regles/{row.id}", data={"csrf": token, "yaml": text, "do": "save", "version": row.version}
    )
    assert late.status_code == 409


def test_on_off_and_removed(town, place, browser, csrf):
    client = browser("responsable")
    row = rulebook.rules(town.store)[0]
    token = csrf(client, f"/regles/{row.id}")
    for do, on in (("disable", False), ("enable", True)):
        client.post(f"/regles/{row.id}/etat", data={"csrf": token, "do": do})
        assert town.store.records.get("rule", row.id).values["enabled"] is on
    assert client.post(f"/regles/{row.id}/etat", data={"csrf": token, "do": "boil"}).status_code == 400
    assert (
        client.post(f"/regles/{row.id}/etat", data={"csrf": token, "do": "delete"}).headers["location"]
        == "/regles"
    )
    assert client.get(f"/regles/{row.id}").status_code == 404


def test_who_may_read_and_write(town, place, browser, csrf):
    row = rulebook.rules(town.store)[0]
    assert browser().get("/regles").headers["location"].startswith("/connexion")
    agent = browser("agent")
    assert "Écrire une règle" not in agent.get("/regles").text
    assert "<pre>" in agent.get(f"/regles/{row.id}").text
    assert agent.get("/regles/nouvelle").status_code == 403
    assert browser("supplier").get("/regles").status_code == 403


def test_services_propose_rules_that_fill_the_form(town, browser):
    client = browser("responsable")
    page = client.get("/regles").text
    models = re.findall(r'href="(/regles/nouvelle\?modele=[^"]+)"', page)
    assert len(models) > 3
    for model in models:
        assert yaml_in(client.get(model).text).startswith("name:"), model
    assert "Proposed by services" in client.get("/regles?lang=en").text


@pytest.mark.parametrize(("values", "place_"), [({}, "name"), ({"name": "x", "watch": "datastream:" + "9" * 40}, "watch"),
    ({"name": "x", "watch": "kind:rain", "orange": "1", "condition": "boils"}, "condition")])  # fmt: skip
def test_the_form_in_yaml(values, place_):
    with pytest.raises(Problem) as caught:
        yaml_of(values)
    assert caught.value.place == place_
