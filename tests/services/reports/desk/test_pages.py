"""The desk's other pages, asked as browsers ask: one report, routing, rounds, field, firm, figures, bias."""

import contextlib
import io
import json
import re
import zipfile
import zlib

import pytest
from tests.services.reports.desk.conftest import COMMUNE, NOW, account, morning, report
from tests.services.reports.photographs import TRACES, left_in, photograph

from beffroi.model.instant import DAY_US
from beffroi.model.principal import SYSTEM
from beffroi.services.reports.desk.acting import Handling
from beffroi.services.reports.desk.forwarding import forward, give_back, letter_of
from beffroi.services.reports.preparing import prepare_waiting
from beffroi.store.record import Query

HOME = "/services/reports"


def values(town, number: int) -> dict:
    return town.store.records.get("service_request", number).values


def test_one_report_from_reading_to_closing(town, ids, agent, browser) -> None:
    number = report(
        town, ids, 1, category="voirie.nid", mail="anais@exemple.example.org", name="Anaïs", language="en"
    )
    one = browser(agent)
    page = one.get(f"{HOME}/{number}").text
    assert "Trou dans la chaussée" in page
    assert "anais@exemple.example.org" in page
    template = town.store.records.find("report_reply_template", Query(where={"name": "Merci"})).rows[0].id
    prepared = one.get(f"{HOME}/{number}?faire=reply&modele={template}").text
    assert (
        "Hello, your report S-2026-00001 (Trou dans la chaussée, place du Marché) was passed on to: Voirie."
        in prepared
    )
    version = re.search(r'name="version" value="(\d+)"', page)[1]
    answer = one.submit(f"{HOME}/{number}", f"{HOME}/{number}", {"do": "close", "reason": "repaired", "text": "Rebouché.", "version": version})  # fmt: skip
    assert answer.status_code == 303
    page = one.get(answer.headers["location"]).text
    assert "Clos · Réparé" in page
    assert "Rebouché." in page
    assert (
        one.submit(
            f"{HOME}/{number}", f"{HOME}/{number}", {"do": "reply", "text": "x", "version": version}
        ).status_code
        == 409
    )
    assert one.get(f"{HOME}/999999").status_code == 404
    assert browser().get(f"{HOME}/{number}").status_code == 401


def test_the_story_says_who_changed_what(town, ids, agent, handling, browser) -> None:
    number = report(town, ids, 1)
    handling.set([number], {"priority": "high", "assignee": agent.id}, "Devant l'école")
    handling.note(number, "Appelé le gardien")
    page = browser(agent).get(f"{HOME}/{number}").text
    assert "Priorité : Normale → Haute" in page
    assert "Confié à : – → Nadia Belkacem" in page
    assert "Devant l&#39;école" in page
    assert "Appelé le gardien" in page


def test_the_routing_table_shows_its_dead_line_and_can_be_tried(town, ids, agent, browser) -> None:
    chief = account(town, "responsable", "Yannick")
    one = browser(chief)
    page = one.get(f"{HOME}/acheminement").text
    assert "Jamais atteinte : cachée par 3." in page
    night = one.get(f"{HOME}/acheminement?category={ids['c:eclairage']}&at=2026-12-05T22:00").text
    assert "Lumières du Berry" in night.partition('role="status"')[2]
    assert (
        one.submit(
            f"{HOME}/acheminement", f"{HOME}/acheminement", {"row": ids["r:3"], "do": "up"}
        ).status_code
        == 303
    )
    assert "Jamais atteinte" not in one.get(f"{HOME}/acheminement").text
    town.store.records.put("report_route", {"name": "Faux", "hours": "99h", "position": 9}, who=SYSTEM)
    assert "illisible" in one.get(f"{HOME}/acheminement").text
    assert (
        browser(agent).submit("/compte", f"{HOME}/acheminement", {"row": ids["r:3"], "do": "up"}).status_code
        == 403
    )


