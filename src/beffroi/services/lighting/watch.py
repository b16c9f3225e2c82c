"""What a cabinet's load curve says of its lamps: one that died, one that burns by day, a contactor stuck, a wrong clock.

Each night is one number: the load while everything should burn, over the load that the stock says. A lamp that dies
lowers it at once and for good; the voltage drifts slowly, and alike for neighbours. So the last two nights are compared
with the nights before (their median), the same difference of the neighbours is taken away (its median), and a loss is
said when the mean of both is more than 0.6 of a lamp and each more than 0.3. What a cabinet's own scatter hides is not
guessed: the service says from how many lamps on it can know.
"""

from collections.abc import Sequence
from typing import Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

__all__ = [
    "Cabinet",
    "Finding",
    "Night",
    "Watch",
    "dead_lamps",
    "night_levels",
    "nights_seen",
    "watch_cabinet",
]

Kind = Literal["dead_lamp", "day_burner", "stuck_on", "wrong_clock", "dark"]
Floats = NDArray[np.float64]

BEFORE = 7  # nights that make the level before
LEAST = 4  # of them that must be known
_MEAN, _EACH = 0.6, 0.3  # shares of one lamp
_SURE = 5.0  # scatters of the statistic that a loss must weigh
_LOST, _ALONE = (
    3.0,
    8.0,
)  # a lamp of fewer scatters is lost in the noise: then a loss must weigh as many as that
_EDGE_S = 1800.0  # around an edge the load is not settled
_DAY_MARGIN_S = 5400.0
_DARK = 0.02  # of the load: below, nothing burns
_COMPLETE = 0.6  # share of the slots that a night must have
_APART_S = 2700.0
_CLOCK_S = 2100.0  # an edge earlier or later than that is a wrong clock: sunset and photocells differ by less


class Cabinet(msgspec.Struct, frozen=True):
    """What the stock says of a cabinet: its lamps' power with their gear (W each), and what burns beside them (W)."""

    code: str
    lamps: tuple[float, ...]
    base_w: float = 0.0

    @property
    def full_w(self) -> float:
        """The load when everything burns."""
        return sum(self.lamps)

    @property
    def one_w(self) -> float:
        """What one lamp weighs (the median one)."""
        return float(np.median(self.lamps)) if self.lamps else 0.0


class Night(msgspec.Struct, frozen=True):
    """One night: when it should begin and end (seconds since 1970), and the spans of constant level inside it, as
    (start, end, level)."""

    on: float
    off: float
    spans: tuple[tuple[float, float, float], ...]


class Finding(msgspec.Struct, frozen=True):
    """Something wrong since a night (its number), how much (lamps, or minutes of a clock), until when."""

    kind: Kind
    night: int
    amount: float
    found: int  # the night at whose end it was known
    last: int  # the last night on which it was so


class Watch(msgspec.Struct, frozen=True, eq=False):
    """What is known of a cabinet. `least` is from how many lamps lost on it can be known, None when nothing can;
    `why` says so in a word: ok, no_lamps, too_short, gaps."""

    level: Floats  # a night's load over that of the stock, NaN when not known
    findings: tuple[Finding, ...]
    least: int | None
    why: str


def night_levels(seconds: Floats, watts: Floats, cabinet: Cabinet, nights: Sequence[Night]) -> Floats:
    """Return each night's load over the stock's, NaN where too few slots are known.

    `seconds` are the starts of the slots, in order; slots near an edge or a step of the program are left out.
    """
    found = np.full(len(nights), np.nan)
    step = float(np.median(np.diff(seconds))) if len(seconds) > 1 else 1800.0
    for number, night in enumerate(nights):
        load = wanted = 0.0
        have = could = 0.0
        for start, end, level in night.spans:
            first, last = start + _EDGE_S, end - _EDGE_S
            if level <= 0 or last - first < step:
                continue
            a, b = np.searchsorted(seconds, (first, last - step), side="left")
            could += (last - first) / step
            part = watts[a:b]
            part = part[np.isfinite(part)]
            have += len(part)
            load += float(part.sum()) - cabinet.base_w * len(part)
            wanted += level * cabinet.full_w * len(part)
        if wanted > 0 and could >= 1 and have >= _COMPLETE * could - 1:
            found[number] = load / wanted
    return found


