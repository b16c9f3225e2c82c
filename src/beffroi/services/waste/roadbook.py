"""The round as files for the crew: a table, and GPX 1.1 for a telephone or a navigator (topografix.com/GPX/1/1)."""

import csv
import io
from xml.sax.saxutils import escape, quoteattr

from beffroi.services.waste.stock import Container, Made
from beffroi.town import Town

__all__ = ["gpx_of", "name_of", "table_of"]


def name_of(stop: Container) -> str:
    """Return how a stop is called: its code, and its street when it is known."""
    return ", ".join(str(p) for p in (stop.row.values["code"], stop.row.values.get("street")) if p)


def table_of(made: Made) -> str:
    """Return the stops as CSV: order, code, street, longitude and latitude, how full now and on the day of the round (%)."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(
        ["order", "code", "street", "longitude", "latitude", "fill_now_percent", "fill_expected_percent"]
    )
    for order, stop in enumerate(made.stops, 1):
        longitude, latitude = (stop.row.geometry or {"coordinates": ("", "")})["coordinates"][:2]
        level, then = (
            (round(100 * v, 1) for v in (stop.fill.level, stop.fill.after(made.days)))
            if stop.fill
            else ("", "")
        )
        writer.writerow(
            [
                order,
                stop.row.values["code"],
                stop.row.values.get("street") or "",
                longitude,
                latitude,
                level,
                then,
            ]
        )
    return out.getvalue()


def gpx_of(town: Town, made: Made, title: str) -> str:
    """Return the stops as a GPX route, in their order."""
    points = "".join(
        f'<rtept lat="{stop.row.geometry["coordinates"][1]}" lon="{stop.row.geometry["coordinates"][0]}">'
        f"<name>{escape(f'{order}. {name_of(stop)}')}</name></rtept>"
        for order, stop in enumerate(made.stops, 1)
        if stop.row.geometry
    )
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<gpx xmlns="http://www.topografix.com/GPX/1/1" version="1.1" creator={quoteattr(town.name)}>'
        f"<rte><name>{escape(title)}</name>{points}</rte></gpx>\n"
    )
