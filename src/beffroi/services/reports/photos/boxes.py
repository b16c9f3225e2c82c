"""AVIF and HEIC: boxes (ISO/IEC 14496-12) whose items (23008-12) lie at fixed places of the file.

Places must not move, so what is no picture is overwritten with zeros where it lies: Exif and XMP items, colour
profiles, films, free space, and every byte of `mdat` that no picture item names.
"""

from collections.abc import Iterator

import msgspec

from beffroi.services.reports.photos.broken import broken

__all__ = ["cut_boxes"]

_PICTURES = {b"hvc1", b"av01", b"grid", b"iovl", b"iden", b"jpeg", b"tmap"}
_MOST_BOXES = 10_000
Extent = tuple[int, int]  # where it starts and ends in the file


class _Box(msgspec.Struct, frozen=True):
    """One box: its type, where it starts, where its body starts and ends."""

    name: bytes
    start: int
    body: int
    end: int


def _boxes(data: bytes | bytearray, at: int, end: int) -> Iterator[_Box]:
    seen = 0
    while at + 8 <= end:
        size, name, body = int.from_bytes(data[at : at + 4], "big"), bytes(data[at + 4 : at + 8]), at + 8
        if size == 1:
            size, body = int.from_bytes(data[at + 8 : at + 16], "big"), at + 16
        elif size == 0:
            size = end - at
        seen += 1
        if size < body - at or at + size > end or seen > _MOST_BOXES:
            raise broken()
        yield _Box(name, at, body, at + size)
        at += size


def cut_boxes(data: bytes) -> bytes:
    """Return the file, as long as before or shorter, with everything that is no picture overwritten by zeros."""
    kept = bytearray(data)
    top = list(_boxes(data, 0, len(data)))
    metas = [b for b in top if b.name == b"meta"]
    if len(metas) != 1 or top[0].name != b"ftyp":
        raise broken()
    pictures = _meta(kept, metas[0])
    for box in top:
        if box.name == b"mdat":
            _keep_only(kept, box.body, box.end, pictures)
        elif box.name not in (b"ftyp", b"meta"):
            _free(kept, box)
    return bytes(kept)


def _free(data: bytearray, box: _Box) -> None:
    """Make a box one of free space, all zeros."""
    data[box.start + 4 : box.start + 8] = b"free"
    data[box.body : box.end] = bytes(box.end - box.body)


def _keep_only(data: bytearray, start: int, end: int, extents: list[Extent]) -> None:
    """Overwrite [start, end) except `extents`."""
    at = start
    for first, last in sorted((max(a, start), min(b, end)) for a, b in extents):
        if first > at:
            data[at:first] = bytes(first - at)
        at = max(at, last)
    if at < end:
        data[at:end] = bytes(end - at)


def _meta(data: bytearray, meta: _Box) -> list[Extent]:
    """Clean the box `meta`; return the extents of the file that hold pictures."""
    inside = {box.name: box for box in _boxes(data, meta.body + 4, meta.end)}
    known = {b"hdlr", b"pitm", b"iinf", b"iloc", b"iprp", b"iref", b"idat", b"dinf", b"grpl"}
    for name, box in inside.items():
        if name not in known:
            _free(data, box)
    if b"iinf" not in inside or b"iloc" not in inside:
        raise broken()
    _clean_handler(data, inside.get(b"hdlr"))
    pictures = set(_items(data, inside[b"iinf"]))
    places = _places(data, inside[b"iloc"])
    idat = inside.get(b"idat")
    in_idat = [
        (idat.body + first, idat.body + last)
        for item, method, first, last in places
        if idat is not None and item in pictures and method == 1
    ]
    if idat is not None:
        _keep_only(data, idat.body, idat.end, in_idat)
    if b"iprp" in inside:
        _clean_properties(data, inside[b"iprp"])
    return [(first, last) for item, method, first, last in places if item in pictures and method == 0]


def _clean_handler(data: bytearray, box: _Box | None) -> None:
    """Empty the handler's name, which may say what wrote the file."""
    if box is not None and box.body + 24 < box.end:
        data[box.body + 24 : box.end] = bytes(box.end - box.body - 24)


def _items(data: bytearray, iinf: _Box) -> Iterator[int]:
    """Yield the ids of picture items, and blank the names and types of the others."""
    wide = data[iinf.body] > 0
    for box in _boxes(data, iinf.body + (8 if wide else 6), iinf.end):
        if box.name != b"infe" or data[box.body] < 2:
            continue
        wide_id = 4 if data[box.body] >= 3 else 2
        item = int.from_bytes(data[box.body + 4 : box.body + 4 + wide_id], "big")
        at = box.body + 4 + wide_id + 2
        picture = bytes(data[at : at + 4]) in _PICTURES
        if not picture:
            data[at : at + 4] = b"free"
        data[at + 4 : box.end] = bytes(box.end - at - 4)
        if picture:
            yield item


def _places(data: bytearray, iloc: _Box) -> list[tuple[int, int, int, int]]:
    """Return (item, construction method, first, end) for each extent of each item."""
    version, at = data[iloc.body], iloc.body + 4
    offset_size, length_size = data[at] >> 4, data[at] & 15
    base_size, index_size = data[at + 1] >> 4, (data[at + 1] & 15) if version in (1, 2) else 0
    at += 2

    def read(size: int) -> int:
        nonlocal at
        if at + size > iloc.end:
            raise broken()
        at += size
        return int.from_bytes(data[at - size : at], "big")

    found = []
    for _ in range(read(4 if version == 2 else 2)):
        item = read(4 if version == 2 else 2)
        method = read(2) & 15 if version in (1, 2) else 0
        read(2)  # data reference: 0 is this file; another has nothing here to keep
        base = read(base_size)
        for _ in range(read(2)):
            read(index_size)
            first = base + read(offset_size)
            length = read(length_size)
            found.append((item, method, first, first + length if length else len(data)))
    return found


def _clean_properties(data: bytearray, iprp: _Box) -> None:
    """Free the properties that hold text or a colour profile; their numbers stay."""
    for ipco in _boxes(data, iprp.body, iprp.end):
        if ipco.name != b"ipco":
            continue
        for box in _boxes(data, ipco.body, ipco.end):
            profile = box.name == b"colr" and bytes(data[box.body : box.body + 4]) in (b"prof", b"rICC")
            if profile or box.name in (b"udes", b"uuid", b"altt", b"aebr", b"crtt", b"mdft"):
                _free(data, box)
