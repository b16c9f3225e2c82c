"""Answers made on the spot, compressed for the readers that take it."""

import gzip
import zlib
from collections.abc import Callable, Mapping

from starlette.requests import Request
from starlette.responses import Response

from beffroi.web.kit.static import accepts

__all__ = ["Weighed", "packed"]

LEAST = 600  # bytes below which compression costs more than it spares
LEVEL = 5


def packed(
    request: Request,
    body: bytes,
    media_type: str,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Return `body`, with gzip when the reader takes it."""
    sent = {"Vary": "Accept-Encoding", **(headers or {})}
    if len(body) > LEAST and accepts(request, "gzip"):
        body = gzip.compress(body, LEVEL, mtime=0)
        sent["Content-Encoding"] = "gzip"
    return Response(body, status, sent, media_type=media_type)


class Weighed:
    """A body that says, between `before` and `after`, what it weighs when packed: `said(bytes)`.

    `weight` is that, in bytes. What comes before is compressed once, for the weight and for the answer alike.
    """

    def __init__(self, before: bytes, after: bytes, said: Callable[[int], bytes]) -> None:
        packing = zlib.compressobj(LEVEL, wbits=31)  # gzip (RFC 1952), its time zero
        begun = packing.compress(before)
        trial = packing.copy()
        self.weight = len(begun) + len(trial.compress(after)) + len(trial.flush())
        self._middle = said(self.weight)
        self._before, self._after = before, after
        self._packing, self._begun = packing, begun

    def answer(
        self, request: Request, media_type: str, status: int = 200, headers: Mapping[str, str] | None = None
    ) -> Response:
        """Return the body, with gzip when the reader takes it; call it once."""
        sent = {"Vary": "Accept-Encoding", **(headers or {})}
        rest = self._middle + self._after
        if len(self._before) + len(rest) <= LEAST or not accepts(request, "gzip"):
            return Response(self._before + rest, status, sent, media_type=media_type)
        sent["Content-Encoding"] = "gzip"
        body = self._begun + self._packing.compress(rest) + self._packing.flush()
        return Response(body, status, sent, media_type=media_type)
