"""The designs by their names at the command line."""

from collections.abc import Callable

from beffroi.evaluation.impact.differences import differences
from beffroi.evaluation.impact.finding import Finding
from beffroi.evaluation.impact.interrupted import interrupted
from beffroi.evaluation.impact.panel import Panel
from beffroi.evaluation.impact.staggered import staggered
from beffroi.evaluation.impact.synthetic import synthetic
from beffroi.evaluation.impact.synthetic_differences import synthetic_differences
from beffroi.evaluation.impact.weather import before_after
from beffroi.model.text import Text

__all__ = ["METHODS", "SINGLE_SERIES", "WORDS", "study"]

METHODS: dict[str, Callable[..., Finding]] = {
    "did": differences,
    "staggered": staggered,
    "sc": synthetic,
    "sdid": synthetic_differences,
    "its": interrupted,
    "before-after": before_after,
}
SINGLE_SERIES = frozenset({"its", "before-after"})
WORDS: dict[str, Text] = {
    "did": Text("Différence de différences", "Difference-in-differences"),
    "staggered": Text("Adoption par vagues", "Staggered adoption"),
    "sc": Text("Contrôle synthétique", "Synthetic control"),
    "sdid": Text("Différence de différences synthétique", "Synthetic difference-in-differences"),
    "its": Text("Série interrompue", "Interrupted series"),
    "before-after": Text("Avant/après corrigé de la météo", "Weather-adjusted before/after"),
}


def study(method: str, panel: Panel, *, lower_is_better: bool = False) -> Finding:
    """Return the finding of a method by its name."""
    return METHODS[method](panel, lower_is_better=lower_is_better)
