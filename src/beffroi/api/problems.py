"""A problem as the JSON that SensorThings answers."""

import msgspec

from beffroi.model.problem import Problem

__all__ = ["problem_body"]


def problem_body(problem: Problem) -> bytes:
    """Return the JSON of a problem: FROST's members, and those of the rest of the platform."""
    return msgspec.json.encode(
        {
            "code": problem.status, "type": "error",
            "message": " ".join(t for t in (problem.reason.en, problem.mend.en) if t), "place": problem.place,
            "texts": {"fr": [problem.reason.fr, problem.mend.fr], "en": [problem.reason.en, problem.mend.en]},
        }
    )  # fmt: skip
