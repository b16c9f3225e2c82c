"""What the law asks a public site to say: made from the tests, the store and the town's own answers."""

import csv
import io
import re
from datetime import UTC, datetime

import pytest

from beffroi.intake.take import Intake
from beffroi.model.result import number_of
from beffroi.standards.reading import Reading, Series, Station
from beffroi.store.tables import datastream, thing
from beffroi.town import Town
from beffroi.web.site.duties.sensors import watches_of
from beffroi.web.site.duties.statement import THEMES, looked

FORM = "/administration/devoirs"


def test_every_criterion_of_the_rgaa_is_said_once(browser) -> None:
    page = browser().get("/accessibilite").text
    cells = re.findall(r"<tr><th scope=\"row\">\d+\. [^<]*</th><td>([^<]*)</td><td>([^<]*)</td></tr>", page)
    named = [one for pair in cells for cell in pair for one in cell.split(", ") if one != "—"]
    assert sorted(named) == sorted(f"{t.number}.{n}" for t in THEMES for n in range(1, t.criteria + 1))
    assert len(named) == 106
    assert set(looked().criteria) <= set(named)
    assert "aucun audit" in page


def test_an_audit_changes_the_statement_and_the_foot_of_every_page(browser, csrf) -> None:
    sent = {"publisher": "Mairie de Redon\nPlace Saint-Sauveur", "contact": "access@redon.example", "audit_day": "2026-10-01", "auditor": "Un cabinet",
            "rate": "82,5", "failures": "11.10 : contrôle de saisie", "plan": "2027 : second audit\nFormer les agents", "security": "rssi@redon.example", "privacy": "dpd@redon.example", "terms": "Pas de drone.\nNi de robot."}  # fmt: skip
    administrator = browser("admin")
    assert administrator.post(FORM, data=sent | {"csrf": csrf(administrator, FORM)}).status_code == 303
    page = browser().get("/accessibilite").text
    assert "Partiellement conforme" in page
    assert "82,5 % des critères" in page
    assert "11.10 : contrôle de saisie" in page
    assert "Accessibilité : partiellement conforme" in browser().get("/").text
    plan = browser().get("/accessibilite/plan").text
    assert re.findall(r'<tr><th scope="row">([^<]*)</th><td>([^<]*)</td>', plan) == [
        ("2027", "second audit"),
        ("—", "Former les agents"),
    ]
    notices = browser().get("/mentions-legales").text
    assert "Mairie de Redon<br>Place Saint-Sauveur" in notices
    assert "données : dpd@redon.example." in notices
    terms = browser().get("/conditions").text
    assert "Pas de drone.<br>Ni de robot." in terms
    assert "appelez le 112" in terms


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        ({"audit_day": "hier", "rate": "80"}, "Ce n&#39;est pas un jour"), ({"audit_day": "2026-10-01"}, "Donnez les deux"),
        ({"audit_day": "2026-10-01", "rate": "120"}, "de 0 à 100"), ({"audit_day": "2026-10-01", "rate": "nan"}, "de 0 à 100"),
    ],
)  # fmt: skip
def test_an_audit_that_cannot_be_is_refused_at_its_field(browser, csrf, sent, said) -> None:
    administrator = browser("admin")
    answer = administrator.post(FORM, data=sent | {"csrf": csrf(administrator, FORM)})
    assert answer.status_code == 400
    assert said in answer.text


def test_security_txt_is_that_of_rfc_9116(browser, town: Town) -> None:
    answer = browser().get("/.well-known/security.txt")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    fields = [line.partition(": ")[::2] for line in answer.text.splitlines()]
    names = [name for name, _ in fields]
    assert names.count("Expires") == 1
    assert names.count("Preferred-Languages") == 1
    assert "Contact" in names
    expires = datetime.fromisoformat(dict(fields)["Expires"])
    now = datetime.fromtimestamp(town.clock() / 1e6, UTC)
    assert 300 < (expires - now).days < 366  # less than a year, as §2.5.5 recommends
    assert dict(fields)["Canonical"].endswith("/.well-known/security.txt")


def test_the_public_list_counts_every_sensor_and_names_no_place(browser, town: Town) -> None:
    intake = Intake(town.store, town.registry.datastream_kind, town.registry.service_of)
    for name in ("a", "b", "c"):
        series = Series(
            f"x/{name}", "air_temperature", Station(f"x/{name}", name, longitude=-2.0, latitude=47.5)
        )
        intake.take([Reading(series, 1_790_000_000_000_000, number_of("12.5"))])
    with town.store.write() as connection:
        connection.execute(thing.update().values(approved=1))
        connection.execute(thing.update().where(thing.c.id == 1).values(public=0, name="Chez M. Untel"))
        connection.execute(
            datastream.update()
            .where(datastream.c.thing_id == 2)
            .values(properties='{"retention": {"raw": "P90D"}}')
        )
    watches = watches_of(town)
    assert [(w.service, w.sensors, w.open, len(w.keeps)) for w in watches] == [("environment", 3, 2, 2)]
    page = browser().get("/capteurs-publics").text
    assert "2 sur 3" in page
    assert "chaque valeur 90 jours" in page
    assert "Untel" not in page
    rows = list(
        csv.reader(
            io.StringIO(browser().get("/capteurs-publics?format=csv").text.lstrip("\ufeff")), delimiter=";"
        )
    )
    assert len(rows) == len(watches) + 1
    assert [int(r[4]) for r in rows[1:]] == [w.sensors for w in watches]
