"""What a client wishes to be answered, said in its headers, and answers that are sent while they are made."""

from collections.abc import Iterator

import msgspec
from anyio import to_thread
from starlette.types import Send

from beffroi.standards.sensorthings.answering import Answer
from beffroi.standards.sensorthings.control import level_of
from beffroi.standards.sensorthings.syntax import Options

__all__ = ["send_parts", "wished"]

_FORMATS = {"text/csv": "csv", "application/geo+json": "geojson", "application/vnd.geo+json": "geojson"}


def wished(options: Options, accept: str) -> Options:
    """Return the options with the format and the level of an Accept header, where the address says nothing of it."""
    if not accept or accept == "*/*":
        return options
    level = level_of(accept)
    if level and options.metadata == "full":
        options = msgspec.structs.replace(options, metadata=level)
    first = accept.partition(",")[0].partition(";")[0].strip().lower()
    if first in _FORMATS and not options.result_format:
        options = msgspec.structs.replace(options, result_format=_FORMATS[first])
    return options


async def send_parts(answer: Answer, send: Send, *, head: bool) -> None:
    """Send an answer part by part; each is made on a thread while the one before goes out."""
    headers = [(b"content-type", answer.media_type.encode())]
    headers += [(name.encode(), value.encode("latin-1", "replace")) for name, value in answer.headers]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    parts: Iterator[bytes] = answer.parts or iter(())
    part: bytes | None = answer.body
    try:
        while part is not None and not head:
            await send({"type": "http.response.body", "body": part, "more_body": True})
            part = await to_thread.run_sync(next, parts, None)
    finally:  # a client that went away leaves no connection to the store open
        close = getattr(parts, "close", None)
        if close is not None:
            close()
    await send({"type": "http.response.body", "body": b""})
