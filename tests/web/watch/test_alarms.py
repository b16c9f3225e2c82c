"""The pages of alarms: who sees what, taking in charge alone and together, undoing, words in both languages."""

import pytest

from beffroi.model.principal import SYSTEM
from beffroi.rules import rulebook


def alarm(place, name):
    return next(a for a in place.alarms() if name in a.values["message"])


def test_everyone_reads_public_alarms_and_staff_the_rest(town, place, browser):
    public = browser().get("/alarmes").text
    assert "Hauteur d&#39;eau (Ardèche à Meyras) dépasse 5 cm" in public
    assert "Caméra" not in public
    assert "Prendre en charge" not in public
    staff = browser("agent").get("/alarmes").text
    assert "Caméra" in staff
    assert "2 ouvertes" in staff
    hidden = alarm(place, "Caméra").id
    assert browser().get(f"/alarmes/{hidden}").status_code == 404
    assert browser("elu").get(f"/alarmes/{hidden}").status_code == 200


@pytest.mark.parametrize(("address", "shown", "not_shown"), [
    ("/alarmes?vue=terminees", "Débit", "Hauteur"), ("/alarmes?severity=jaune", "Hauteur", "Caméra"),
    ("/alarmes?vue=toutes&q=camera", "Caméra", "Hauteur"), ("/alarmes?vue=n-importe", "Hauteur", "Débit ("),
])  # fmt: skip
def test_views_and_filters(town, place, browser, address, shown, not_shown):
    body = browser("agent").get(address).text
    table = body[body.index("<tbody>") : body.index("</tbody>")]
    assert shown in table
    assert not_shown not in table


def test_an_alarm_tells_what_and_shows_the_chart_around_it(town, place, browser):
    client = browser("agent")
    body = client.get(f"/alarmes/{alarm(place, 'Hauteur').id}").text
    for words in ("À prendre en charge", "Crue de l&#39;Ardèche", "svg", "Alarme levée", "9,5", "/capteurs/"):
        assert words in body, words
    english = client.get(f"/alarmes/{alarm(place, 'Hauteur').id}?lang=en").text
    assert "To be taken in charge" in english or "to be taken in charge" in english.lower()


def test_taking_in_charge_commenting_assigning_and_ending(town, place, browser, csrf):
    client, number = browser("agent"), alarm(place, "Hauteur").id
    token = csrf(client, f"/alarmes/{number}")
    for move, field, said in (("prendre-en-charge", "text", ""), ("commenter", "text", "Vu <b>sur place</b>"),
                              ("confier", "assignee", "Voirie"), ("terminer", "text", "Fausse alerte")):  # fmt: skip
        answer = client.post(f"/alarmes/{number}/{move}", data={"csrf": token, field: said})
        assert (answer.status_code, answer.headers["location"]) == (303, f"/alarmes/{number}")
    body = client.get(f"/alarmes/{number}").text
    for words in ("Vu &lt;b&gt;sur place&lt;/b&gt;", "Voirie", "Fausse alerte", "Terminée"):
        assert words in body, words
    assert client.post(f"/alarmes/{number}/commenter", data={"csrf": token, "text": " "}).status_code == 400


def test_several_are_taken_in_charge_together_and_given_back(town, place, browser, csrf):
    client = browser("agent")
    token = csrf(client, "/alarmes")
    open_ones = [str(a.id) for a in place.alarms(state="active")]
    answer = client.post("/alarmes", data={"csrf": token, "row": open_ones, "action": "acknowledge"})
    page = client.get(answer.headers["location"]).text
    assert "2 alarmes prises en charge." in page
    assert place.alarms(state="active") == []
    change_set = answer.headers["location"].split("fait=")[1].split("&")[0]
    client.post("/alarmes/annuler", data={"csrf": token, "change_set": change_set})
    assert len(place.alarms(state="active")) == 2
    assert client.post("/alarmes", data={"csrf": token, "action": "acknowledge"}).status_code == 400
    assert client.post("/alarmes/annuler", data={"csrf": token, "change_set": "x"}).status_code == 404


def test_others_may_not(town, place, browser, csrf):
    number = alarm(place, "Hauteur").id
    elu = browser("elu")
    token = csrf(elu, "/alarmes") if 'name="csrf"' in elu.get("/alarmes").text else csrf(elu, "/connexion")
    assert elu.post(f"/alarmes/{number}/prendre-en-charge", data={"csrf": token}).status_code == 403
    assert browser().post(f"/alarmes/{number}/prendre-en-charge").status_code in (401, 403)


def test_a_quiet_town_says_so(town, browser):
    assert "Tout est calme" in browser().get("/alarmes").text
    assert browser().get("/alarmes/99").status_code == 404


def test_alarms_speak_english_to_those_who_read_it(town, place, browser):
    series = place.series("Pluie", "Place du marché", unit="mm")
    more = 'message: "{thing} : {value} {unit}"\nmessage_en: "{thing}: {value} {unit} of rain"\nname_en: Heavy rain\n'
    place.rule("{above: 5}", series, name="Pluie forte", more=more)
    place.now(series, "1234.5")
    raised = alarm(place, "Place du marché")
    assert (raised.values["message"], raised.values["message_en"]) == (
        "Place du marché : 1\u202f234,5 mm", "Place du marché: 1,234.5 mm of rain",
    )  # fmt: skip
    client = browser("agent")
    for address in ("/alarmes", f"/alarmes/{raised.id}", "/"):
        french, english = client.get(f"{address}?lang=fr").text, client.get(f"{address}?lang=en").text
        assert "of rain" in english and "of rain" not in french, address
    assert "Heavy rain" in client.get(f"/alarmes/{raised.id}?lang=en").text
    assert (
        "Heavy rain" in client.get("/regles?lang=en").text
        and "Pluie forte" in client.get("/regles?lang=fr").text
    )
    # written by Beffroi, in both languages; an older alarm is told as it was
    level = alarm(place, "Hauteur")
    assert level.values["message_en"] == "Hauteur d'eau (Ardèche à Meyras) exceeds 5 cm"
    town.store.records.put("alarm", {"message_en": None}, id=level.id, who=SYSTEM)
    assert "dépasse 5 cm" in client.get(f"/alarmes/{level.id}?lang=en").text


def test_a_rule_of_a_service_has_its_english_title(town, browser):
    template = next(r for r in town.registry.services["equipment"].rules if r.name == "bin_full")
    old = template.yaml.replace(
        next(line for line in template.yaml.splitlines(True) if line.startswith("message_en")), ""
    )
    row = rulebook.add(town.store, old, SYSTEM, enabled=False, origin="equipment")
    client = browser("agent")
    assert "Container full" in client.get(f"/regles/{row.id}?lang=en").text
    assert "Conteneur plein" in client.get(f"/regles/{row.id}?lang=fr").text
