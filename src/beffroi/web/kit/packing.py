"""Answers made on the spot, compressed for the readers that take it."""

import gzip
from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import Response

from beffroi.web.kit.static import accepts

__all__ = ["packed"]

LEAST = 600  # bytes below which compression costs more than it spares


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
        body = gzip.compress(body, 5, mtime=0)
        sent["Content-Encoding"] = "gzip"
    return Response(body, status, sent, media_type=media_type)
