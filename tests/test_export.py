"""Export: every row is in it, the same town gives the same bytes, a full directory is refused."""

import csv
import gzip
import io
import json
from pathlib import Path

import pytest

from beffroi.export import export_town
from beffroi.model.instant import DAY_US, parse_instant
from beffroi.model.observation import Draft
from beffroi.model.problem import Problem
from beffroi.model.result import number_of
from beffroi.store.open import Store
from beffroi.store.sealing import seal

NOON = parse_instant("2026-03-01T12:00:00Z")


def test_export_holds_every_observation_with_its_digits(store: Store, tmp_path: Path) -> None:
    rows = [Draft(4, NOON + (i // 3) * DAY_US, number_of(f"{i}.10")) for i in range(90)]
    store.observations.append(rows)
    seal(store.database, store.archive, NOON + 12 * DAY_US, store.observations.head())
    manifest = export_town(store, "Essai", tmp_path / "out")
    assert manifest["files"]["observations/4.csv.gz"]["rows"] == 91
    text = gzip.decompress((tmp_path / "out/observations/4.csv.gz").read_bytes()).decode()
    read = list(csv.DictReader(io.StringIO(text)))
    assert [r["result"] for r in read] == [f"{i}.10" for i in range(90)]
    assert [int(r["id"]) for r in read] == list(range(1, 91))
    assert read[0]["phenomenonTime"] == "2026-03-01T12:00:00Z"


def test_same_town_gives_same_bytes(store: Store, tmp_path: Path) -> None:
    store.observations.append([Draft(1, NOON, number_of("1"))])
    store.set_setting("town.name", "Là-haut")
    first, second = (export_town(store, "Essai", tmp_path / name)["files"] for name in ("a", "b"))
    assert first == second
    (line,) = (tmp_path / "a/house/setting.jsonl").read_text("utf-8").splitlines()
    assert json.loads(line) == {"key": "town.name", "value": "Là-haut"}


def test_export_refuses_a_directory_that_holds_something(store: Store, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out/mine.txt").write_text("keep me")
    with pytest.raises(Problem) as refused:
        export_town(store, "Essai", tmp_path / "out")
    assert refused.value.place == "--to"
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["mine.txt"]
