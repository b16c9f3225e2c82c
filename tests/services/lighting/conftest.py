"""Towns with lamps: real stores."""

import shutil
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from tests.towns import town_at

from beffroi.identity import territories
from beffroi.model.principal import SYSTEM, Principal
from beffroi.town import Town, open_town

COMMUNE = "34172"
AGENT = Principal("user:11", "Inès Delmas", "agent", (COMMUNE,))
OTHER = Principal("user:13", "Léa Petit", "agent", (COMMUNE,))
MANAGER = Principal("user:12", "Paul Roux", "responsable", (COMMUNE,))


@cache
def _template() -> tempfile.TemporaryDirectory[str]:
    """Return the folder of the town that all others are copies of, made once."""
    held = tempfile.TemporaryDirectory()
    _made(Path(held.name) / "town").close()
    return held


def lit_town(folder: Path) -> Town:
    """Return a town with a cabinet, two supports and three lamps."""
    shutil.copytree(Path(_template().name) / "town", folder)
    return open_town(folder)


def _made(folder: Path) -> Town:
    town_at(folder, "Essai", email="maire@essai.fr")
    town = open_town(folder)
    territories.add(town.store, SYSTEM, COMMUNE, "Essai")
    put = town.store.records.put

    def keep(name: str, values: dict[str, object], x: float) -> int:
        place = {"type": "Point", "coordinates": [3.87 + x / 1000, 43.61]}
        return put(name, values, geometry=place, territory=COMMUNE, who=SYSTEM, reason="essai").id

    cabinet = keep("cabinet", {"code": "AR1", "street": "rue Foch", "night_cut": "23:00-05:00"}, 0)
    supports = {n: keep("support", {"code": f"S{n}"}, n) for n in (1, 2)}
    for n in (1, 2, 3):
        support = supports[min(n, 2)]
        keep("lamp", {"code": f"L{n}", "street": "rue Foch", "support": support, "cabinet": cabinet, "feeder": f"D{1 + n // 3}",
                      "source": "led", "power_w": 40.0, "use": "a"}, n)  # fmt: skip
    return town


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    """Return a town with lamps."""
    held = lit_town(tmp_path / "town")
    yield held
    held.close()
