"""Other channels than the losses of an area that leaks move too, each with a noise of its own.

How the inlets share an inflow is reckoned from the use, and the use from the losses: what chance adds to the losses of a day it
takes from the share (correlation −.6 on L-Town). Judged as if they were independent, the two agree by chance far too often, and
nearly every false file was of that kind. So what a channel has in common with the losses, and with the channels before it, is
taken out of it; a leak keeps one size in each channel, whichever way they are turned.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Others", "parted"]

Array = NDArray[np.float64]
_ECHO = 0.45  # most that two days on end may have in common: above, the noise of days is no longer made independent


@dataclass(frozen=True)
class Others:
    """Other channels than the losses, days × channels in m³/h, with the noise of each.

    `aside` moves them too (what is pumped out), by an amount that leaks change: days × columns. `before` is the learnt period.
    """

    values: Array
    before: Array
    sigma: Array
    echo: Array
    aside: Array
    aside_before: Array


def parted(others: Others, loss: Array, before: Array) -> Others:
    """Return the channels without the noise that they share with the losses and one another, as the learnt period has it.

    `loss` and `before` are the daily losses of the watched and of the learnt period, m³/h.
    """
    now, then = [loss], [before]
    sigma, echo = others.sigma.copy(), others.echo.copy()
    for k in range(len(sigma)):
        design = np.column_stack(then)
        good = np.isfinite(design).all(axis=1) & np.isfinite(others.before[:, k])
        known = design[good] - design[good].mean(axis=0)
        noise = others.before[good, k] - others.before[good, k].mean()
        weights = np.linalg.lstsq(known, noise, rcond=None)[0]
        sigma[k] *= np.std(noise - known @ weights) / max(float(np.std(noise)), 1e-12)
        then.append(others.before[:, k] - design @ weights)
        now.append(others.values[:, k] - np.column_stack(now) @ weights)
        echo[k] = _echo(then[-1])
    return Others(
        np.column_stack(now[1:]), np.column_stack(then[1:]), np.maximum(sigma, 1e-3), echo, others.aside, others.aside_before
    )  # fmt: skip


def _echo(noise: Array) -> float:
    pairs = np.isfinite(noise[1:]) & np.isfinite(noise[:-1])
    return float(np.clip(np.corrcoef(noise[1:][pairs], noise[:-1][pairs])[0, 1], 0.0, _ECHO))
