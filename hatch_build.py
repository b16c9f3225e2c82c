"""Build hook: the front-end bundle goes into the wheel, so that whoever installs the wheel needs no Node.

The bundle is built from `frontend/` by npm into `src/beffroi/web/static/dist`, unless the stamp there says it
was built from the very same files. `python hatch_build.py` does the same by hand (the Makefile calls it).
"""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

NOT_SOURCE = {"node_modules", "dist"}
BUNDLE = Path("src/beffroi/web/static/dist")


class BundleMissingError(Exception):
    """The bundle is absent or out of date and cannot be built here."""


def fingerprint(frontend: Path) -> str:
    """Return the hash of every source file of the front end: names and bytes."""
    digest = hashlib.sha256()
    for folder, folders, names in os.walk(frontend):
        folders[:] = sorted(set(folders) - NOT_SOURCE)
        for name in sorted(names):
            path = Path(folder, name)
            content = path.read_bytes()
            digest.update(f"{path.relative_to(frontend).as_posix()}\0{len(content)}\0".encode())
            digest.update(content)
    return digest.hexdigest()


def bundle(root: Path) -> bool:
    """Build the bundle if it is not the one of the present sources; return whether it was built.

    Raises `BundleMissingError` when npm is absent or its build fails.
    """
    frontend, target = root / "frontend", root / BUNDLE
    if not (frontend / "package.json").exists():
        return False
    stamp = target / ".stamp"
    wanted = fingerprint(frontend)
    if stamp.exists() and stamp.read_text("ascii") == wanted:
        return False
    npm = shutil.which("npm")
    if npm is None:
        raise BundleMissingError(
            "the front-end bundle must be built: install Node 20 or newer with npm, then try again"
        )
    print("Building the front-end bundle (npm ci, npm run build)", flush=True)  # noqa: T201
    for command in (["ci", "--no-audit", "--no-fund"], ["run", "build"]):
        done = subprocess.run([npm, *command], cwd=frontend, capture_output=True, text=True, check=False)  # noqa: S603
        if done.returncode:
            sys.stderr.write(done.stdout[-3000:] + done.stderr[-3000:])
            raise BundleMissingError(f"npm {command[-1]} failed in frontend/ (its words are above)")
    stamp.write_text(wanted, "ascii")
    return True


class BundleHook(BuildHookInterface[Any]):
    """Hatchling calls `initialize` before it collects the files of a wheel, an sdist or an editable install."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002
        """Build the bundle; an editable install goes on without one, a wheel does not."""
        try:
            bundle(Path(self.root))
        except BundleMissingError as missing:
            if version != "editable":
                raise SystemExit(f"beffroi: {missing}") from missing
            self.app.display_warning(f"beffroi: {missing}")


if __name__ == "__main__":
    try:
        bundle(Path(__file__).parent)
    except BundleMissingError as missing:
        raise SystemExit(f"beffroi: {missing}") from missing
