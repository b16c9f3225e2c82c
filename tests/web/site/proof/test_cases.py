"""Business cases on screen: begun from a proposal, edited by forms, published, on paper, undone."""

import contextlib
import io
import re
import zlib
from collections.abc import Callable
from typing import Any

import openpyxl
import pytest
from starlette.testclient import TestClient

from beffroi.evaluation.case.compute import figures_of
from beffroi.evaluation.case.measured import Loop
from beffroi.evaluation.case.reading import read_case
from beffroi.model.principal import SYSTEM
from beffroi.store.record import Query
from beffroi.town import Town
from beffroi.web.kit.page import pages_for
from beffroi.web.site.proof.case_words import Words

Browser = Callable[..., TestClient]


def words(html: str) -> str:
    """Return what a page says, without tags, blanks narrowed."""
    return re.sub(r"[\s\u00a0\u202f]+", " ", re.sub(r"<[^>]+>", " ", html)).replace("&#39;", "'")


def inflated(data: bytes) -> bytes:
    """A PDF with its streams inflated."""
    text = data
    for found in re.finditer(rb"stream\r?\n(.*?)\r?\nendstream", data, re.DOTALL):
        with contextlib.suppress(zlib.error):
            text += zlib.decompress(found[1])
    return text


class Desk:
    """An agent at work on one case."""

    def __init__(self, town: Town, client: TestClient) -> None:
        self.town, self.client = town, client

    def post(self, path: str, **sent: Any) -> Any:
        """Send a form with the token of its page."""
        token = re.search(r'name="csrf" value="([0-9a-f]{64})"', self.client.get(path.partition("?")[0]).text)
        assert token, path
        files = {k: v for k, v in sent.items() if isinstance(v, tuple)}
        data = {k: v for k, v in sent.items() if not isinstance(v, tuple)}
        return self.client.post(path, data={"csrf": token[1], **data}, files=files or None)

    @property
    def document(self) -> dict[str, Any]:
        """The document of the only case."""
        return self.row.values["document"]

    @property
    def row(self) -> Any:
        """The record of the only case."""
        (row,) = self.town.store.records.find("business_case", Query()).rows
        return row

    def begin(self, proposal: str = "equipment:0", **more: str) -> str:
        """Begin a case and return the address of its page."""
        answer = self.post("/preuve/modeles/nouveau", **{"from": proposal, **more})
        assert answer.status_code == 303, words(answer.text)
        return str(answer.headers["location"].removesuffix("/modifier"))


@pytest.fixture
def desk(town: Town, browser: Browser) -> Desk:
    """An agent signed in, in an empty town."""
    return Desk(town, browser("agent"))


def test_an_agent_makes_a_case_from_a_proposal_and_publishes_it(desk: Desk, browser: Browser) -> None:
    page = desk.begin()
    assert desk.row.values["published"] is False
    citizen = browser()
    assert citizen.get(page).status_code == 404
    editor = desk.client.get(f"{page}/modifier")
    assert editor.status_code == 200
    values = dict(re.findall(r'name="(title|start|years|price_year)" [^>]*value="([^"]*)"', editor.text))
    answer = desk.post(
        f"{page}/modifier", **values, service="equipment", parameters="fr-2025", tax="HT", published="1"
    )
    assert answer.status_code == 303
    shown = citizen.get(page)
    assert shown.status_code == 200
    van = figures_of(read_case(desk.document)).van
    rounded = f"{round(van, -2):,.0f}".replace(",", " ")
    assert rounded in words(shown.text)
    assert "Cinq façons d'acheter le même service" in words(shown.text)
    assert "Modifier" not in words(shown.text)
    english = words(citizen.get(f"{page}?lang=en").text)
    assert "Who pays, who gains" in english
    assert "Street lighting: finish the change to LED" in english
    assert "Éclairage public" in words(citizen.get("/preuve/equipment?lang=fr").text)


def test_each_form_of_the_editor_changes_one_thing_and_can_be_undone(desk: Desk) -> None:
    page = desk.begin()
    before = desk.document
    answer = desk.post(f"{page}/partie/hypothese/kwh", title="Prix du kWh", value="0,25", unit="€/kWh", low="0,14", high="0,28", law="triangular",
                       source="Facture de 2026", confirmed="1", bound="", statistic="mean", scale="1", days="90")  # fmt: skip
    assert answer.status_code == 303
    assert desk.document["hypotheses"]["kwh"]["value"] == 0.25
    assert desk.document["hypotheses"]["kwh"]["confirmed"] is True
    assert desk.document["hypotheses"]["kwh"]["title"] == {"fr": "Prix du kWh", "en": "Price of a kWh"}
    assert {k: v for k, v in desk.document["hypotheses"].items() if k != "kwh"} == {
        k: v for k, v in before["hypotheses"].items() if k != "kwh"
    }
    editor = desk.client.get(f"{page}/modifier?fait").text
    change = re.search(r'name="change_set" value="(\d+)"', editor)
    assert change
    token = re.search(r'name="csrf" value="([0-9a-f]{64})"', editor)
    assert token
    undone = desk.client.post(
        "/donnees/annuler", data={"csrf": token[1], "change_set": change[1], "back": f"{page}/modifier"}
    )
    assert undone.status_code == 303
    assert desk.document == before


