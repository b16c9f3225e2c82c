"""The equipment service's part of the demonstration town: what the two communes own, and what broke when."""

from collections.abc import Callable, Iterable, Iterator
from datetime import date
from typing import Any

from beffroi.model.instant import DAY_US, HOUR_US
from beffroi.model.principal import SYSTEM, Principal
from beffroi.model.text import Text
from beffroi.scene import Scene
from beffroi.scene.assets import Bin, Cabinet, Lamp
from beffroi.scene.chance import Chance
from beffroi.scene.meters import slug
from beffroi.scene.plan import Building, wgs84
from beffroi.store.record_writer import Writer, draft
from beffroi.town import Town

__all__ = ["build"]

Event = tuple[int, Callable[[], None]]
_SUPPORTS = {"mast": "candelabre", "wall": "facade", "pole": "poteau_bois"}
_STREAMS = {"verre": "glass", "papier": "paper", "emballages": "packaging"}
_USES = {"mairie": "town_hall", "école": "school", "collège": "school", "sport": "sport", "culture": "culture",
         "technique": "technical", "culte": "worship", "monument": "other"}  # fmt: skip
FEEDERS = 3  # of a cabinet
_COLOUR_K = {"led": 2700, "shp": 2000, "im": 4000}
_WORKERS = Principal("user:demo-technique", "Bruno Marchand", "agent", ("18901",))


def build(town: Town, scene: Scene) -> Iterator[Event]:
    """Write the inventory; return what happens to it later, as (instant, what is then done)."""
    with town.store.records.writer(SYSTEM, "Reprise de l'inventaire") as writer:
        cabinets = _write(town, writer, "cabinet", scene.assets.cabinets, _cabinet)
        supports = _write(town, writer, "support", scene.assets.lamps, _support)

        feeders = _feeders(scene.assets.lamps)

        def lamp(one: Lamp) -> dict[str, Any]:
            wired = {"support": supports[one.support], "cabinet": cabinets[one.cabinet]}
            return _lamp(one) | wired | {"feeder": feeders[one.cabinet, one.street]}

        lamps = _write(town, writer, "lamp", scene.assets.lamps, lamp)
        bins = _write(town, writer, "bin", scene.assets.bins, _bin)
        _write(town, writer, "building", scene.assets.buildings, _building, polygons=True)
        _gauges(town, writer, scene)
    return _Faults(town, scene, {"lamp": lamps, "bin": bins, "cabinet": cabinets}).events()


def _feeders(lamps: Iterable[Lamp]) -> dict[tuple[str, str], str]:
    """Return the feeder of each street of a cabinet: its streets in order, in turn."""
    streets: dict[str, list[str]] = {}
    for cabinet, street in dict.fromkeys((one.cabinet, one.street) for one in lamps):
        streets.setdefault(cabinet, []).append(street)
    return {
        (cabinet, street): f"D{number % FEEDERS + 1}"
        for cabinet, held in streets.items()
        for number, street in enumerate(held)
    }


def _write(
    town: Town, writer: Writer, collection: str, assets: tuple[Any, ...], values: Callable[[Any], dict[str, Any]],
    *, polygons: bool = False,
) -> dict[str, int]:  # fmt: skip
    """Write one collection; return the ids by code."""
    shelf = town.store.records.shelf(collection)
    drafts = []
    for one in assets:
        shape = (
            {"type": "Polygon", "coordinates": wgs84(one.footprint)} if polygons
            else {"type": "Point", "coordinates": wgs84(one.place)}
        )  # fmt: skip
        drafts.append(draft(shelf.collection, values(one), shape, one.commune))
    ids = writer.create_many(shelf, drafts)
    return {str(d.values["code"]): number for d, number in zip(drafts, ids, strict=True)}


def _cabinet(one: Cabinet) -> dict[str, Any]:
    return {
        "code": one.code, "street": one.street, "delivery_point": one.meter, "power_kva": one.power_kva, "feeders": FEEDERS,
        "command": "astronomical" if one.astronomical_clock else "photocell",
        "night_cut": "23:30-05:30" if one.astronomical_clock else None, "precision": "A", "state": "ok",
    }  # fmt: skip


def _support(one: Lamp) -> dict[str, Any]:
    return {
        "code": one.support, "street": one.street, "kind": _SUPPORTS[one.support_kind], "height_m": one.height_m,
        "installed": date(one.year, 6, 1), "precision": "A", "state": "ok",
    }  # fmt: skip


def _lamp(one: Lamp) -> dict[str, Any]:
    return {
        "code": one.code, "street": one.street, "source": one.technology, "use": "a", "power_w": float(one.power_w),
        "flux_lm": float(one.power_w * (125 if one.technology == "led" else 90)), "colour_k": _COLOUR_K[one.technology],
        "ulr_percent": 0.0 if one.technology == "led" else 3.0, "height_m": one.height_m, "installed": date(one.year, 6, 1),
        "dimming": one.technology == "led", "state": {"removed": "removed", "flickering": "watch"}.get(one.state, "ok"),
    }  # fmt: skip


def _bin(one: Bin) -> dict[str, Any]:
    return {
        "code": one.code, "street": one.street, "stream": _STREAMS[one.stream], "volume_l": float(one.volume_l),
        "buried": one.year > 2016, "installed": date(one.year, 3, 1), "state": "ok",
    }  # fmt: skip


