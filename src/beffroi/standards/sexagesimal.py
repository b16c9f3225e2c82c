"""Sexagesimal angles: degrees, minutes and seconds as people and receivers write them, as decimal degrees.

`47°39'04,5" N`, `2° 05,02' O`, `N47 39 04`, `-2°5'` (ISO 6709, annex D, and its cousins); `O` (ouest) and `W` are west.
"""

import re
from itertools import chain

__all__ = ["angle_of", "pair_of"]

_DEGREES = r"(?P<d{n}>\d{{1,3}}(?:[.,]\d+)?)\s*(?P<mark{n}>[°º˚d]|:|\s)\s*"
_MINUTES = r"(?:(?P<m{n}>\d{{1,2}}(?:[.,]\d+)?)\s*(?:['’′ʹm:]|\s)?\s*)?"
_SECONDS = r"(?:(?P<s{n}>\d{{1,2}}(?:[.,]\d+)?)\s*(?:''|’’|[\"”″ʺs])?\s*)?"
_BARE = _DEGREES + _MINUTES + _SECONDS
_FIRST = r"(?P<letter{n}>[NSEOW])\s*(?P<sign{n}>)" + _BARE  # its letter before the figures …
_LAST = r"(?P<sign{n}>[+-])?\s*" + _BARE + r"(?P<letter{n}>[NSEOW])?"  # … or behind them
_ONE = [re.compile(rf"\s*{p.format(n=1)}\s*\Z") for p in (_FIRST, _LAST)]
_TWO = [re.compile(rf"\s*{p.format(n=1)}\s*[,;/]?\s*{p.format(n=2)}\s*\Z") for p in (_FIRST, _LAST)]
_LONGEST = 40


def angle_of(written: object) -> float | None:
    """Return an angle in decimal degrees, None for what is none. A number alone is no sexagesimal angle."""
    if not isinstance(written, str) or len(written) > _LONGEST:
        return None
    found = (_read(match, 1) for one in _ONE if (match := one.match(written)))
    return next((angle for angle, _letter in chain.from_iterable(found)), None)


def pair_of(written: object) -> tuple[float, float] | None:
    """Return longitude and latitude of two angles written together, in the order that their letters tell."""
    if not isinstance(written, str) or len(written) > 2 * _LONGEST:
        return None
    for two in _TWO:
        match = two.match(written)
        both = [*_read(match, 1), *_read(match, 2)] if match else []
        if len(both) == 2:
            (a, first), (b, second) = both
            if (first, second) in _LONGITUDE_FIRST:
                return a, b
            if (second, first) in _LONGITUDE_FIRST:
                return b, a
    return None


_LONGITUDE_FIRST = {(x, y) for x in "EWO" for y in "NS"}


def _read(match: re.Match[str], n: int) -> list[tuple[float, str]]:
    """Return the angle and its letter ("" for none), or nothing."""
    letter = (match[f"letter{n}"] or "").upper()
    degrees, minutes, seconds = (float((match[f"{part}{n}"] or "0").replace(",", ".")) for part in "dms")
    alone = match[f"m{n}"] is None and not letter and match[f"mark{n}"] not in ("°", "º", "˚")
    angle = degrees + minutes / 60 + seconds / 3600
    most = 90 if letter in ("N", "S") else 180
    if alone or minutes >= 60 or seconds >= 60 or angle > most or (match[f"sign{n}"] and letter):
        return []
    return [(-angle if match[f"sign{n}"] == "-" or letter in ("S", "W", "O") else angle, letter)]
