"""Experiments on screen: prepared, registered, judged, decided, by forms alone."""

import hashlib
import io
from datetime import datetime, timedelta
from html import unescape

import numpy as np
import pypdf
import pytest
from sqlalchemy import select

from beffroi.evaluation.case.reading import read_case
from beffroi.evaluation.experiments import life
from beffroi.evaluation.experiments.observed import instant
from beffroi.model.instant import PARIS
from beffroi.model.observation import Draft
from beffroi.model.principal import ANONYMOUS
from beffroi.model.problem import Problem
from beffroi.model.result import Result
from beffroi.store.catalogue import New, create
from beffroi.store.tables import datastream
from beffroi.web.site.experiments.duty import keeper_tools
from beffroi.web.site.proof.measuring import measures_of

TODAY = datetime.now(PARIS).date()
STARTS = TODAY + timedelta(days=7)
ENDS = STARTS + timedelta(weeks=20)
FIRST = TODAY - timedelta(weeks=40)
CASE = {
    "title": "Nuit", "parameters": "fr-2025", "start": 2026, "years": 3, "prices": {"year": 2023, "tax": "HT"},
    "hypotheses": {
        "saved": {"title": "Part épargnée", "value": 0.1, "bound": {"experiment": "eteindre-la-nuit", "statistic": "relative", "scale": -1}},
        "fewer": {"title": "kWh de moins", "value": -80, "bound": {"experiment": "eteindre-la-nuit"}},
        "nowhere": {"title": "Inconnu", "value": 1, "bound": {"experiment": "autre"}},
    },
    "lines": [{"title": "Électricité", "kind": "avoided", "amount": "saved * 1000 - fewer * nowhere"}],
}  # fmt: skip


@pytest.fixture
def meters(town):
    with town.store.write() as c:
        sensor = create(
            town.store,
            c,
            New("sensor", {"name": "s", "description": "", "encoding_type": "text", "metadata": '""'}),
        ).id
        for n in range(7):
            prop = New(
                "observed_property", {"name": "Électricité consommée", "definition": "", "description": ""}
            )
            series = New(
                "datastream", {"name": f"Compteur {n}", "description": "", "observation_type": "number", "unit_symbol": "kWh", "kind": "active_energy"},
                belongs={"sensor_id": sensor, "observed_property_id": prop},
            )  # fmt: skip
            create(
                town.store,
                c,
                New("thing", {"name": f"Bâtiment {n}", "description": ""}, has=[("thing_id", series)]),
            )
        ids = [int(i) for i in c.execute(select(datastream.c.id).order_by(datastream.c.id)).scalars()]
    chance = np.random.default_rng(1)
    drafts = []
    day = FIRST
    while day < ENDS:
        for n, series in enumerate(ids):
            value = 100 + 2 * chance.standard_normal() - (12 if n == 0 and day >= STARTS else 0)
            drafts.append(Draft(series, instant(day), Result(round(value, 2), 2)))
        day += timedelta(days=1)
    town.store.observations.append(drafts)
    return ids


def _tagged(node, tag):
    """Yield the elements of a PDF's tree of tags that have one tag."""
    node = node.get_object()
    if isinstance(node, pypdf.generic.ArrayObject):
        for one in node:
            yield from _tagged(one, tag)
    elif isinstance(node, pypdf.generic.DictionaryObject):
        if node.get("/S") == tag:
            yield node
        if "/K" in node:
            yield from _tagged(node["/K"], tag)


def _form(meters, token):
    return {
        "csrf": token, "kind": "active_energy", "title": "Éteindre la nuit", "question": "Cela économise-t-il ?", "owner": "Services techniques",
        "budget_eur": "1 500,50", "better": "lower", "expected_percent": "-10", "step": "week", "measure": "sum",
        "first_day": FIRST.isoformat(), "starts_on": STARTS.isoformat(), "ends_on": ENDS.isoformat(), "grace_days": "14", "method": "did",
        f"s{meters[0]}": "treated", **{f"s{i}": "controls" for i in meters[1:]},
    }  # fmt: skip


