"""Topic names and filters (MQTT 3.1.1 §4.7, 5.0 §4.7 and §4.8)."""

from functools import lru_cache

__all__ = ["matches", "shared", "valid_filter", "valid_topic"]

LONGEST = 2_048


def valid_topic(topic: str) -> bool:
    """True for a name that can be published to."""
    return 0 < len(topic) <= LONGEST and "+" not in topic and "#" not in topic


def valid_filter(pattern: str) -> bool:
    """True for a filter whose wildcards stand alone between slashes, `#` last."""
    if not 0 < len(pattern) <= LONGEST:
        return False
    group = shared(pattern)
    if group is not None:
        name, pattern = group
        if not name or not pattern or "+" in name or "#" in name:
            return False
    levels = pattern.split("/")
    if any(len(level) > 1 and ("+" in level or "#" in level) for level in levels):
        return False
    return "#" not in levels[:-1]


@lru_cache(maxsize=65_536)
def matches(pattern: str, topic: str) -> bool:
    """True when `topic` is one of those that `pattern` stands for; a leading wildcard leaves `$` topics out."""
    if topic.startswith("$") and pattern[:1] in ("+", "#"):
        return False
    wanted, levels = pattern.split("/"), topic.split("/")
    for place, level in enumerate(wanted):
        if level == "#":
            return True
        if place >= len(levels) or level not in ("+", levels[place]):
            return False
    return len(wanted) == len(levels)


def shared(pattern: str) -> tuple[str, str] | None:
    """Return the group and the filter of a shared subscription `$share/group/filter` (5.0, §4.8.2), None for others."""
    if not pattern.startswith("$share/"):
        return None
    _, group, *rest = pattern.split("/", 2)
    return group, rest[0] if rest else ""
