"""The datastreams that the service itself makes of a station: computed discharges, forecasts."""

from sqlalchemy import select

from beffroi.store.record import Row
from beffroi.store.tables import datastream
from beffroi.town import Town

__all__ = ["known_series"]


def known_series(town: Town, station: Row, key: str) -> int | None:
    """Return the datastream `{station}/{key}`, if it was made."""
    wanted = select(datastream.c.id).where(datastream.c.key == f"water/{station.values['code']}/{key}")
    with town.store.read() as c:
        number = c.execute(wanted).scalar()
    return None if number is None else int(number)
