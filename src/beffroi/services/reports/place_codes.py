"""Place codes: a point that people write instead of an address: coordinates, a plus code, a Maidenhead locator.

Sources: Open Location Code specification (plus codes, 2019), IARU Region 1 "Locator" (Maidenhead, 1980).
"""

import re
from collections.abc import Iterator

__all__ = ["point_written"]

LonLat = tuple[float, float]
_DIGITS = "23456789CFGHJMPQRVWX"
_COORDINATES = re.compile(r"(?<![\d.,])([-+]?\d{1,2}[.]\d{3,})\s*[,;\s]\s*([-+]?\d{1,3}[.]\d{3,})(?![\d.])")
_PLUS = re.compile(rf"(?<![A-Z0-9])([{_DIGITS}]{{2,8}})\+([{_DIGITS}]{{2,7}})(?![A-Z0-9])")
# four pairs are a square of half a kilometre; fewer are no place
_LOCATOR = re.compile(r"(?<![A-Z0-9])([A-R]{2}\d\d[A-X]{2}\d\d(?:[A-X]{2})?)(?![A-Z0-9])")


def point_written(words: str, near: LonLat | None) -> LonLat | None:
    """Return the middle of the place that words write by a code, None when they write none. `near` is where the town
    is: what completes a short plus code (`4V75+8Q Brévigny`)."""
    return next(_points(words, near), None)


def _points(words: str, near: LonLat | None) -> Iterator[LonLat]:
    for latitude, longitude in _COORDINATES.findall(words):
        yield from _checked(float(longitude), float(latitude))
    upper = words.upper()
    for head, tail in _PLUS.findall(upper):
        if len(head) == 8:
            yield from _checked(*_decoded(head + tail)[:2])
        elif len(head) % 2 == 0 and near is not None:
            yield from _checked(*_recovered(head, tail, near))
    for locator in _LOCATOR.findall(upper):
        yield from _checked(*_located(locator))


def _checked(longitude: float, latitude: float) -> Iterator[LonLat]:
    if -180 <= longitude <= 180 and -90 <= latitude <= 90:
        yield round(longitude, 6), round(latitude, 6)


def _decoded(digits: str) -> tuple[float, float, float]:
    """Return longitude and latitude of the middle of a full code without its plus, and the height of its square."""
    south, west, high, wide = -90.0, -180.0, 400.0, 400.0
    for n in range(0, min(len(digits), 10), 2):
        high, wide = high / 20, wide / 20
        south += _DIGITS.index(digits[n]) * high
        west += _DIGITS.index(digits[n + 1]) * wide if n + 1 < len(digits) else 0.0
    for digit in digits[10:]:
        high, wide = high / 5, wide / 4
        row, column = divmod(_DIGITS.index(digit), 4)
        south, west = south + row * high, west + column * wide
    return west + wide / 2, south + high / 2, high


def _encoded(at: LonLat, length: int) -> str:
    """Return the first `length` digits (even, at most 10) of a point's code."""
    north, east, step, found = at[1] + 90.0, (at[0] + 180.0) % 360, 20.0, ""
    for _ in range(length // 2):
        found += _DIGITS[min(19, int(north // step))] + _DIGITS[min(19, int(east // step))]
        north, east, step = north % step, east % step, step / 20
    return found


def _recovered(head: str, tail: str, near: LonLat) -> LonLat:
    """Return the place nearest to `near` that ends with a short code."""
    missing = 8 - len(head)
    longitude, latitude, _ = _decoded(_encoded(near, missing) + head + tail)
    square = 20.0 ** (2 - missing / 2)
    for _ in range(2):
        latitude += square * _turn(near[1] - latitude, square)
        longitude += square * _turn(near[0] - longitude, square)
    return longitude, latitude


def _turn(away: float, square: float) -> int:
    return (away > square / 2) - (away < -square / 2)


def _located(locator: str) -> LonLat:
    """Return the middle of a locator of four or five pairs."""
    west, south, wide, high = -180.0, -90.0, 360.0, 180.0
    for n, (columns, first) in enumerate(
        ((18, "A"), (10, "0"), (24, "A"), (10, "0"), (24, "A"))[: len(locator) // 2]
    ):
        wide, high = wide / columns, high / columns
        west += (ord(locator[2 * n]) - ord(first)) * wide
        south += (ord(locator[2 * n + 1]) - ord(first)) * high
    return west + wide / 2, south + high / 2