def _building(one: Building) -> dict[str, Any]:
    built = {"monument": 1340, "culte": 1180, "mairie": 1882, "école": 1934, "collège": 1972}.get(
        one.use, 1986
    )
    return {
        "code": slug(one.name), "name": one.name, "address": one.address, "use": _USES[one.use],
        "surface_m2": round(one.footprint.area * one.floors), "built": built,
        "heating": "none" if one.use in ("monument", "culte") else "gas", "state": "ok",
    }  # fmt: skip


def _gauges(town: Town, writer: Writer, scene: Scene) -> None:
    shelf = town.store.records.shelf("gauge")
    drafts = []
    for station in scene.stations:
        kind = {"rivière": "level"}.get(station.category) or ("rain" if _rains(station) else None)
        if kind is None:
            continue
        limits = (
            {"yellow_cm": 100.0, "orange_cm": 180.0, "red_cm": 260.0} if station.key == "sarelle-pont" else {}
        )
        values = {
            "code": station.key, "name": station.name, "kind": kind, "operator": "Commune", "state": "ok",
            "river": "La Sarelle" if kind == "level" else None, **limits,
        }  # fmt: skip
        place = {"type": "Point", "coordinates": wgs84(station.place)}
        drafts.append(draft(shelf.collection, values, place, station.commune))
    writer.create_many(shelf, drafts)


def _rains(station: Any) -> bool:
    return any(series.kind == "rain" for series in station.series)


class _Faults:
    """What breaks, when it is seen, and when it is repaired."""

    def __init__(self, town: Town, scene: Scene, ids: dict[str, dict[str, int]]) -> None:
        self.records = town.store.records
        self.scene = scene
        self.ids = ids
        self.draw = Chance(scene.seed, "faults")

    def events(self) -> Iterator[Event]:
        """Yield every event of the history."""
        end, days = self.scene.end_us, self.scene.days
        for number, lamp in enumerate(x for x in self.scene.assets.lamps if x.state == "out"):
            seen = end - int(self.draw.between(0.2, min(days, 29), number) * DAY_US)
            planned = self.draw.unit(number, 1) < 0.4
            yield from self.one(
                "lamp",
                lamp,
                Text("Lampe éteinte", "Lamp out"),
                seen,
                "jaune",
                "planned" if planned else "open",
                caller=number % 5 == 0,
            )
        mended = [x for i, x in enumerate(self.scene.assets.lamps) if x.state == "on" and i % 53 == 7]
        for number, lamp in enumerate(mended):
            seen = end - int(self.draw.between(8, max(9, min(days, 29)), number, 2) * DAY_US)
            yield from self.one(
                "lamp", lamp, Text("Lampe qui clignote", "Cycling lamp"), seen, "jaune", "done"
            )
        cabinet = next(x for x in self.scene.assets.cabinets if x.code == "AR09")
        yield from self.one("cabinet", cabinet, Text("Quartier sans lumière, départ disjoncté", "District without light, feeder tripped"), end - int(1.4 * DAY_US), "rouge", "planned",
                            caller=True)  # fmt: skip
        bin_ = next(x for x in self.scene.assets.bins if x.code == "PAV007")
        yield from self.one(
            "bin",
            bin_,
            Text("Sonde de remplissage arrachée", "Level probe torn off"),
            end - int(2.4 * DAY_US),
            "jaune",
            "open",
        )

    def one(self, collection: str, asset: Lamp | Cabinet | Bin, title: Text, seen: int, severity: str, state: str, *,
            caller: bool = False) -> Iterator[Event]:  # fmt: skip
        """Yield the life of one fault, unless it is older than the history."""
        seen = seen // HOUR_US * HOUR_US + 37 * 60_000_000
        if seen <= self.scene.start_us:
            return
        kept: list[int] = []

        def report() -> None:
            asset_id = self.ids[collection][asset.code]
            values = {
                "title": f"{title.fr}, {asset.street}", "title_en": f"{title.en}, {asset.street}", "asset": f"{collection}/{asset_id}", "street": asset.street,
                "seen": seen, "severity": severity, "state": "open", "team": "Régie municipale",
            }  # fmt: skip
            if caller:
                values |= {
                    "caller": "Mme Rousselin",
                    "caller_contact": "06 39 98 00 12",
                }  # a number kept for fiction (Arcep)
            with self.records.writer(_WORKERS, "Panne constatée") as writer:
                place = {"type": "Point", "coordinates": wgs84(asset.place)}
                kept.append(writer.create("fault", values, place, asset.commune).id)
                writer.change(
                    collection,
                    asset_id,
                    {"state": "broken" if severity != "jaune" or collection == "lamp" else "watch"},
                )

        def plan() -> None:
            self.records.put(
                "fault", {"state": "planned"}, id=kept[0], who=_WORKERS, reason="Intervention programmée"
            )

        def repair() -> None:
            at = self.records.clock()
            with self.records.writer(_WORKERS, "Réparation faite") as writer:
                writer.change("fault", kept[0], {"state": "done", "repaired": at, "cost": 84.0})
                writer.change(collection, self.ids[collection][asset.code], {"state": "ok"})

        yield seen, report
        if state != "open":
            yield seen + 20 * HOUR_US, plan
        if state == "done":
            yield seen + int(self.draw.between(2, 6, seen // HOUR_US, 3) * DAY_US), repair
