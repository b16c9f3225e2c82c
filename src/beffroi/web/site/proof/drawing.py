"""Bars beside figures: drawn by the server, decoration for a number that stands in words beside it."""

from markupsafe import Markup

__all__ = ["bar", "curve"]


def bar(start: float, end: float, low: float, high: float) -> Markup:
    """Return a bar from `start` to `end` on an axis from `low` to `high`, with a line where nothing is."""
    span = (high - low) or 1.0
    x0, x1 = sorted(((start - low) / span * 100, (end - low) / span * 100))
    zero = (0.0 - low) / span * 100
    side = "gain" if end >= start else "loss"
    line = (
        Markup('<line x1="{0:.2f}" x2="{0:.2f}" y1="0" y2="10"/>').format(zero)
        if 0 <= zero <= 100
        else Markup("")
    )
    return Markup(
        '<svg class="bar" viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true"><rect class="{}" x="{:.2f}" y="2" width="{:.2f}" height="6"/>{}</svg>'
    ).format(side, x0, max(x1 - x0, 0.4), line)


def curve(values: tuple[float, ...]) -> Markup:
    """Return a small line of yearly values with its own scale, nothing at its foot."""
    top = max((*values, 0.0)) or 1.0
    step = 200 / max(1, len(values) - 1)
    path = " ".join(
        f"{'M' if n == 0 else 'L'}{n * step:.1f} {190 - value / top * 180:.1f}"
        for n, value in enumerate(values)
    )
    return Markup(
        '<svg class="spark" viewBox="0 0 200 200" preserveAspectRatio="none" aria-hidden="true"><path d="{}"/></svg>'
    ).format(path)
