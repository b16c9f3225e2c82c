"""Leaving and settling elsewhere: an exported town made again gives the same bytes; a damaged export gives nothing."""

import filecmp
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from beffroi.cli.init import create_town
from beffroi.export import CATALOGUE, HOUSE, LEFT_OUT, OBSERVED, export_town
from beffroi.identity import people, sign_in
from beffroi.model.instant import parse_instant
from beffroi.model.observation import Draft
from beffroi.model.principal import SYSTEM
from beffroi.model.problem import Problem
from beffroi.model.result import number_of
from beffroi.settling import settle
from beffroi.store.tables import metadata, obs_metadata
from beffroi.store.versions import By
from beffroi.town import Town, open_town

NOON = parse_instant("2026-03-01T12:00:00Z")
HERE = {"type": "Point", "coordinates": [-2.0836, 47.6513]}


_PG = pytest.mark.postgres
FROM_AND_TO = pytest.mark.parametrize(
    ("exported", "there"),
    [("sqlite", "sqlite"), pytest.param("sqlite", "postgresql", marks=_PG), pytest.param("postgresql", "sqlite", marks=_PG)],
    indirect=["exported"],
)  # fmt: skip


@pytest.fixture
def exported(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Town, Path]]:
    """Give a town that holds one of each thing, and its export."""
    server = (
        request.getfixturevalue("postgresql_server")
        if getattr(request, "param", "") == "postgresql"
        else None
    )
    records = server.database() if server else ""
    create_town(tmp_path / "town", "Là-haut", email="maire@essai.fr", insee="35236", records=records)
    town = open_town(tmp_path / "town")
    store = town.store
    person = people.find(store, "maire@essai.fr")
    assert person is not None
    people.set_password(store, SYSTEM, person.id, "quatre cloches au vent d'ouest")
    lamp = store.records.put(
        "lamp",
        {"code": "L1", "power_w": 36.5, "installed": "2024-02-01"},
        geometry=HERE,
        territory="35236",
        who=SYSTEM,
    )
    store.records.put("lamp", {"state": "broken"}, id=lamp.id, who=SYSTEM, reason="vandalisme")
    gone = store.records.put("lamp", {"code": "L2"}, who=SYSTEM)
    store.records.delete("lamp", gone.id, who=SYSTEM)
    store.records.put(
        "fault",
        {"title": "Éteinte", "seen": "2026-03-01T20:00:00Z", "caller": "Anne Le Goff", "asset": "lamp/1"},
        who=SYSTEM,
    )
    store.observations.append(
        [Draft(1, NOON + n, number_of(f"{n}.50"), source_key=b"%d" % n) for n in range(5)]
    )
    store.observations.correct(2, by=By("user:1", "relu"), result=number_of("7.25"))
    store.observations.delete([3], by=By("user:1", "faux"))
    with store.write() as c:
        store.files.put(c, b"%PDF plan", "application/pdf")
    yield town, tmp_path / "a"
    town.close()


def same(a: Path, b: Path) -> list[str]:
    """Return the files that two folders do not have alike, byte for byte."""
    names = {p.relative_to(a).as_posix() for p in a.rglob("*") if p.is_file()} | {
        p.relative_to(b).as_posix() for p in b.rglob("*") if p.is_file()
    }
    return sorted(
        n
        for n in names
        if not (a / n).is_file() or not (b / n).is_file() or not filecmp.cmp(a / n, b / n, shallow=False)
    )


@FROM_AND_TO
def test_a_town_made_again_exports_the_same_bytes_and_goes_on(
    exported: tuple[Town, Path], tmp_path: Path, there: str, request: pytest.FixtureRequest
) -> None:
    """From each kind of database to each."""
    town, out = exported
    export_town(town.store, town.name, out)
    server = request.getfixturevalue("postgresql_server") if there == "postgresql" else None
    settle(out, tmp_path / "new", records=server.database() if server else "")
    again = open_town(tmp_path / "new")
    try:
        export_town(again.store, again.name, tmp_path / "b")
        assert same(out, tmp_path / "b") == []
        store = again.store
        with store.read() as c:
            assert store.audit.verify(c)[1] == []
        assert store.verify() == []
        fault = next(store.records.all("fault"))
        assert fault.values["caller"] == "Anne Le Goff"
        assert [o.result.json() for o in store.observations.series(1)] == ["0.50", "7.25", "3.50", "4.50"]
        assert next((c.action, c.reason) for c in store.records.history("lamp", 1)) == (
            "update",
            "vandalisme",
        )
        folded = store.observations.append([Draft(1, NOON, number_of("0.50"), source_key=b"0")])
        assert folded.ids == [None]  # what came before is known here too
        (fresh,) = store.observations.append([Draft(1, NOON + 9, number_of("1"))]).ids
        assert fresh is not None and fresh > 6
        assert store.records.put("lamp", {"code": "L3"}, who=SYSTEM).id > 2
    finally:
        again.close()


def test_secrets_stay(exported: tuple[Town, Path], tmp_path: Path) -> None:
    town, out = exported
    secret = town.settings.secret().hex()
    link = sign_in.make_link(town.store, SYSTEM, 1)
    export_town(town.store, town.name, out)
    told = b"".join(p.read_bytes() for p in out.rglob("*") if p.is_file())
    for never in (secret, link.rpartition("/")[2], "argon2id", "BEGIN PRIVATE"):
        assert never.encode() not in told
    (account,) = [json.loads(line) for line in (out / "house/account.jsonl").read_text("utf-8").splitlines()]
    assert account["email"] == "maire@essai.fr"
    settle(out, tmp_path / "new")
    again = open_town(tmp_path / "new")
    try:
        assert people.find(again.store, "maire@essai.fr") is not None
        assert (
            sign_in.by_link(again.store, sign_in.make_link(again.store, SYSTEM, 1), agent="x")[0].email
            == "maire@essai.fr"
        )
    finally:
        again.close()


@pytest.mark.parametrize("damage", ["changed", "missing", "no export", "old"])
def test_a_damaged_export_makes_no_town(exported: tuple[Town, Path], tmp_path: Path, damage: str) -> None:
    town, out = exported
    export_town(town.store, town.name, out)
    lamps, manifest = out / "records/lamp.geojsonl", out / "manifest.json"
    place = "records/lamp.geojsonl"
    if damage == "changed":
        lamps.write_text(lamps.read_text("utf-8").replace("L1", "L9"), "utf-8")
    elif damage == "missing":
        lamps.unlink()
    elif damage == "old":
        manifest.write_text(manifest.read_text("utf-8").replace('"format": 2', '"format": 1'), "utf-8")
        place = "manifest.json"
    else:
        shutil.rmtree(out)
        place = str(out)
    with pytest.raises(Problem) as refused:
        settle(out, tmp_path / "new")
    assert refused.value.place == place
    assert not (tmp_path / "new").exists()


def test_a_town_is_never_settled_into_another(exported: tuple[Town, Path]) -> None:
    town, out = exported
    export_town(town.store, town.name, out)
    with pytest.raises(Problem) as refused:
        settle(out, town.settings.data)
    assert refused.value.place == "--data"


def test_every_table_leaves_or_says_why_it_stays() -> None:
    leaving = {t.fullname for t in (*CATALOGUE, *HOUSE, *OBSERVED)}
    staying = {t.fullname for m in (metadata, obs_metadata) for t in m.tables.values()} - leaving
    assert {name.removeprefix("obs.") for name in staying} == set(LEFT_OUT)
