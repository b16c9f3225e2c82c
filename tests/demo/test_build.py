"""The demonstration town in a real store."""

import hashlib
import html
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select
from starlette.testclient import TestClient
from tests.services.reports.test_bias_truth import AREAS, drawn, watched

from beffroi.app import create_app
from beffroi.cli.init import create_town
from beffroi.demo.build import build_town
from beffroi.demo.catalogue import write_stations
from beffroi.demo.clock import StoryClock
from beffroi.demo.experiments import EFFECTS, story_tools
from beffroi.demo.history import Teller
from beffroi.demo.live import live
from beffroi.demo.night_cut import CODE, night_cut
from beffroi.evaluation.experiments.observed import instant
from beffroi.evaluation.experiments.studying import finding_of
from beffroi.identity import people, sign_in, territories
from beffroi.model.instant import DAY_US, HOUR_US, MINUTE_US, parse_instant
from beffroi.model.principal import SYSTEM
from beffroi.model.problem import Problem
from beffroi.scene import Scene, make_scene
from beffroi.scene.story import newly_cut
from beffroi.services.reports.demo import TRUTH, true_rates
from beffroi.services.reports.desk.watched import incidents_watched
from beffroi.services.reports.rate.bias import bias_of
from beffroi.services.reports.rate.incidents import Incident
from beffroi.store.record import Query
from beffroi.store.tables import datastream, metadata, thing
from beffroi.town import Town, open_town
from beffroi.web.kit.who import SESSION_COOKIE

END = parse_instant("2026-11-22")


def settle(folder: Path, scene: Scene) -> None:
    create_town(folder, scene.name, email=scene.people[0].mail)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    data = tmp_path_factory.mktemp("town") / "brevigny"
    build_town(data, make_scene(1, 3, END), settle)
    return data


@pytest.fixture
def town(folder: Path) -> Iterator[Town]:
    opened = open_town(folder, clock=lambda: END)
    yield opened
    opened.close()


# What holds the present or a secret, in no export: accounts and their links, the audit's signatures.
_OF_TODAY = {
    "account",
    "sign_in_link",
    "session",
    "audit",
    "audit_head",
    "token",
    "job",
    "person_key",
    "stored_file",
    "history",
}


