"""The town's river stations that programs may read: their code, place and public series."""

import msgspec

from beffroi.rules.watching import read_series
from beffroi.store.record import Query, Row
from beffroi.town import Town

__all__ = ["PublicStation", "public_stations"]


class PublicStation(msgspec.Struct, frozen=True):
    """A station; `series` gives the number of the datastream of H and of Q, when there is one that is public."""

    row: Row
    series: dict[str, int]

    @property
    def code(self) -> str:
        """Its code."""
        return str(self.row.values["code"])

    @property
    def site(self) -> str:
        """The code of its site: the first eight characters of a Sandre code, else the code itself."""
        return self.code[:8] if len(self.code) == 10 else self.code

    @property
    def place(self) -> tuple[float | None, float | None]:
        """Longitude and latitude, WGS 84."""
        if self.row.geometry is None:
            return None, None
        lon, lat = self.row.geometry["coordinates"][:2]
        return lon, lat


def public_stations(town: Town) -> list[PublicStation]:
    """Return the stations by code."""
    rows = list(town.store.records.all("river_station", Query(sort="code")))
    wanted = {n for row in rows for n in (row.values["level"], row.values["flow"]) if n is not None}
    with town.store.read() as connection:
        known = {i for i, one in read_series(connection, wanted).items() if one.public and one.approved}
    found = []
    for row in rows:
        series = {
            name: row.values[field]
            for name, field in (("H", "level"), ("Q", "flow"))
            if row.values[field] in known
        }
        found.append(PublicStation(row, series))
    return found
