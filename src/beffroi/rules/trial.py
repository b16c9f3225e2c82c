"""A rule tried on the history that the store keeps."""

from collections.abc import Iterable

from beffroi.model.observation import Observation
from beffroi.model.problem import Problem
from beffroi.model.text import Text
from beffroi.rules.backtest import Backtest, back_test, moment_of
from beffroi.rules.rule import Rule
from beffroi.rules.watching import read_series, watched
from beffroi.store.open import Store

__all__ = ["try_rule"]


def try_rule(store: Store, rule: Rule, start_us: int | None = None, end_us: int | None = None) -> Backtest:
    """Return what `rule` would have done over [start_us, end_us); by default over all that its series hold.

    Raises `Problem` for a rule about records, whose past is not judged, or one whose series do not exist.
    """
    if rule.watch.collection:
        raise Problem(
            Text("Une règle sur des enregistrements ne s'essaie pas sur le passé.", "A rule about records cannot be tried on the past."),
            Text("Mettez-la en service : elle juge ce qui change à partir de là.", "Switch it on: it judges what changes from then on."),
            "watch",
        )  # fmt: skip
    with store.read() as c:
        catalogue = read_series(c)
    numbers = watched(rule.watch, catalogue)
    if not numbers:
        raise Problem(
            Text("Cette règle ne surveille aucune série.", "This rule watches no series."), place="watch"
        )
    names = {number: name for name, number in rule.watch.series}
    pasts = [(names.get(n, "value"), store.observations.series(n, start_us, end_us)) for n in numbers]
    first, last = _reach(values for _, values in pasts)
    start = first if start_us is None else start_us
    end = last if end_us is None else end_us
    return back_test(rule, pasts, start, max(start, end), together=bool(names))


def _reach(pasts: Iterable[list[Observation]]) -> tuple[int, int]:
    """Return the instants of the first and the last observation."""
    moments = [moment_of(o) for values in pasts if values for o in (values[0], values[-1])]
    return (min(moments), max(moments)) if moments else (0, 0)
