"""GeoReport Bulk: all the requests of a place as one CSV (RFC 4180, UTF-8), more than the API's thousand.

Source: Open311, GeoReport Bulk Data Specification (proposed).
"""

import csv
import io
from collections.abc import Iterable, Iterator

import msgspec

__all__ = ["COLUMNS", "BulkRequest", "csv_of"]


class BulkRequest(msgspec.Struct, frozen=True):
    """One line; the names and their order are the specification's. Times are W3C texts with their offset."""

    service_request_id: str
    requested_datetime: str | None
    updated_datetime: str | None
    closed_date: str | None
    status_description: str
    status_notes: str | None
    source: str
    service_name: str
    service_subtype: str
    description: str | None
    agency_responsible: str | None
    address: str | None
    lat: float | None
    long: float | None


COLUMNS = BulkRequest.__struct_fields__


def csv_of(pages: Iterable[Iterable[BulkRequest]]) -> Iterator[bytes]:
    """Yield the header, then the lines of each page."""
    held = io.StringIO()
    lines = csv.writer(held, lineterminator="\r\n")
    lines.writerow(COLUMNS)
    for page in pages:
        lines.writerows(msgspec.structs.astuple(one) for one in page)
        yield held.getvalue().encode()
        held.seek(0)
        held.truncate()
    if held.tell():
        yield held.getvalue().encode()
