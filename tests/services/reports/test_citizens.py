"""What a citizen does without script, account or map, from the pavement to the reopening."""

import re
import time
from xml.etree import ElementTree as ET

import pytest
from tests.services.reports.conftest import HERE, Citizen, Clock
from tests.services.reports.photographs import TRACES, photograph

from beffroi.model.principal import ANONYMOUS, SYSTEM
from beffroi.services.reports import drafts, states
from beffroi.services.reports.categories_tree import LOOKED_S, categories_of
from beffroi.services.reports.preparing import prepare_waiting
from beffroi.store.desk import Desk
from beffroi.store.record import Query, Row
from beffroi.town import Town, open_town


def reports(town: Town, **where: object) -> list[Row]:
    return town.store.records.find("service_request", Query(where=where)).rows


def updates(town: Town, **where: object) -> list[Row]:
    return town.store.records.find("report_update", Query(where=where)).rows


def close(town: Town, row: Row, reason: str = "repaired") -> None:
    made = states.move(row.values, "close", "agent", town.clock(), reason=reason)
    town.store.records.put("service_request", made.values, id=row.id, who=SYSTEM)
    town.store.records.put("report_update", {**made.update, "request": row.id, "shown": True}, who=SYSTEM)


@pytest.fixture
def sent(visit, categories, town: Town) -> tuple[Citizen, str, Row]:
    """Someone who reported a mattress, the address of their page, and the record."""
    who = visit()
    answer = who.fill_in(
        category=str(categories["depot"]),
        place="12 rue des Tilleuls",
        description="Un matelas sur le trottoir",
    )
    assert answer.status_code == 303, answer.text
    (row,) = reports(town)
    return who, answer.headers["location"].split("?")[0], row


def test_three_fields_make_a_report_that_everyone_sees(sent, town: Town, visit) -> None:
    who, own, row = sent
    v = row.values
    assert (v["number"], v["state"], v["channel"], v["shown"], v["area"], row.territory) == (
        "25-00001",
        "received",
        "web",
        True,
        "Centre",
        "18033",
    )
    assert v["mail"] is None and v["reporter"] is None
    assert row.geometry == {
        "type": "Point",
        "coordinates": [HERE[0] + 1e-4, HERE[1]],
    }  # the street of the town's own lamps
    page = who.get(own + "?merci=1")
    assert "Merci, c&#39;est envoyé." in page and "25-00001" in page
    assert re.search(r"<b>[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{2}</b>", page)
    for path in (
        "/signalements",
        "/signalements/25-00001",
        "/signalements?vue=carte",
        "/signalements.geojson",
    ):
        assert "matelas" in (text := visit(address="192.0.2.7").get(path)) or "Dépôt sauvage" in text


def test_what_is_missing_is_said_beside_its_field_and_nothing_is_lost(visit, categories, town: Town) -> None:
    who = visit()
    answer = who.fill_in(category="?", place="", description="Un trou", mail="pas une adresse")
    assert answer.status_code == 400
    assert (
        "2 points à corriger" in answer.text
        and "Dites où c&#39;est." in answer.text
        and "nom@exemple.fr" in answer.text
    )
    assert ">Un trou</textarea>" in answer.text and 'value="pas une adresse"' in answer.text
    assert reports(town) == []


def test_what_is_open_nearby_is_shown_before_sending_and_joined(sent, visit, categories, town: Town) -> None:
    _, _own, _row = sent
    other = visit(address="192.0.2.8")
    asked = other.fill_in(category=str(categories["depot"]), place="rue des tilleuls", description="Toujours là", mail="b@exemple.fr",
                          files={"photo": ("p.jpg", photograph("jpeg"))})  # fmt: skip
    assert (
        asked.status_code == 200
        and "Un matelas sur le trottoir" in asked.text
        and "C&#39;est le même : moi aussi" in asked.text
    )
    assert len(reports(town)) == 1
    joined = other.client.post(
        "/signaler", data={**other.hidden(asked.text), "same": "25-00001"}, files={"photo": ("", b"")}
    )
    assert joined.headers["location"] == "/signalements/25-00001?merci=aussi"
    assert [u.values["kind"] for u in updates(town)] == ["me_too", "comment"]
    assert reports(town)[0].values["me_too"] == 1
    assert [f.values["mail"] for f in town.store.records.find("report_follower").rows] == ["b@exemple.fr"]
    assert prepare_waiting(town) == 1
    page = other.get("/signalements/25-00001")
    assert "Toujours là" in page and "1 autre personne l&#39;a vu" in page and "/signalements/photos/" in page
    # twice the same person counts once
    again = other.client.post(
        "/signalements/25-00001", data={**other.hidden(page), "do": "me_too", "mail": "B@exemple.fr"}
    )
    assert again.status_code == 303 and reports(town)[0].values["me_too"] == 1


