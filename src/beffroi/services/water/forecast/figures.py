"""What the kept verification says of a station: skill, onsets, lead time, reliability, by lead."""

from collections.abc import Iterable, Sequence

import msgspec

from beffroi.store.record import Query, Row
from beffroi.town import Town

__all__ = ["Leadline", "leadlines"]

_BINS = ("below", "lower", "upper", "above")
EXPECTED = (
    0.05,
    0.45,
    0.45,
    0.05,
)  # of a reliable forecast: its interval holds nine in ten, half of them under the median


class Leadline(msgspec.Struct, frozen=True):
    """One lead of one station. Shares are of 1, None when nothing can be said yet."""

    lead_h: int
    hours: int
    skill: float | None
    coverage: float | None
    shares: tuple[float, ...]
    observed: int
    hits: int
    false: int

    @property
    def pod(self) -> float | None:
        """Probability of detection of onsets."""
        return self.hits / self.observed if self.observed else None

    @property
    def far(self) -> float | None:
        """False alarm ratio of onsets."""
        said = self.hits + self.false
        return self.false / said if said else None


def leadlines(town: Town, station_id: int) -> tuple[list[Leadline], float | None, int]:
    """Return the figures of each lead over all that was ever checked, the mean lead time of the onsets that came (h, 0 for one
    missed), and how many came."""
    scores = list(town.store.records.all("forecast_score", Query(where={"station": station_id})))
    events = list(town.store.records.all("forecast_event", Query(where={"station": station_id})))
    lines = [_line(lead, [s for s in scores if s.values["lead_h"] == lead], events) for lead in sorted({s.values["lead_h"] for s in scores})]  # fmt: skip
    came = [e.values["lead_h"] for e in events if e.values["outcome"] != "false"]
    return lines, (sum(came) / len(came) if came else None), len(came)


def _line(lead: int, scores: Sequence[Row], events: Iterable[Row]) -> Leadline:
    def total(name: str) -> float:
        return float(sum(s.values[name] for s in scores))

    hours, still = int(total("hours")), total("still_squares")
    shares = tuple(total(b) / hours for b in _BINS) if hours else ()
    tried = [e.values for e in events if lead in e.values["tried"]]
    came = [v for v in tried if v["outcome"] != "false"]
    return Leadline(
        lead, hours, 1 - total("squares") / still if still > 0 else None, shares[1] + shares[2] if shares else None, shares,
        len(came), sum(lead in v["leads"] for v in came), sum(v["outcome"] == "false" and lead in v["leads"] for v in tried),
    )  # fmt: skip
