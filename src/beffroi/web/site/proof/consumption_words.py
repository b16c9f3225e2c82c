"""Words of consumption: intervals, never one number."""

from starlette.requests import Request

from beffroi.evaluation.sobriety.footprint import Interval
from beffroi.web.kit.page import figures_of, translate
from beffroi.web.site.proof.spending import Spent

__all__ = ["facts_of", "interval", "outputs_of"]


def interval(request: Request, value: Interval | None, unit: str) -> str:
    """Return `0,4 à 12 kWh`, in grams or watt-hours when it is small."""
    if value is None:
        return "–"
    small = {"kWh": "Wh", "kgCO₂e": "gCO₂e"}
    scale, shown = (1000.0, small[unit]) if value.high < 1 and unit in small else (1.0, unit)
    if value.high * scale < 1e-3:
        return translate(request)("moins de {n}", n=figures_of(request).quantity(0.001, shown))
    return translate(request)(
        "{low} à {high}",
        low=_two(request, value.low * scale),
        high=f"{_two(request, value.high * scale)} {shown}",
    )


def _two(request: Request, value: float) -> str:
    """Return two significant digits: no more is known."""
    return figures_of(request).number(float(f"{value:.2g}"))


def _between(request: Request, low: int, high: int) -> str:
    size = figures_of(request).size
    return size(low) if low == high else translate(request)("{low} à {high}", low=size(low), high=size(high))


def facts_of(request: Request, spent: Spent) -> list[tuple[str, str]]:
    """Return what a service consumed in thirty days."""
    _, figures, u = translate(request), figures_of(request), spent.usage
    return [
        (_("Énergie, en 30 jours"), interval(request, spent.account.energy, "kWh")), (_("CO₂e, en 30 jours"), interval(request, spent.account.carbon, "kgCO₂e")),
        (_("Messages reçus"), figures.number(u.messages)), (_("Octets reçus"), _between(request, round(u.bytes_in.low), round(u.bytes_in.high))),
        (_("Gardé sur le disque"), figures.size(u.bytes_stored)), (_("Pages envoyées"), f"{figures.number(u.readings)} ({figures.size(u.bytes_out)})"),
        (_("Capteurs et compteurs"), figures.number(u.sensors)),
    ]  # fmt: skip


def outputs_of(request: Request, spent: Spent) -> list[tuple[str, str]]:
    """Return what one useful output consumed."""
    _, figures = translate(request), figures_of(request)
    return [
        (_("Par {output} ({n} en 30 jours)", output=title, n=figures.number(count)),
         f"{interval(request, energy, 'kWh')}, {interval(request, carbon, 'kgCO₂e')}" if energy is not None else _("aucun : rien à rapporter"))
        for title, count, energy, carbon in spent.outputs
    ]  # fmt: skip
