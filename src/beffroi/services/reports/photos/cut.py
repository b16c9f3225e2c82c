"""Cut: take every byte that is not picture out of a photo, before anything is stored.

JPEG (ITU-T T.81), PNG (W3C PNG 3rd ed.) and WebP (RFC 9649) are written again with the few segments that draw;
AVIF and HEIC (ISO/IEC 14496-12, 23008-12) are done by `boxes`. What can turn the picture is kept as a number.
"""

import struct
from collections.abc import Callable, Iterator

import msgspec

from beffroi.model.problem import Problem
from beffroi.model.text import Text
from beffroi.services.reports.photos.boxes import cut_boxes
from beffroi.services.reports.photos.broken import broken

__all__ = ["KINDS", "Cut", "cut", "kind_of"]

KINDS = ("image/jpeg", "image/png", "image/webp", "image/avif", "image/heic")


class Cut(msgspec.Struct, frozen=True):
    """A photo without metadata. `orientation` is EXIF's (1 to 8), to be applied when it is made again."""

    data: bytes
    media_type: str
    orientation: int = 1


def kind_of(data: bytes) -> str:
    """Return the media type that the first bytes show, "" when it is not a photo that we take."""
    if data[:3] == b"\xff\xd8\xff":
        return "image/jpeg"
    if data[:8] == b"\x89PNG\r\n\x1a\n":
        return "image/png"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    if data[4:8] == b"ftyp":
        brands = {data[8:12], *(data[n : n + 4] for n in range(16, min(len(data), _u32(data, 0)), 4))}
        if brands & {b"avif", b"avis"}:
            return "image/avif"
        if brands & {b"heic", b"heix", b"heim", b"heis", b"mif1", b"msf1", b"hevc"}:
            return "image/heic"
    return ""


def cut(data: bytes) -> Cut:
    """Return the photo without any metadata. Raises `Problem` when it is none that we take, or is broken."""
    kind = kind_of(data)
    if not kind:
        raise Problem(
            Text("Ce fichier n'est pas une photo que l'on peut recevoir.", "This file is not a photo that can be taken."),
            Text("Envoyez du JPEG, PNG, WEBP, AVIF ou HEIC.", "Send JPEG, PNG, WEBP, AVIF or HEIC."), place="photo",
        )  # fmt: skip
    try:
        return _CUTS[kind](data)
    except (IndexError, struct.error) as error:
        raise broken() from error


def _u32(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 4], "big")


# --- JPEG.

_BARE = {0x01, *range(0xD0, 0xD8)}  # markers without a length
_JFIF = b"\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00"


def _cut_jpeg(data: bytes) -> Cut:
    kept, orientation, at = [data[:2], _JFIF], 1, 2
    while True:
        marker, start, end = _segment(data, at)
        if marker == 0xD9:
            kept.append(b"\xff\xd9")  # what follows the picture (a film, a second picture) is left
            return Cut(b"".join(kept), "image/jpeg", orientation)
        body = data[start:end]
        if marker == 0xE1 and body[:6] == b"Exif\x00\x00":
            orientation = _orientation(body[6:])
        elif marker == 0xEE and body[:5] == b"Adobe" and len(body) >= 12:
            kept.append(b"\xff\xee\x00\x0e" + body[:12])  # says how the colours are coded
        elif marker < 0xE0 or marker in (0xF7, 0xF8):  # neither application data nor a comment
            kept.append(data[at:start] + body)
        at = end
        if marker == 0xDA:
            at = _scan_end(data, end)
            kept.append(data[end:at])


def _segment(data: bytes, at: int) -> tuple[int, int, int]:
    """Return a segment's marker and where its body starts and ends."""
    if data[at] != 0xFF:
        raise broken()
    while data[at + 1] == 0xFF:
        at += 1
    marker = data[at + 1]
    if marker in _BARE or marker == 0xD9:
        return marker, at + 2, at + 2
    length = int.from_bytes(data[at + 2 : at + 4], "big")
    if length < 2 or at + 2 + length > len(data):
        raise broken()
    return marker, at + 4, at + 2 + length


