"""The daily round in a town: leaks opened, located, repaired; meters and sewers judged."""

from beffroi.scene import Scene
from beffroi.town import Town


def test_the_round_finds_the_leaks_of_the_story(watertown: Town, scene: Scene) -> None:
    areas = {r.id: r.values["code"] for r in watertown.store.records.all("water_area")}
    leaks = sorted(watertown.store.records.all("water_leak"), key=lambda r: r.values["detected"])
    for l in leaks:
        print(
            areas[l.values["area"]],
            {k: v for k, v in l.values.items() if k not in ("candidates",)},
            (l.values["candidates"] or [])[:3],
            l.created_us,
        )
    for a in watertown.store.records.all("water_area"):
        print({k: v for k, v in a.values.items() if k != "learnt"})
    for a in watertown.store.records.all("sewer_point"):
        print(a.values)
    for a in watertown.store.records.all("water_meter"):
        print(a.values)
    print(scene.waterworks.bursts)
    assert 0
