"""A GeoReport client: mirror what another server publishes (`kind = "georeport"` in [[connectors]]).

`url`: its v2 root. Options: `jurisdiction_id`; `since` (a date: how far back the first poll goes, 90 days by
default); `prefix` of our numbers (default: the source's name); `format` (json or xml). The standard can only ask by
the day of the request, so each poll reads the last 90 days again: what has not changed is not written.
"""

import urllib.parse
from collections.abc import Iterator
from typing import Any

from beffroi.connectors.fetch import fetch
from beffroi.connectors.source import Batch, Source
from beffroi.model.instant import DAY_US, PARIS, format_instant, parse_instant, system_clock
from beffroi.model.problem import Problem
from beffroi.services.reports.open311.arriving import beside, request_entry
from beffroi.standards.open311.arguments import SPAN_US
from beffroi.standards.open311.nouns import ServiceRequest
from beffroi.standards.open311.reading import read_requests
from beffroi.standards.reading import reject_of
from beffroi.store.record import Entry

__all__ = ["poll"]

_PAGE = 200
_MOST_PAGES = 5_000


def poll(source: Source, cursor: dict[str, Any]) -> Iterator[Batch]:
    """Yield what the server publishes: departments, categories, then requests. Raises `Problem`."""
    now = system_clock()
    start = now - SPAN_US
    if "since" in source.options:
        start = min(start, parse_instant(source.options["since"], PARIS))
    if "read_until_us" in cursor:
        start = max(start, min(int(cursor["read_until_us"]) - DAY_US, now - SPAN_US))
    while start < now:
        end = min(start + SPAN_US, now)
        yield from _window(source, start, end)
        yield Batch([], cursor={"read_until_us": end})
        start = end


def _window(source: Source, start_us: int, end_us: int) -> Iterator[Batch]:
    seen = ""
    for page in range(1, _MOST_PAGES):
        found = list(_page(source, start_us, end_us, page))
        requests = [r for r in found if isinstance(r, ServiceRequest)]
        first = requests[0].service_request_id if requests else ""
        if not requests or first == seen:
            return  # the end, or a server that knows no pages and gives the first again
        seen = first
        yield _batch(source, found)
        if len(found) < _PAGE:
            return


def _page(source: Source, start_us: int, end_us: int, page: int) -> Iterator[ServiceRequest | Problem]:
    form = source.options.get("format", "json")
    asked = {"start_date": format_instant(start_us), "end_date": format_instant(end_us), "extensions": "true",
             "page": str(page), "page_size": str(_PAGE)}  # fmt: skip
    if "jurisdiction_id" in source.options:
        asked["jurisdiction_id"] = source.options["jurisdiction_id"]
    url = f"{source.url.rstrip('/')}/requests.{form}?{urllib.parse.urlencode(asked)}"
    with fetch(url, accept="text/xml" if form == "xml" else "application/json") as body:
        yield from read_requests(body.read())


def _batch(source: Source, found: list[ServiceRequest | Problem]) -> Batch:
    prefix = source.options.get("prefix", f"{source.name}-")
    batch = Batch([], rejects=[])
    departments: dict[str, Entry] = {}
    categories: dict[str, Entry] = {}
    taken: list[Entry] = []
    for place, request in enumerate(found, 1):
        try:
            if isinstance(request, Problem):
                raise request
            number = prefix + request.service_request_id
            taken.append(request_entry(request, source.name, number=number, place=number))
        except Problem as problem:
            batch.rejects.append(reject_of(place, "service_request", problem))
            continue
        departments |= {e.values["code"]: e for e in beside(request, "report_department")}
        categories |= {e.values["code"]: e for e in beside(request, "report_category")}
    batch.records = {
        "report_department": list(departments.values()), "report_category": list(categories.values()), "service_request": taken,
    }  # fmt: skip
    return batch
