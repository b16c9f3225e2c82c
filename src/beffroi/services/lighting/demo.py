"""The lighting service's part of the demonstration town: programs, a calendar, what the curves of cabinets show, and a
TALQ gateway whose lamps can be told."""

from collections.abc import Callable, Iterator
from datetime import timedelta

from beffroi.model.instant import HOUR_US
from beffroi.model.principal import SYSTEM
from beffroi.scene import Scene
from beffroi.scene.story import cut_trial, newly_cut
from beffroi.services.lighting.remote_demo import tell
from beffroi.services.lighting.watching import watch_town
from beffroi.town import Town

__all__ = ["build"]

PROGRAMS = (
    ("coupure", "Coupure de nuit", "coucher 100, 23:30 0, 05:30 100, lever"),
    ("fetes", "Nuits de fête", "coucher 100, 01:00 50, 05:30 100, lever"),
    ("permanent", "Toute la nuit", "coucher 100, lever"),
    ("gradation", "Gradation en LED", "coucher 100, 22:00 50, 06:00 100, lever"),
)
RULES = "12-15..01-05 fetes\n07-13..07-14 fetes"


def build(town: Town, scene: Scene) -> Iterator[tuple[int, Callable[[], None]]]:
    """Write programs and calendars; when the history ends, look at the curves as every morning does."""
    commune = scene.communes[0].code
    with town.store.records.writer(SYSTEM, "Horaires de l'éclairage") as writer:
        numbers = {
            code: writer.create("lighting_program", {"code": code, "title": title, "program": program}, None, commune).id
            for code, title, program in PROGRAMS
        }  # fmt: skip
        town_wide = {
            "code": "ville",
            "title": "Toute la ville",
            "default_program": numbers["coupure"],
            "rules": RULES,
        }
        calendar = writer.create("lighting_calendar", town_wide, None, commune).id
        # the cabinets of the night cut's trial burned all night until it began
        begun = cut_trial(scene.end_us)[0]
        late = newly_cut(scene.assets.cabinets, scene.faults)
        extended = {
            "code": "coupure-etendue", "title": "Coupure étendue à trois armoires", "default_program": numbers["coupure"],
            "rules": f"{begun - timedelta(days=400)}..{begun - timedelta(days=2)} permanent\n{RULES}",
        }  # fmt: skip
        trial = writer.create("lighting_calendar", extended, None, commune).id
        for cabinet in scene.assets.cabinets:
            row = (
                town.store.records.by_key("cabinet", cabinet.code, cabinet.commune)
                if "cabinet" in town.store.records.collections
                else None
            )
            if row is not None and cabinet.astronomical_clock and cabinet.commune == commune:
                values = {
                    "code": cabinet.code,
                    "cabinet": row.id,
                    "calendar": trial if cabinet.code in late else calendar,
                }
                writer.create("lighting_assignment", values, None, commune)
    yield from tell(town, scene)
    at = scene.end_us - HOUR_US
    yield at, lambda: _look(town, at)


def _look(town: Town, now_us: int) -> None:
    watch_town(town, now_us)