def test_a_round_is_ordered_printed_and_changed_by_hand(town, ids, agent, browser) -> None:
    found = [report(town, ids, n, at=(2.36 + 0.001 * (n * 7 % 12), 47.05)) for n in range(12)]
    one = browser(agent)
    answer = one.submit(
        f"{HOME}/tournees/nouvelle?row={found[0]}",
        f"{HOME}/tournees/nouvelle",
        {"row": found, "day": "2026-11-26", "name": "Nord"},
    )
    sheet = answer.headers["location"]
    row = town.store.records.get("report_round", int(sheet.rpartition("/")[2]))
    places = [
        town.store.records.get("service_request", n).geometry["coordinates"][0] for n in row.values["stops"]
    ]
    assert places in (sorted(places), sorted(places, reverse=True))  # along the street, from one end
    assert row.values["length_m"] == pytest.approx(11 * 0.001 * 75876, rel=0.01)
    made = one.get(f"{sheet}.pdf")
    assert (made.status_code, made.content[:5]) == (200, b"%PDF-")
    assert {b"/Lang", b"/MarkInfo", b"pdfuaid"} <= {
        mark for mark in (b"/Lang", b"/MarkInfo", b"pdfuaid") if mark in opened(made.content)
    }
    one.submit(sheet, sheet, {"do": "down", "stop": row.values["stops"][0]})
    moved = town.store.records.get("report_round", row.id).values["stops"]
    assert moved[:2] == row.values["stops"][1::-1]
    assert one.submit(sheet, sheet, {"do": "out", "stop": "12345678"}).status_code == 400


def test_the_phone_sends_a_deed_twice_and_it_is_done_once(town, ids, agent, browser) -> None:
    number = report(town, ids, 1, assignee=agent.id)
    one = browser(agent)
    deed = {"do": "note", "text": "Vu, rien de grave", "key": "abc"}
    for _ in range(2):
        answer = one.submit(f"{HOME}/terrain", f"{HOME}/terrain/{number}", deed)
        assert answer.status_code == 303
    assert town.store.records.count("report_update", Query(where={"request": number})) == 1
    token = re.search(r'name="csrf" value="([0-9a-f]{64})"', one.get(f"{HOME}/terrain").text)[1]
    send = {"csrf": token, "do": "repaired", "text": "Fait", "key": "def"}
    done = one.post(f"{HOME}/terrain/{number}", data=send, headers={"Accept": "application/json"})
    assert done.json()["ok"] is True
    assert (values(town, number)["state"], values(town, number)["reason"]) == ("closed", "repaired")
    refused = one.post(
        f"{HOME}/terrain/{number}", data={**send, "key": "ghi"}, headers={"Accept": "application/json"}
    )
    assert (refused.status_code, refused.json()["ok"]) == (409, False)
    assert one.get(f"{HOME}/terrain/worker.js").headers["service-worker-allowed"] == f"{HOME}/terrain"


@pytest.mark.parametrize("kind", ["jpeg", "png", "webp", "avif"])
def test_a_photo_from_the_field_comes_without_its_metadata(
    kind: str, town, ids, agent, browser, tmp_path
) -> None:
    number = report(town, ids, 1, assignee=agent.id)
    one = browser(agent)
    page = one.get(f"{HOME}/terrain").text
    assert re.search(rf'<input id="p-{number}" type="file" name="photo"', page)
    sent = {
        "csrf": re.search(r'name="csrf" value="([0-9a-f]{64})"', page)[1],
        "do": "repaired",
        "text": "Fait",
        "key": "abc",
    }
    before = photograph(kind)
    assert any(trace in before for trace in TRACES)
    for _ in range(2):  # the phone sends twice
        files = {"photo": (f"a.{kind}", before)}
        answer = one.post(
            f"{HOME}/terrain/{number}", data=sent, files=files, headers={"Accept": "application/json"}
        )
        assert answer.json()["ok"] is True
    prepare_waiting(town)
    (photo,) = town.store.records.find("report_photo").rows
    v = photo.values
    assert (v["taken_by"], v["state"], v["shown"], v["moderation"]) == ("agent", "ready", True, "accepted")
    update = town.store.records.get("report_update", v["update"])
    assert (update.values["state"], update.values["text"]) == ("closed", "Fait")
    for name in (v["original"], v["file"], v["small"]):
        data, _ = town.store.files.read(name)
        assert not any(trace in data for trace in TRACES)
    shown = browser().get(f"/signalements/{values(town, number)['number']}").text
    assert f"/signalements/photos/{v['small']}.jpg" in shown
    served = browser().get(f"/signalements/photos/{v['file']}.jpg").content
    assert not any(trace in served for trace in TRACES)
    kept, _ = town.store.files.read(v["original"])
    assert left_in(served, tmp_path) == left_in(kept, tmp_path) == set()


