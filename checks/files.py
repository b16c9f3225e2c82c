"""Files: none too long, no build output in the repository, no registry's address in a lock file."""

import json
import subprocess
from pathlib import Path

MAX_LINES = 600
CODE = {".py", ".js", ".ts", ".css", ".html", ".sh", ".toml"}
BINARY_BYTES = 1_000_000


def tracked(root: Path, *options: str) -> list[Path]:
    """Return the files that git keeps (with `options`, those that `git ls-files` selects)."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", *options], cwd=root, capture_output=True, text=True, check=True
    ).stdout
    return [Path(name) for name in listing.split("\0") if name and (root / name).exists()]


def too_long(root: Path, paths: list[Path]) -> list[str]:
    """Return the code files of more than 600 lines and any file of more than a megabyte."""
    faults = []
    for path in paths:
        size = (root / path).stat().st_size
        if size > BINARY_BYTES:
            faults.append(f"{path}: {size} bytes; keep large data out of the repository")
        elif path.suffix in CODE:
            lines = (root / path).read_bytes().count(b"\n")
            if lines > MAX_LINES:
                faults.append(f"{path}: {lines} lines; split it by what it speaks of (at most {MAX_LINES})")
    return faults


def locked_addresses(root: Path, paths: list[Path]) -> list[str]:
    """Return the lock files that name a registry's address: npm finds packages by name and integrity hash."""
    faults = []
    for path in paths:
        if path.name == "uv.lock":
            faults.append(f"{path}: records registry addresses; keep it out")
        if path.name == "package-lock.json":
            packages = json.loads((root / path).read_text("utf-8")).get("packages", {})
            faults += [
                f"{path}: {name} has a `resolved` address; set omit-lockfile-registry-resolved=true in .npmrc"
                for name, package in packages.items()
                if "resolved" in package and not package.get("link")
            ]
        if path.name == "constraints.txt":
            lines = (root / path).read_text("utf-8").splitlines()
            faults += [
                f"{path}:{n}: write name==version"
                for n, line in enumerate(lines, 1)
                if line and not line.startswith("#") and ("==" not in line or "/" in line)
            ]
    return faults


def faults(root: Path) -> list[str]:
    """Return every fault of the repository's files."""
    paths = tracked(root)
    built = tracked(root, "--cached", "--ignored", "--exclude-standard")
    return [
        *too_long(root, paths),
        *locked_addresses(root, paths),
        *(f"{path}: build output must not be committed" for path in built),
    ]