def prints(town: Town) -> dict[str, str]:
    """Return a print of every table that is exported."""
    found = {}
    with town.store.read() as connection:
        for table in metadata.sorted_tables:
            if table.name in _OF_TODAY:
                continue
            rows = sorted(map(repr, connection.execute(select(table))))
            found[table.name] = hashlib.sha256("\n".join(rows).encode()).hexdigest()
    for name in town.store.records.collections:
        rows = [repr((r.id, r.values, r.geometry, r.territory)) for r in town.store.records.all(name)]
        found[f"collection {name}"] = hashlib.sha256("\n".join(rows).encode()).hexdigest()
    told = town.store.observations.after(0, limit=10**7)
    found["observations"] = hashlib.sha256(repr(told).encode()).hexdigest()
    return found


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A town of one day, to be copied and not to be written."""
    data = tmp_path_factory.mktemp("day") / "brevigny"
    build_town(data, make_scene(1, 1, END), settle)
    return data


def test_build_refuses_a_town_that_is_there(folder: Path) -> None:
    with pytest.raises(Problem) as refused:
        build_town(folder, make_scene(1, 1, END), settle)
    assert refused.value.place == "--data"


def beffroi(*words: str, env: dict[str, str]) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-m", "beffroi", *words, "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            text=True, env={**os.environ, "LC_ALL": "C.UTF-8", **env})  # fmt: skip


def exported(data: Path, to: Path) -> dict[str, bytes]:
    done = beffroi("export", "--data", str(data), "--to", str(to), env={})
    _, said = done.communicate(timeout=120)
    assert done.returncode == 0, said
    return {str(file.relative_to(to)): file.read_bytes() for file in to.rglob("*") if file.is_file()}


def test_the_command_interrupted_then_given_again_makes_the_same_town(day: Path, tmp_path: Path) -> None:
    """The one of another process whose hashes differ: equal in every table and series, and exported in the same bytes."""
    data, words = tmp_path / "t", ("--seed", "1", "--days", "1", "--end", "2026-11-22T00:00:00Z")
    cut = beffroi("demo", "--data", str(data), *words, env={"PYTHONHASHSEED": "1"})
    while not list(data.glob(".building/*")) and cut.poll() is None:
        time.sleep(0.02)
    while cut.poll() is None:  # pressed again: one that falls into a callback of Python's is only printed
        cut.send_signal(signal.SIGINT)
        time.sleep(0.5)
    cut.communicate(timeout=60)
    assert cut.returncode != 0
    assert not (data / "beffroi.toml").exists()
    again = beffroi("demo", "--data", str(data), *words, env={"PYTHONHASHSEED": "2"})
    told, said = again.communicate(timeout=300)
    assert again.returncode == 0, said
    report = json.loads(told)
    assert report["sign_in"].startswith("/connexion/lien/")
    assert (report["data"], report["name"], report["seed"], report["days"]) == (
        str(data),
        make_scene(1, 1, END).name,
        1,
        1,
    )
    assert report["observations"] > 5000
    assert not (data / ".building").exists()
    found = []
    for one in (day, data):
        town = open_town(one, clock=lambda: END)
        try:
            found.append(prints(town))
        finally:
            town.close()
    assert found[0] == found[1]
    first, second = exported(day, tmp_path / "first"), exported(data, tmp_path / "second")
    assert len(first) > 5
    assert {name for name in first | second if first.get(name) != second.get(name)} == set()
    verified = beffroi("verify", "--data", str(data), env={})
    told, said = verified.communicate(timeout=120)
    assert verified.returncode == 0, told + said


def test_town_has_two_communes_of_one_group_and_people_of_each_role(town: Town) -> None:
    assert {t.code: t.parent for t in territories.every(town.store)} == {
        "200099907": None, "18901": "200099907", "18902": "200099907",
    }  # fmt: skip
    roles = {person.role for person in people.every(town.store)}
    assert roles == {"admin", "responsable", "agent", "elu", "supplier"}


def test_things_are_in_their_territory_and_keep_their_pace(town: Town) -> None:
    with town.store.read() as connection:
        rows = connection.execute(
            select(thing.c.territory, datastream.c.expected_interval_us, datastream.c.unit_definition)
            .join(datastream, datastream.c.thing_id == thing.c.id)
            .where(datastream.c.key == "sarelle-montarel/river_level")
        ).all()
    assert rows == [("18902", 10 * MINUTE_US, "m")]


def key_id(town: Town, key: str) -> int:
    with town.store.read() as connection:
        return int(connection.execute(select(datastream.c.id).where(datastream.c.key == key)).scalar_one())


def test_observations_are_what_the_sensors_said(town: Town) -> None:
    scene = make_scene(1, 3, END)
    series = next(s for st in scene.stations for s in st.series if s.key == "velos-quai/bicycles")
    wanted = [(r.start_us, r.end_us, r.value) for r in series.readings(scene.start_us, END)]
    stored = town.store.observations.series(key_id(town, series.key))
    assert [(o.start_us, o.end_us, o.result.value) for o in stored] == wanted
    assert stored[0].result.json() == str(int(wanted[0][2]))


def test_stuck_sensor_is_flagged_and_its_values_kept(town: Town) -> None:
    stored = town.store.observations.series(key_id(town, "urbain-04/temperature"))
    assert len({o.result.value for o in stored}) == 1
    assert stored[-1].quality == 2
    assert stored[-1].extra == '{"parameters":{"qualityFlag":"stuck"}}'


async def run_live(town: Town, until: int) -> None:
    import asyncio

    stop = threading.Event()
    task = asyncio.create_task(live(town, stop))
    pont = key_id(town, "sarelle-pont/river_level")
    for _ in range(400):
        await asyncio.sleep(0.05)
        if town.store.observations.last([pont])[pont].start_us > until - 20 * MINUTE_US:
            break
    stop.set()
    await asyncio.wait_for(task, 10)


def test_live_goes_on_as_a_longer_history_would_have(day: Path, tmp_path: Path) -> None:
    import asyncio

    data = shutil.copytree(day, tmp_path / "live")
    later = END + 9 * HOUR_US
    town = open_town(data, clock=lambda: later)
    try:
        asyncio.run(run_live(town, later))
        asyncio.run(run_live(town, later))  # a second start adds nothing twice
        scene = make_scene(1, 1, END)
        for key in ("meteo-brevigny/rain", "sarelle-pont/river_level", "urbain-02/temperature"):
            series = next(s for st in scene.stations for s in st.series if s.key == key)
            wanted = [(r.start_us, r.value) for r in series.readings(END - DAY_US, later)]
            stored = [(o.start_us, o.result.value) for o in town.store.observations.series(key_id(town, key))]
            assert stored == wanted
    finally:
        town.close()


def test_live_does_nothing_in_a_real_town(tmp_path: Path) -> None:
    import asyncio

    create_town(tmp_path / "real", "Réelle")
    town = open_town(tmp_path / "real", clock=lambda: END)
    try:
        asyncio.run(asyncio.wait_for(live(town, threading.Event()), 5))
        assert town.store.observations.head() == 0
    finally:
        town.close()


def test_assets_of_both_communes_are_there_and_some_are_broken(town: Town) -> None:
    records = town.store.records
    scene = make_scene(1, 3, END)
    assert records.count("lamp") == len(scene.assets.lamps)
    assert records.count("lamp", Query(territories=("18902",))) > 50
    faults = list(records.all("fault"))
    assert {fault.values["severity"] for fault in faults} == {"jaune", "rouge"}
    dark = next(f for f in faults if f.values["severity"] == "rouge")
    assert records.get("cabinet", int(dark.values["asset"].partition("/")[2])).values["state"] == "broken"
    assert dark.values["state"] == "planned"
    assert dark.values["seen"] < END


def test_thing_on_an_asset_names_its_record(town: Town) -> None:
    with town.store.read() as connection:
        row = connection.execute(
            select(thing.c.collection, thing.c.record_id).where(thing.c.key == "PAV001")
        ).one()
    assert row.collection == "bin"
    assert town.store.records.get("bin", row.record_id).values["code"] == "PAV001"


def test_school_meters_sit_on_the_school(town: Town) -> None:
    with town.store.read() as connection:
        row = connection.execute(
            select(thing.c.collection, thing.c.record_id).where(thing.c.key == "ecole-jules-ferry")
        ).one()
    school = town.store.records.get(row.collection, row.record_id)
    assert (school.values["name"], school.values["use"]) == ("École Jules-Ferry", "school")
    assert school.values["address"].startswith("Rue")


def test_base_map_is_drawn(folder: Path) -> None:
    assert (folder / "base.json").exists()
    assert any((folder / name).exists() for name in ("base.pmtiles", "base.geojson"))


def test_alarms_come_from_the_rules_and_are_seen_to(town: Town) -> None:
    rows = list(town.store.records.all("alarm"))
    names = {row.id: row.values["name"] for row in town.store.records.all("rule")}
    rung = {names[row.values["rule"]] for row in rows}
    assert {"La Sarelle au Vieux-Pont : hauteur", "Panne dangereuse"} <= rung
    assert {row.values["state"] for row in rows} >= {"active", "acknowledged"}
    flood = next(row for row in rows if names[row.values["rule"]] == "La Sarelle au Vieux-Pont : hauteur")
    level = {
        o.start_us: o.result.value or 0.0
        for o in town.store.observations.series(key_id(town, "sarelle-pont/river_level"))
    }
    # held above 1.00 m for 20 minutes before it rings
    assert all(
        level[t] > 1.0
        for t in level
        if flood.values["raised_at"] - 20 * MINUTE_US <= t <= flood.values["raised_at"]
    )
    assert flood.territory == "18901"


def test_every_default_rule_is_on(town: Town) -> None:
    services = town.registry.services
    delivered = Counter(
        row.values["origin"]
        for row in town.store.records.all("rule")
        if row.values["origin"] in services and row.values["enabled"]
    )
    assert delivered == {name: len(one.rules) for name, one in services.items() if one.rules} | {"reports": 1}


def test_reports_are_those_that_were_drawn(town: Town) -> None:
    areas = [
        (one["area"], one["inhabitants"], one["rate_per_day"]) for one in town.store.setting(TRUTH)["areas"]
    ]
    assert {(name, rate) for name, _, rate in areas} == {(name, rate) for name, _, rate in AREAS}

    def shape(incidents: list[Incident]) -> list[tuple[str, str, float, int]]:
        return sorted((one.area, one.category, round(one.days, 3), one.duplicates) for one in incidents)

    stored = incidents_watched(town, SYSTEM, END - 730 * DAY_US, END)
    assert shape(stored) == shape(watched(drawn(1, areas, END), END)) and len(stored) > 150


def test_the_page_of_the_demonstration_names_the_right_areas_and_says_what_it_does_not_know(
    town: Town,
) -> None:
    incidents = incidents_watched(town, SYSTEM, END - 730 * DAY_US, END)
    bias, rates = bias_of(incidents, fitted=False), true_rates(town.store.setting(TRUTH), incidents)
    known = {cell.area: cell.rate for cell in bias.areas if cell.rate.known}
    assert set(known) == {"Centre", "Les Coteaux"}
    assert set(bias.unknown) == {"La Gare", "Le Faubourg", "Les Tilleuls", "Montarel"}
    assert all(cell.rate.low <= rates[cell.area] <= (cell.rate.high or 9) for cell in bias.areas)
    assert bias.gap is not None and (bias.gap.slowest, bias.gap.fastest) == ("Les Coteaux", "Centre")
    assert bias.gap.low < rates["Centre"] / rates["Les Coteaux"] < bias.gap.high
    mayor = people.add(town.store, SYSTEM, email="elue@essai.fr", name="Une élue", role="elu")
    with TestClient(create_app(town), base_url="http://127.0.0.1:8080", headers={"Accept": "text/html", "Accept-Language": "fr"}) as client:  # fmt: skip
        link = sign_in.make_link(town.store, SYSTEM, mayor.id)
        client.cookies.set(SESSION_COOKIE, sign_in.by_link(town.store, link, agent="Firefox")[1])
        page = html.unescape(client.get("/services/reports/biais").text)
    told = re.search(
        r"Le même problème attend ([\d,]+) jours dans « ([^»]+) » et ([\d,]+) jours dans « ([^»]+) »", page
    )
    assert told is not None and (told[2], told[4]) == ("Les Coteaux", "Centre")
    for days, area in ((told[1], "Les Coteaux"), (told[3], "Centre")):
        assert known[area].delay == pytest.approx(float(days.replace(",", ".")), abs=0.051)
    assert "La Gare, Le Faubourg, Les Tilleuls, Montarel" in page and page.count("on ne sait pas") >= 4
    rows = re.findall(r'<th scope="row">([^<]+)</th>(?:<td[^>]*>[^<]*</td>){2}<td>(oui|non)</td>', page)
    assert sorted(rows) == sorted((name, "oui") for name, _, _ in AREAS)


def test_the_river_s_floods_were_warned_of_as_its_truth_says(town: Town) -> None:
    """What really rose above a level was warned of within the time that the rule holds, and one warning is open at the end."""
    stations = {r.values["code"]: r.id for r in town.store.records.all("river_station")}
    truth = town.store.setting("demo.river")
    levels = {r.id for r in town.store.records.all("rule") if (r.values["origin"] or "").endswith("/level")}
    alarms = [r.values for r in town.store.records.all("alarm") if r.values["rule"] in levels]
    began = [(one["station"], one["start_us"]) for one in truth["above"] if one["colour"] == "jaune"]
    assert began
    for station, start in began:
        near = [a for a in alarms if abs(a["raised_at"] - start - 20 * MINUTE_US) <= 30 * MINUTE_US]
        assert near, (station, start)
    assert len(alarms) == len(began)
    live = list(town.store.records.all("river_warning", Query(where={"state": ["proposed", "confirmed"]})))
    (open_one,) = [w for w in live if w.values["station"] == stations["sarelle-pont"]]
    assert (open_one.values["colour"], open_one.values["state"]) == ("jaune", "confirmed")
    tasks = list(town.store.records.all("warning_task", Query(where={"warning": open_one.id})))
    assert tasks
    assert {t.values["state"] for t in tasks} <= {"todo", "done"}
    assert len(list(town.store.records.all("warning_entry", Query(where={"warning": open_one.id})))) >= 4
    # what the agent looked at, and what the camera saw last
    assert {r.values["source"] for r in town.store.records.all("river_image")} == {
        "Caméra du Vieux-Pont",
        "camera-vieux-pont",
    }


def test_its_experiments_tell_the_truth_apart(town: Town) -> None:
    told = {
        row.values["code"]: (row.values["state"], row.values["verdict"])
        for row in town.store.records.all("experiment")
    }
    assert told == {
        "eclairage-22h": ("procured", "effet positif"),
        "affiches-eau": ("stopped", "pas d'effet démontré"),
        "arrosage-sondes": ("ended", "effet négatif"),
        "bruit-halle": ("stopped", "non évaluable"),
        "chauffage-ecoles": ("running", None),
        "coupure-nuit-securite": ("continued", "pas d'effet démontré"),
    }
    for row in town.store.records.all("experiment"):
        finding = finding_of(row.values["finding"])
        if finding is None or finding.verdict == "non évaluable":
            continue
        assert finding.interval95 is not None
        low, high = finding.interval95
        base = finding.estimate / finding.relative
        assert low <= EFFECTS[row.values["code"]] * base <= high, row.values["code"]
    undecided = town.store.records.by_key("experiment", "bruit-halle", "18901")
    assert undecided is not None
    assert undecided.values["decision"] is None
    assert len(undecided.values["closed"]["series"]) == 10
    assert not town.store.records.get("rule", undecided.values["rules"][0]).values["enabled"]


def test_the_night_cut_is_judged_on_the_curves_of_the_cabinets(tmp_path: Path) -> None:
    """Registered before it began, then told: six hours of the night, as a share of what burned."""
    scene = make_scene(1, 30, END)
    cut = newly_cut(scene.assets.cabinets, scene.faults)
    kept = [*cut, "AR03", "AR05", "AR07", "AR10"]
    create_town(tmp_path / "t", scene.name, email="maire@essai.fr")
    clock = StoryClock(scene.start_us)
    town = open_town(tmp_path / "t", clock=clock)
    try:
        territories.add(town.store, SYSTEM, "18901", "Brévigny")
        people.add(town.store, SYSTEM, email="tech@essai.fr", name="Tech", role="responsable", territories=())
        lines = write_stations(town, scene, [s for s in scene.stations if s.key in kept], {})
        told = Teller(lines).until(scene.start_us, scene.end_us)
        town.store.observations.append([draft for _, draft in told])
        for at, happen in night_cut(town, scene, story_tools(town)):
            clock.move(at)
            happen()
        row = town.store.records.by_key("experiment", CODE, "18901")
        assert row is not None
        assert (row.values["state"], row.values["verdict"]) == ("continued", "effet positif")
        assert len(row.values["treated"]) == 3
        assert row.values["registered_at"] < instant(row.values["starts_on"])
        finding = finding_of(row.values["finding"])
        assert finding is not None
        assert finding.relative is not None
        # sunset to sunrise in mid-November is 14.5 to 15 hours here
        assert -6 / 14.3 < finding.relative < -6 / 15.2
        # what was said beforehand of what could be seen is of the size of what could
        assert finding.mde is not None
        assert 0.5 < row.values["mde"] / finding.mde < 1.5
    finally:
        town.close()
