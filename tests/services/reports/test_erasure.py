"""Erasure that leaves nothing readable: in tables, history, search, files, jobs, exports, logs."""

import logging

import pytest
from tests.services.reports.conftest import Clock
from tests.services.reports.photographs import photograph
from tests.services.reports.test_citizens import close, reports, updates

from beffroi.export import export_town
from beffroi.services.reports.erasure import forget_old, settle
from beffroi.services.reports.preparing import prepare_waiting
from beffroi.store.record import Query
from beffroi.store.retention import expire
from beffroi.town import Town

SECRETS = ("Xylophone", "Quetzalcoatl", "zorglub@exemple.fr", "06 98 76 54 32", "Bartholomé", "Wapiti")


def everything(town: Town) -> bytes:
    """Return every byte of the installation's data directory, as someone who took the disk would see it."""
    return b"\0".join(
        p.read_bytes()
        for p in sorted(town.settings.data.rglob("*"))
        if p.is_file() and p.name != "secret.key"
    )


def test_nothing_of_the_author_is_left(
    visit, categories, town: Town, tmp_path, caplog: pytest.LogCaptureFixture, clock: Clock
) -> None:
    caplog.set_level(logging.DEBUG, "beffroi")
    caplog.set_level(logging.WARNING, "PIL")
    who = visit()
    answer = who.fill_in(
        category=str(categories["rats"]), place="chez Quetzalcoatl", description="Xylophone devant la porte", lon="2.417123", lat="47.098321",
        mail="zorglub@exemple.fr", phone="06 98 76 54 32", name="Bartholomé", files={"photo": ("p.jpg", photograph("jpeg"))},
    )  # fmt: skip
    own = answer.headers["location"].split("?")[0]
    page = who.get(own)
    clock.wait(30)
    who.client.post(
        own,
        data={**who.hidden(page), "do": "comment", "text": "Wapiti aussi"},
        files={"photo": ("p.jpg", photograph("webp"))},
    )
    prepare_waiting(town)
    before = everything(town)
    assert b"Xylophone" in before and b"zorglub" not in before  # sealed from the first byte
    copy = who.client.get(own + "/donnees.json").json()
    assert copy["report"]["mail"] == "zorglub@exemple.fr" and copy["report"]["exact_place"][
        "coordinates"
    ] == [2.417123, 47.098321]
    assert (
        [u["text"] for u in copy["updates"]] == ["Wapiti aussi"]
        and len(copy["photos"]) == 2
        and "key_hash" not in copy["report"]
    )
    sure = who.client.post(own, data={**who.hidden(page), "do": "erase"})
    assert "Effacer pour toujours" in sure.text and reports(town)[0].values["description"]
    done = who.client.post(own, data={**who.hidden(sure.text), "do": "erase", "sure": "oui"})
    assert "C&#39;est effacé" in done.text
    assert who.client.get(own).status_code == 404  # the key opens nothing any more
    row = reports(town)[0]
    kept = {k: v for k, v in row.values.items() if v not in (None, False, 0)}
    assert set(kept) == {
        "number",
        "kind",
        "category",
        "state",
        "channel",
        "requested",
        "area",
        "priority",
        "moderation",
        "shown",
        "language",
    }
    assert row.person is None and row.geometry["coordinates"] != [2.417123, 47.098321]
    assert not any(p.is_file() for p in town.store.files.folder.rglob("*"))
    for text in ("xylophone", "wapiti", "quetzalcoatl"):
        assert town.store.records.count("service_request", Query(text=text, deleted=None)) == 0
        assert town.store.records.count("report_update", Query(text=text, deleted=None)) == 0
    assert settle(town) and not settle(town)
    export_town(town.store, town.name, tmp_path / "export")
    after = (
        everything(town)
        + b"".join(p.read_bytes() for p in (tmp_path / "export").rglob("*") if p.is_file())
        + caplog.text.encode()
    )
    assert [secret for secret in SECRETS if secret.encode() in after] == []
    assert [part for part in ("2.417123", "47.098321", "xylophone", "wapiti") if part.encode() in after] == []


def test_after_a_year_pseudonyms_photos_and_contacts_go_and_the_figures_stay(
    visit, categories, town: Town, clock: Clock
) -> None:
    who = visit()
    answer = who.fill_in(category=str(categories["depot"]), place="rue des Tilleuls", description="Un matelas", mail="zorglub@exemple.fr",
                         files={"photo": ("p.jpg", photograph("jpeg"))})  # fmt: skip
    own = answer.headers["location"].split("?")[0]
    prepare_waiting(town)
    other = visit(address="192.0.2.9")
    other.client.post(
        "/signalements/25-00001", data={**other.hidden(other.get("/signalements/25-00001")), "do": "me_too"}
    )
    close(town, reports(town)[0])
    clock.wait(360 * 86400)
    assert forget_old(town) == 0
    expire(town.store.records, town.clock())
    assert reports(town)[0].values["mail"] == "zorglub@exemple.fr"
    clock.wait(6 * 86400)
    assert forget_old(town) == 1 and forget_old(town) == 0
    expire(town.store.records, town.clock())
    v = reports(town)[0].values
    assert (v["mail"], v["reporter"], v["key_hash"], v["photos"]) == (None, None, None, 0)
    assert (v["description"], v["reason"], v["me_too"]) == ("Un matelas", "repaired", 1)
    assert [u.values["reporter"] for u in updates(town, kind="me_too")] == [None]
    assert not any(p.is_file() for p in town.store.files.folder.rglob("*"))
    assert who.client.get(own).status_code == 404
