"""The fresh rows of one datastream in the order of time: the reading that every chart and every client repeats."""

import functools
from collections.abc import Sequence
from typing import Any

from sqlalchemy import BigInteger, Connection, bindparam, select

from beffroi.store.prepared import Prepared
from beffroi.store.tables import observation

__all__ = ["COLUMNS", "fresh_of"]

COLUMNS = (
    observation.c.id, observation.c.datastream_id, observation.c.start_us, observation.c.end_us,
    observation.c.result_time_us, observation.c.value, observation.c.decimals, observation.c.literal,
    observation.c.feature_id, observation.c.quality, observation.c.extra, observation.c.seq,
)  # fmt: skip
_EVER = 2**62  # more rows than there are


def fresh_of(
    connection: Connection, datastream_id: int, between: tuple[int | None, int | None], *, limit: int | None,
    offset: int, newest_first: bool, id_descending: bool,
) -> Sequence[Any]:  # fmt: skip
    """Return rows of `COLUMNS` and their rank with a start in the half-open range `between`, in microseconds."""
    start, end = between
    statement = _statement(start is not None, end is not None, newest_first, id_descending)
    return statement.rows(
        connection,
        series=datastream_id,
        low=start,
        high=end,
        most=_EVER if limit is None else limit,
        first=offset,
    )


@functools.cache
def _statement(low: bool, high: bool, newest_first: bool, id_descending: bool) -> Prepared:
    c = observation.c

    def given(name: str) -> Any:
        return bindparam(name, type_=BigInteger, required=False)

    conditions = [c.datastream_id == given("series"), c.deleted.is_(None)]
    conditions += [c.start_us >= given("low")] if low else []
    conditions += [c.start_us < given("high")] if high else []
    order = (c.start_us.desc() if newest_first else c.start_us, c.id.desc() if id_descending else c.id)
    return Prepared(
        select(*COLUMNS, c.start_us.label("rank_0"))
        .where(*conditions)
        .order_by(*order)
        .limit(given("most"))
        .offset(given("first"))
    )
