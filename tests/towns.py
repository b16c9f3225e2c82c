"""Towns of tests: one is made by the product for the session, then copied for each test at a tenth of what making each
anew costs (a hundred tables with their indexes)."""

import atexit
import shutil
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

from beffroi.cli.init import create_town
from beffroi.model.instant import Clock, system_clock
from beffroi.town import Town, open_town

__all__ = ["copied", "town_at"]

Make = Callable[[Path], None]


def copied(make: Make, folder: Path, clock: Clock = system_clock) -> Town:
    """Return a town in `folder`, opened: a copy of what `make` made of an empty folder, once."""
    shutil.copytree(_made(make), folder, dirs_exist_ok=True)
    return open_town(folder, clock=clock)


def town_at(folder: Path, name: str = "Essai-les-Bains", email: str = "maire@essai.fr") -> Path:
    """Put a town in `folder`, as `beffroi init` and a first start leave it, and return `folder`.

    Without `email` it has settings and tables, and nobody.
    """
    shutil.copytree(_made(_beginning(name, email)), folder, dirs_exist_ok=True)
    return folder


@cache
def _beginning(name: str, email: str) -> Make:
    def make(folder: Path) -> None:
        if email:
            create_town(folder, name, email=email)
        else:
            folder.mkdir()
            (folder / "beffroi.toml").write_text(f'name = "{name}"\n', "utf-8")
        open_town(folder).close()

    return make


@cache
def _made(make: Make) -> Path:
    home = Path(tempfile.mkdtemp(prefix="beffroi-town-"))
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    make(home / "town")
    return home / "town"
