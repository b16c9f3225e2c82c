"""The register of processing: everything that collections declare of persons is in it, and nothing else."""

import csv
import html
import io
import re
import shutil
import subprocess

import pytest
from sqlalchemy import text

from beffroi.plugins import load_registry
from beffroi.rules.collections import PLATFORM_COLLECTIONS
from beffroi.town import Town
from beffroi.web.site.administration.register import treatments_of

PLACE = "/administration/registre"


def test_every_personal_field_of_every_collection_is_told_with_its_purpose_and_term() -> None:
    registry = load_registry((), PLATFORM_COLLECTIONS)
    told = {(d.what.fr, d.purpose.fr, d.days) for one in treatments_of(registry) for d in one.data}
    declared = {
        (f"{c.title.fr} : {f.title.fr}", f.personal.purpose.fr, f.personal.retention_days)
        for c in registry.collections.values() for f in c.personal
    }  # fmt: skip
    assert declared <= told and len(declared) >= 12
    assert all(
        d.what.en and d.purpose.en and d.since.en and d.readers.en
        for one in treatments_of(registry)
        for d in one.data
    )
    reports = next(one for one in treatments_of(registry) if one.title.fr == "Signalements")
    by_name = {d.what.fr: d for d in reports.data}
    mail = by_name["Signalements : Courriel"]
    assert (mail.days, mail.since.fr, mail.readers.fr) == (
        365, "«\u00a0Clos le\u00a0»", "agents du service concerné, responsables",
    )  # fmt: skip
    assert by_name["Abonnés aux signalements : Abonnement web push"].since.fr == "«\u00a0Jusqu'au\u00a0»"
    assert by_name["Signalements : photos, sans métadonnées"].readers.fr == "tout le monde"
    assert not any(one.title.fr in ("Environnement", "Eau") for one in treatments_of(registry))


def test_the_page_the_table_and_the_paper_say_the_same(browser, csrf, town: Town) -> None:
    admin = browser("admin")
    page = html.unescape(admin.get(PLACE).text)
    lines = list(
        csv.reader(io.StringIO(admin.get(f"{PLACE}.csv").text.removeprefix("\ufeff")), delimiter=";")
    )
    assert lines[0][:2] == ["Traitement", "Finalité"] and len(lines) == 1 + len(
        re.findall(r'<th scope="row">', page)
    )
    for line in lines[1:]:
        assert line[4] in page and line[5] in page and line[3] in page
    paper = admin.get(f"{PLACE}.pdf")
    assert (paper.status_code, paper.headers["content-type"], paper.headers["cache-control"]) == (
        200, "application/pdf", "no-store",
    )  # fmt: skip
    if shutil.which("pdftotext") is not None:  # Debian: poppler-utils
        read = subprocess.run(
            ["pdftotext", "-", "-"], input=paper.content, capture_output=True, check=True, timeout=30
        )
        words = " ".join(read.stdout.decode().split())
        assert (
            "article 30" in words and "Registre des traitements" in words and "Abonnement web push" in words
        )
    english = html.unescape(admin.get(f"{PLACE}?lang=en").text)
    assert "365 days after 'Closed on'" in english and "Register of processing" in english


def test_who_answers_is_kept_with_its_line_of_the_journal_or_not_at_all(browser, csrf, town: Town) -> None:
    admin = browser("admin")
    sent = {
        "csrf": csrf(admin, PLACE),
        "controller": "Commune d'Essai\n1 place de la Mairie",
        "delegate": "dpo@essai.fr",
    }
    assert admin.post(PLACE, data=sent).headers["location"] == f"{PLACE}?fait"
    assert "dpo@essai.fr" in admin.get(PLACE).text
    with town.store.read() as c:
        assert c.execute(text("SELECT count(*) FROM audit WHERE target = 'register'")).scalar_one() == 1
        c.rollback()
    with town.store.write() as c:
        c.execute(text("ALTER TABLE audit RENAME TO hidden"))
    with pytest.raises(Exception, match="audit"):
        town.store.change_settings("user:1", {"register": {"delegate": "autre"}}, "setting", "register")  # type: ignore[arg-type]
    with town.store.write() as c:
        c.execute(text("ALTER TABLE hidden RENAME TO audit"))
    assert town.store.setting("register")["delegate"] == "dpo@essai.fr"
