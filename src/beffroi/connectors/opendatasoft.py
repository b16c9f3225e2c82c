"""Poll a dataset of an Opendatasoft portal (`kind = "opendatasoft"`).

`url`: `https://PORTAL/api/explore/v2.1/catalog/datasets/DATASET`. Options: `time_field` (asks only for what is
new; else everything is read each time and folded), `overlap` (default P2D: late and corrected values), and
`field.start`, `field.value` … for names that the reader does not know.
"""

import urllib.parse
from collections.abc import Iterator
from itertools import islice
from typing import Any

import msgspec

from beffroi.connectors.fetch import fetch
from beffroi.connectors.source import Batch, Source
from beffroi.model.instant import format_instant, parse_duration
from beffroi.standards import opendatasoft
from beffroi.standards.reading import Reading, Reject, Row

__all__ = ["BATCH", "batches", "poll"]

BATCH = 5_000


def poll(source: Source, cursor: dict[str, Any]) -> Iterator[Batch]:
    """Yield what the dataset has since `cursor`. Raises `Problem` when the portal does not answer as it should."""
    fields = {
        key.removeprefix("field."): name for key, name in source.options.items() if key.startswith("field.")
    }
    query = {"timezone": "UTC"}
    time_field = source.options.get("time_field", "")
    if time_field and "newest_us" in cursor:
        since = int(cursor["newest_us"]) - parse_duration(source.options.get("overlap", "P2D"))
        query["where"] = f"{time_field} >= date'{format_instant(since)}'"
    if time_field:
        query["order_by"] = time_field
    url = f"{source.url.rstrip('/')}/exports/json?{urllib.parse.urlencode(query)}"
    dataset = urllib.parse.urlsplit(source.url).path.rstrip("/").rpartition("/")[2]
    with fetch(url) as body:
        yield from batches(opendatasoft.read(body, {"fields": fields, "dataset": dataset}), source, cursor)


def batches(rows: Iterator[Row], source: Source, cursor: dict[str, Any]) -> Iterator[Batch]:
    """Yield rows in batches, with where they came from; the cursor is the newest time."""
    newest = cursor.get("newest_us")
    origin = (("source", source.name), ("url", source.url))
    while some := list(islice(rows, BATCH)):
        readings = [_with_origin(row, origin) for row in some if isinstance(row, Reading)]
        rejects = [row for row in some if isinstance(row, Reject)]
        newest = max(
            [reading.start_us for reading in readings] + ([] if newest is None else [newest]), default=None
        )
        yield Batch(readings, rejects, {} if newest is None else {"newest_us": newest})


def _with_origin(reading: Reading, origin: tuple[tuple[str, str], ...]) -> Reading:
    station = reading.series.station
    if station.properties[-len(origin) :] == origin:
        return reading
    station = msgspec.structs.replace(station, properties=(*station.properties, *origin))
    return msgspec.structs.replace(reading, series=msgspec.structs.replace(reading.series, station=station))
