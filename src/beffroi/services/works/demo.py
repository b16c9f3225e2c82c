"""The works of the demonstration town: a road closed for a network, a scaffolding to come, and declarations received."""

from datetime import timedelta
from typing import Any

from beffroi.model.instant import DAY_US, HOUR_US, to_datetime
from beffroi.model.principal import Principal
from beffroi.scene import Scene
from beffroi.scene.plan import wgs84
from beffroi.town import Town

__all__ = ["build"]

# days since a declaration was received, days until it was answered: one was answered too late
_ANSWERED = (
    (17, 4),
    (22, 6),
    (27, 3),
    (33, 8),
    (38, 5),
    (41, 2),
    (47, 7),
    (52, 19),
    (58, 4),
    (63, 6),
    (70, 3),
    (77, 5),
    (84, 6),
)
_ROADS = Principal("user:demo-technique", "Bruno Marchand", "agent", ("18901",))


def build(town: Town, scene: Scene) -> None:
    """Write three orders, three declarations that wait and those that were answered before."""
    end, commune = scene.end_us, scene.communes[0].code
    streets = [s for s in scene.plan.streets if s.lit and s.commune == commune and s.axis.length > 90]
    today = to_datetime(end).date()
    orders = (
        (
            "2026-118",
            "Renouvellement d'une conduite d'eau",
            "closed",
            -4,
            9,
            "Déviation par l'avenue de la Gare.",
        ),
        ("2026-121", "Échafaudage de façade", "no_parking", -1, 20, None),
        ("2026-124", "Branchement électrique", "layout", 3, 5, None),
    )
    with town.store.records.writer(_ROADS, "Arrêtés de circulation") as writer:
        for street, (number, title, measure, starts, ends, diversion) in zip(streets, orders, strict=False):
            values: dict[str, Any] = {
                "number": number, "title": title, "street": street.name, "measure": measure, "diversion": diversion, "published": True,
                "starts": end + starts * DAY_US + 8 * HOUR_US, "ends": end + ends * DAY_US + 17 * HOUR_US, "contractor": "Val-Travaux",
            }  # fmt: skip
            writer.create(
                "works_permit", values, {"type": "LineString", "coordinates": wgs84(street.axis)}, commune
            )
        for serial, street in enumerate(streets[1:4]):
            declared = street.axis.buffer(6)
            values = {
                "number": f"20261120{serial:05d}D", "kind": ("joint", "dt", "dict")[serial], "received": today - timedelta(days=(2, 11, 6)[serial]),
                "declarant": "Val-Travaux", "street": street.name, "state": "open",
            }  # fmt: skip
            writer.create(
                "works_declaration", values, {"type": "Polygon", "coordinates": wgs84(declared)}, commune
            )
        for serial, ((ago, took), street) in enumerate(zip(_ANSWERED, streets[4:], strict=False)):
            received = today - timedelta(days=ago)
            values = {
                "number": f"{received:%Y%m%d}{serial:05d}D", "kind": ("joint", "dt")[serial % 2], "received": received, "declarant": "Val-Travaux",
                "street": street.name, "state": "answered", "answered": received + timedelta(days=took), "concerned": serial % 3 == 0,
            }  # fmt: skip
            area = {"type": "Polygon", "coordinates": wgs84(street.axis.buffer(6))}
            writer.create("works_declaration", values, area, commune)