def test_the_photo_of_a_note_stays_with_the_staff_and_goes_with_it(town, ids, agent, browser) -> None:
    number = report(town, ids, 1, assignee=agent.id)
    one = browser(agent)
    token = re.search(r'name="csrf" value="([0-9a-f]{64})"', one.get(f"{HOME}/terrain").text)[1]
    files = [("photo", ("a.jpg", photograph("jpeg")))]
    send = {"csrf": token, "do": "note", "text": ""}
    assert one.post(f"{HOME}/terrain/{number}", data=send, files=files).status_code == 303
    prepare_waiting(town)
    (photo,) = town.store.records.find("report_photo").rows
    assert (photo.values["state"], photo.values["shown"], values(town, number)["photos"]) == (
        "ready",
        False,
        0,
    )
    assert photo.values["small"] not in browser().get(f"/signalements/{values(town, number)['number']}").text
    assert f"{HOME}/photos/{photo.id}?petite" in one.get(f"{HOME}/{number}").text
    wrong = one.post(f"{HOME}/terrain/{number}", data=send, files=[("photo", ("a.jpg", b"GIF89a nothing"))], headers={"Accept": "application/json"})  # fmt: skip
    assert wrong.status_code == 400 and wrong.json()["reason"]
    many = one.post(
        f"{HOME}/terrain/{number}", data=send, files=files * 5, headers={"Accept": "application/json"}
    )
    assert many.status_code == 400
    assert town.store.records.count("report_photo") == 1 and town.store.records.count("report_update") == 1


def test_a_firm_acts_by_its_link_without_an_account(town, ids, handling, browser) -> None:
    number = report(town, ids, 1, name="Anaïs Le Gall", mail="anais@exemple.example.org", phone="0612345678")
    path = forward(handling, number, department=ids["lumieres"], mail="", days=30, text="Merci de passer")
    assert (values(town, number)["state"], values(town, number)["external"]) == ("external", "sent")
    firm = browser()
    page = firm.get(path)
    assert page.status_code == 200
    assert page.headers["cache-control"] == "private, no-store"
    assert not any(secret in page.text for secret in ("Anaïs", "anais@", "0612345678", "Nadia"))
    assert values(town, number)["state"] == "external"  # opening changes nothing
    assert firm.submit(path, path, {"do": "schedule", "until": "2026-12-01"}).status_code == 303
    assert values(town, number)["state"] == "scheduled"
    assert (
        firm.submit(path, path, {"do": "close", "reason": "refused"}).status_code == 400
    )  # not a firm's to say
    assert (
        firm.submit(path, path, {"do": "close", "reason": "repaired", "text": "Ampoule changée"}).status_code
        == 303
    )
    now = values(town, number)
    assert (now["state"], now["reason"], now["external"]) == ("closed", "repaired", "done")
    (last, *_) = town.store.records.find(
        "report_update", Query(where={"request": number, "actor": "firm"}, sort="-at")
    ).rows
    assert last.author.startswith("forward:")


def test_a_firm_sends_the_photo_of_its_work_and_sees_none_that_was_hidden(
    town, ids, agent, handling, browser
) -> None:
    number = report(town, ids, 1, assignee=agent.id)
    inspector, path = (
        browser(agent),
        forward(handling, number, department=ids["lumieres"], mail="", days=30, text=""),
    )
    photo = [("photo", ("a.jpg", photograph("jpeg")))]
    token = re.search(r'name="csrf" value="([0-9a-f]{64})"', inspector.get(f"{HOME}/terrain").text)[1]
    inspector.post(
        f"{HOME}/terrain/{number}", data={"csrf": token, "do": "note"}, files=photo
    )  # the staff's own
    firm = browser()
    sent = {"csrf": re.search(r'name="csrf" value="([0-9a-f]{64})"', firm.get(path).text)[1]}
    assert firm.post(path, data={**sent, "do": "note", "text": ""}, files=photo).status_code == 303
    done = {**sent, "do": "close", "reason": "repaired", "text": "Ampoule changée"}
    assert firm.post(path, data=done, files=[("photo", ("a.jpg", b"%PDF-1.7"))]).status_code == 400
    assert firm.post(path, data=done, files=photo).status_code == 303
    prepare_waiting(town)
    rows = town.store.records.find("report_photo", Query(sort="_id")).rows
    assert [(r.values["taken_by"], r.values["shown"]) for r in rows] == [
        ("agent", False),
        ("firm", False),
        ("firm", True),
    ]
    page = firm.get(path).text
    assert [f"/photos/{r.id}" in page for r in rows] == [False, False, True]
    data, _ = town.store.files.read(rows[2].values["original"])
    assert not any(trace in data for trace in TRACES)


