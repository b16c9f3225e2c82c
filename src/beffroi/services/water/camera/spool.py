"""The spool of a camera: folders of frames that wait to be measured, and what has waited long enough."""

import shutil
from pathlib import Path

__all__ = ["forget_spool", "waiting"]


def waiting(spool: Path) -> list[Path]:
    """Return the folders of a spool that were taken whole and not measured yet, the oldest first."""
    if not spool.is_dir():
        return []
    return sorted(p for p in spool.iterdir() if p.name.isdigit() and not (p / "measured").exists())


def forget_spool(spool: Path, before_s: float) -> int:
    """Drop what was taken before an instant (seconds since 1970), measured or not; return how many folders."""
    gone = 0
    for folder in spool.iterdir() if spool.is_dir() else ():
        name = folder.name.lstrip(".")
        if name.isdigit() and int(name) / 1000 < before_s:
            shutil.rmtree(folder, ignore_errors=True)
            gone += 1
    return gone
