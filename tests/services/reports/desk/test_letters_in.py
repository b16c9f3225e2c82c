"""Letters that come in, as real programs write them."""

from email.message import EmailMessage

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beffroi.services.reports.desk.letters_in import key_holds, read_letter, reply_key

SECRET = b"s" * 32
KEY = reply_key(SECRET, 42)
HEADERS = (
    "Content-Type",
    "Content-Disposition",
    "Content-Transfer-Encoding",
    "Subject",
    "Cc",
    "Message-ID",
    "Return-Path",
)


def letter(text: str, to: str = f"mairie+{KEY}@essai.fr", **headers: str) -> bytes:
    message = EmailMessage()
    message["From"] = "Anaïs Le Gall <Anais@Exemple.fr>"
    message["To"] = to
    message["Subject"] = "Re: Votre signalement"
    message["Message-ID"] = "<a1@exemple.fr>"
    for name, value in headers.items():
        message[name.replace("_", "-")] = value
    message.set_content(text)
    return message.as_bytes()


@pytest.mark.parametrize(
    "below",
    ["> Votre signalement est pris en charge.", "Le mer. 25 nov. 2026 à 10:12, Mairie <m@essai.fr> a écrit :\n> x",
     "Le mercredi 25 novembre 2026 à 10:12, Mairie d'Essai-les-Bains\n<mairie@essai.fr> a écrit :\n\n> x",
     "On Wed, Nov 25, 2026 at 10:12 AM Town <m@essai.fr> wrote:\n> x", "-- \nAnaïs Le Gall\n06 12 34 56 78",
     "-----Message d'origine-----\nDe : Mairie", "________________________________\nDe : Mairie <m@essai.fr>",
     "Envoyé de mon iPhone", "Sent from my phone"],
)  # fmt: skip
def test_only_the_writers_own_words_are_kept(below: str) -> None:
    found = read_letter(letter(f"Bonjour,\n\nLe trou est toujours là.\nDe : je ne sais qui.\n\n{below}\n"))
    assert found.text == "Bonjour,\n\nLe trou est toujours là.\nDe : je ne sais qui."
    assert (found.sender, found.report, found.automatic) == ("anais@exemple.fr", 42, False)
    assert key_holds(SECRET, found)


def test_the_key_is_found_in_the_thread_too() -> None:
    for where in ("In_Reply_To", "References"):
        found = read_letter(letter("Oui.", "mairie@essai.fr", **{where: f"<x@y> <{KEY}.7@essai.fr>"}))
        assert key_holds(SECRET, found)
    assert not key_holds(SECRET, read_letter(letter("Oui.", "mairie@essai.fr")))
    forged = f"mairie+r43.{KEY.partition('.')[2]}@essai.fr"
    assert not key_holds(SECRET, read_letter(letter("Oui.", forged)))


def test_machines_are_not_people() -> None:
    assert read_letter(letter("Absent", Auto_Submitted="auto-replied")).automatic
    assert read_letter(letter("Absent", Precedence="bulk")).automatic
    report = (
        b"From: MAILER-DAEMON@mx.fr\r\nTo: mairie@essai.fr\r\nSubject: Undelivered\r\nMIME-Version: 1.0\r\n"
        b'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\r\n\r\n--b\r\n'
        b"Content-Type: text/plain\r\n\r\nUser unknown\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\n"
        b"Status: 5.1.1\r\n\r\n--b\r\nContent-Type: message/rfc822\r\n\r\nMessage-ID: <"
        + KEY.encode() + b".1@essai.fr>\r\n\r\n--b--\r\n"
    )  # fmt: skip
    found = read_letter(report)
    assert (found.bounced, found.automatic, found.text, key_holds(SECRET, found)) == (
        True,
        True,
        "User unknown",
        True,
    )


def test_html_and_photos() -> None:
    message = EmailMessage()
    message["From"], message["To"] = "a@b.fr", f"m+{KEY}@essai.fr"
    message.set_content(
        "<html><head><style>p{}</style></head><body><p>Toujours <b>cassé</b></p><div>Merci</div>"
        "<blockquote>ancien</blockquote><div class='gmail_quote'><p>plus ancien</p></div></body></html>",
        subtype="html",
    )
    message.add_attachment(b"\xff\xd8" + b"x" * 5000, maintype="image", subtype="jpeg", filename="trou.jpg")
    message.add_attachment(b"tiny logo", maintype="image", subtype="png", filename="logo.png")
    message.add_attachment(b"%PDF" + b"x" * 5000, maintype="application", subtype="pdf", filename="a.pdf")
    found = read_letter(message.as_bytes())
    assert found.text == "Toujours cassé\nMerci"
    assert [(p.name, p.media_type, len(p.data)) for p in found.photos] == [("trou.jpg", "image/jpeg", 5002)]


@given(st.binary(max_size=400))
def test_whatever_comes_is_read(raw: bytes) -> None:
    read_letter(raw)
    read_letter(b"Content-Type: text/plain; charset=" + raw + b"\r\nTo: " + raw + b"\r\n\r\n" + raw)


@given(st.text("=*;:\"/<>@.,()[]\\ax0'% \t", max_size=40), st.sampled_from(HEADERS))
def test_whatever_a_header_holds_the_words_are_read(value: str, name: str) -> None:
    found = read_letter(f"{name}: {value}\r\nFrom: a@b.fr\r\nTo: {KEY}@essai.fr\r\n\r\nBonjour".encode())
    assert (found.report, found.code) == (42, KEY.partition(".")[2])


def test_a_media_type_that_the_library_fails_on_keeps_its_words() -> None:
    """`charset*` without a value is an IndexError of the standard library (3.11)."""
    found = read_letter(
        f"From: a@b.fr\r\nTo: {KEY}@essai.fr\r\nContent-Type: text/plain; charset*\r\n\r\nBonjour".encode()
    )
    assert (found.sender, found.text, found.report) == ("a@b.fr", "Bonjour", 42)