def test_a_link_that_is_wrong_expired_or_taken_back_opens_nothing(town, ids, handling, browser) -> None:
    number = report(town, ids, 1)
    path = forward(handling, number, department=None, mail="firme@exemple.example.org", days=1, text="")
    firm = browser()
    assert firm.get(path).status_code == 200
    wrong = path[:-1] + ("0" if path[-1] != "0" else "1")
    assert [
        firm.get(p).status_code
        for p in (wrong, "/confie/abc", "/confie/1-é", "/confie/99999999999999999999-x")
    ] == [404] * 4
    link = town.store.records.find("report_forward").rows[0]
    give_back(handling, number, link.id)
    assert firm.get(path).status_code == 410
    town.store.records.put("report_forward", {"revoked": None, "expires": NOW}, id=link.id, who=SYSTEM)
    assert firm.get(path).status_code == 410


def test_the_letter_to_a_firm_carries_the_link(town, ids, handling) -> None:
    from beffroi.rules import outbox
    from beffroi.services.reports.desk.forwarding import KIND

    number = report(town, ids, 1)
    path = forward(handling, number, department=ids["lumieres"], mail="", days=30, text="Merci de passer")
    job = outbox.take(town.store, town.clock(), "test", KIND)
    letter = letter_of(town, job)
    assert letter["To"] == "lumieres@essai.example.org"
    assert f"https://essai.example.org{path}" in letter.get_content()
    assert "Merci de passer" in letter.get_content()
    give_back(handling, number, job.payload["link"])
    assert letter_of(town, job) is None


def test_elected_officials_read_figures_and_never_persons(town, ids, agent, browser) -> None:
    for n in range(20):
        requested = NOW - (40 - n) * DAY_US
        closed = requested + 4 * DAY_US if n < 15 else None
        report(town, ids, n, requested=requested, first_answered=requested + DAY_US, closed=closed, at=(2.39 if n % 2 else 2.37, 47.05),
               state="closed" if closed else "received", reason="repaired" if closed else None, mail="anais@exemple.example.org")  # fmt: skip
    twin = report(town, ids, 30, requested=NOW - 5 * DAY_US)
    Handling(town, agent).merge([twin], report(town, ids, 31, requested=NOW - 6 * DAY_US))
    one = browser(account(town, "elu", "Agnès"))
    page = one.get(f"{HOME}/chiffres?jours=90").text
    text = re.sub(r"<[^>]+>", " ", page)
    assert re.search(r"Signalements reçus\s+21\s", text)  # the merged one is not counted twice
    assert re.search(r"la moitié en\s+1\sj", text)
    assert re.search(r"Clôture, la moitié en\s+4\sj", text)
    assert "anais@" not in page
    lines = one.get(f"{HOME}/chiffres/area.csv?jours=90").text.splitlines()
    assert [line.split(",")[:2] for line in lines[1:]] == [["Centre", "11"], ["Gare", "10"]]
    assert one.get(f"{HOME}/file").status_code == 403
    assert browser().get(f"{HOME}/chiffres").status_code == 401
    paper = one.get(f"{HOME}/chiffres.pdf")
    assert pages_of_pdf(paper.content) == 1


def opened(data: bytes) -> bytes:
    """A PDF with its streams inflated."""
    text = data
    for found in re.finditer(rb"stream\r?\n(.*?)\r?\nendstream", data, re.DOTALL):
        with contextlib.suppress(zlib.error):
            text += zlib.decompress(found[1])
    return text


def pages_of_pdf(data: bytes) -> int:
    return len(re.findall(rb"/Type\s*/Page\b(?!s)", opened(data)))


