"""The life of experiments on a real store: registered before they begin, judged at their end, stopped by default."""

import csv
import hashlib
import io
import json
import shutil
import zipfile
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from sqlalchemy import select
from tests.towns import town_at

from beffroi.evaluation.experiments import life
from beffroi.evaluation.experiments.observed import instant
from beffroi.evaluation.experiments.papers import data_file, impact_rows
from beffroi.evaluation.experiments.registration import canonical, fingerprint, register
from beffroi.evaluation.experiments.studying import conclude, finding_of, plan
from beffroi.evaluation.impact.publication import FIELDS, impact_csv
from beffroi.model.observation import Draft
from beffroi.model.principal import SYSTEM, Principal
from beffroi.model.problem import Conflict, Forbidden, Problem
from beffroi.model.result import Result
from beffroi.rules import rulebook
from beffroi.store.catalogue import New, change, create
from beffroi.store.record import Row
from beffroi.store.tables import datastream
from beffroi.town import Town, open_town

HEAD = Principal("user:7", "Direction", "responsable")
FIRST, STARTS, ENDS = date(2025, 1, 6), date(2025, 9, 1), date(2026, 3, 2)


class Moved:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.now_us = 0

    def to(self, day: date) -> None:
        self.now_us = instant(day) + 3_600_000_000

    def __call__(self) -> int:
        return self.now_us


@pytest.fixture
def clock() -> Moved:
    moved = Moved()
    moved.to(FIRST)
    return moved


@pytest.fixture(scope="module")
def metered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A town with eight meters that speak once a week."""
    folder = tmp_path_factory.mktemp("metered") / "town"
    town_at(folder, "Essai-les-Bains", email="maire@essai.fr")
    town = open_town(folder)
    with town.store.write() as c:
        for n in range(8):
            sensor = New(
                "sensor", {"name": f"s{n}", "description": "", "encoding_type": "text", "metadata": '""'}
            )
            prop = New("observed_property", {"name": f"p{n}", "definition": "", "description": ""})
            series = New(
                "datastream", {"name": f"Compteur {n}", "description": "", "observation_type": "number", "unit_symbol": "kWh"},
                belongs={"sensor_id": sensor, "observed_property_id": prop},
            )  # fmt: skip
            create(
                town.store, c, New("thing", {"name": f"t{n}", "description": ""}, has=[("thing_id", series)])
            )
    town.close()
    return folder


@pytest.fixture
def town(tmp_path: Path, metered: Path, clock: Moved) -> Iterator[Town]:
    shutil.copytree(metered, tmp_path / "town")
    opened = open_town(tmp_path / "town", clock=clock)
    yield opened
    opened.close()


@pytest.fixture
def tools(town: Town) -> life.Tools:
    return life.Tools(
        switch=lambda rule, on: rulebook.turn(town.store, rule, SYSTEM, enabled=on),
        paper=lambda row, finding: f"%PDF {row.values['code']} {finding.verdict}".encode(), town=town.name,
    )  # fmt: skip


@pytest.fixture
def sites(town: Town) -> list[int]:
    """The meters' series."""
    with town.store.read() as c:
        return [int(i) for i in c.execute(select(datastream.c.id).order_by(datastream.c.id)).scalars()]


def measure(town: Town, sites: list[int], effect: float, *, treated: int = 2, skip: Callable[[int, int], bool] = lambda _s, _w: False,
            sizes: tuple[float, ...] = (1.0,) * 8, noise: float = 3.0) -> None:  # fmt: skip
    """Write a hundred kWh a week for each meter, and the `effect`, both times its size."""
    chance = np.random.default_rng(5)
    drafts = []
    day, week = FIRST, 0
    while day < ENDS:
        for n, series in enumerate(sites):
            steady = sizes[n] * (100 + (effect if n < treated and day >= STARTS else 0))
            value = steady + noise * chance.standard_normal()
            if not skip(n, week):
                drafts.append(Draft(series, instant(day), Result(round(value, 2), 2)))
        day, week = day + timedelta(weeks=1), week + 1
    town.store.observations.append(drafts)


