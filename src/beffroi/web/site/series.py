"""`/series/{id}`: one datastream as a chart, a table and files."""

import csv
import io
from collections.abc import Callable, Iterator
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from beffroi.model.instant import format_instant
from beffroi.model.observation import Observation, Quality
from beffroi.model.problem import NotFound
from beffroi.model.result import encode_exact
from beffroi.model.text import Text
from beffroi.rules import rulebook
from beffroi.store.ledger import gaps, missing
from beffroi.town import Town
from beffroi.web.kit.chart import Plot, bands, drawn, near_levels
from beffroi.web.kit.packing import packed
from beffroi.web.kit.page import figures_of, language_of, principal_of, render, translate
from beffroi.web.kit.table import Column, Row
from beffroi.web.site.catalogue import Series, find_series, find_station, silent, values_of
from beffroi.web.site.manual_reading import may_read_for
from beffroi.web.site.period import PERIODS, Period, period_of
from beffroi.web.site.retention import keep_words, kept_by
from beffroi.web.site.thresholds import thresholds_of
from beffroi.web.site.trace import Trace, pieces, traces

__all__ = ["ROUTES", "qualities"]

QUALITIES = {
    Quality.GOOD: Text("bonne", "good"),
    Quality.UNCHECKED: Text("non vérifiée", "unchecked"),
    Quality.SUSPECT: Text("douteuse", "suspect"),
    Quality.BAD: Text("mauvaise", "bad"),
    Quality.ESTIMATED: Text("estimée", "estimated"),
}
GAPS = 10
EXPORT_HEAD = ("debut", "fin", "valeur", "unite", "qualite")


def qualities(quality: int, language: str) -> str:
    """Return the word for a quality flag."""
    return QUALITIES[Quality(quality)].of(language)


def _asked(request: Request) -> tuple[Town, Series, Period]:
    town: Town = request.app.state.town
    series = find_series(
        town, principal_of(request), request.path_params["id"], language=language_of(request)
    )
    stat = town.store.observations.stats([series.id]).get(series.id)
    zone = ZoneInfo(town.settings.time_zone)
    last_us = stat.last_us if stat else None
    return town, series, period_of(request.query_params, zone, town.clock(), last_us)


def page(request: Request) -> Response:
    """Answer the page of one series."""
    town, series, period = _asked(request)
    _ = translate(request)
    station = find_station(town, principal_of(request), series.thing_id, language=language_of(request))
    parted = range(len(series.components)) if series.components else ()
    whole, *each = traces(town, series.id, period.start_us, period.end_us, (None, *parted))
    path = f"/series/{series.id}"
    query = "&".join(f"{k}={v}" for k, v in period.query.items())
    plot = Plot(
        title=f"{series.name} – {series.thing}", start_us=period.start_us, end_us=period.end_us, points=whole.points, doubtful=whole.doubtful,
        unit=series.unit, decimals=series.decimals, thresholds=thresholds_of(town, series, station, figures_of(request)),
        data=f"{path}.json?{query}", gap_us=3 * (series.expected_us or 0),
        files=((_("CSV de la période"), f"{path}.csv?{query}"), (_("CSV entier"), f"{path}.csv"),
               (_("JSON"), f"{path}.json?{query}"), (_("SensorThings"), f"/sensorthings/v1.1/{_set(series)}({series.id})/Observations")),
    )  # fmt: skip
    parts = _parts(series, period, each)
    return render(
        request, "site/series.html", series=series, station=station, period=period, plot=plot, periods=PERIODS,
        stat=town.store.observations.stats([series.id]).get(series.id), silent=silent(series, town.clock()),
        quality=qualities(series.last.quality, _language(request)) if series.last and series.doubtful else "",
        trace=whole, parts=parts, seq=town.store.observations.head(),
        lead=_lead(series), by_hand=may_read_for(principal_of(request), series, station.territory), by_rule=rulebook.may_author(principal_of(request)), **_kept(request, town, series), **_lacking(request, town, series),
        **_texts(whole, parts, translate(request)),
    )  # fmt: skip


def _set(series: Series) -> str:
    return "MultiDatastreams" if series.components else "Datastreams"


