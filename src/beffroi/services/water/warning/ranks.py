"""The four colours, in order, with their words."""

from beffroi.model.text import Text

__all__ = ["COLOURS", "NAMES", "rank", "reached", "worst"]

COLOURS = ("vert", "jaune", "orange", "rouge")
NAMES = {
    "vert": Text("vert", "green"), "jaune": Text("jaune", "yellow"), "orange": Text("orange", "orange"),
    "rouge": Text("rouge", "red"),
}  # fmt: skip


def rank(colour: str) -> int:
    """Return 0 for vert … 3 for rouge."""
    return COLOURS.index(colour)


def worst(*colours: str) -> str:
    """Return the highest of some colours, "vert" of none."""
    return max(colours, key=rank, default="vert")


def reached(before: str, after: str) -> tuple[str, ...]:
    """Return the colours that are reached by rising from one to another, the lowest first."""
    return COLOURS[rank(before) + 1 : rank(after) + 1]
