"""Source keys: the names on which what was sent twice is stored once.

A key names where an observation came from, never when it happened: real series hold different values at one
time, and the same value twice at one time.
"""

import hashlib

from beffroi.standards.reading import Reading

__all__ = ["Occurrences", "file_key", "row_text", "sent_key"]

_BITS = 1 << 27


def row_text(reading: Reading) -> bytes:
    """Return what makes a row of a file itself: its series, its time as written, its result as written."""
    told = (reading.series.key, reading.time_text, reading.result.json())
    return "\x1f".join(told).encode("utf-8", "surrogatepass")


def file_key(datastream_id: int, row: bytes, ordinal: int) -> bytes:
    """Return the key of the `ordinal`-th identical row of one file: an overlapping export folds on it.

    The datastream's own id is in it, so that what was imported into a series deleted since comes in again.
    """
    told = b"%d\x1f%d\x1f%b" % (datastream_id, ordinal, row)
    return hashlib.blake2b(told, digest_size=16, person=b"beffroi-file").digest()


def sent_key(datastream_id: int, *parts: bytes) -> bytes:
    """Return the key of something sent over a network under its own name (device and counter, request key)."""
    told = b"\x1f".join((b"%d" % datastream_id, *parts))
    return hashlib.blake2b(told, digest_size=16, person=b"beffroi-sent").digest()


class Occurrences:
    """Tells identical rows of one file apart by their ordinal, in bounded memory.

    A first reading of the file marks each row in a Bloom filter of 16 MB; only rows that may occur twice are
    then counted one by one in the second reading. A false alarm of the filter costs a counter, never a mistake.
    """

    def __init__(self, *, filtered: bool = True) -> None:
        self._all = not filtered
        self._bits = bytearray(_BITS // 8 if filtered else 0)
        self._repeated: set[bytes] = set()
        self._count: dict[bytes, int] = {}

    @classmethod
    def exact(cls) -> "Occurrences":
        """Return one that needs no first reading: it counts every row, for answers of bearable size."""
        return cls(filtered=False)

    def mark(self, row: bytes) -> None:
        """Note `row` in the first reading."""
        digest = hashlib.blake2b(row, digest_size=8).digest()
        number = int.from_bytes(digest, "little")
        seen = True
        for place in (number % _BITS, (number >> 32) % _BITS):
            byte, bit = place >> 3, 1 << (place & 7)
            if not self._bits[byte] & bit:
                seen = False
                self._bits[byte] |= bit
        if seen:
            self._repeated.add(digest)

    def ordinal(self, row: bytes) -> int:
        """Return how many identical rows came before `row` in the second reading."""
        digest = hashlib.blake2b(row, digest_size=8).digest()
        if not self._all and digest not in self._repeated:
            return 0
        ordinal = self._count.get(digest, 0)
        self._count[digest] = ordinal + 1
        return ordinal
