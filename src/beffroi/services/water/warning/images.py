"""Pictures of a river: kept without their metadata, with a thumbnail of a few kilobytes for phones at night.

Whoever keeps a picture answers for the people on it: the camera blurs them before it comes here.
"""

import io
from typing import TYPE_CHECKING, Any

from beffroi.model.principal import Principal
from beffroi.model.problem import Problem
from beffroi.model.text import Text
from beffroi.store.record import Query, Row
from beffroi.store.record_writer import Writer
from beffroi.town import Town

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["SMALL_BYTES", "keep", "latest", "reduced"]

LARGE = (1280, 960)
SMALL = (320, 200)
SMALL_BYTES = 3_000
KEPT = 96  # a day of pictures, one each quarter of an hour
_MOST_PIXELS = 60_000_000


def reduced(data: bytes) -> tuple[bytes, bytes]:
    """Return a picture as two JPEG files without metadata: at most 1280 × 960, and a thumbnail of at most `SMALL_BYTES`.

    Raises `Problem` when it is none.
    """
    from PIL import Image, ImageOps, UnidentifiedImageError  # noqa: PLC0415 -- 3 MB, when a picture comes in

    try:
        with Image.open(io.BytesIO(data)) as opened:
            if opened.width * opened.height > _MOST_PIXELS:
                raise _unread()
            turned = ImageOps.exif_transpose(opened).convert("RGB")
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise _unread() from error
    large, small = turned.copy(), turned
    large.thumbnail(LARGE)
    small.thumbnail(SMALL)
    return _jpeg(large, 80), _fitting(small)


def _unread() -> Problem:
    return Problem(
        Text("Cette image n'est pas lisible.", "This picture cannot be read."),
        Text("Envoyez une photo JPEG ou PNG.", "Send a JPEG or PNG photo."), place="image",
    )  # fmt: skip


def _jpeg(picture: "Image.Image", quality: int) -> bytes:
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=quality, optimize=True, progressive=True)
    return out.getvalue()


def _fitting(picture: "Image.Image") -> bytes:
    """Return the best JPEG that fits; a picture with too much in it gets smaller."""
    while True:
        for quality in (60, 45, 32, 22):
            data = _jpeg(picture, quality)
            if len(data) <= SMALL_BYTES:
                return data
        picture = picture.resize((max(1, picture.width * 3 // 4), max(1, picture.height * 3 // 4)))


def keep(
    town: Town, who: Principal, station: Row, data: bytes, at_us: int, source: str, caption: str = ""
) -> Row:
    """Keep a picture of a station and let go of those of before the last day that no warning holds. Raises `Problem`."""
    files = town.store.files
    large, small = (files.stage(one, "image/jpeg") for one in reduced(data))
    with town.store.records.writer(who, "Image") as writer:
        values: dict[str, Any] = {
            "station": station.id, "at": at_us, "source": source, "caption": caption.strip()[:200] or None,
            "file": files.keep(writer.connection, large), "small": files.keep(writer.connection, small),
        }  # fmt: skip
        row = writer.create("river_image", values, None, station.territory)
        gone = _let_go(town, writer, station)
    files.unlink(gone)
    return row


def _let_go(town: Town, writer: Writer, station: Row) -> list[str]:
    records, c = town.store.records, writer.connection
    rows = records.find(
        "river_image", Query(where={"station": station.id}, sort="-at", limit=KEPT + 20), c
    ).rows
    old = rows[KEPT:]
    if not old:
        return []
    shown = records.find("river_warning", Query(where={"image": [row.id for row in old]}, limit=100), c).rows
    used = {row.values["image"] for row in shown}
    gone: list[str] = []
    for row in old:
        if row.id not in used:
            writer.delete("river_image", row.id)
            gone += town.store.files.release(c, (row.values["file"], row.values["small"]))
    return gone


def latest(town: Town, station_id: int) -> Row | None:
    """Return the newest picture of a station."""
    rows = town.store.records.find(
        "river_image", Query(where={"station": station_id}, sort="-at", limit=1)
    ).rows
    return rows[0] if rows else None