def test_who_sees_and_leaves_is_noted_and_their_photo_is_forgotten(
    sent, visit, categories, town: Town, clock: Clock
) -> None:
    other = visit(address="192.0.2.8")
    other.fill_in(
        category=str(categories["depot"]),
        place="rue des tilleuls",
        description="Un matelas",
        files={"photo": ("p.jpg", photograph("jpeg"))},
    )
    assert len([p for p in town.store.files.folder.rglob("*") if p.is_file()]) == 1
    assert drafts.forget_due(town) == 0
    clock.wait(3700)
    assert drafts.forget_due(town) == 1
    assert [u.values["kind"] for u in updates(town)] == ["saw_and_left"]
    assert not updates(town)[0].values["shown"]
    assert not any(p.is_file() for p in town.store.files.folder.rglob("*"))


def test_something_else_nearby_is_sent_with_its_photo(
    sent, visit, categories, town: Town, clock: Clock
) -> None:
    other = visit(address="192.0.2.8")
    asked = other.fill_in(
        category="?",
        place="rue des tilleuls",
        description="Un nid de poule",
        files={"photo": ("p.jpg", photograph("webp"))},
    )
    assert "Trou dans la chaussée" in asked.text  # from the words
    clock.wait(5)
    done = other.client.post(
        "/signaler",
        data={**other.hidden(asked.text), "category": str(categories["trou"]), "step": "checked"},
        files={"photo": ("", b"")},
    )
    assert done.status_code == 303
    made = reports(town)[-1]
    assert (made.values["category"], made.values["description"]) == (categories["trou"], "Un nid de poule")
    assert town.store.records.count("report_photo", Query(where={"request": made.id})) == 1
    clock.wait(4000)
    assert drafts.forget_due(town) == 0
    assert prepare_waiting(town) == 1


def test_not_ours_gives_the_right_contact_and_sends_nothing(visit, categories, town: Town) -> None:
    who = visit(language="en")
    answer = who.fill_in(category=str(categories["eau"]), place="ici", description="Water")
    assert "Call Veolia Eau." in answer.text and "tel:0969323529" in answer.text
    answer = who.fill_in(
        "/signaler?categorie=lampadaire",
        category=str(categories["lampadaire"]),
        place="ici",
        description="",
        **{"q-panne": "fire"},
    )
    assert "Call Enedis: 09 72 67 50 18" in answer.text
    # without script the category is only chosen in the form: its questions come before sending
    asked = who.fill_in(category=str(categories["lampadaire"]), place="ici", description="Dark")
    assert (
        asked.status_code == 200 and "What fault?" in asked.text and "What fault?" not in who.get("/signaler")
    )
    data = {**who.hidden(asked.text), "step": "checked", "q-panne": "fire"}
    answer = who.client.post("/signaler", data=data, files={"photo": ("", b"")})
    assert "Call Enedis: 09 72 67 50 18" in answer.text
    assert reports(town) == []
    answer = who.fill_in(
        "/signaler?categorie=lampadaire",
        category=str(categories["lampadaire"]),
        place="rue des Tilleuls",
        **{"q-panne": "off"},
    )
    assert answer.status_code == 303
    assert reports(town)[0].values["answers"] == {"panne": "off"}
    assert "Off" in who.get(answer.headers["location"])
    x, y = HERE[0] + 0.005, HERE[1] + 0.005
    ring = [[x, y], [x + 0.002, y], [x + 0.002, y + 0.002], [x, y + 0.002], [x, y]]
    line = {
        "name": "RD 940",
        "categories": "trou",
        "contact": "Appelez le Département.",
        "contact_en": "Call the county.",
    }
    town.store.records.put("report_route", line, who=SYSTEM, territory="18033", geometry={"type": "Polygon", "coordinates": [ring]})  # fmt: skip
    there = {
        "category": str(categories["trou"]),
        "place": "RD 940",
        "lon": str(x + 0.001),
        "lat": str(y + 0.001),
    }
    told = who.fill_in(**there, description="Deep hole", files={"photo": ("p.jpg", photograph("jpeg"))})
    assert told.status_code == 200 and "Call the county." in told.text and len(reports(town)) == 1
    sent = who.client.post(
        "/signaler", data={**who.hidden(told.text), "anyway": "1"}, files={"photo": ("", b"")}
    )
    assert sent.status_code == 303
    (row,) = reports(town, description="Deep hole")
    assert len(town.store.records.find("report_photo", Query(where={"request": row.id})).rows) == 1
    beside = who.fill_in(**{**there, "lon": str(x + 0.01)}, description="Not on their road", step="checked")
    assert beside.status_code == 303


