"""Groups of reports that tell of one thing, never wider than a stated cap.

Links chain: on Paris's data, joining whatever is within 20 m makes one group of 56,000 reports. Here a link joins two
groups only when every report of one stays within the cap of every report of the other. Groups are a function of the
links, so taking a link away undoes exactly what it did; nothing else has to be remembered.
"""

import math
from collections.abc import Iterable, Mapping

import msgspec

__all__ = ["CAP_M", "Link", "clusters", "diameter"]

CAP_M = 60.0


class Link(msgspec.Struct, frozen=True):
    """Two reports said to be one thing, by a person (`probability` 1) or by the likelihood."""

    one: int
    other: int
    probability: float = 1.0


def clusters(
    points: Mapping[int, tuple[float, float]], links: Iterable[Link], cap_m: float = CAP_M
) -> list[tuple[int, ...]]:
    """Return the groups of two reports and more, each in order of id, by the likeliest links first.

    `points` are metres of one plane; a link whose report has no point is left out. The order of `links` does not matter.
    """
    group: dict[int, list[int]] = {}
    ranked = sorted(links, key=lambda k: (-k.probability, min(k.one, k.other), max(k.one, k.other)))
    for link in ranked:
        if link.one not in points or link.other not in points:
            continue
        ours, theirs = group.setdefault(link.one, [link.one]), group.setdefault(link.other, [link.other])
        if ours is theirs or not _fit(points, ours, theirs, cap_m):
            continue
        if len(ours) < len(theirs):
            ours, theirs = theirs, ours
        ours.extend(theirs)
        for id_ in theirs:
            group[id_] = ours
    whole = {id(members): members for members in group.values() if len(members) > 1}
    return sorted(tuple(sorted(members)) for members in whole.values())


def _fit(
    points: Mapping[int, tuple[float, float]], ours: Iterable[int], theirs: list[int], cap_m: float
) -> bool:
    far = [points[id_] for id_ in theirs]
    return all(math.dist(points[id_], other) <= cap_m for id_ in ours for other in far)


def diameter(points: Iterable[tuple[float, float]]) -> float:
    """Return the greatest distance between two of the points, 0 for fewer than two."""
    every = list(points)
    return max((math.dist(a, b) for i, a in enumerate(every) for b in every[i + 1 :]), default=0.0)