def _moves(level: Floats) -> tuple[Floats, Floats]:
    """Return how much each night and the one after it differ from the median of those before, per cabinet (rows)."""
    count = level.shape[1]
    first, second = np.full(level.shape, np.nan), np.full(level.shape, np.nan)
    if count < LEAST + 2:
        return first, second
    padded = np.concatenate([np.full((level.shape[0], BEFORE), np.nan), level], axis=1)
    window = np.lib.stride_tricks.sliding_window_view(padded, BEFORE, axis=1)[:, :count]
    enough = np.isfinite(window).sum(2) >= LEAST
    with np.errstate(all="ignore"):
        before = np.where(enough, _median(window), np.nan)
        first = level - before
        second[:, :-1] = level[:, 1:] - before[:, :-1]
    return first, second


def _median(window: Floats) -> Floats:
    """Return the median of the known values of each window; NaN where there are none (`nanmedian` is slower by ten)."""
    ordered = np.sort(window, axis=-1)  # NaN last
    known = np.isfinite(ordered).sum(-1)
    low = np.take_along_axis(ordered, np.maximum((known - 1) // 2, 0)[..., None], -1)[..., 0]
    high = np.take_along_axis(ordered, np.minimum(known // 2, ordered.shape[-1] - 1)[..., None], -1)[..., 0]
    return np.asarray((low + high) / 2, np.float64)


def dead_lamps(level: Floats, one: float, neighbours: Floats | None = None) -> tuple[list[Finding], float]:
    """Return the losses of lamps seen in the levels of one cabinet, and the scatter of what tells them (share of load).

    `one` is a lamp's share of the load; `neighbours` the levels of other cabinets on the same nights, shape
    (cabinets, nights), whose common move is taken away.
    """
    alone = np.log(np.where(level > _DARK, level, np.nan))[None]
    first, second = _moves(alone)
    if neighbours is not None and len(neighbours) > 1:
        others = _moves(np.log(np.where(neighbours > _DARK, neighbours, np.nan)))
        first, second = first - _common(others[0]), second - _common(others[1])
    a, b = -first[0], -second[0]
    mean = (a + b) / 2
    known = mean[np.isfinite(mean)]
    scatter = 1.4826 * float(np.median(np.abs(known - np.median(known)))) if len(known) >= 5 else float("nan")
    unit = _weighed(one, scatter)
    unit = -np.log1p(-min(unit, 0.9))
    found: list[Finding] = []
    night = 0
    while night < len(mean) - 1:
        lost = mean[night]
        if not (lost > _MEAN * unit and min(a[night], b[night]) > _EACH * unit):
            night += 1
            continue
        lamps = max(1.0, round((1 - float(np.exp(-lost))) / one)) if one > 0 else 0.0
        found.append(Finding("dead_lamp", night, lamps, night + 1, len(mean) - 1))
        night += LEAST + 1  # the level before is made anew
    return found, scatter


def _weighed(one: float, scatter: float) -> float:
    """Return the share of load that a loss must weigh to be said, never less than a lamp's."""
    if not np.isfinite(scatter):
        return one
    return _ALONE * scatter if one < _LOST * scatter else max(one, _SURE * scatter)


def _common(moves: Floats) -> Floats:
    common = _median(moves.T)
    return np.where(np.isfinite(common), common, 0.0)


def watch_cabinet(
    seconds: Floats,
    watts: Floats,
    cabinet: Cabinet,
    nights: Sequence[Night],
    neighbours: Floats | None = None,
) -> Watch:
    """Return everything that the curve of one cabinet says."""
    level = night_levels(seconds, watts, cabinet, nights)
    if not cabinet.lamps:
        return Watch(level, (), None, "no_lamps")
    known = int(np.isfinite(level).sum())
    if known < LEAST + 2:
        return Watch(level, (), None, "gaps" if len(nights) >= LEAST + 2 else "too_short")
    one = cabinet.one_w / cabinet.full_w
    lost, scatter = dead_lamps(level, one, neighbours)
    mended, _ = dead_lamps(_upside_down(level), one, None if neighbours is None else _upside_down(neighbours))
    lost = [_until(loss, mended) for loss in lost]
    least = max(1, int(np.ceil(_weighed(one, scatter) / one - 1e-9))) if np.isfinite(scatter) else None
    others = nights_seen(seconds, watts, cabinet, nights)
    lost = [loss for loss in lost if not _explained(loss, others)]
    return Watch(level, tuple(sorted([*lost, *others], key=lambda f: (f.found, f.kind))), least, "ok")


def _upside_down(level: Floats) -> Floats:
    """Return levels by which a gain is a loss; a dark night says nothing."""
    return 1 / np.where(level > _DARK, level, np.nan)


def nights_seen(seconds: Floats, watts: Floats, cabinet: Cabinet, nights: Sequence[Night]) -> list[Finding]:
    """Return what single nights show, each spell of it once: burning by day, stuck on, dark, a wrong clock."""
    found: dict[Kind, Finding] = {}
    told: list[Finding] = []
    for number, night in enumerate(nights):
        following = nights[number + 1].on if number + 1 < len(nights) else night.off + 12 * 3600
        now = dict(_of_night(seconds, watts, cabinet, night, following))
        for kind, amount in now.items():
            begun = found.get(kind)
            found[kind] = Finding(
                kind, begun.night if begun else number, amount, begun.found if begun else number, number
            )
        told += [found.pop(kind) for kind in list(found) if kind not in now]
    return [*told, *found.values()]


def _explained(loss: Finding, others: Sequence[Finding]) -> bool:
    """True when the whole cabinet was dark, stuck or early that night: its load says nothing of single lamps."""
    return any(
        o.kind in ("dark", "stuck_on", "wrong_clock") and o.night - 1 <= loss.night <= o.last + 1
        for o in others
    )


def _until(loss: Finding, mended: Sequence[Finding]) -> Finding:
    """Return the loss, over when the load came back as far."""
    back = next((m for m in mended if m.night > loss.night and m.amount >= loss.amount), None)
    return loss if back is None else msgspec.structs.replace(loss, last=back.night - 1)


def _of_night(
    seconds: Floats, watts: Floats, cabinet: Cabinet, night: Night, following: float
) -> list[tuple[Kind, float]]:
    day = _between(seconds, watts, night.off + _DAY_MARGIN_S, following - _DAY_MARGIN_S)
    off = [_between(seconds, watts, a + _EDGE_S, b - _EDGE_S) for a, b, level in night.spans if level <= 0]
    lit = [_between(seconds, watts, a + _EDGE_S, b - _EDGE_S) for a, b, level in night.spans if level > 0]
    said: list[tuple[Kind, float]] = []
    extra = float(np.median(day)) - cabinet.base_w if len(day) >= 3 else 0.0
    cut = float(np.median(np.concatenate(off))) - cabinet.base_w if off and sum(map(len, off)) >= 3 else 0.0
    if max(extra, cut) > 0.5 * cabinet.full_w:
        return [("stuck_on", 0.0)]
    if extra > _MEAN * cabinet.one_w:
        said.append(("day_burner", max(1.0, float(round(extra / cabinet.one_w)))))
    burning = np.concatenate(lit) if lit else np.empty(0)
    if len(burning) >= 3 and float(np.median(burning)) - cabinet.base_w < 0.05 * cabinet.full_w:
        return [*said, ("dark", float(len(cabinet.lamps)))]
    late = _clock(seconds, watts, cabinet, night)
    if late is not None and abs(late) > _CLOCK_S:
        said.append(("wrong_clock", round(late / 60)))
    return said


def _between(seconds: Floats, watts: Floats, start: float, end: float) -> Floats:
    a, b = np.searchsorted(seconds, (start, end), side="left")
    part = watts[a:b]
    return part[np.isfinite(part)]


def _clock(seconds: Floats, watts: Floats, cabinet: Cabinet, night: Night) -> float | None:
    """Return how late the cabinet goes on and off (s, the mean of both): clouds move the two apart, a clock moves both."""
    a, b = np.searchsorted(seconds, (night.on - 3 * 3600, night.off + 3 * 3600), side="left")
    part, at = watts[a:b], seconds[a:b]
    if len(part) < 8 or at[0] - (night.on - 3 * 3600) > 3600 or night.off + 3 * 3600 - at[-1] > 5400:
        return None  # the curve does not hold both edges
    if not np.all(np.isfinite(part)) or float(np.max(np.diff(at))) > 2 * float(np.median(np.diff(at))):
        return None
    burning = part - cabinet.base_w > 0.4 * cabinet.full_w * max(s[2] for s in night.spans)
    changes = np.flatnonzero(np.diff(burning.astype(np.int8)))
    if not len(changes) or burning[0] or burning[-1]:
        return None
    step = float(np.median(np.diff(at)))

    # a slot holds a mean: the edge is somewhere in it
    on, off = (float(at[int(i) + 1]) - step / 2 for i in (changes[0], changes[-1]))
    early, late = on - night.on, off - night.off
    return (
        (early + late) / 2 if abs(early - late) <= _APART_S else None
    )  # both edges move alike, or it is no clock