def test_who_points_at_a_place_says_which_lamp_it_is(visit, categories, town: Town) -> None:
    who = visit(language="en")
    lamp = str(categories["lampadaire"])
    here = {"category": lamp, "asked": "lampadaire", "place": "ici", "lon": str(HERE[0]), "lat": str(HERE[1])}
    told = who.fill_in(**here, description="Dark again")
    assert told.status_code == 200 and "Which one is it?" in told.text and reports(town) == []
    offered = re.findall(r'name="asset" value="([^"]*)".*?<label[^>]*>(\w+)', told.text)
    lamps = {row.id: row.values["code"] for row in town.store.records.find("lamp").rows}
    nearest_first = [(f"lamp/{number}", code) for number, code in sorted(lamps.items())]
    assert offered == [*nearest_first, ("", "I")]  # "I do not know"
    chosen = {**who.hidden(told.text), "step": "checked", "asset": offered[1][0]}
    assert who.client.post("/signaler", data=chosen, files={"photo": ("", b"")}).status_code == 303
    assert [row.values["asset"] for row in reports(town)] == [offered[1][0]]
    far = {**here, "lon": str(HERE[0] + 0.006)}
    assert who.fill_in(**far, description="Far from any").status_code == 303
    assert reports(town, description="Far from any")[0].values["asset"] is None


def test_a_qr_code_opens_the_form_filled_in(visit, categories, town: Town) -> None:
    lamp = town.store.records.find("lamp").rows[1]
    who = visit()
    sheet = who.get(f"/signaler/affiche?equipement=lamp/{lamp.id}&categorie=lampadaire")
    address = (
        re.search(r"http://127\.0\.0\.1:8080(/signaler\?[^<]+)</p>", sheet).group(1).replace("&amp;", "&")
    )
    answer = who.fill_in(address, action="/signaler", category=str(categories["lampadaire"]))
    assert answer.status_code == 303, answer.text
    (row,) = reports(town)
    assert (row.values["asset"], row.values["channel"], row.geometry) == (
        f"lamp/{lamp.id}",
        "qr",
        lamp.geometry,
    )


def test_the_number_alone_opens_what_is_public_and_the_key_ones_own(sent, town: Town, visit) -> None:
    _who, own, _row = sent
    other = visit(address="192.0.2.9")
    token = other.hidden(other.get("/suivi"))
    assert (
        other.client.post("/suivi", data={**token, "number": "25-00001"}).headers["location"]
        == "/signalements/25-00001"
    )
    key = own.rsplit("/", 1)[1]
    spelt = f"{key[:4]}-{key[4:8]} {key[8:]}".lower().replace("0", "o")
    assert (
        other.client.post("/suivi", data={**token, "number": "25-00001", "key": spelt}).headers["location"]
        == own
    )
    for number, wrong in (("25-00001", "AAAAAAAAAA"), ("25-99999", ""), ("25-99999", key)):
        answer = other.client.post("/suivi", data={**token, "number": number, "key": wrong})
        assert answer.status_code == 404
    assert other.client.get("/suivi/25-00001/AAAAAAAAAA").status_code == 404