def test_from_a_form_to_a_verdict_and_a_decision(town, browser, csrf, meters):
    head, anyone = browser("responsable"), browser()
    place = "/preuve/experimentations/nouvelle?mesure=active_energy"
    token = csrf(head, place)
    wrong = head.post(place, data={**_form(meters, token), "starts_on": "2020-01-01"})
    assert wrong.status_code == 400
    assert "Les dates ne se suivent pas." in wrong.text
    assert 'value="Éteindre la nuit"' in wrong.text
    made = head.post(place, data=_form(meters, token))
    assert made.status_code == 303
    address = made.headers["location"]
    assert address == "/preuve/experimentations/eteindre-la-nuit"
    draft = head.get(address)
    assert "Chance de voir l'effet attendu" in unescape(draft.text)
    assert "Inscrire et publier" in draft.text
    assert anyone.get(address).status_code == 404
    assert "Éteindre la nuit" not in anyone.get("/preuve/experimentations").text
    assert "eteindre-la-nuit" not in anyone.get("/donnees/experiment.csv").text

    assert head.post(address, data={"csrf": token, "action": "register"}).status_code == 303
    page = anyone.get(address)
    assert page.status_code == 200
    told = anyone.get(address + "/inscription.json")
    assert hashlib.sha256(told.content).hexdigest() == told.headers["X-Content-SHA256"]
    assert told.headers["X-Content-SHA256"] in page.text
    assert told.json()["budget_eur"] == 1500.5
    assert anyone.get(address + "/etude.json").status_code == 404
    assert head.get(address + "/preparer").status_code == 409

    clock = town.store.clock
    try:
        town.store.clock = town.clock = lambda: instant(ENDS) + 1
        life.advance(town.store, keeper_tools(town))
        ended = anyone.get(address)
        assert "Effet positif" in ended.text
        assert "Décision attendue" in ended.text
        study = anyone.get(address + "/etude.json").json()
        assert study["verdict"] == "effet positif"
        assert study["relative"] == pytest.approx(-0.12, abs=0.02)
        paper = anyone.get(address + "/deliberation.pdf")
        assert paper.content[:5] == b"%PDF-"
        papers = pypdf.PdfReader(io.BytesIO(paper.content))
        assert len(papers.pages) == 2
        tags = papers.trailer["/Root"]["/StructTreeRoot"]
        drawn = list(_tagged(tags["/K"], "/Figure"))
        assert ["mesuré" in str(figure.get("/Alt")) for figure in drawn] == [True]
        # each cell names its headers, and each name leads to one: the six facts have one, the controls a row's and a column's
        named = dict(zip(tags["/IDTree"]["/Names"][::2], tags["/IDTree"]["/Names"][1::2], strict=True))
        cells = [cell["/A"]["/Headers"] for cell in _tagged(tags["/K"], "/TD")]
        assert {named[name].get_object()["/S"] for cell in cells for name in cell} == {"/TH"}
        assert [len(cell) for cell in cells[:8]] == [1] * 6 + [2] * 2
        scopes = [one["/A"]["/Scope"] for one in _tagged(tags["/K"], "/TH")]
        assert scopes == ["/Row"] * 6 + ["/Column"] * 3 + ["/Row"] * (len(scopes) - 9)
        explored = anyone.get(address + "?methode=sc")
        assert "Étude exploratoire" in explored.text
        measured = measures_of(town, ANONYMOUS, read_case(CASE))
        assert measured["saved"].value == pytest.approx(-study["relative"])
        assert measured["fewer"].value == pytest.approx(study["estimate"])
        whole_weeks = 20 - (STARTS.weekday() > 0)
        assert (measured["saved"].start_us, measured["saved"].count) == (instant(STARTS), whole_weeks)
        assert "nowhere" not in measured
        with pytest.raises(Problem) as refused:
            read_case(CASE | {"hypotheses": {"x": {"title": "X", "value": 1, "bound": {"experiment": "a", "statistic": "sum"}}}})  # fmt: skip
        assert refused.value.place == "/hypotheses/x/bound/statistic"
    finally:
        town.store.clock = town.clock = clock
    assert anyone.get(address + "/impact.csv").text.startswith("administration_rattachement,")
    refused = head.post(address, data={"csrf": token, "decision": "stop", "reason": ""})
    assert refused.status_code == 400
    assert "le motif est publié" in refused.text
    assert anyone.post(address, data={"decision": "stop", "reason": "x"}).status_code in (401, 403)
    done = head.post(address, data={"csrf": token, "decision": "procure", "reason": "Économie montrée."})
    assert done.status_code == 303
    assert "Généralisée par un marché" in anyone.get("/preuve/experimentations?lang=fr").text
    assert "positive effect" in anyone.get("/preuve/experimentations?lang=en").text


def test_an_empty_register_teaches(browser):
    page = browser().get("/preuve/experimentations")
    assert "Aucune expérimentation" in page.text
    assert browser("agent").get("/preuve/experimentations/nouvelle").status_code == 403