def test_a_line_a_hypothesis_and_a_contract_are_added_and_taken_away(desk: Desk) -> None:
    page = desk.begin("", title="Bornes à vélos")
    assert "Ajoutez une ligne" in words(desk.client.get(f"{page}/modifier").text)
    assert desk.client.get(page).status_code == 200  # says that it cannot be computed yet
    desk.post(
        f"{page}/partie/hypothese",
        title="Nombre de bornes",
        value="12",
        unit="bornes",
        low="8",
        high="15",
        law="uniform",
        bound="indicator:led_share",
        statistic="mean",
        scale="0,5",
        days="30",
    )
    assert list(desk.document["hypotheses"]) == ["nombre_de_bornes"]
    assert desk.document["hypotheses"]["nombre_de_bornes"]["bound"] == {
        "indicator": "led_share",
        "statistic": "mean",
        "scale": 0.5,
        "days": 30,
    }
    answer = desk.post(
        f"{page}/partie/ligne",
        title="Pose",
        kind="investment",
        amount="nombre_de_bornes * 900",
        by="collectivite",
    )
    assert answer.status_code == 303, words(answer.text)
    start = desk.document["start"]
    years = "\n".join(f"{start + n}: {100 * n + 100}" for n in range(3))
    answer = desk.post(
        f"{page}/partie/ligne",
        title="Entretien",
        kind="running",
        amount=years,
        by="collectivite",
        first=str(start),
        last=str(start + 2),
        growth="2 %",
        accounts="6156, 6262",
    )
    assert answer.status_code == 303, words(answer.text)
    answer = desk.post(
        f"{page}/partie/ligne",
        title="Aide",
        kind="transfer",
        amount="3 000",
        by="etat",
        to="collectivite",
        first=str(start),
    )
    assert answer.status_code == 303, words(answer.text)
    answer = desk.post(f"{page}/partie/contrat", form="marche", vat="20 %", margin="8 %", exit_data="500")
    assert answer.status_code == 303, words(answer.text)
    f = figures_of(read_case(desk.document))
    assert f.lines[0].amounts[0] == -10_800
    assert f.lines[1].amounts[:3] == pytest.approx((-100, -200 * 1.02, -300 * 1.02**2))
    assert f.lines[2].amounts[0] == 3_000
    assert desk.document["contracts"] == [{"form": "marche", "vat": 0.2, "margin": 0.08, "exit_data": 500.0}]
    assert "Pose" in words(desk.client.get(f"{page}/modifier").text)
    again = desk.client.get(f"{page}/partie/ligne/1").text
    assert f"{start}: 100" in again
    assert desk.post(f"{page}/partie/ligne/1", action="supprimer").status_code == 303
    assert [line["title"] for line in desk.document["lines"]] == ["Pose", "Aide"]
    refused = desk.post(f"{page}/partie/hypothese/nombre_de_bornes", action="supprimer")
    assert refused.status_code == 400  # a line still asks for it
    assert "nombre_de_bornes" in words(refused.text)


def test_a_refusal_is_at_its_field_with_what_was_typed(desk: Desk) -> None:
    page = desk.begin()
    version = desk.row.version
    answer = desk.post(f"{page}/partie/hypothese/kwh", title="Prix du kWh", value="cher", law="triangular")
    assert answer.status_code == 400
    assert re.search(r'id="f-value"[^>]*aria-invalid="true"[^>]*value="cher"', answer.text)
    answer = desk.post(
        f"{page}/partie/ligne/0", title="Pose", kind="investment", amount="lampes * 3", by="collectivite"
    )
    assert answer.status_code == 400
    assert re.search(r'id="f-amount"[^>]*aria-invalid="true"', answer.text)
    assert "« lampes » n'est ni un nombre ni une hypothèse" in words(answer.text)
    answer = desk.post(
        f"{page}/texte",
        yaml="title: x\nstart: 2026\nyears: 2\nlines:\n  - title: a\n    kind: cost\n    amount: 1\n",
    )
    assert answer.status_code == 400
    assert "ligne 6" in words(answer.text)
    assert desk.row.version == version
    assert desk.client.get(f"{page}/partie/ligne/99").status_code == 404
    assert desk.client.get(f"{page}/partie/rien").status_code == 404


def test_only_the_staff_edit(desk: Desk, browser: Browser) -> None:
    page = desk.begin()
    for client, status in ((browser("elu"), 403), (browser(), 303)):
        assert client.get(f"{page}/modifier").status_code in (status, 404)
        assert client.get("/preuve/modeles/nouveau").status_code == status


