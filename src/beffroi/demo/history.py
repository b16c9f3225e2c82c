"""From the series of a scene to drafts of observations, in the order of time."""

from collections.abc import Iterator, Sequence

from beffroi.demo.catalogue import Line
from beffroi.intake.quality import Flagger
from beffroi.model.observation import Draft, Observation
from beffroi.model.result import Result

__all__ = ["Teller"]


def result_of(value: float, decimals: int) -> Result:
    """Return the result that a sensor with so many decimals sends."""
    text = f"{value:.{decimals}f}"
    return Result(value) if repr(value) == text else Result(float(text), decimals)


class Teller:
    """Tells what the sensors said, flagged as intake flags it."""

    def __init__(self, lines: Sequence[Line], last: dict[int, Observation] | None = None) -> None:
        self._lines = lines
        known = last or {}
        self._flaggers = [Flagger(line.kind, _last(known.get(line.datastream_id))) for line in lines]
        self._told = [_end(known.get(line.datastream_id)) for line in lines]

    def until(self, after_us: int, until_us: int) -> list[tuple[int, Draft]]:
        """Return the drafts in (after, until] with the instant at which each was sent, in that order."""
        found = [
            (sent, number, draft)
            for number in range(len(self._lines))
            for sent, draft in self._drafts(number, after_us, until_us)
        ]
        found.sort(key=lambda one: one[:2])
        return [(sent, draft) for sent, _, draft in found]

    def _drafts(self, number: int, after_us: int, until_us: int) -> Iterator[tuple[int, Draft]]:
        line, judge = self._lines[number], self._flaggers[number].judge
        decimals = line.series.decimals
        for reading in line.series.readings(max(after_us, self._told[number]), until_us):
            quality, why = judge(reading.start_us, reading.value)
            extra = f'{{"parameters":{{"qualityFlag":"{why}"}}}}' if why else None
            sent = reading.start_us if reading.end_us is None else reading.end_us
            self._told[number] = sent
            yield sent, Draft(
                line.datastream_id, reading.start_us, result_of(reading.value, decimals), reading.end_us,
                feature_id=line.feature_id, quality=int(quality), extra=extra,
            )  # fmt: skip


def _last(known: Observation | None) -> tuple[int, float] | None:
    return None if known is None or known.result.value is None else (known.start_us, known.result.value)


def _end(known: Observation | None) -> int:
    return -(2**62) if known is None else known.start_us if known.end_us is None else known.end_us
