"""Posted: the parts of a form as they are sent, in memory: a photo that still holds a place is never written to a disk."""

from starlette.datastructures import FormData
from starlette.formparsers import MultiPartParser
from starlette.requests import Request

__all__ = ["MOST_BYTES", "parts_of"]

MOST_BYTES = 20_000_000  # of one photo


async def parts_of(request: Request, *, files: int, fields: int) -> FormData:
    """Return the fields and files of a request's form. Raises `MultiPartException`."""
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        return await request.form(max_fields=fields)
    parser = MultiPartParser(request.headers, request.stream(), max_files=files, max_fields=fields)
    parser.spool_max_size = MOST_BYTES + 1
    return await parser.parse()
