"""Reply templates: those that suit a report and a deed, with their fields filled."""

import re
from collections.abc import Iterable, Mapping

from beffroi.services.reports.arrival.table import lineage
from beffroi.store.record import Query, Row
from beffroi.store.records import Records

__all__ = ["FIELDS", "fill", "suitable"]

FIELDS = ("number", "category", "place", "date", "received", "department", "phone", "town", "state")
_FIELD = re.compile(r"\{(\w+)\}")


def fill(text: str, values: Mapping[str, str]) -> str:
    """Return a template with its `{fields}` filled; a field that is not known is left as it was written, to be seen."""
    return _FIELD.sub(lambda found: values.get(found[1]) or found[0], text)


def suitable(
    records: Records, report: Row, categories: Mapping[int, Row], actions: Iterable[str] = ()
) -> list[Row]:  # fmt: skip
    """Return the templates for a report's category (or any), for one of `actions` (or any), the closest first."""
    wanted = set(actions)
    above = [row.id for row in lineage(categories, report.values["category"])]
    found: list[tuple[int, str, Row]] = []
    for row in records.all("report_reply_template", Query(limit=500)):
        category, action = row.values["category"], row.values["action"]
        if (category is None or category in above) and (not action or not wanted or action in wanted):
            rank = len(above) if category is None else above.index(category)
            found.append((rank, str(row.values["name"]), row))
    return [row for _, _, row in sorted(found, key=lambda f: f[:2])]