def _parts(series: Series, period: Period, each: list[Trace]) -> list[dict[str, Any]]:
    """Return a small chart, and the least, mean and greatest value, of each component of a MultiDatastream."""
    query = "&".join(f"{k}={v}" for k, v in period.query.items())
    parts = []
    for i, (component, trace) in enumerate(zip(series.components, each, strict=True)):
        plot = Plot(
            title=f"{component.name} – {series.name}", start_us=period.start_us, end_us=period.end_us, points=trace.points,
            doubtful=trace.doubtful, unit=component.unit, gap_us=3 * (series.expected_us or 0),
            data=f"/series/{series.id}.json?{query}&composante={i}", decimals=_decimals(trace, i),
        )  # fmt: skip
        parts.append({"component": component, "plot": plot, "trace": trace})
    return parts


def _decimals(trace: Trace, component: int) -> int | None:
    """Return how many decimals a component is written with, judged by its newest value."""
    values = values_of(trace.last[-1]) if trace.last else []
    value = values[component] if component < len(values) else None
    if not isinstance(value, float):
        return 0 if isinstance(value, int) else None
    return min(3, len(encode_exact(value).partition(".")[2]))


def _component(request: Request, series: Series) -> int | None:
    """Return the component of a MultiDatastream that is asked for (the first one by default), None for others."""
    if not series.components:
        return None
    asked = request.query_params.get("composante", "0")
    if not asked.isascii() or not asked.isdigit() or len(asked) > 3 or int(asked) >= len(series.components):
        raise NotFound(
            Text("Cette série n'a pas cette composante.", "This series has no such component."),
            Text("Les composantes se comptent à partir de 0.", "Components are counted from 0."), "composante",
        )  # fmt: skip
    return int(asked)


def _kept(request: Request, town: Town, series: Series) -> dict[str, Any]:
    """Return how long the series is kept, what that saved, and whether this reader may change it."""
    keep, gone = kept_by(town, series)
    return {
        "keep": keep_words(request, keep),
        "gone": gone,
        "may_keep": principal_of(request).role == "admin",
    }


def _lacking(request: Request, town: Town, series: Series) -> dict[str, Any]:
    """Return the newest gaps of the series, and how many samples it lacks in all."""
    _ = translate(request)
    with town.store.read() as connection:
        found = gaps(connection, series.id, town.clock(), limit=GAPS)
        lasting, lacked = missing(connection, series.id)
    said = {"silence": _("silence"), "partial": _("reçu en partie, plus tard"), "late": _("reçu plus tard")}
    columns = [
        Column("from", _("De"), "instant"), Column("to", _("À"), "instant"), Column("expected", _("Attendues"), "number", decimals=0),
        Column("received", _("Reçues depuis"), "number", decimals=0), Column("reason", _("Motif")),
    ]  # fmt: skip
    rows = [
        Row({"from": g.from_us, "to": g.to_us, "expected": g.expected, "received": g.received,
             "reason": _("dure encore") if g.to_us is None else said[g.reason]})
        for g in found or ()
    ]  # fmt: skip
    return {
        "regular": found is not None,
        "gap_columns": columns,
        "gap_rows": rows,
        "lasting": lasting,
        "lacked": lacked,
    }


def _lead(series: Series) -> str:
    """Return the description, unless it only says the name in other words' order."""
    words = {w.strip(",.()–-").lower() for w in series.description.split()}
    return "" if words <= {w.strip(",.()–-").lower() for w in series.name.split()} else series.description


def _texts(trace: Trace, parts: list[dict[str, Any]], _: Callable[..., str]) -> dict[str, Any]:
    """Return the table that stands for the chart when the values are words, not numbers."""
    if trace.numbers or not trace.count or parts:
        return {"texts": False}
    columns = [Column("at", _("Date"), "instant"), Column("value", _("Valeur"))]
    rows = [Row({"at": o.start_us, "value": o.result.json().strip('"')}) for o in reversed(trace.last)]
    return {"texts": True, "text_columns": columns, "text_rows": rows}


def _language(request: Request) -> str:
    return figures_of(request).words.language