def test_a_private_report_is_nowhere_but_at_its_author_and_the_staff(visit, categories, town: Town) -> None:
    who = visit()
    answer = who.fill_in(category=str(categories["depot"]), place="rue des Tilleuls", description="Zzyzx privé", confidential="1",
                         files={"photo": ("p.jpg", photograph("png"))})  # fmt: skip
    prepare_waiting(town)
    (row,) = reports(town)
    photo = town.store.records.find("report_photo").rows[0]
    assert (row.values["shown"], photo.values["shown"], photo.values["state"]) == (False, False, "ready")
    own = answer.headers["location"].split("?")[0]
    page = who.get(own)
    assert "Zzyzx" in page
    picture = re.search(rf"{own}/photos/[0-9a-f]{{64}}\.jpg", page).group()
    assert who.client.get(picture).status_code == 200
    other = visit(address="192.0.2.9")
    file = photo.values["file"]
    for path in (
        "/signalements", "/signalements?etat=tous&q=zzyzx", "/signalements.geojson", "/signalements.atom", "/donnees/service_request.csv",
        "/donnees/service_request.geojson", "/donnees/service_request?q=zzyzx", "/ogc/collections/service_request/items", "/carte.geojson?couche=service_request",
        "/donnees/report_photo.csv",
    ):  # fmt: skip
        text = other.get(path)
        assert "yzx privé" not in text and "25-00001" not in text and file not in text, path
    for path in ("/signalements/25-00001", f"/donnees/service_request/{row.id}", f"/signalements/photos/{file}.jpg",
                 f"/ogc/collections/service_request/items/{row.id}"):  # fmt: skip
        assert other.client.get(path).status_code == 404, path
    agent = visit("agent", "192.0.2.20")
    assert "Zzyzx" in agent.get(f"/donnees/service_request/{row.id}")
    assert agent.client.get(f"/signalements/photos/{file}.jpg").status_code == 200
    assert Desk(town.store.records, ANONYMOUS).count("service_request") == 0


def test_any_neighbour_reopens_with_evidence(sent, visit, town: Town, clock: Clock) -> None:
    who, own, row = sent
    close(town, row)
    page = who.get(own)
    assert "Est-ce vraiment réglé" in page and "Réparé" in page
    said = who.client.post(
        own, data={**who.hidden(page), "do": "satisfied", "answer": "non", "text": "Il est toujours là"}
    )
    assert said.status_code == 303
    assert (
        reports(town)[0].values["satisfied"],
        updates(town, kind="satisfaction")[0].values["satisfied"],
    ) == (False, False)
    other = visit(address="192.0.2.9")
    page = other.get("/signalements/25-00001")
    clock.wait(30)
    bare = other.client.post(
        "/signalements/25-00001", data={**other.hidden(page), "do": "reopen", "text": ""}
    )
    assert bare.status_code == 400 and "Dites ce que vous voyez, ou joignez une photo." in bare.text
    done = other.client.post(
        "/signalements/25-00001",
        data={**other.hidden(page), "do": "reopen", "text": ""},
        files={"photo": ("p.jpg", photograph("jpeg"))},
    )
    assert done.headers["location"].endswith("?merci=rouvert")
    v = reports(town)[0].values
    assert (v["state"], v["reopened"], v["closed"], v["reason"], v["satisfied"]) == (
        "reopened",
        1,
        None,
        None,
        None,
    )


def test_a_question_is_answered_and_a_report_withdrawn_by_its_author_alone(
    sent, visit, town: Town, clock: Clock
) -> None:
    who, own, row = sent
    made = states.move(row.values, "ask", "agent", town.clock(), text="De quelle couleur ?")
    town.store.records.put("service_request", made.values, id=row.id, who=SYSTEM)
    town.store.records.put("report_update", {**made.update, "request": row.id, "shown": True}, who=SYSTEM)
    page = who.get(own)
    assert "De quelle couleur ?" in page and "La mairie vous pose une question" in page
    clock.wait(20)
    other = visit(address="192.0.2.9")
    public = other.get("/signalements/25-00001")
    for deed in ("answer", "withdraw", "erase", "satisfied"):
        other.client.post(
            "/signalements/25-00001", data={**other.hidden(public), "do": deed, "text": "bleu", "sure": "oui"}
        )
    assert reports(town)[0].values["state"] == "question"
    who.client.post(own, data={**who.hidden(page), "do": "answer", "text": "Bleu"})
    assert reports(town)[0].values["state"] == "waiting"
    who.client.post(own, data={**who.hidden(page), "do": "withdraw"})
    v = reports(town)[0].values
    assert (v["state"], v["reason"]) == ("closed", "withdrawn")