def prepare(town: Town, sites: list[int], **more: object) -> Row:
    values = {
        "code": "essai", "title": "Un essai", "question": "Est-ce que cela sert ?", "owner": "Services techniques", "budget_eur": 500.0,
        "indicator": "Électricité", "unit": "kWh", "better": "lower", "step": "week", "measure": "sum", "treated": sites[:2],
        "controls": sites[2:], "first_day": FIRST, "starts_on": STARTS, "ends_on": ENDS, "grace_days": 14,
        "expected_percent": -10.0, "method": "did",
    }  # fmt: skip
    return town.store.records.put("experiment", {**values, **more}, who=HEAD, reason="Nouvelle")


def row_of(town: Town) -> Row:
    return next(iter(town.store.records.all("experiment")))


def deeds(town: Town) -> list[tuple[str, str]]:
    with town.store.read() as c:
        return [(e.action, e.who) for e in town.store.audit.entries(c) if e.action.startswith("experiment.")][
            ::-1
        ]


def test_a_registration_is_frozen_hashed_and_before_the_start(town, clock, sites):
    row = prepare(town, sites)
    kept = register(town.store, row, HEAD, mde=3.0, power=0.9)
    assert kept.values["published"]
    told = kept.values["registration"]
    assert told["starts_on"] == "2025-09-01"
    assert told["treated"] == sites[:2]
    body = json.dumps(told, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()
    assert canonical(told) == body
    assert kept.values["registration_sha256"] == hashlib.sha256(body).hexdigest() == fingerprint(told)
    with pytest.raises(Conflict):
        register(town.store, kept, HEAD)
    late = prepare(town, sites, code="tard")
    clock.to(STARTS)
    with pytest.raises(Problem) as refused:
        register(town.store, late, HEAD)
    assert refused.value.place == "starts_on"
    assert deeds(town) == [("experiment.register", HEAD.id)]


def test_what_could_be_seen_is_computed_before(town, clock, sites):
    measure(town, sites, 0.0)
    clock.to(STARTS - timedelta(days=1))
    planned = plan(town.store, prepare(town, sites).values, clock())
    assert planned.mde is not None
    assert 1 < planned.mde < 8  # noise of 3 kWh on eight meters
    assert planned.power == pytest.approx(1, abs=0.05)  # ten per cent of a hundred
    assert planned.proposal is not None
    assert planned.proposal.method == "did"


def test_an_effect_that_follows_the_size_of_the_units_is_foreseen_as_hard_to_see(town, clock, tools, sites):
    measure(town, sites, -10.0, sizes=(0.4, 1.6, 1.3, 0.7, 1.0, 1.5, 0.5, 1.0), noise=0.5)
    clock.to(STARTS - timedelta(days=1))
    row = prepare(town, sites)
    planned = plan(town.store, row.values, clock())
    register(town.store, row, HEAD, mde=planned.mde, power=planned.power)
    clock.to(ENDS)
    (ended,) = life.advance(town.store, tools)
    found = finding_of(ended.values["finding"])
    assert found is not None
    assert found.mde is not None
    assert planned.mde == pytest.approx(found.mde, rel=0.1)
    assert planned.mde > 9  # without their sizes it would be 0.6
    assert planned.power is not None
    assert planned.power < 0.85


@pytest.mark.parametrize(
    ("effect", "verdict"), [(-8.0, "effet positif"), (0.0, "pas d'effet démontré"), (8.0, "effet négatif")]
)
def test_judged_at_its_end_on_the_town_s_own_series(town, clock, tools, sites, effect, verdict):
    register(town.store, prepare(town, sites), HEAD)
    measure(town, sites, effect)
    clock.to(STARTS)
    assert [r.values["state"] for r in life.advance(town.store, tools)] == ["running"]
    assert life.advance(town.store, tools) == []
    clock.to(ENDS)
    (ended,) = life.advance(town.store, tools)
    assert ended.values["state"] == "ended"
    assert ended.values["verdict"] == verdict
    finding = finding_of(ended.values["finding"])
    assert finding is not None
    assert finding.checks["missing_data"].outcome == "pass"
    assert not finding.values["exploratory"]
    printed, media = town.store.files.read(ended.values["deliberation"])
    assert media == "application/pdf"
    assert printed == f"%PDF essai {verdict}".encode()


def _stopped(town: Town, clock: Moved, tools: life.Tools, sites: list[int]) -> tuple[Row, int]:
    rule = rulebook.add(
        town.store, f"name: Essai\nwatch: {{datastream: {sites[0]}}}\nwhen: {{above: {{jaune: 200}}}}\nmessage: x\n", SYSTEM, enabled=True
    )  # fmt: skip
    register(town.store, prepare(town, sites, intake=[sites[0]], rules=[rule.id]), HEAD)
    measure(town, sites, -8.0)
    clock.to(ENDS)
    life.advance(town.store, tools)
    clock.to(ENDS + timedelta(days=13))
    assert life.advance(town.store, tools) == []
    clock.to(ENDS + timedelta(days=14))
    (row,) = life.advance(town.store, tools)
    return row, rule.id


def test_without_a_decision_it_stops_by_itself(town, clock, tools, sites):
    row, rule = _stopped(town, clock, tools, sites)
    assert row.values["state"] == "stopped"
    assert row.values["closed"]["series"] == [sites[0]]
    assert not town.store.records.get("rule", rule).values["enabled"]
    ack = town.store.observations.append(
        [Draft(sites[0], clock(), Result(1.0)), Draft(sites[1], clock(), Result(2.0))]
    )
    assert ack.ids[0] is None
    assert ack.ids[1] is not None
    assert ack.stored == 1
    assert deeds(town) == [
        ("experiment.register", HEAD.id), ("experiment.begin", "system"), ("experiment.end", "system"), ("experiment.stop", "system"),
    ]  # fmt: skip
    packed, _ = town.store.files.read(row.values["data_file"])
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        names = set(archive.namelist())
        ours = {"inscription.json", "impact.csv", "etude.json", "study.json", "LISEZMOI.txt", "README.txt"}
        assert ours <= names
        assert {f"series/{i}.csv" for i in sites} <= names
        lines = archive.read(f"series/{sites[0]}.csv").decode().splitlines()
        assert len(lines) == 1 + (ENDS - FIRST).days // 7
        assert (
            hashlib.sha256(archive.read("inscription.json")).hexdigest() == row.values["registration_sha256"]
        )
    again = data_file(town.store, row.values, finding_of(row.values["finding"]), town.name, None)
    assert again == packed


async def _send(town: Town, series: int) -> None:
    await town.store.observations.append_soon([Draft(series, 1, Result(1.0))])


def test_who_sends_to_a_closed_series_is_told(town, clock, tools, sites):
    import asyncio

    _stopped(town, clock, tools, sites)
    with pytest.raises(Forbidden) as refused:
        asyncio.run(_send(town, sites[0]))
    assert "essai" in refused.value.reason.fr
    asyncio.run(_send(town, sites[1]))


def test_a_later_decision_opens_it_again(town, clock, tools, sites):
    row, rule = _stopped(town, clock, tools, sites)
    kept = life.decide(town.store, tools, row, HEAD, "continue", "Le conseil a enfin délibéré.")
    assert kept.values["state"] == "continued"
    assert town.store.records.get("rule", rule).values["enabled"]
    assert town.store.observations.append([Draft(sites[0], clock(), Result(1.0))]).stored == 1
    assert [c.reason for c in town.store.records.history("experiment", row.id)][:3] == [
        "Décision appliquée", "Le conseil a enfin délibéré.", "Arrêtée : aucune décision à la date prévue",
    ]  # fmt: skip


def test_a_decision_waits_for_the_end_and_can_change_until_then(town, clock, tools, sites):
    register(town.store, prepare(town, sites), HEAD)
    measure(town, sites, -8.0)
    clock.to(STARTS)
    life.advance(town.store, tools)
    kept = life.decide(town.store, tools, row_of(town), HEAD, "stop", "Trop cher.")
    assert kept.values["state"] == "running"
    kept = life.decide(town.store, tools, kept, HEAD, "procure", "Finalement non.")
    clock.to(ENDS)
    (row,) = life.advance(town.store, tools)
    assert row.values["state"] == "procured"
    assert row.values["verdict"] == "effet positif"
    with pytest.raises(Problem):
        life.decide(town.store, tools, row, HEAD, "perhaps", "")


def test_withdrawn_before_it_began_only(town, clock, tools, sites):
    row = register(town.store, prepare(town, sites), HEAD)
    assert life.withdraw(town.store, row, HEAD).values["state"] == "withdrawn"
    other = register(town.store, prepare(town, sites, code="autre"), HEAD)
    clock.to(STARTS)
    (running,) = life.advance(town.store, tools)
    assert running.id == other.id
    with pytest.raises(Conflict):
        life.withdraw(town.store, running, HEAD)


def test_a_sensor_replaced_at_the_launch_forbids_a_conclusion(town, clock, tools, sites):
    register(town.store, prepare(town, sites), HEAD)
    measure(town, sites, -8.0)
    clock.to(STARTS)
    with town.store.write() as c:
        fresh = create(
            town.store,
            c,
            New("sensor", {"name": "neuf", "description": "", "encoding_type": "text", "metadata": '""'}),
        ).id
        change(town.store, c, "datastream", sites[0], {"sensor_id": fresh})
    clock.to(ENDS)
    (row,) = life.advance(town.store, tools)
    assert row.values["verdict"] == "non évaluable"
    finding = finding_of(row.values["finding"])
    assert finding is not None
    assert finding.checks["sensor_changes"].values["changes"] == ["2025-09-01"]


def test_too_much_missing_is_not_evaluable(town, clock, tools, sites):
    register(town.store, prepare(town, sites), HEAD)
    measure(town, sites, -8.0, skip=lambda site, week: site == 3 and week % 4 == 0)
    clock.to(ENDS)
    (row,) = life.advance(town.store, tools)
    finding = finding_of(row.values["finding"])
    assert finding is not None
    assert finding.verdict == "non évaluable"
    assert finding.estimate is None
    assert "Compteur 3" in finding.reasons[0].fr


def test_departing_from_the_registration_is_exploratory(town, clock, sites):
    row = register(town.store, prepare(town, sites), HEAD)
    measure(town, sites, -8.0)
    other = conclude(town.store, row.values, instant(ENDS), "sc")
    assert other.values["exploratory"]
    assert other.values["departures"] == ["method"]
    moved = {**row.values, "controls": sites[3:]}
    assert conclude(town.store, moved, instant(ENDS)).values["departures"] == ["controls"]
    assert not conclude(town.store, row.values, instant(ENDS)).values["exploratory"]


def _json_schema(table: dict) -> dict:
    """A Table Schema as a JSON Schema of one row of text, by the rules of the Table Schema specification."""
    patterns = {
        "number": r"^-?\d+(\.\d+)?([eE][-+]?\d+)?$",
        "boolean": "^(true|false)$",
        "date": r"^\d{4}-\d\d-\d\d$",
    }
    properties = {}
    for one in table["fields"]:
        rule = {"type": "string"}
        if one["constraints"].get("required"):
            rule["minLength"] = 1
        options = []
        if one["type"] in patterns:
            options.append({"pattern": patterns[one["type"]]})
        if "enum" in one["constraints"]:
            options.append({"enum": one["constraints"]["enum"]})
        for option in options:
            rule.setdefault("allOf", []).append(
                {"anyOf": [option, *([] if rule.get("minLength") else [{"const": ""}])]}
            )
        properties[one["name"]] = rule
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


@pytest.mark.shared
def test_the_national_schema_takes_it(town, clock, tools, sites, shared):
    table = json.loads(
        (shared / "data/value/scdl/schema-impact-service-public-numerique.schema.json").read_text("utf-8")
    )
    assert tuple(f["name"] for f in table["fields"]) == FIELDS
    register(town.store, prepare(town, sites), HEAD)
    measure(town, sites, -8.0)
    clock.to(ENDS)
    (row,) = life.advance(town.store, tools)
    written = impact_csv(impact_rows(row.values, finding_of(row.values["finding"]), town.name, "35236"))
    rows = list(csv.DictReader(io.StringIO(written)))
    assert [r["est_cible"] for r in rows] == ["true", "false", "false"]
    validator = jsonschema.Draft202012Validator(_json_schema(table))
    assert [e.message for r in rows for e in validator.iter_errors(r)] == []
    broken = {**rows[0], "valeur": "dix", "frequence_monitoring": "parfois"}
    assert len(list(validator.iter_errors(broken))) == 2