def as_json(request: Request) -> Response:
    """Answer the points of a period for the chart: seconds and values, gaps as null, thresholds, shaded bands."""
    town, series, period = _asked(request)
    station = find_station(town, principal_of(request), series.thing_id, language=language_of(request))
    component = _component(request, series)
    (trace,) = traces(town, series.id, period.start_us, period.end_us, (component,))
    part = series if component is None else series.components[component]
    points = drawn(trace.points, 3 * (series.expected_us or 0), period.start_us, period.end_us, 700)
    lines = thresholds_of(town, series, station, figures_of(request))
    near = near_levels(lines, [v for _, v in points if v is not None])
    body: dict[str, Any] = {
        "id": series.id, "name": part.name, "thing": series.thing, "unit": figures_of(request).unit_name(part.unit),
        "start": period.start_us / 1e6, "end": period.end_us / 1e6, "decimals": series.decimals,
        "times": [t / 1e6 for t, _ in points], "values": [v for _, v in points],
        "thresholds": [{"value": t.value, "label": t.label, "severity": t.severity, "near": t in near} for t in lines],
        "bands": [[a / 1e6, b / 1e6] for a, b in bands(period.start_us, period.end_us, figures_of(request).zone)],
        "doubtful": [[t / 1e6, v] for t, v in trace.doubtful], "reduced": len(points) < trace.count,
    }  # fmt: skip
    return packed(request, msgspec.json.encode(body), "application/json", 200, {"Cache-Control": "no-cache"})


async def as_csv(request: Request) -> Response:
    """Answer the values as a file that office tools of a town open: `;`, decimal comma, UTF-8 with its mark.

    Times are ISO 8601 UTC; digits are those received. Without a period, the whole series.
    """
    town, series, period = await run_in_threadpool(_asked, request)
    if not {"periode", "du", "au"} & set(request.query_params):
        stat = town.store.observations.stats([series.id]).get(series.id)
        if stat is None or stat.first_us is None or stat.last_us is None:
            raise NotFound(Text("Cette série est vide.", "This series is empty."))
        period = Period(stat.first_us, stat.last_us + 1)

    def lines() -> Iterator[str]:
        out = io.StringIO()
        writer = csv.writer(out, delimiter=";", lineterminator="\r\n")
        yield "\ufeff"
        writer.writerow(_head(series))
        for found in pieces(town, series.id, period.start_us, period.end_us):
            for o in found:
                writer.writerow(_line_of_many(o, series) if series.components else _line(o, series.unit))
            yield out.getvalue()
            out.seek(0)
            out.truncate()

    name = f"serie-{series.id}.csv"
    return StreamingResponse(
        lines(),
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def _head(series: Series) -> tuple[str, ...]:
    """Return the names of the columns: a MultiDatastream has one a component, with its unit."""
    if not series.components:
        return EXPORT_HEAD
    columns = (_cell(f"{c.name} ({c.unit})" if c.unit else c.name) for c in series.components)
    return (*EXPORT_HEAD[:2], *columns, EXPORT_HEAD[4])


def _line_of_many(o: Observation, series: Series) -> list[str]:
    values = [*values_of(o), *[None] * len(series.components)][: len(series.components)]
    cells = []
    for value in values:
        number = isinstance(value, int | float) and not isinstance(value, bool)
        text = "" if value is None else value if isinstance(value, str) else encode_exact(value)
        cells.append(text.replace(".", ",") if number else _cell(text))
    end = "" if o.end_us is None else format_instant(o.end_us)
    return [format_instant(o.start_us), end, *cells, QUALITIES[Quality(o.quality)].fr]


def _cell(text: str) -> str:
    return "'" + text if text[:1] in ("=", "+", "@") else text  # no cell may be read as a formula


def _line(o: Observation, unit: str) -> list[str]:
    value = o.result.json()
    value = value.replace(".", ",") if o.result.value is not None else value.strip('"')
    end = "" if o.end_us is None else format_instant(o.end_us)
    return [format_instant(o.start_us), end, _cell(value), unit, QUALITIES[Quality(o.quality)].fr]


ROUTES: list[BaseRoute] = [
    Route("/series/{id:int}.json", as_json),
    Route("/series/{id:int}.csv", as_csv),
    Route("/series/{id:int}", page, name="series"),
]
