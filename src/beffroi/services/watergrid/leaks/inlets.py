"""How an area fed by several inlets shares its inflow among them: use follows its week, a leak shifts the share.

With two sources the heads are given, so which inlet a cubic metre comes from depends on where it is drawn. All users
together draw where they always do, and the share of each inlet follows the hour of the week, the total and what is pumped
out of the area. A leak draws at one place: the share moves by a part of its flow, the nearer to one inlet the more. What a
cold day or a holiday adds to the use, twenty times what a young leak draws, hardly moves it. Learnt on a year without new
leaks; each day then gives, for each inlet but one, how far its share is from what was expected, in m³/h, by the weights of
least noise over the hours of the day. A leak that draws as its neighbours do (half way between the inlets) moves nothing:
the flow itself then remains.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

__all__ = ["Sharing", "learn_sharing", "pumped", "shifts"]

Array = NDArray[np.float64]
_BINS = 12  # a day is weighed by spans of two hours
_FEWEST = 0.6  # share of the samples of a span, and of the spans of a day, below which they say nothing
_ROUNDS = 8
_SHRUNK = 0.03
_ECHO = 0.45


@dataclass(frozen=True)
class Sharing:
    """What is learnt of an area: for each inlet but the last, its share of each sample of the week and its corrections."""

    scale: float  # mean inflow, m³/h
    share: Array  # channels × (7 · samples)
    corrections: Array  # channels × columns
    covariance: Array  # channels × spans × spans
    centre: Array  # channels × spans
    sigma: Array  # channels, m³/h: noise of a day
    echo: Array  # channels: correlation of two days on end
    cache: dict[tuple[int, bytes], Array] = field(default_factory=dict, compare=False)


def learn_sharing(
    inlets: Array, exits: Array, weekday: NDArray[np.int64], loss: Array, angle: Array
) -> Sharing | None:
    """Learn from days × samples × meters, m³/h, and the daily losses. Return None where there is one inlet only."""
    channels = inlets.shape[2] - 1
    if channels < 1:
        return None
    inflow = _use(inlets, exits, loss)
    scale = float(np.nanmean(inflow))
    slot = _slots(weekday, inflow.shape[1])
    fitted = [_fit(_contrast(inlets, k), inflow, exits, slot, scale, angle) for k in range(channels)]
    spans = [
        _spans(_rest(_contrast(inlets, k), inflow, exits, slot, scale, angle, *fitted[k]))
        for k in range(channels)
    ]
    centre = np.array([np.nanmean(s, axis=0) for s in spans])
    covariance = np.array([_shrunk(s) for s in spans])
    found = Sharing(
        scale, np.array([f[0] for f in fitted]), np.array([f[1] for f in fitted]), covariance, centre,
        np.ones(channels), np.zeros(channels),
    )  # fmt: skip
    daily = shifts(found, inlets, exits, weekday, loss, angle)
    freed = np.sqrt(
        len(inflow) / max(len(inflow) - 7, 1)
    )  # each weekday has its own share: it follows its noise
    sigma = np.nanstd(daily, axis=0) * freed
    pairs = np.isfinite(daily[1:]).all(axis=1) & np.isfinite(daily[:-1]).all(axis=1)
    echo = [float(np.corrcoef(daily[1:][pairs, k], daily[:-1][pairs, k])[0, 1]) for k in range(channels)]
    return Sharing(
        scale, found.share, found.corrections, covariance, centre, np.maximum(sigma, 1e-3), np.clip(echo, 0.0, _ECHO)
    )  # fmt: skip


def pumped(learnt: Sharing, exits: Array) -> Array:
    """Return what left the area each day, weighed as the first share is, days × exits, m³/h."""
    weights = _weights(learnt, 0, np.ones(learnt.centre.shape[1], dtype=bool))
    columns = [np.nan_to_num(_spans(exits[:, :, j])) @ weights for j in range(exits.shape[2])]
    return np.stack(columns, axis=1) if columns else np.empty((len(exits), 0))


def _use(inlets: Array, exits: Array, loss: Array) -> Array:
    """Return what users draw: losses do not follow the week."""
    found: Array = inlets.sum(axis=2) - exits.sum(axis=2) - np.nan_to_num(loss)[:, None]
    return found


def shifts(
    learnt: Sharing, inlets: Array, exits: Array, weekday: NDArray[np.int64], loss: Array, angle: Array
) -> Array:
    """Return how far each share is from what was expected, days × channels, m³/h; NaN where a day says too little."""
    inflow = _use(inlets, exits, loss)
    slot = _slots(weekday, inflow.shape[1])
    found = np.full((len(inflow), len(learnt.share)), np.nan)
    for k in range(len(learnt.share)):
        rest = _rest(
            _contrast(inlets, k),
            inflow,
            exits,
            slot,
            learnt.scale,
            angle,
            learnt.share[k],
            learnt.corrections[k],
        )
        for day, spans in enumerate(_spans(rest) - learnt.centre[k]):
            seen = np.isfinite(spans)
            if seen.mean() >= _FEWEST:
                found[day, k] = _weights(learnt, k, seen) @ spans[seen]
    return found


def _weights(learnt: Sharing, channel: int, seen: NDArray[np.bool_]) -> Array:
    key = (channel, seen.tobytes())
    if key not in learnt.cache:
        solved = np.linalg.solve(learnt.covariance[channel][np.ix_(seen, seen)], np.ones(int(seen.sum())))
        learnt.cache[key] = solved / solved.sum()
    return learnt.cache[key]


def _slots(weekday: NDArray[np.int64], samples: int) -> NDArray[np.int64]:
    return (weekday % 7)[:, None] * samples + np.arange(samples)


def _contrast(inlets: Array, channel: int) -> Array:
    """Return what one inlet gives more than the others do on average."""
    others = (inlets.sum(axis=2) - inlets[:, :, channel]) / (inlets.shape[2] - 1)
    found: Array = inlets[:, :, channel] - others
    return found


def _columns(
    inflow: Array, exits: Array, slot: NDArray[np.int64], scale: float, angle: Array, share: Array
) -> Array:
    """Return what bends the share besides the hour of the week: pumping, head loss that grows with flow, the hour, the season."""
    samples = inflow.shape[1]
    q = inflow / scale
    hour = np.broadcast_to(2 * np.pi * np.arange(samples) / samples, q.shape)
    part = share[slot]
    columns = [np.ones_like(q), q * q, q**3, part, part * q * q]
    columns += [turn(k * hour) for k in (1, 2) for turn in (np.sin, np.cos)]
    columns += [np.broadcast_to(turn(angle)[:, None], q.shape) for turn in (np.sin, np.cos)]
    for j in range(exits.shape[2]):
        out = exits[:, :, j] / scale
        columns += [out, out * q, (out > 0.01).astype(float)]
    return np.stack(columns, axis=-1)


def _fit(
    contrast: Array, inflow: Array, exits: Array, slot: NDArray[np.int64], scale: float, angle: Array
) -> tuple[Array, Array]:
    """Return the share of each sample of the week and the corrections, by turns, least squares both."""
    good = np.isfinite(contrast) & np.isfinite(inflow) & np.isfinite(exits).all(axis=2)
    q, y, at = inflow[good] / scale, contrast[good] / scale, slot[good]
    count = int(slot.max()) + 1
    power = np.bincount(at, q * q, count)
    share: Array = np.zeros(count)
    rest = np.asarray(y)
    corrections: Array = np.zeros(0)
    for _ in range(_ROUNDS):
        share = np.bincount(at, rest * q, count) / np.maximum(power, 1e-9)
        columns = _columns(inflow, exits, slot, scale, angle, share)[good]
        normal = columns.T @ columns
        normal[np.diag_indices_from(normal)] *= 1 + 1e-9
        solved = np.linalg.lstsq(normal, columns.T @ (y - share[at] * q), rcond=None)[0]
        corrections = np.asarray(solved, dtype=np.float64)
        rest = np.asarray(y - columns @ corrections, dtype=np.float64)
    return share, corrections


def _rest(
    contrast: Array, inflow: Array, exits: Array, slot: NDArray[np.int64], scale: float, angle: Array, share: Array, corrections: Array
) -> Array:  # fmt: skip
    expected = share[slot] * inflow / scale + _columns(inflow, exits, slot, scale, angle, share) @ corrections
    rest: Array = contrast - scale * expected
    return rest


def _spans(rest: Array) -> Array:
    """Return the mean of each span of a day, NaN where too little of it is known."""
    bins = _BINS if rest.shape[1] % _BINS == 0 else 1
    parts = rest.reshape(len(rest), bins, -1)
    seen = np.isfinite(parts)
    count = seen.sum(axis=2)
    mean = np.where(seen, parts, 0.0).sum(axis=2) / np.maximum(count, 1)
    return np.where(count >= _FEWEST * parts.shape[2], mean, np.nan)


def _shrunk(spans: Array) -> Array:
    whole = spans[np.isfinite(spans).all(axis=1)]
    covariance = np.atleast_2d(np.cov(whole.T))
    covariance[np.diag_indices_from(covariance)] *= 1 + _SHRUNK
    covariance[np.diag_indices_from(covariance)] += 1e-6
    return covariance
