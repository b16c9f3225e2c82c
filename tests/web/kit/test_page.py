"""The kit as a plain Starlette application would use it, without a store."""

import gzip
from pathlib import Path
from types import SimpleNamespace
from zoneinfo import ZoneInfo

import pytest
from jinja2 import DictLoader
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.testclient import TestClient

from beffroi.model.instant import HOUR_US, parse_instant
from beffroi.model.problem import Conflict
from beffroi.model.text import Text
from beffroi.web.kit import static
from beffroi.web.kit.card import AlarmRow, Card
from beffroi.web.kit.chart import Plot, Threshold, spark
from beffroi.web.kit.errors import HANDLERS
from beffroi.web.kit.figures import Figures
from beffroi.web.kit.form import Input
from beffroi.web.kit.language import LanguageMiddleware
from beffroi.web.kit.page import Pages, render
from beffroi.web.kit.table import Cell, Column, Pager, Row
from beffroi.web.kit.words import Words, load_words

NOON = parse_instant("2026-11-22T13:05:00Z")
GALLERY = """{% extends "kit/base.html" %}{% block title %}{{ _("Situation") }}{% endblock %}{% block content %}
{{ kit.heading("Galerie", "Toutes les pièces") }}
<ul class="cards"><li>{{ kit.card(card) }}</li></ul>
<ul class="alarms">{{ kit.alarm(alarm) }}</ul>
{{ kit.table(columns, rows, "Capteurs", sort="-level", pager=pager, exports=[("CSV", "/x.csv")]) }}
{{ kit.form(inputs, {"name": "Quai <Surcouf>"}, {"level": "Donnez un nombre."}, submit=_("Enregistrer")) }}
{{ kit.chart(plot) }}{{ kit.empty("Rien", "Pas encore", "/x", "Commencer") }}{{ kit.notice("Fait", "vert") }}
{{ kit.facts([("Unité", "cm")]) }}{{ kit.tabs([("24 h", "/a", true)], "Période") }}{{ kit.when(card.at_us) }}
{% endblock %}"""


def gallery(request: Request) -> Response:
    points = [(NOON + i * HOUR_US, float(i % 7)) for i in range(24) if i not in (8, 9, 10, 11, 12)]
    return render(
        request, "gallery.html",
        card=Card("Niveau de l'Oust", 1234.5, "/series/1", unit="cm", decimals=1, at_us=NOON, live=1,
                  trend=spark(points, NOON, NOON + 24 * HOUR_US)),
        alarm=AlarmRow("orange", "Niveau haut", "/alarmes/1", detail="Pont de Redon", since_us=NOON),
        columns=[Column("name", "Nom", sortable=True), Column("level", "Niveau", "number", True, "cm", 1)],
        rows=[Row({"name": "Quai", "level": 12.34}, "/capteurs/1"), Row({"name": Cell("Pont", severity="rouge"), "level": None})],
        pager=Pager(1, 2, 20, next="/?page=2"),
        inputs=[Input("name", "Nom", required=True), Input("level", "Niveau", unit="cm", hint="En centimètres")],
        plot=Plot("Niveau", NOON, NOON + 24 * HOUR_US, points, "cm", 1, (Threshold(5, "Vigilance", "jaune"),)),
    )  # fmt: skip


def refuse(request: Request) -> Response:
    raise Conflict(
        Text("Déjà changé.", "Changed already."), Text("Relisez.", "Read it again."), place="level"
    )


@pytest.fixture
def client() -> TestClient:
    routes = [Route("/", gallery), Route("/refuse", refuse), *static.ROUTES]
    app = Starlette(routes=routes, middleware=[Middleware(LanguageMiddleware)], exception_handlers=HANDLERS)
    app.state.pages = Pages()
    for environment in app.state.pages.environments.values():
        environment.loader.loaders.append(DictLoader({"gallery.html": GALLERY}))
    return TestClient(app)


def test_page_carries_every_part_in_french(client: TestClient) -> None:
    answer = client.get("/")
    assert answer.status_code == 200
    assert answer.headers["content-language"] == "fr"
    html = answer.text
    assert '<html lang="fr">' in html
    assert "1\u202f234,5" in html
    assert 'aria-sort="descending"' in html
    assert '<a href="/?sort=-name">' not in html
    assert '<a href="/?sort=name">' in html
    assert '<span aria-hidden="true">■</span> Pont' in html
    assert "Quai &lt;Surcouf&gt;" in html
    assert '<a href="#f-level">Niveau</a> : Donnez un nombre.' in html
    assert 'aria-describedby="f-level-hint f-level-error"' in html
    assert "1 à 2 sur 20" in html
    assert html.count("M") > 0
    assert "Cette page pèse" in html and "%weight%" not in html