def test_the_accounts_are_reconciled_and_taken(desk: Desk) -> None:
    page = desk.begin()
    books = "exercice;nature;fonction;sens;montant\n2026;21534;512;D;120000\n2026;2158;512;D;7 200,00\n2026;60612;020;D;5\n"
    file = ("budget.csv", books.encode(), "text/csv")
    shown = desk.post(f"{page}/comptes", file=file)
    assert shown.status_code == 200
    said = words(shown.text)
    assert "120 000" in said
    assert "à expliquer" in said
    assert "1 ligne des comptes ne correspond à rien" in said
    version = desk.row.version
    assert (
        desk.post(
            f"{page}/comptes", file=("b.csv", b"exercice;nature;montant\n2026;21534;douze\n", "text/csv")
        ).status_code
        == 400
    )
    assert desk.row.version == version
    assert desk.post(f"{page}/comptes", file=file, take="1").status_code == 303
    assert figures_of(read_case(desk.document)).lines[0].amounts[0] == pytest.approx(-120_000 * 1.1)


def test_the_paper_is_one_accessible_page_and_the_files_say_the_same(desk: Desk) -> None:
    page = desk.begin()
    f = figures_of(read_case(desk.document))
    paper = desk.client.get(f"{page}.pdf")
    assert paper.headers["content-type"] == "application/pdf"
    inside = inflated(paper.content)
    assert len(re.findall(rb"/Type\s*/Page\b(?!s)", inside)) == 1
    assert all(mark in inside for mark in (b"/Lang", b"/MarkInfo", b"pdfuaid"))
    report = desk.client.get(f"{page}.json").json()
    assert report["van"] == pytest.approx(f.van)
    assert report["loop"]["van_promised"] == pytest.approx(f.van)
    book = openpyxl.load_workbook(io.BytesIO(desk.client.get(f"{page}.xlsx").content), data_only=True)
    assert book.worksheets[0]["B4"].value == pytest.approx(f.van)
    again = desk.client.get(f"{page}.yaml").text
    assert desk.post(f"{page}/texte", yaml=again).status_code == 303
    assert figures_of(read_case(desk.document)).van == pytest.approx(f.van)


def test_a_document_that_is_wrong_shows_no_figure(desk: Desk, town: Town) -> None:
    page = desk.begin()
    town.store.records.put(
        "business_case", {"document": {"title": "x", "start": "hier"}}, id=desk.row.id, who=SYSTEM
    )
    shown = desk.client.get(page)
    assert shown.status_code == 200
    assert "aucun chiffre n'est montré" in words(shown.text)
    assert "/start" in shown.text
    assert desk.client.get(f"{page}.pdf").status_code == 400
    assert desk.client.get(f"{page}/modifier").status_code == 200
    assert desk.client.get("/preuve/modeles").status_code == 200


def test_deleting_leads_back_to_the_list(desk: Desk, browser: Browser) -> None:
    page = desk.begin()
    assert desk.post(f"{page}/modifier", action="supprimer").status_code == 403  # an agent may not
    head = Desk(desk.town, browser("responsable"))
    assert head.post(f"{page}/modifier", action="supprimer").headers["location"] == "/preuve/modeles"
    assert "Aucun modèle économique" in words(desk.client.get("/preuve/modeles").text)


@pytest.mark.parametrize(
    ("promised", "measured", "end"),
    [
        (
            17_000.0,
            None,
            (
                "Rien n'est encore mesuré de ce qui était promis.",
                "Nothing of what was promised is measured yet.",
            ),
        ),
        (17_000.0, 9_000.0, ("Avec ce qui est mesuré : 9 000 €.", "With what is measured: 9,000 €.")),
        (
            17_000.0,
            -28_900.0,
            ("le service coûte plus qu'il ne rapporte.", "the service costs more than it brings."),
        ),
        (
            -5_000.0,
            300.0,
            ("le service rapporte plus qu'il ne coûte.", "the service brings more than it costs."),
        ),
    ],
)
def test_a_promise_and_its_measures_are_told_with_their_years(
    desk: Desk, promised: float, measured: float | None, end: tuple[str, str]
) -> None:
    case = read_case(desk.town.registry.services["equipment"].evaluation.cases[0])
    first, last = case.calendar[0], case.calendar[-1]
    pages = pages_for(desk.town)
    for language, said in zip(("fr", "en"), end, strict=True):
        told = Words.__new__(Words)
        told.case, told.loop, told.symbol = case, Loop((), promised, measured), "€"
        told.words, told.figures = pages.words[language], pages.figures[language]
        sentence = words(told.since())
        assert sentence.endswith(said)
        assert measured is None or f"{first} {'à' if language == 'fr' else 'to'} {last}" in sentence


def test_who_pays_and_gains_stands_on_the_proof_of_the_service(desk: Desk) -> None:
    page = desk.begin()
    case, proof = words(desk.client.get(page).text), words(desk.client.get("/preuve/equipment").text)
    whole = re.search(r"Ensemble ([−\d ]+ €)", case)
    assert whole and f"Ensemble {whole[1]}" in proof and "Paie (−) ou gagne" in proof
    assert re.search(r"Euros constants de \d{4}, hors taxes, de \d{4} à \d{4}", proof)
    named = desk.town.registry.services["equipment"].collections
    assert all(c.title.fr in proof for c in named)
