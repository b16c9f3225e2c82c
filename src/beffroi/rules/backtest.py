"""Back-test: the alarms that a rule would have raised over a stretch of history, before it is switched on."""

from collections.abc import Iterable

import msgspec

from beffroi.model.observation import Observation, Quality
from beffroi.rules.condition import SEVERITIES, ranks_of
from beffroi.rules.machine import Machine, Transition
from beffroi.rules.rule import Rule

__all__ = ["Backtest", "Excursion", "back_test", "moment_of", "number_of_observation"]

_BOOLEANS = {"true": 1.0, "false": 0.0}


class Excursion(msgspec.Struct):
    """One alarm that would have been: `end_us` None when still open at the end. `worst` is a severity."""

    start_us: int
    end_us: int | None
    worst: str
    peak: float | None


class Backtest(msgspec.Struct):
    """What a rule would have done. `levels`: how many times each severity was entered from below;
    `open_us`: time spent in alarm; `late`: observations that came out of order and were not judged."""

    count: int
    alarms: list[Excursion]
    levels: dict[str, int]
    open_us: int
    observations: int
    late: int
    start_us: int
    end_us: int


def number_of_observation(observation: Observation) -> float | None:
    """Return the number that rules judge: the value (true is 1, false 0), None when bad or no number."""
    if observation.quality == Quality.BAD:
        return None
    result = observation.result
    return result.value if result.value is not None else _BOOLEANS.get(result.literal or "")


def moment_of(observation: Observation) -> int:
    """Return when an observation speaks: its time, or the end of its interval."""
    return observation.start_us if observation.end_us is None else observation.end_us


def back_test(
    rule: Rule,
    series: Iterable[tuple[str, Iterable[Observation]]],
    start_us: int,
    end_us: int,
    *,
    together: bool = False,
) -> Backtest:
    """Return what `rule` would have done between two instants over `series`: (name, observations).

    Each series is judged apart, as the engine does; `together` judges named ones as one condition. Observations
    are taken as having arrived in time: the order is (time, id).
    """
    machine = rule.machine()
    report = Backtest(0, [], {SEVERITIES[rank]: 0 for rank in ranks_of(rule.when)}, 0, 0, 0, start_us, end_us)
    if together:
        rows = [
            (moment_of(o), o.id, name, number_of_observation(o)) for name, values in series for o in values
        ]
        _run(machine, rows, report)
    else:
        for name, values in series:
            _run(machine, [(moment_of(o), o.id, name, number_of_observation(o)) for o in values], report)
    report.alarms.sort(key=lambda alarm: alarm.start_us)
    report.count = len(report.alarms)
    return report


def _run(machine: Machine, rows: list[tuple[int, int, str, float | None]], report: Backtest) -> None:
    rows.sort(key=lambda row: (row[0], row[1]))
    part = machine.fresh(min(report.start_us, rows[0][0]) if rows else report.start_us)
    observe, made = machine.observe, []
    for at_us, number, name, value in rows:
        made += observe(part, name, at_us, number, value)
    made += machine.advance(part, report.end_us)
    report.observations += len(rows)
    report.late += part.late
    _collect(made, part.peak, report)


def _collect(made: list[Transition], last_peak: float | None, report: Backtest) -> None:
    """Fold transitions into excursions."""
    current: Excursion | None = None
    worst = 0
    for move in made:
        for rank in range(move.before + 1, move.after + 1):
            if SEVERITIES[rank] in report.levels:
                report.levels[SEVERITIES[rank]] += 1
        if current is None:
            current = Excursion(move.at_us, None, "", move.peak)
            report.alarms.append(current)
            worst = 0
        worst = max(worst, move.after)
        current.worst, current.peak = SEVERITIES[worst], move.peak
        if move.after == 0:
            current.end_us = move.at_us
            report.open_us += move.at_us - current.start_us
            current = None
    if current is not None:
        current.peak = last_peak
        report.open_us += max(0, report.end_us - current.start_us)