def test_staff_enter_what_they_are_told_and_print_the_receipt(visit, categories, town: Town) -> None:
    assert visit().client.get("/signaler/saisir").status_code == 401
    agent = visit("agent", "192.0.2.20")
    answer = agent.fill_in("/signaler/saisir", seconds=0, channel="phone", category=str(categories["trou"]), place="rue des Tilleuls",
                           description="Un trou", name="Mme Durand", phone="02 48 11 22 33")  # fmt: skip
    assert answer.status_code == 303
    (row,) = reports(town)
    assert (row.values["channel"], row.values["name"], row.author[:5]) == ("phone", "Mme Durand", "user:")
    receipt = agent.get(answer.headers["location"])
    assert "25-00001" in receipt and "1 place de la Mairie" in receipt and "02 48 00 00 00" in receipt
    assert "Mme Durand" not in visit(address="192.0.2.9").get("/signalements/25-00001")
    for caller in (
        "M. Petit",
        "Mme Roux",
    ):  # others call about the same: the agent joins them to it, each is counted
        shown = agent.fill_in("/signaler/saisir", seconds=0, channel="phone", category=str(categories["trou"]), place="rue des Tilleuls",
                              description=f"Le trou encore, dit {caller[-4:]}")  # fmt: skip
        assert shown.status_code == 200 and "C&#39;est le même : moi aussi" in shown.text
        data = {**agent.hidden(shown.text), "same": "25-00001"}
        joined = agent.client.post("/signaler/saisir", data=data, files={"photo": ("", b"")})
        assert joined.headers["location"] == "/signalements/25-00001?merci=aussi"
    (row,) = reports(town)
    assert row.values["me_too"] == 2
    other = agent.client.post(
        "/signaler/saisir",
        data={**agent.hidden(shown.text), "step": "checked"},
        files={"photo": ("", b"")},
    )
    assert other.status_code == 303 and len(reports(town)) == 2


def test_a_new_category_is_known_at_once_where_it_was_made_and_soon_elsewhere(
    town: Town, categories: dict[str, int]
) -> None:
    beside = open_town(town.settings.data)
    assert categories_of(town).by_code("neuf") is categories_of(beside).by_code("neuf") is None
    town.store.records.put("report_category", {"code": "neuf", "name": "Neuf"}, who=SYSTEM)
    assert categories_of(town).by_code("neuf") is not None
    time.sleep(LOOKED_S)
    assert categories_of(beside).by_code("neuf") is not None
    beside.close()


def test_feeds_read_and_lists_filter(sent, visit, town: Town, categories) -> None:
    who = visit(address="192.0.2.9")
    feed = ET.fromstring(who.client.get(f"/signalements.atom?lon={HERE[0]}&lat={HERE[1]}&rayon=200").content)
    names = {"a": "http://www.w3.org/2005/Atom", "g": "http://www.georss.org/georss"}
    (entry,) = feed.findall("a:entry", names)
    assert entry.findtext("a:title", namespaces=names) == "Dépôt sauvage"
    assert entry.findtext("g:point", namespaces=names) == f"{HERE[1]} {HERE[0] + 1e-4}"
    assert feed.find("a:updated", names).text.endswith("Z")
    far = ET.fromstring(who.client.get("/signalements.atom?lon=2.5&lat=47.2&rayon=200").content)
    assert far.findall("a:entry", names) == []
    for query, seen in (("etat=clos", False), ("etat=ouverts", True), ("q=matel", True), ("q=zèbre", False), ("pres=tilleuls", True),
                        (f"categorie={categories['trou']}", False), ("categorie=depot", True), ("etat=nonsense&categorie=x&rayon=-1&after=%00", None)):  # fmt: skip
        answer = who.client.get(f"/signalements?{query}")
        assert answer.status_code in (200, 400)
        if seen is not None:
            assert ("matelas" in answer.text) == seen, query


