"""The problem of a photo that cannot be read."""

from beffroi.model.problem import Problem
from beffroi.model.text import Text

__all__ = ["broken"]


def broken() -> Problem:
    """Return the problem of a photo whose bytes are not what its kind says."""
    return Problem(
        Text("Cette photo est abîmée ou coupée.", "This photo is damaged or cut off."),
        Text("Envoyez-la de nouveau, ou envoyez-en une autre.", "Send it again, or send another one."), place="photo",
    )  # fmt: skip