def test_a_full_council_paper_is_one_page(town, ids, agent, browser) -> None:
    """Eight long names on each axis still make one page."""
    put = town.store.records.put
    for n in range(8):
        ids[f"c:x{n}"] = put(
            "report_category",
            {"code": f"x{n}", "name": f"Une catégorie au nom plutôt long, n° {n}"},
            who=SYSTEM,
        ).id
        department = put(
            "report_department", {"code": f"d{n}", "name": f"Direction des espaces publics {n}"}, who=SYSTEM
        ).id
        reason = (
            "repaired",
            "already_done",
            "not_ours",
            "refused",
            "not_found",
            "unable",
            "repaired",
            "refused",
        )[n]
        report(town, ids, n, category=f"x{n}", department=department, area=f"Quartier {n}", state="closed", reason=reason, closed=NOW,
               requested=NOW - 9 * DAY_US)  # fmt: skip
    assert pages_of_pdf(browser(agent).get(f"{HOME}/chiffres.pdf").content) == 1


def test_the_bias_page_finds_the_truth_and_says_what_it_does_not_know(town, ids, agent, browser) -> None:
    """Residents near the station report ten times as fast; a third area says too little to be known."""
    import random

    chance, put = random.Random(7), town.store.records.put
    put("report_area", {"code": "lointain", "name": "Lointain"}, who=SYSTEM)
    for n in range(240):
        area, rate = (("Gare", 0.2), ("Centre", 0.02), ("Lointain", 0.002))[n % 3]
        requested = NOW - chance.randrange(40, 300) * DAY_US
        number = report(
            town,
            ids,
            n,
            requested=requested,
            area=area,
            state="closed",
            reason="repaired",
            closed=requested + 30 * DAY_US,
        )
        at = 0.0
        with town.store.records.writer(SYSTEM) as writer:
            while (at := at + chance.expovariate(rate)) < 30:
                told = {
                    "request": number,
                    "kind": "me_too",
                    "actor": "neighbour",
                    "at": requested + int(at * DAY_US),
                    "reporter": f"{chance.random()}",
                }
                writer.create("report_update", told, territory=COMMUNE)
                if chance.random() < 0.3:  # the same person insists: counted once
                    writer.create("report_update", {**told, "at": told["at"] + 1000}, territory=COMMUNE)
    one = browser(account(town, "elu", "Agnès"))
    page = one.get(f"{HOME}/biais").text
    line = re.compile(
        r'<th scope="row">([^<]+)</th><td class="figure">([^<]+)</td><td class="figure">([^<]+)</td>'
    )
    raw, _, alike = page.partition("À catégories égales</h2>")
    rows, times = (
        {name: cells for name, *cells in line.findall(part)} for part in (raw, alike.partition("<h2>")[0])
    )
    slow, fast = (float(rows[name][0].replace(",", ".").split("\xa0")[0]) for name in ("Centre", "Gare"))
    low, high = (float(v.replace(",", ".")) for v in rows["Centre"][1].split(" – "))
    assert fast == pytest.approx(5, rel=0.1)
    assert low <= 50 <= high
    assert 35 <= slow <= 65
    assert rows["Lointain"][0] == "on ne sait pas"
    assert list(times) == ["Centre", "Gare"]  # in the regression too, what is not known is not said
    ratio = float(times["Centre"][0].replace(",", ".")) / float(times["Gare"][0].replace(",", "."))
    assert ratio == pytest.approx(slow / fast, rel=0.25)
    assert "Lointain" in page.partition("on ne sait pas, faute de données")[2][:80]
    archive = one.get(f"{HOME}/biais/extrait.zip")
    again = one.get(f"{HOME}/biais/extrait.zip")
    assert archive.content == again.content
    with zipfile.ZipFile(io.BytesIO(archive.content)) as files:
        names = {name.rpartition("/")[2]: name for name in files.namelist()}
        manifest = json.loads(files.read(names["manifest.json"]))
        extract = files.read(names["incidents.csv"]).decode()
    assert manifest["files"]["incidents.csv"]["rows"] == 240
    assert "S-2026" not in extract


def test_every_page_reads_in_english(town, ids, agent, browser) -> None:
    found = morning(town, ids, 3)
    one = browser(agent)
    for path in ("file", f"{found[0]}", "acheminement", "tournees", "terrain", "chiffres", "biais"):
        page = one.get(f"{HOME}/{path}?lang=en")
        assert page.status_code == 200
        assert '<html lang="en"' in page.text