def test_page_speaks_english_when_asked_and_remembers(client: TestClient) -> None:
    assert "Skip to content" in client.get("/?lang=en").text
    assert client.cookies["langue"] == "en"
    assert "1,234.5" in client.get("/").text
    assert "Se connecter" in client.get("/?lang=fr").text


def test_language_follows_the_browser_without_cookie(client: TestClient) -> None:
    answer = client.get("/", headers={"accept-language": "de, en-GB;q=0.8, fr;q=0.5"})
    assert answer.headers["content-language"] == "en"
    assert "set-cookie" not in answer.headers


def test_page_is_compressed_for_browsers_and_plain_for_others(client: TestClient) -> None:
    assert client.get("/").headers["content-encoding"] == "gzip"
    plain = client.get("/", headers={"accept-encoding": "identity"})
    assert "content-encoding" not in plain.headers
    assert len(gzip.compress(plain.content)) < 14_000


def test_problem_is_a_page_for_people_and_json_for_programs(client: TestClient) -> None:
    page = client.get("/refuse", headers={"accept": "text/html"})
    assert page.status_code == 409
    assert "<h1>Déjà changé.</h1>" in page.text and "<code>level</code>" in page.text
    assert (
        client.get("/refuse", headers={"accept": "application/json", "accept-language": "en"}).json()["mend"]
        == "Read it again."
    )
    missing = client.get("/nulle-part?lang=en", headers={"accept": "text/html"})
    assert missing.status_code == 404
    assert "This page does not exist" in missing.text


def test_no_inline_script_or_style(client: TestClient) -> None:
    html = client.get("/").text
    assert "<style" not in html and "style=" not in html and "onclick" not in html


def test_figures_are_french_or_english() -> None:
    french, english = (Figures(Words(code), ZoneInfo("Europe/Paris")) for code in ("fr", "en"))
    assert french.quantity(-1234567.25, "m³/s", 2) == "−1\u202f234\u202f567,25\u00a0m³/s"
    assert french.quantity(56, "%") == "56\u202f%"
    assert english.quantity(56.5, "%") == "56.5%"
    assert french.moment(NOON) == "22 nov. 2026, 14:05"
    assert english.moment(NOON) == "22 Nov 2026, 14:05"
    assert french.number(-0.001, 1) == "0,0"
    assert french.duration(3 * HOUR_US + 20 * 60_000_000) == "3\u00a0h\u00a020\u00a0min"
    assert french.age(NOON - 4 * 60_000_000, NOON) == "il y a 4\u00a0min"
    assert french.size(14_200) == "14,2\u00a0ko"


def test_pages_take_the_zone_of_their_town() -> None:
    app = SimpleNamespace(zone="Indian/Reunion")
    assert Pages((), app.zone).figures["fr"].clock(NOON) == "17:05"


def test_plural_follows_each_language_and_groups_thousands() -> None:
    french, english = Words("fr"), Words("en", {"{n} fiche": ("{n} record", "{n} records")})
    said = [french.plural(n, "{n} fiche", "{n} fiches") for n in (0, 1, 2, 1884)]
    assert said == ["0 fiche", "1 fiche", "2 fiches", "1\u202f884 fiches"]
    said = [english.plural(n, "{n} fiche", "{n} fiches") for n in (0, 1, 1884)]
    assert said == ["0 records", "1 record", "1,884 records"]


def test_what_is_kept_in_french_is_said_by_the_catalogue(tmp_path: Path) -> None:
    (tmp_path / "locale").mkdir()
    entries = '#, kept\nmsgid "Alarme {n}"\nmsgstr "Alarm {n}"\n\nmsgid "Début"\nmsgstr "Start"\n\nmsgid "{n} et {m}"\nmsgstr "{n} and {m}"\n'
    head = 'msgid ""\nmsgstr ""\n"Content-Type: text/plain; charset=utf-8\\n"\n\n'
    (tmp_path / "locale" / "en.po").write_text(head + entries, "utf-8")
    english, french = load_words([tmp_path], "en"), load_words([tmp_path], "fr")
    kept = ("Début", "Alarme 12", "Jean et Léa", "")
    assert [english.kept(text) for text in kept] == ["Start", "Alarm 12", "Jean et Léa", ""]
    assert [french.kept(text) for text in kept] == list(kept)
