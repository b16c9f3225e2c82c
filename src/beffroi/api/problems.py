"""A problem as the JSON that SensorThings answers."""

import msgspec

from beffroi.model.problem import Problem
from beffroi.model.text import Text

__all__ = ["problem_body"]

_THERE = Text("Corrigez ce qui est à cet endroit.", "Correct what is at that place.")


def problem_body(problem: Problem) -> bytes:
    """Return the JSON of a problem: FROST's members, and those of the rest of the platform."""
    mend = problem.mend if problem.mend.en or problem.status != 400 else _THERE
    return msgspec.json.encode(
        {
            "code": problem.status, "type": "error",
            "message": " ".join(t for t in (problem.reason.en, mend.en) if t), "place": problem.place,
            "texts": {"fr": [problem.reason.fr, mend.fr], "en": [problem.reason.en, mend.en]},
        }
    )  # fmt: skip
