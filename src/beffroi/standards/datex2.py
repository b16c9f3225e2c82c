"""DATEX II v3, TrafficRegulation: temporary traffic orders as the French DiaLog publishes them (schemas of docs/spec)."""

from collections.abc import Iterable, Mapping
from typing import Any, Literal
from xml.etree.ElementTree import Element, SubElement, register_namespace, tostring

import msgspec

from beffroi.model.instant import format_instant

__all__ = ["MEDIA_TYPE", "Measure", "Order", "publication"]

MEDIA_TYPE = "application/xml"
Measure = Literal["closed", "layout", "no_parking", "speed"]
D2, COM, LOC, TRO = (
    f"http://datex2.eu/schema/3/{name}"
    for name in ("d2Payload", "common", "locationReferencing", "trafficRegulation")
)
XSI = "http://www.w3.org/2001/XMLSchema-instance"
_TYPE = f"{{{XSI}}}type"
for _prefix, _uri in (("d2", D2), ("com", COM), ("loc", LOC), ("tro", TRO), ("xsi", XSI)):
    register_namespace(_prefix, _uri)


class Order(msgspec.Struct, frozen=True):
    """One temporary order: its number, words, authority, measures, times in microseconds UTC, GeoJSON place (WGS 84)."""

    number: str
    description: str
    authority: str
    measures: tuple[Measure, ...]
    start_us: int
    end_us: int
    geometry: Mapping[str, Any]
    version: int = 1
    speed_kmh: int = 30
    withdrawn: bool = False


def _text(parent: Element, space: str, name: str, text: str) -> Element:
    found = SubElement(parent, f"{{{space}}}{name}")
    found.text = text
    return found


def _words(parent: Element, name: str, text: str) -> None:
    values = SubElement(SubElement(parent, f"{{{TRO}}}{name}"), f"{{{COM}}}values")
    _text(values, COM, "value", text).set("lang", "fr")


def publication(orders: Iterable[Order], *, made_us: int, creator: str, number: str) -> bytes:
    """Return a TrafficRegulationPublication of the orders."""
    root = Element(
        f"{{{D2}}}payload",
        {"modelBaseVersion": "3", "lang": "FR", _TYPE: "tro:TrafficRegulationPublication", "id": number},
    )
    _text(root, COM, "publicationTime", format_instant(made_us))
    author = SubElement(root, f"{{{COM}}}publicationCreator")
    _text(author, COM, "country", "fr")
    _text(author, COM, "nationalIdentifier", creator)
    authorities = SubElement(root, f"{{{TRO}}}trafficRegulationsFromCompetentAuthorities")
    for order in orders:
        _order(authorities, order)
    made: bytes = tostring(root, "utf-8", xml_declaration=True)
    return made


def _order(parent: Element, order: Order) -> None:
    found = SubElement(
        parent, f"{{{TRO}}}trafficRegulationOrder", {"id": order.number, "version": str(order.version)}
    )
    _words(found, "description", order.description)
    _words(found, "issuingAuthority", order.authority)
    _text(found, TRO, "regulationId", order.number)
    _text(found, TRO, "status", "withdrawn" if order.withdrawn else "madeAndImplemented")
    regulation = SubElement(found, f"{{{TRO}}}trafficRegulation")
    _text(regulation, TRO, "status", "beingShutDown" if order.withdrawn else "active")
    for measure in order.measures:
        _measure(regulation, measure, order.speed_kmh)
    both = SubElement(regulation, f"{{{TRO}}}condition", {_TYPE: "tro:ConditionSet"})
    _text(both, TRO, "operator", "and")
    _times(SubElement(both, f"{{{TRO}}}conditions", {_TYPE: "tro:ValidityCondition"}), order)
    where = SubElement(both, f"{{{TRO}}}conditions", {_TYPE: "tro:LocationCondition"})
    _text(where, TRO, "negate", "false")
    _place(where, order.geometry)


def _measure(parent: Element, measure: Measure, speed: int) -> None:
    names = {
        "closed": ("AccessRestriction", "accessRestrictionType", "noEntry"),
        "layout": ("AlternateRoadOrCarriagewayOrLaneLayout", "roadOrCarriagewayOrLaneLayoutType", "lane"),
        "no_parking": ("StandingOrParkingRestriction", "standingOrParkingRestrictionType", "parkingProhibited"),
    }  # fmt: skip
    kind, name, value = names.get(measure, ("SpeedLimit", "maxValue", ""))
    found = SubElement(parent, f"{{{TRO}}}typeOfRegulation", {_TYPE: f"tro:{kind}"})
    if measure != "speed":
        _text(found, TRO, name, value)
        return
    most = SubElement(found, f"{{{TRO}}}maxValue")
    _text(most, TRO, "numericValue", str(speed))
    _text(most, TRO, "unitOfMeasure", "kilometresPerHour")


def _times(parent: Element, order: Order) -> None:
    _text(parent, TRO, "negate", "false")
    validity = SubElement(parent, f"{{{TRO}}}validityByOrder")
    _text(validity, COM, "validityStatus", "definedByValidityTimeSpec")
    times = SubElement(validity, f"{{{COM}}}validityTimeSpecification")
    _text(times, COM, "overallStartTime", format_instant(order.start_us))
    _text(times, COM, "overallEndTime", format_instant(order.end_us))


def _place(parent: Element, geometry: Mapping[str, Any]) -> None:
    """Write a place: latitude before longitude, as DATEX II has it. Of a surface, its edge."""
    points = geometry["coordinates"]
    if geometry["type"] == "Point":
        point = SubElement(parent, f"{{{TRO}}}implementedLocation", {_TYPE: "loc:PointLocation"})
        at = SubElement(SubElement(point, f"{{{LOC}}}pointByCoordinates"), f"{{{LOC}}}pointCoordinates")
        _text(at, LOC, "latitude", f"{points[1]:.7f}")
        _text(at, LOC, "longitude", f"{points[0]:.7f}")
        return
    while isinstance(points[0][0], list | tuple):
        points = points[0]
    line = SubElement(parent, f"{{{TRO}}}implementedLocation", {_TYPE: "loc:LinearLocation"})
    path = " ".join(f"{y:.7f} {x:.7f}" for x, y, *_ in points)
    _text(SubElement(line, f"{{{LOC}}}gmlLineString"), LOC, "posList", path)
