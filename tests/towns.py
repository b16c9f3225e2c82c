"""Towns of tests: one is made for the session and copied for each test, at a fifteenth of what making each anew costs
(a hundred tables with their indexes)."""

import atexit
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from beffroi.model.instant import Clock, system_clock
from beffroi.town import Town, open_town

__all__ = ["copied"]

_made: dict[Callable[[Path], None], Path] = {}


def copied(make: Callable[[Path], None], folder: Path, clock: Clock = system_clock) -> Town:
    """Return a town in `folder`, opened: a copy of what `make` made of an empty folder, once."""
    if make not in _made:
        home = Path(tempfile.mkdtemp(prefix="beffroi-town-"))
        atexit.register(shutil.rmtree, home, ignore_errors=True)
        make(home / "town")
        _made[make] = home / "town"
    shutil.copytree(_made[make], folder, dirs_exist_ok=True)
    return open_town(folder, clock=clock)
