"""The bundle of style and islands that Vite built: hashed names, weights, precompressed variants."""

import gzip
import json
import logging
from functools import lru_cache
from importlib.resources import files
from pathlib import Path

import msgspec

__all__ = ["Asset", "Assets", "bundle"]

logger = logging.getLogger(__name__)
DIST = Path(str(files("beffroi.web"))) / "static" / "dist"
PREFIX = "/static/"
TYPES = {
    ".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml",
    ".json": "application/json", ".png": "image/png", ".webmanifest": "application/manifest+json",
}  # fmt: skip


class Asset(msgspec.Struct, frozen=True):
    """One file of the bundle: its URL path under `/static/`, and its bytes by content coding."""

    name: str
    media_type: str
    hashed: bool
    variants: dict[str, bytes]

    @property
    def weight(self) -> int:
        """Bytes on the wire for a current browser."""
        return min(len(body) for body in self.variants.values())


class Assets:
    """The files of one bundle directory; a missing bundle is an empty one, said once in the log."""

    def __init__(self, folder: Path = DIST) -> None:
        self.files: dict[str, Asset] = {}
        self._entries: dict[str, str] = {}
        manifest = folder / "manifest.json"
        if not manifest.exists():
            logger.warning(
                "The front-end bundle is missing (%s): run `npm ci && npm run build` in frontend/", folder
            )
            return
        self._read(folder, json.loads(manifest.read_text("utf-8")))

    def _read(self, folder: Path, entries: dict[str, dict[str, object]]) -> None:
        hashed = {str(entry["file"]) for entry in entries.values()}
        for source, entry in entries.items():
            self._entries[Path(source).name] = str(entry["file"])
        for path in sorted(folder.rglob("*")):
            name = path.relative_to(folder).as_posix()
            if not path.is_file() or path.suffix in (".gz", ".br") or name == "manifest.json":
                continue
            self.files[name] = Asset(name, TYPES.get(path.suffix, "application/octet-stream"), name in hashed,
                                     _variants(path))  # fmt: skip

    def url(self, source: str) -> str:
        """Return the address of an entry by the name of its source ("site.css"), or "" when it was not built."""
        name = self._entries.get(source) or (source if source in self.files else "")
        return PREFIX + name if name else ""

    def weight(self, source: str) -> int:
        """Return the bytes that an entry costs, 0 when it was not built."""
        asset = self.files.get(self._entries.get(source, source))
        return asset.weight if asset else 0


def _variants(path: Path) -> dict[str, bytes]:
    plain = path.read_bytes()
    variants = {"": plain}
    for coding, suffix in (("br", ".br"), ("gzip", ".gz")):
        made = path.with_name(path.name + suffix)
        if made.exists():
            variants[coding] = made.read_bytes()
    if "gzip" not in variants and len(plain) > 500:
        variants["gzip"] = gzip.compress(plain, 9, mtime=0)
    return variants


@lru_cache(maxsize=1)
def bundle() -> Assets:
    """Return the installed bundle, read once."""
    return Assets()