@pytest.mark.parametrize("kind", ["jpeg", "png", "webp", "avif"])
def test_no_trace_of_the_telephone_on_any_path(
    kind: str, visit, categories, town: Town, clock: Clock
) -> None:
    who = visit()
    done = who.fill_in(
        category=str(categories["depot"]),
        place="rue des Tilleuls",
        description="x",
        files={"photo": ("p", photograph(kind))},
    )
    page = who.get(own := done.headers["location"].split("?")[0])
    assert "1 photo en préparation" in page and "photos/" not in page
    clock.wait(20)
    who.client.post(
        own,
        data={**who.hidden(page), "do": "comment", "text": "autre"},
        files={"photo": ("p", photograph(kind))},
    )
    held = town.store.records.find("report_photo").rows
    assert [p.values["shown"] for p in held] == [False, False]
    assert prepare_waiting(town) == 2
    served = {a: who.client.get(a).content for a in set(re.findall(r"/suivi/[^\"]+\.jpg", who.get(own)))}
    assert len(served) == 2  # the same content has the same address
    for photo in town.store.records.find("report_photo").rows:
        for field in ("file", "small", "original"):
            served[f"{photo.id} {field}"] = town.store.files.read(photo.values[field])[0]
    for where, data in served.items():
        assert [trace for trace in TRACES if trace in data] == [], where
    assert {p.values["shown"] for p in town.store.records.find("report_photo").rows} == {True}


def test_a_file_that_is_no_photo_is_told(visit, categories, town: Town) -> None:
    answer = visit().fill_in(
        category=str(categories["depot"]),
        place="rue des Tilleuls",
        description="x",
        files={"photo": ("p.jpg", b"<svg/>")},
    )
    assert answer.status_code == 400 and "Envoyez du JPEG, PNG, WEBP, AVIF ou HEIC." in answer.text
    assert reports(town) == []


def test_the_public_place_of_a_home_is_coarse(visit, categories, town: Town) -> None:
    answer = visit().fill_in(
        category=str(categories["rats"]),
        place="chez moi",
        description="Des rats",
        lon="2.417123",
        lat="47.098321",
    )
    assert answer.status_code == 303
    (row,) = reports(town)
    lon, lat = row.geometry["coordinates"]
    assert row.values["exact_place"] == {"type": "Point", "coordinates": [2.417123, 47.098321]}
    assert (
        (lon, lat) != (2.417123, 47.098321) and abs(lon - 2.417123) < 0.0014 and abs(lat - 47.098321) < 0.0009
    )
    text = visit(address="192.0.2.3").get("/ogc/collections/service_request/items") + visit(
        address="192.0.2.3"
    ).get("/signalements/25-00001")
    assert "2.417123" not in text and "47.098321" not in text
    neighbour = visit(address="192.0.2.4").fill_in(
        category=str(categories["rats"]), place="x y z", description="Rats", lon="2.417140", lat="47.098300"
    )
    assert neighbour.status_code in (200, 303)


def test_a_manager_starts_from_a_first_list_and_sets_the_rest(visit, town: Town) -> None:
    bare = visit(address="192.0.2.3").fill_in(category="?", place="place de l'église", description="Un trou")
    assert bare.status_code == 303  # a town without any category takes reports all the same
    assert visit("agent", "192.0.2.20").client.get("/signaler/reglages").status_code == 403
    chief = visit("responsable", "192.0.2.21")
    page = chief.get("/signaler/reglages")
    assert "Partir d&#39;une liste type" in page
    for sent in (
        {"do": "start"},
        {"do": "list", "words": "casino en ligne\n\n  viagra "},
        {"do": "gateway", "sms": "https://sms.exemple.fr/x"},
    ):
        assert chief.client.post("/signaler/reglages", data={**chief.hidden(page), **sent}).status_code == 303
    assert (
        chief.client.post("/signaler/reglages", data={**chief.hidden(page), "do": "start"}).status_code == 409
    )
    assert (
        chief.client.post(
            "/signaler/reglages", data={**chief.hidden(page), "do": "gateway", "sms": "ftp://x"}
        ).status_code
        == 400
    )
    assert town.store.setting("reports.abuse") == ["casino en ligne", "viagra"]
    assert town.store.records.count("report_category") == 20
    assert "Lampadaire éteint" in visit(address="192.0.2.4").get("/signaler")