def _scan_end(data: bytes, at: int) -> int:
    """Return where the coded pixels that start at `at` end: at the next marker that is no restart."""
    while True:
        at = data.find(b"\xff", at)
        if at < 0 or at + 1 >= len(data):
            raise broken()
        if data[at + 1] == 0 or 0xD0 <= data[at + 1] <= 0xD7:
            at += 2
        elif data[at + 1] == 0xFF:
            at += 1
        else:
            return at


def _orientation(tiff: bytes) -> int:
    """Return tag 0x0112 of a TIFF's first directory, 1 when it does not say."""
    order = {b"II": "<", b"MM": ">"}.get(tiff[:2])
    if order is None or len(tiff) < 8:
        return 1
    try:
        (first,) = struct.unpack_from(f"{order}I", tiff, 4)
        (count,) = struct.unpack_from(f"{order}H", tiff, first)
        for n in range(min(count, 200)):
            tag, kind, _count, value = struct.unpack_from(f"{order}HHIH", tiff, first + 2 + 12 * n)
            if tag == 0x0112 and kind == 3:
                return value if 1 <= value <= 8 else 1
    except struct.error:
        pass
    return 1


# --- PNG.

_PNG_KEPT = {b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"}


def _cut_png(data: bytes) -> Cut:
    kept, orientation, at = [data[:8]], 1, 8
    while True:
        length, name = _u32(data, at), data[at + 4 : at + 8]
        end = at + 12 + length
        if end > len(data) or len(name) != 4:
            raise broken()
        if name == b"eXIf":
            orientation = _orientation(data[at + 8 : at + 8 + length])
        if name in _PNG_KEPT:
            kept.append(data[at:end])
        at = end
        if name == b"IEND":
            return Cut(b"".join(kept), "image/png", orientation)


# --- WebP.

_WEBP_KEPT = {b"VP8 ", b"VP8L", b"VP8X", b"ALPH", b"ANIM", b"ANMF"}
_ICC, _EXIF, _XMP = 0x20, 0x08, 0x04


def _chunks(data: bytes, at: int, end: int) -> Iterator[tuple[bytes, bytes]]:
    while at + 8 <= end:
        name, length = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "little")
        if at + 8 + length > end:
            raise broken()
        yield name, data[at + 8 : at + 8 + length]
        at += 8 + length + (length & 1)


def _chunk(name: bytes, body: bytes) -> bytes:
    return name + len(body).to_bytes(4, "little") + body + b"\0" * (len(body) & 1)


def _bare_chunk(name: bytes, body: bytes) -> bytes:
    if name == b"VP8X":
        return bytes([body[0] & ~(_ICC | _EXIF | _XMP)]) + b"\0\0\0" + body[4:10]
    if name == b"ANMF":
        inner = (_chunk(n, b) for n, b in _chunks(body, 16, len(body)) if n in _WEBP_KEPT)
        return body[:16] + b"".join(inner)
    return body


def _cut_webp(data: bytes) -> Cut:
    kept, orientation = [], 1
    for name, body in _chunks(data, 12, min(len(data), 8 + int.from_bytes(data[4:8], "little"))):
        if name == b"EXIF":
            orientation = _orientation(body.removeprefix(b"Exif\x00\x00"))
        elif name in _WEBP_KEPT:
            kept.append(_chunk(name, _bare_chunk(name, body)))
    whole = b"WEBP" + b"".join(kept)
    return Cut(b"RIFF" + len(whole).to_bytes(4, "little") + whole, "image/webp", orientation)


_CUTS: dict[str, Callable[[bytes], Cut]] = {
    "image/jpeg": _cut_jpeg, "image/png": _cut_png, "image/webp": _cut_webp,
    "image/avif": lambda data: Cut(cut_boxes(data), "image/avif"),
    "image/heic": lambda data: Cut(cut_boxes(data), "image/heic"),
}  # fmt: skip
