"""The equipment service: declarations that hold together, indicators against counts by hand, a real city's supports."""

import gzip
import io
from pathlib import Path
from types import SimpleNamespace

import pytest
from pyproj import Transformer

from beffroi.model.principal import SYSTEM
from beffroi.services.equipment import beffroi_service
from beffroi.services.equipment.collections import COLLECTIONS
from beffroi.standards.record_table import read_records
from beffroi.store.open import Store
from beffroi.store.record import Query
from beffroi.store.record_import import take


def test_the_service_is_only_declarations_that_hold_together() -> None:
    service = beffroi_service()
    names = {c.name for c in service.collections}
    assert names == {"lamp", "support", "cabinet", "bin", "gauge", "building", "fault"}
    for collection in service.collections:
        assert collection.service == "equipment"
        assert collection.status and collection.description.fr and collection.description.en
        for field in collection.fields:
            assert field.title.fr and field.title.en, field.name
            assert field.reference is None or field.reference in names
            assert field.personal is None or field.read != "citizen"
    sources = {card.source for card in service.cards}
    assert sources <= {f"indicator:{i.name}" for i in service.indicators}
    assert service.manifest["limits"]["fr"] and service.manifest["personal_data"]["fields"] == [
        "caller",
        "caller_contact",
    ]


@pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
def test_indicators_count_what_one_would_count_by_hand(store: Store) -> None:
    store.records.declare(COLLECTIONS)
    town = SimpleNamespace(store=store)
    figures = {i.name: i.compute for i in beffroi_service().indicators}
    assert {n: f(town, None, 0, 0) for n, f in figures.items()} == {
        "lamps_in_order": None, "led_share": None, "open_faults": 0, "dangerous_faults": 0,
    }  # fmt: skip
    states = ["ok"] * 6 + ["watch", "broken", "removed", "planned"]
    for number, state in enumerate(states):
        values = {
            "code": f"{number}",
            "state": state,
            "source": "led" if number < 3 else "shp" if number < 9 else None,
        }
        store.records.put("lamp", values, territory="A" if number < 8 else "B", who=SYSTEM)
    for state, severity in (("open", "rouge"), ("planned", "jaune"), ("done", "rouge")):
        store.records.put(
            "fault",
            {"title": "x", "seen": 1, "state": state, "severity": severity},
            territory="A",
            who=SYSTEM,
        )
    assert figures["lamps_in_order"](town, None, 0, 0) == pytest.approx(100 * 7 / 8)
    assert figures["lamps_in_order"](town, "A", 0, 0) == pytest.approx(100 * 7 / 8)
    assert figures["lamps_in_order"](town, "B", 0, 0) is None
    assert figures["led_share"](town, None, 0, 0) == pytest.approx(100 * 3 / 9)
    assert (figures["open_faults"](town, "A", 0, 0), figures["dangerous_faults"](town, None, 0, 0)) == (2, 1)


@pytest.mark.shared
@pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
def test_the_supports_of_montpellier_are_taken_in_whole(store: Store, shared: Path) -> None:
    path = shared / "data/networks/lighting/montpellier_supports.csv.gz"
    raw = gzip.decompress(path.read_bytes())
    lines = raw.decode().splitlines()[1:]
    store.records.declare(COLLECTIONS)
    support = store.records.shelf("support").collection
    mapped = {"type_lante": "source_kind"}

    def import_it():
        return take(
            store.records, support,
            read_records(io.BytesIO(raw), support, territory="34172", crs="EPSG:2154", source="montpellier", mapped=mapped),
            who=SYSTEM, reason=path.name,
        )  # fmt: skip

    first = import_it()
    assert (first.created, len(first.rejects)) == (len(lines), 0)
    again = import_it()
    assert (again.unchanged, again.stored) == (len(lines), 0)
    back = Transformer.from_crs(4326, 2154, always_xy=True)
    for number in (0, 1000, len(lines) - 1):
        kind, x, y = lines[number].split(",")
        row = store.records.by_key("support", f"montpellier-{number + 2}", "34172")
        assert row is not None and row.values["source_kind"] == (kind or None)
        there = back.transform(*row.geometry["coordinates"])
        assert there == pytest.approx((float(x), float(y)), abs=0.02)
    west, south, east, north = store.records.extent("support")
    assert 3.80 < west < east < 3.95
    assert 43.56 < south < north < 43.66
    untyped = sum(1 for line in lines if line.startswith(","))
    assert store.records.count("support", Query(where={"source_kind": None})) == untyped
    store.records.undo(first.change_set, SYSTEM)
    assert store.records.count("support") == 0
