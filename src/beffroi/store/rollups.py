"""Roll-ups: what each datastream measured in each hour, a small file beside each segment and made from it.

A segment covers whole UTC days, so none of its hours is in another; its file never changes, so neither does its
roll-up. What changes meanwhile is fresh rows: late ones add to an hour, corrected and deleted ones make the hours of
their sealed versions stale, and `aggregates.py` reads those hours from the raw rows. A roll-up is never wrong.

An hour whose raw rows were taken away by retention is *thin*: its roll-up is then all there is of it, and is carried
from each version of the segment to the next.
"""

from beffroi.model.instant import HOUR_US

__all__ = ["ROLLUP_COLUMNS", "hour_of", "rollup_sql", "series_sql"]

ROLLUP_COLUMNS = (
    "datastream_id", "hour_us",
    "n",  # observations of the hour
    "numbers",  # those whose result is a number
    "total", "low", "high",  # of the numbers
    "first_value", "first_us", "last_value", "last_us",
    "span_us",  # the latest end of those that are intervals, NULL when none is
    "thin",
)  # fmt: skip

_KEY = "start_us::HUGEINT * 9007199254740992 + id"  # the order of a series: by time, then by id (below 2**53)


def hour_of(column: str) -> str:
    """Return the SQL of the start of the hour (UTC) of an instant, before 1970 too."""
    return f"{column} - (({column} % {HOUR_US}) + {HOUR_US}) % {HOUR_US}"


def rollup_sql(raw: str, thin: str | None = None) -> str:
    """Return the DuckDB statement of the roll-up of the rows of `raw`, with the thin hours of the roll-up `thin`."""
    made = (
        f"SELECT datastream_id, {hour_of('start_us')} AS hour_us, count(*)::INTEGER AS n, count(value)::INTEGER AS numbers,"
        " coalesce(sum(value), 0.0) AS total, min(value) AS low, max(value) AS high,"
        f" arg_min(value, {_KEY}) AS first_value, min(start_us) FILTER (value IS NOT NULL) AS first_us,"
        f" arg_max(value, {_KEY}) AS last_value, max(start_us) FILTER (value IS NOT NULL) AS last_us,"
        f" max(end_us) AS span_us, false AS thin FROM {raw} GROUP BY 1, 2"
    )
    if thin is None:
        return made
    names = ", ".join(ROLLUP_COLUMNS)
    return f"SELECT {names} FROM ({made}) UNION ALL SELECT {names} FROM {thin} WHERE thin"


def series_sql(rollup: str) -> str:
    """Return the DuckDB statement of what a roll-up says of each datastream: raw rows, first and last hour, thin hours."""
    return (
        "SELECT datastream_id, coalesce(sum(n) FILTER (NOT thin), 0)::BIGINT, min(hour_us),"
        f" max(hour_us) + {HOUR_US - 1}, count(*) FILTER (thin) FROM {rollup} GROUP BY 1"
    )
