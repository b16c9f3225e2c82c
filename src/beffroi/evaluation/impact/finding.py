"""Finding: what an impact study answers, and the rule by which four words are chosen."""

from collections.abc import Iterable
from typing import Any, Literal

import msgspec

from beffroi.model.text import Text

__all__ = [
    "LEVEL", "NOTHING_SHOWN", "NOT_EVALUABLE", "VERDICTS", "Check", "Finding", "Model", "Outcome", "Trace", "decide",
    "failed", "not_applicable", "passed", "unevaluable", "warned",
]  # fmt: skip

LEVEL = 0.05
"""Verdicts are given at this level."""
NOTHING_SHOWN = "pas d'effet démontré"
NOT_EVALUABLE = "non évaluable"
VERDICTS: dict[str, Text] = {
    "effet positif": Text("effet positif", "positive effect"),
    "effet négatif": Text("effet négatif", "negative effect"),
    NOTHING_SHOWN: Text(NOTHING_SHOWN, "no effect shown"),
    NOT_EVALUABLE: Text(NOT_EVALUABLE, "cannot be evaluated"),
}
"""The only four verdicts there are, with their English."""

Outcome = Literal["pass", "warn", "fail", "not_applicable"]


class Check(msgspec.Struct, frozen=True):
    """One mandatory check. `fail` forbids a verdict; `warn` is said beside it; `p` is that of the check's own test."""

    outcome: Outcome
    why: Text
    p: float | None = None
    values: dict[str, Any] = {}


def passed(why: Text, p: float | None = None, **values: Any) -> Check:
    """Return a check that found nothing."""
    return Check("pass", why, p, values)


def failed(why: Text, p: float | None = None, **values: Any) -> Check:
    """Return a check that forbids a verdict."""
    return Check("fail", why, p, values)


def warned(why: Text, p: float | None = None, **values: Any) -> Check:
    """Return a check whose finding is said beside the verdict."""
    return Check("warn", why, p, values)


def not_applicable(why: Text) -> Check:
    """Return a check that has no meaning in this design."""
    return Check("not_applicable", why)


class Model(msgspec.Struct, frozen=True):
    """One model of the same effect; several are shown so that nobody believes in one alone."""

    name: str
    words: Text
    estimate: float
    relative: float | None
    se: float | None
    p: float | None
    values: dict[str, Any] = {}


class Trace(msgspec.Struct, frozen=True):
    """What was seen and what would have been seen without, period by period (`None` where the design says nothing)."""

    times: tuple[str, ...]
    observed: tuple[float, ...]
    without: tuple[float | None, ...]
    start: int


class Finding(msgspec.Struct, frozen=True):
    """The answer. `estimate` is signed, in the outcome's unit, the mean over all periods since the start; `mde` the effect
    that such a study sees four times out of five. Both are `None` when the checks could not run."""

    method: str
    verdict: str
    estimate: float | None = None
    relative: float | None = None
    se: float | None = None
    interval95: tuple[float, float] | None = None
    p: float | None = None
    mde: float | None = None
    weights: dict[str, float] = {}
    pre_fit: dict[str, float] = {}
    checks: dict[str, Check] = {}
    models: tuple[Model, ...] = ()
    reasons: tuple[Text, ...] = ()
    values: dict[str, Any] = {}
    trace: Trace | None = None

    def report(self, language: str) -> dict[str, Any]:
        """Return the finding as JSON holds it, its words in `language` (the verdict stays French: it is a term)."""
        low_high = None if self.interval95 is None else list(self.interval95)
        return {
            "method": self.method, "estimate": self.estimate, "relative": self.relative, "se": self.se,
            "interval95": low_high, "p": self.p, "mde": self.mde, "weights": self.weights, "pre_fit": self.pre_fit,
            "checks": {
                name: {"result": c.outcome, "p": c.p, "why": c.why.of(language), **c.values}
                for name, c in self.checks.items()
            },
            "models": [
                {"name": m.name, "estimate": m.estimate, "relative": m.relative, "se": m.se, "p": m.p, **m.values}
                for m in self.models
            ],
            **self.values,
            "reasons": [reason.of(language) for reason in self.reasons],
            "verdict": self.verdict,
        }  # fmt: skip


def decide(
    estimate: float,
    p: float,
    checks: dict[str, Check],
    *,
    lower_is_better: bool = False,
    level: float = LEVEL,
) -> str:
    """Return the verdict: not evaluable when a check failed, an effect when `p` < `level`, else none shown."""
    if any(check.outcome == "fail" for check in checks.values()):
        return NOT_EVALUABLE
    if not p < level:
        return NOTHING_SHOWN
    return "effet positif" if (estimate > 0) != lower_is_better else "effet négatif"


def unevaluable(method: str, missing: Iterable[Text], checks: dict[str, Check] | None = None) -> Finding:
    """Return the finding of a study whose checks cannot run: no figure, and what is missing."""
    return Finding(method, NOT_EVALUABLE, reasons=tuple(missing), checks=checks or {})
