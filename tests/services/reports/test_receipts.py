"""Receipts on paper: what the law asks for is on them, tagged for screen readers, and goes with the letter."""

import shutil
import subprocess
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.services.reports.conftest import Citizen
from tests.services.reports.test_citizens import reports
from tests.services.reports.test_telling import Postman, deliver, post

from beffroi.services.reports.letters import in_two_months
from beffroi.town import Town

__all__ = ["post"]
needs_poppler = pytest.mark.skipif(
    shutil.which("pdftotext") is None, reason="poppler-utils is not installed (Debian: poppler-utils)"
)


def read(data: bytes, *command: str) -> str:
    """Return what a program of Poppler says of a PDF."""
    done = subprocess.run([*command], input=data, capture_output=True, check=True, timeout=30)
    return " ".join(done.stdout.decode().split())


def words(data: bytes) -> str:
    return read(data, "pdftotext", "-", "-")


@given(st.dates(date(2000, 1, 1), date(2090, 1, 1)))
def test_two_months_are_counted_from_day_to_day(day: date) -> None:
    after = in_two_months(day)
    assert (after.year * 12 + after.month) - (day.year * 12 + day.month) == 2
    assert after.day == day.day or (after.day < day.day and date.fromordinal(after.toordinal() + 1).day == 1)


def test_two_months_after_the_end_of_december_is_the_end_of_february() -> None:
    assert in_two_months(date(2025, 12, 31)) == date(2026, 2, 28)
    assert in_two_months(date(2025, 11, 24)) == date(2026, 1, 24)


@needs_poppler
def test_the_receipts_of_a_formal_request_are_papers_and_go_with_the_letters(
    visit, categories, town: Town, post: Postman
) -> None:
    who: Citizen = visit()
    answer = who.fill_in("/signaler?saisine=1", action="/signaler", asked="lampadaire", category=str(categories["lampadaire"]), place="rue des Tilleuls",
                         description="Le lampadaire est éteint.", name="Anne Martin", mail="a@exemple.fr", postal="3 rue Haute, 18000 Essai")  # fmt: skip
    own = answer.headers["location"].split("?")[0]
    deliver(town)
    sent = {
        part.get_filename(): part.get_content()
        for letter in post.letters
        for part in letter.iter_attachments()
    }
    assert list(sent) == ["aee-25-00001.pdf", "are-25-00001.pdf"]
    page = who.get(f"{own}/accuse")
    assert f'href="{own}/accuse/aee.pdf"' in page and "24/01/2026" in page
    for what in ("aee", "are"):
        paper = who.client.get(f"{own}/accuse/{what}.pdf")
        assert (paper.status_code, paper.headers["content-type"], paper.headers["cache-control"]) == (
            200, "application/pdf", "private, no-store",
        )  # fmt: skip
        assert words(paper.content) == words(sent[f"{what}-25-00001.pdf"])
        about = read(paper.content, "pdfinfo", "-")
        assert "Tagged: yes" in about and "Title: Accusé" in about
        assert "pdfuaid:part" in read(paper.content, "pdfinfo", "-meta", "-")
        outline = read(paper.content, "pdfinfo", "-struct", "-")
        assert all(mark in outline for mark in ("H1", "Table", "TH", "TD"))
    recorded, received = words(sent["aee-25-00001.pdf"]), words(sent["are-25-00001.pdf"])
    for said in ("Accusé d'enregistrement de votre saisine 25-00001", "R112-11-2", "24 nov. 2025", "Anne Martin",
                 "3 rue Haute, 18000 Essai", "Le lampadaire est éteint.", "dix jours ouvrés"):  # fmt: skip
        assert said in recorded
    for said in ("Accusé de réception de votre saisine 25-00001", "L112-11 et R112-11-1", "24 nov. 2025", "Éclairage public",
                 "1 place de la Mairie, 18000 Essai", "mairie@essai.fr", "02 48 00 00 01", "L231-4", "24/01/2026", "R421-2"):  # fmt: skip
        assert said in received
    assert who.client.get(f"{own}/accuse/signalement.pdf").status_code == 404
    assert visit().client.get("/suivi/25-00001/AAAAAAAAAA/accuse/aee.pdf").status_code == 404


@needs_poppler
def test_an_anonymous_report_has_a_receipt_on_paper_in_its_language(visit, categories, town: Town) -> None:
    who = visit(language="en")
    own = (
        who.fill_in(category=str(categories["depot"]), place="rue des Tilleuls", description="A mattress")
        .headers["location"]
        .split("?")[0]
    )
    paper = visit().client.get(
        f"{own}/accuse/signalement.pdf"
    )  # whoever opens it, it speaks its author's language
    said = words(paper.content)
    (row,) = reports(town)
    assert "Report 25-00001 received" in said and "A mattress" in said and "Town hall" not in said
    assert row.values["mail"] is None and "CRPA" not in said
    assert who.client.get(f"{own}/accuse/aee.pdf").status_code == 404


def test_a_request_without_a_department_waits_for_its_second_receipt(
    visit, categories, town: Town, post: Postman
) -> None:
    who: Citizen = visit()
    answer = who.fill_in("/signaler?saisine=1", action="/signaler", category=str(categories["trou"]), place="rue des Tilleuls", description="x y z",
                         name="Anne Martin", mail="a@exemple.fr", postal="3 rue Haute, 18000 Essai")  # fmt: skip
    own = answer.headers["location"].split("?")[0]
    deliver(town)
    assert [part.get_filename() for m in post.letters for part in m.iter_attachments()] == [
        "aee-25-00001.pdf"
    ]
    assert who.client.get(f"{own}/accuse/are.pdf").status_code == 404
