"""Hub'Eau and Vigicrues polled from a local replica with their habits and faults: everything once, late values corrected."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from tests.services.water import replica as faults
from tests.services.water.replica import Replica, at, observation, station

from beffroi.connectors.schedule import KINDS, run_once
from beffroi.connectors.source import Source, sources_of
from beffroi.intake.take import Intake
from beffroi.model.instant import HOUR_US, MINUTE_US, parse_instant
from beffroi.model.observation import Observation, Quality
from beffroi.plugins import load_registry
from beffroi.services.water.connectors import CONNECTORS
from beffroi.services.water.hubeau import polling
from beffroi.settings import Settings
from beffroi.store.open import Store
from beffroi.store.tables import datastream, thing

A, B, SITE = "V500401001", "V501402001", "V5004010"
POLLS = dict(CONNECTORS)


class Hand:
    """A clock that the test moves."""

    now = parse_instant("2026-11-22T10:00:00Z")

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def clock() -> Hand:
    return Hand()


@pytest.fixture
def server(clock: Hand) -> Iterator[Replica]:
    opened = Replica(clock)
    opened.stations = [
        station(A, "L'Ardèche à Meyras", altitude_ref_alti_station=289_120.0),
        station(B, "L'Ardèche à Ucel", code_commune_station="07325"),
    ]
    yield opened
    opened.close()


@pytest.fixture
def intake(tmp_path: Path, clock: Hand) -> Iterator[Intake]:
    registry = load_registry()
    store = Store.open(Settings(data=tmp_path), clock)
    yield Intake(store, registry.datastream_kind, registry.service_of)
    store.close()


def poll(intake: Intake, source: Source) -> Any:
    return run_once(intake, source, lambda s, c: POLLS[source.kind](s, c, intake.store.clock))


def hubeau(server: Replica, **options: str) -> Source:
    return Source(
        "hubeau", "hubeau", f"{server.url}/api/v2/hydrometrie", 5 * MINUTE_US, {"stations": A, **options}
    )


def series(store: Store) -> dict[str, list[Observation]]:
    with store.read() as connection:
        rows = connection.execute(select(datastream.c.key, datastream.c.id).order_by(datastream.c.key)).all()
    return {key: store.observations.series(number) for key, number in rows}


def told(store: Store) -> dict[str, list[str]]:
    return {key: [o.result.json() for o in found] for key, found in series(store).items()}


def test_levels_are_metres_flows_cubic_metres_and_the_site_s_own_flow_is_left_out(
    server: Replica, intake: Intake, clock: Hand
) -> None:
    now = clock.now
    server.observed = [
        observation(A, SITE, "H", at(now, 20), 1234.0), observation(A, SITE, "H", at(now, 10), -250.0, code_qualification_obs=20),
        observation(A, SITE, "Q", at(now, 20), 147629.0, code_methode_obs=8), observation(None, SITE, "Q", at(now, 20), 147629.0),
        observation(A, SITE, "Q", at(now, 10), -12.0), observation(A, SITE, "H", at(now, 5), None),
        observation(A, SITE, "H", at(now, 4), 1300.0, code_methode_obs=12), observation(A, SITE, "H", at(now, 3), 1301.0, code_qualification_obs=12),
    ]  # fmt: skip
    state = poll(intake, hubeau(server))
    assert (state.error, state.stored, state.rejected) == (None, 6, 1)
    assert told(intake.store) == {
        f"hubeau/{A}/H": ["1.234", "-0.250", "1.300", "1.301"], f"hubeau/{A}/Q": ["147.629", "-0.012"],
    }  # fmt: skip
    found = series(intake.store)
    levels = [Quality(o.quality) for o in found[f"hubeau/{A}/H"]]
    assert levels == [Quality.GOOD, Quality.GOOD, Quality.ESTIMATED, Quality.SUSPECT]
    assert Quality(found[f"hubeau/{A}/Q"][1].quality) == Quality.SUSPECT
    assert json.loads(found[f"hubeau/{A}/Q"][0].extra or "")["parameters"]["code_methode_obs"] == 8
    with intake.store.read() as connection:
        units = connection.execute(
            select(datastream.c.kind, datastream.c.unit_symbol).order_by(datastream.c.key)
        ).all()
        properties = json.loads(connection.execute(select(thing.c.properties)).scalar_one())
    assert units == [("river_level", "m"), ("discharge", "m³/s")]
    assert properties["attribution"].startswith("Source : Hub'Eau")
    assert (properties["zero_m"], properties["cours_eau"], properties["licence"]) == (
        "289.120",
        "l'Ardèche",
        "Licence Ouverte 2.0",
    )
    arrived = intake.store.provenance
    arrived.flush()
    told_of = arrived.of(found[f"hubeau/{A}/H"][0].id)
    assert told_of is not None
    assert told_of.told["url"] == f"{server.url}/api/v2/hydrometrie"


def test_a_site_asked_by_its_own_code_gives_its_flow(server: Replica, intake: Intake, clock: Hand) -> None:
    server.observed = [
        observation(None, SITE, "Q", at(clock.now, 9), 1500.0),
        observation(A, SITE, "Q", at(clock.now, 9), 1500.0),
    ]
    assert poll(intake, hubeau(server, stations=SITE)).stored == 1
    assert told(intake.store) == {f"hubeau/{SITE}/Q": ["1.500"]}


def test_every_page_is_read_206_included(
    server: Replica, intake: Intake, clock: Hand, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(polling, "SIZE", 7)
    server.observed = [observation(A, SITE, "H", at(clock.now, n), float(n)) for n in range(50)]
    assert poll(intake, hubeau(server)).stored == 50
    pages = [query for path, query in server.asked if path.endswith("observations_tr")]
    assert len(pages) == 8
    assert [o.start_us for o in series(intake.store)[f"hubeau/{A}/H"]] == [
        clock.now - n * MINUTE_US for n in range(49, -1, -1)
    ]


def test_late_and_corrected_values_come_in_and_what_was_said_before_is_kept(
    server: Replica, intake: Intake, clock: Hand
) -> None:
    server.observed = [observation(A, SITE, "H", at(clock.now, n), 1000.0 + n) for n in (30, 20, 10)]
    poll(intake, hubeau(server))
    before = series(intake.store)[f"hubeau/{A}/H"]
    server.observed[1]["resultat_obs"] = 900.0
    server.observed[1]["code_qualification_obs"] = 20
    server.observed.append(observation(A, SITE, "H", at(clock.now, 25), 1025.0))
    clock.now += 5 * MINUTE_US
    state = poll(intake, hubeau(server))
    assert (state.stored, state.unchanged) == (2, 2)
    after = series(intake.store)[f"hubeau/{A}/H"]
    assert [o.result.json() for o in after] == ["1.030", "1.025", "0.900", "1.010"]
    assert (after[2].id, after[2].quality) == (before[1].id, Quality.GOOD)
    assert after[2].seq > before[1].seq
    assert poll(intake, hubeau(server)).stored == 0


def test_a_zero_that_moves_is_told_before_and_after(server: Replica, intake: Intake, clock: Hand) -> None:
    server.observed = [observation(A, SITE, "H", at(clock.now, 10), 1000.0)]
    poll(intake, hubeau(server))
    first, clock.now = clock.now, clock.now + 5 * MINUTE_US
    assert set(told(intake.store)) == {f"hubeau/{A}/H"}
    server.stations[0]["altitude_ref_alti_station"] = 288_900.0
    poll(intake, hubeau(server))
    poll(intake, hubeau(server))
    found = series(intake.store)[f"hubeau/{A}/zero"]
    assert [(o.start_us, o.result.json()) for o in found] == [(first, "289.120"), (clock.now, "288.900")]


def test_each_station_has_its_own_place_so_a_backlog_is_not_lost(
    server: Replica, intake: Intake, clock: Hand
) -> None:
    source = hubeau(server, stations=f"{A},{B}")
    server.observed = [
        observation(A, SITE, "H", at(clock.now, 5), 1.0),
        observation(B, B[:8], "H", at(clock.now, 600), 2.0),
    ]
    poll(intake, source)
    backlog = [observation(B, B[:8], "H", at(clock.now, n), float(n)) for n in range(590, 0, -10)]
    server.observed += backlog
    clock.now += HOUR_US
    assert poll(intake, source).stored == len(backlog)


@pytest.mark.parametrize(
    "fault", [faults.failing(500), faults.failing(429), faults.cut_short, faults.half_json, faults.maintenance, faults.turning, faults.elsewhere]
)  # fmt: skip
def test_a_fault_in_the_middle_loses_nothing_and_the_next_poll_goes_on(
    server: Replica, intake: Intake, clock: Hand, monkeypatch: pytest.MonkeyPatch, fault: faults.Fault
) -> None:
    monkeypatch.setattr(polling, "SIZE", 10)
    server.observed = [observation(A, SITE, "H", at(clock.now, 10 * n), float(n)) for n in range(100)]
    server.faults = [None, None, None, fault]  # the référentiel, two pages, then the fault
    state = poll(intake, hubeau(server))
    assert state.error is not None
    assert state.failures == 1
    kept = len(told(intake.store)[f"hubeau/{A}/H"])
    assert kept in (20, 30)  # a page whose link leads nowhere is whole
    asked = len(server.asked)
    assert poll(intake, hubeau(server)).error is None
    resumed = server.asked[asked + 1][1]["date_debut_obs"]
    assert parse_instant(resumed) == clock.now - 10 * (100 - kept) * MINUTE_US - 3 * HOUR_US
    assert len(told(intake.store)[f"hubeau/{A}/H"]) == 100


def test_one_station_that_fails_does_not_keep_the_others_waiting(
    server: Replica, intake: Intake, clock: Hand
) -> None:
    server.observed = [observation(B, B[:8], "H", at(clock.now, 5), 2.0)]
    server.faults = [None, faults.failing(500)]
    state = poll(intake, hubeau(server, stations=f"{A},{B}"))
    assert state.error is not None
    assert told(intake.store) == {f"hubeau/{B}/H": ["0.002"]}


def test_elaborated_quantities_are_of_their_day_or_month(
    server: Replica, intake: Intake, clock: Hand
) -> None:
    def row(name: str, day: str, value: float) -> dict[str, Any]:
        return {"code_site": SITE, "code_station": A, "date_obs_elab": day, "resultat_obs_elab": value, "code_statut": 12,
                "code_methode": 8, "code_qualification": 20, "grandeur_hydro_elab": name}  # fmt: skip

    server.elaborated = [
        row("QmnJ", "2026-11-20", 2480.0),
        row("QmnJ", "2026-11-21", 5123.5),
        row("QixM", "2026-10-01", 80000.0),
    ]
    state = poll(intake, hubeau(server, elaborated="QmnJ,QixM"))
    assert (state.error, state.stored) == (None, 3)
    found = series(intake.store)
    assert [o.result.json() for o in found[f"hubeau/{A}/QmnJ"]] == ["2.480", "5.1235"]
    day, month = found[f"hubeau/{A}/QmnJ"][0], found[f"hubeau/{A}/QIXM"][0]
    assert (day.start_us, day.end_us) == (parse_instant("2026-11-20"), parse_instant("2026-11-21"))
    assert (month.start_us, month.end_us) == (parse_instant("2026-10-01"), parse_instant("2026-11-01"))
    assert {o.quality for o in (day, month)} == {Quality.GOOD}


def test_what_is_asked_of_nobody_and_the_closed_version_are_told(server: Replica, intake: Intake) -> None:
    nobody = poll(intake, hubeau(server, stations=""))
    assert nobody.error is not None
    assert "which stations" in nobody.error.en
    closed = Source("old", "hubeau", f"{server.url}/api/v1/hydrometrie", MINUTE_US, {"stations": A})
    state = poll(intake, closed)
    assert state.error is not None
    assert "403" in state.error.en


def test_stations_of_a_commune_are_found(server: Replica, intake: Intake, clock: Hand) -> None:
    server.observed = [observation(B, B[:8], "H", at(clock.now, 5), 2000.0)]
    assert poll(intake, hubeau(server, stations="", communes="07325")).stored == 1
    assert told(intake.store) == {f"hubeau/{B}/H": ["2.000"]}


# --- Vigicrues


def vigicrues(server: Replica, **options: str) -> Source:
    return Source("vigicrues", "vigicrues", f"{server.url}/vigicrues", 5 * MINUTE_US, options)


def colours(*sections: tuple[str, Any]) -> dict[str, Any]:
    return {"type": "FeatureCollection", "features": [
        {"type": "Feature", "properties": {"CdEntCru": code, "lbentcru": f"Tronçon {code}", "NivInfViCr": level}, "geometry": None}
        for code, level in sections
    ]}  # fmt: skip


def test_a_colour_is_stored_when_it_changes_and_once_an_hour(
    server: Replica, intake: Intake, clock: Hand
) -> None:
    source = vigicrues(server, sections="LA1,LA2")
    for level in (1, 1, "2", 3, 3):
        server.vigicrues["InfoVigiCru.geojson",] = colours(("LA1", level), ("LA2", 1), ("ZZ9", 4))
        assert poll(intake, source).error is None
        clock.now += 5 * MINUTE_US
    assert told(intake.store) == {
        "vigicrues/section/LA1/colour": ["1", "2", "3"],
        "vigicrues/section/LA2/colour": ["1"],
    }
    clock.now += HOUR_US
    assert poll(intake, source).stored == 2
    with intake.store.read() as connection:
        properties = [json.loads(p) for p in connection.execute(select(thing.c.properties)).scalars()]
    assert {p["attribution"] for p in properties} == {"Source : © VIGICRUES"}


@pytest.mark.parametrize("shape", ["pairs", "objects", "milliseconds"])
def test_observations_and_forecasts_of_a_station(
    server: Replica, intake: Intake, clock: Hand, shape: str
) -> None:
    times = [clock.now - 20 * MINUTE_US, clock.now - 10 * MINUTE_US]
    values = [1.25, 1.31]
    written: list[Any] = [[at(clock.now, 20), 1.25], [at(clock.now, 10), 1.31]]
    if shape == "objects":
        written = [{"DtObsHydro": w, "ResObsHydro": v} for w, v in written]
    elif shape == "milliseconds":
        written = [[t // 1000, v] for t, v in zip(times, values, strict=True)]
    server.vigicrues["station.json/index.php", A] = {
        "LbStationHydro": "Meyras",
        "LbCoursEau": "Ardèche",
        "CdCommune": "07156",
    }
    server.vigicrues["observations.json/index.php", A, "H"] = {
        "Serie": {"CdStationHydro": A, "GrdSerie": "H", "ObssHydro": written}
    }
    prevs = [
        {
            "DtPrev": at(clock.now, -60 * n),
            "ResMinPrev": 1.3 + n,
            "ResMoyPrev": 1.5 + n,
            "ResMaxPrev": None if n == 2 else 1.9 + n,
        }
        for n in (1, 2)
    ]
    server.vigicrues["previsions.json/index.php", A, "H"] = {
        "Simul": {"DtProdSimul": at(clock.now, 15), "Prevs": prevs}
    }
    state = poll(intake, vigicrues(server, stations=A, quantities="H"))
    assert (state.error, state.stored) == (None, 5)
    found = series(intake.store)
    assert [(o.start_us, o.result.value) for o in found[f"vigicrues/{A}/H"]] == list(
        zip(times, values, strict=True)
    )
    peaks = {key.rpartition("/")[2]: o[0].result.value for key, o in found.items() if key.count("/") == 3}
    assert peaks == {"low": 3.3, "mid": 3.5, "high": 2.9}
    kept = json.loads(found[f"vigicrues/{A}/H/high"][0].extra or "")["parameters"]
    assert (kept["quantile"], kept["forecast"][1]) == (90, [at(clock.now, -120), 3.3, 3.5, None])
    assert poll(intake, vigicrues(server, stations=A, quantities="H")).stored == 0


def test_an_error_said_with_the_status_200_is_an_error_and_no_forecast_is_none(
    server: Replica, intake: Intake, clock: Hand
) -> None:
    state = poll(intake, vigicrues(server, stations=A, quantities="H"))
    assert state.error is not None
    assert "Aucune donnée" in state.error.fr
    server.vigicrues["observations.json/index.php", A, "H"] = {
        "Serie": {"ObssHydro": [[at(clock.now, 5), 1.0], [at(clock.now, 4), "?"], "x"]}
    }
    state = poll(intake, vigicrues(server, stations=A, quantities="H"))
    assert (state.error, state.stored, state.rejected) == (None, 1, 2)


def test_the_kinds_can_be_written_in_the_settings() -> None:
    values = (
        {
            "name": "h",
            "kind": "hubeau",
            "url": "https://hubeau.eaufrance.fr/api/v2/hydrometrie",
            "stations": A,
        },
    )
    (source,) = sources_of(values, {**KINDS, **POLLS})
    assert source.options == {"stations": A}
