"""`/alarmes` and `/alarmes/{id}`: what asks for someone, and what people do about it."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from beffroi.model.instant import DAY_US, HOUR_US, parse_instant
from beffroi.model.observation import Quality
from beffroi.model.principal import Principal
from beffroi.model.problem import Forbidden, NotFound, Problem, Unauthorised
from beffroi.model.text import Text
from beffroi.rules import alarms, outbox
from beffroi.rules.reading import read_rule
from beffroi.rules.watching import read_series
from beffroi.store.record import Page, Query, Row
from beffroi.town import Town
from beffroi.web.kit.chart import Plot, Threshold
from beffroi.web.kit.page import (
    figures_of,
    language_of,
    principal_of,
    render,
    translate,
    with_query,
    words_of,
)
from beffroi.web.kit.table import Cell, Column, Pager
from beffroi.web.kit.table import Row as Line
from beffroi.web.site.data.desk import author_names, labels_of
from beffroi.web.site.trace import traces
from beffroi.web.site.watch.limits import limits_of
from beffroi.web.site.watch.naming import name_of

__all__ = ["ROUTES", "alarm_line", "columns_of", "state_words"]

PAGE = 50
VIEWS = {"ouvertes": "open", "a-voir": "unseen", "terminees": "over", "toutes": "all"}


class Event(msgspec.Struct, frozen=True):
    """One line of an alarm's history."""

    at_us: int
    what: str
    author: str
    reason: str


def _town(request: Request) -> Town:
    town: Town = request.app.state.town
    return town


def state_words(request: Request) -> dict[str, str]:
    """Return the words of an alarm's states."""
    _ = translate(request)
    return {
        "active": _("à prendre en charge"), "acknowledged": _("prise en charge"),
        "cleared_unacknowledged": _("terminée, non vue"), "cleared": _("terminée"),
    }  # fmt: skip


def columns_of(request: Request, who: Principal) -> list[Column]:
    """Return the columns of a list of alarms."""
    _ = translate(request)
    columns = [
        Column("message", _("Alarme")), Column("severity", _("Gravité"), "severity", sortable=True),
        Column("raised_at", _("Début"), "instant", sortable=True), Column("lasted", _("Durée")),
        Column("peak", _("Extrême")), Column("state", _("État")),
    ]  # fmt: skip
    return [*columns, Column("assignee", _("Confiée à"))] if who.staff else columns


def alarm_line(request: Request, row: Row, states: Mapping[str, str]) -> Line:
    """Return one alarm as a line of a table."""
    values, figures = row.values, figures_of(request)
    over = values["cleared_at"]
    open_ = values["state"] in alarms.OPEN
    end = over if over is not None else _town(request).clock()
    cells = {
        "message": alarms.message_of(values, language_of(request)), "severity": values["severity"] if open_ else values["worst"], "raised_at": values["raised_at"],
        "lasted": figures.duration(max(0, end - values["raised_at"])) if over is not None or open_ else None,
        "peak": None if values["peak"] is None or open_ else figures.quantity(values["peak"], values["unit"] or ""),
        "state": Cell(states[values["state"]]), "assignee": values["assignee"],
    }  # fmt: skip
    return Line(cells, f"/alarmes/{row.id}", str(row.id))


def _view(request: Request) -> str:
    view = request.query_params.get("vue", "ouvertes")
    return view if view in VIEWS else "ouvertes"


def _wish(request: Request, view: str) -> alarms.Wish:
    asked = dict(request.query_params)
    wish = alarms.wish_of({k: asked[k] for k in ("severity", "rule", "thing", "q") if k in asked})
    return msgspec.structs.replace(wish, states=alarms.GROUPS[VIEWS[view]])


def _sort(request: Request, view: str) -> str:
    sort = request.query_params.get("sort", "")
    # alphabetical order of jaune, orange, rouge is their order of severity
    return (
        sort
        if sort.removeprefix("-") in ("severity", "raised_at")
        else "-severity"
        if view == "ouvertes"
        else "-raised_at"
    )


def index(request: Request) -> Response:
    """Answer the list of alarms, open ones first of all, by severity."""
    town, who, view = _town(request), principal_of(request), _view(request)
    wish, sort = _wish(request, view), _sort(request, view)
    query = alarms.query_of(wish, who, limit=PAGE, after=request.query_params.get("after"), sort=sort)
    page = town.store.records.find("alarm", query)
    states, total = state_words(request), town.store.records.count("alarm", query)
    counts = {
        severity: town.store.records.count(
            "alarm", alarms.query_of(alarms.Wish(alarms.OPEN, (severity,)), who)
        )
        for severity in ("rouge", "orange", "jaune")
    }
    asked = "&".join(
        f"{k}={v}" for k, v in request.query_params.items() if k in ("severity", "rule", "thing", "q")
    )
    files = f"state={VIEWS[view]}" + (f"&{asked}" if asked else "")
    return render(
        request, "watch/alarms.html", view=view, views=_tabs(request, view), counts=counts, total=total, wish=wish,
        columns=columns_of(request, who), rows=[alarm_line(request, row, states) for row in page.rows], sort=sort,
        pager=_pager(request, page, total) if page.next or page.previous else None, rules=_rule_names(town, who, language_of(request)),
        exports=[("CSV", f"/api/alarms.csv?{files}"), ("JSON", f"/api/alarms?{files}"), ("Atom", f"/api/alarms.atom?{files}")],
        done=_done(request),
    )  # fmt: skip


def _tabs(request: Request, view: str) -> list[tuple[str, str, bool]]:
    _ = translate(request)
    names = {
        "ouvertes": _("Ouvertes"),
        "a-voir": _("À voir"),
        "terminees": _("Terminées"),
        "toutes": _("Toutes"),
    }
    return [
        (words, with_query(request, vue=name, after=None, fait=None, n=None), name == view)
        for name, words in names.items()
    ]


def _pager(request: Request, page: Page, total: int) -> Pager:
    start = request.query_params.get("n0", "0")
    first = int(start) if start.isdigit() and len(start) < 10 else 0
    following = with_query(request, after=page.next, n0=first + PAGE) if page.next else ""
    before = with_query(request, after=page.previous, n0=max(0, first - PAGE)) if page.previous else ""
    return Pager(first + 1, first + len(page.rows), total, before, following)


def _rule_names(town: Town, who: Principal, language: str) -> list[tuple[str, str]]:
    if not (who.staff or who.role == "elu"):
        return []
    rows = town.store.records.find("rule", Query(sort="name", limit=500)).rows
    return [(str(row.id), name_of(town, row, language)) for row in rows]


def _done(request: Request) -> tuple[int, int] | None:
    """Return (change set, how many) of the bulk action that led here."""
    made, n = request.query_params.get("fait", ""), request.query_params.get("n", "")
    return (int(made), int(n)) if made.isdigit() and n.isdigit() and len(made) < 16 and len(n) < 6 else None


async def bulk(request: Request) -> Response:
    """Take the ticked alarms in charge, together."""
    form = await request.form()
    numbers = [int(v) for v in form.getlist("row") if isinstance(v, str) and v.isdigit() and len(v) < 16]
    if not numbers:
        raise Problem(Text("Aucune alarme n'est cochée.", "No alarm is ticked."),
                      Text("Cochez au moins une ligne, puis recommencez.", "Tick at least one line, then try again."))  # fmt: skip
    rows, change_set = await run_in_threadpool(
        alarms.acknowledge, _town(request).store, numbers, principal_of(request)
    )
    return RedirectResponse(f"/alarmes?fait={change_set}&n={len(rows)}" if change_set else "/alarmes", 303)


async def undo(request: Request) -> Response:
    """Take back a change set of one's own."""
    number = str((await request.form()).get("change_set", ""))
    if not number.isdigit() or len(number) > 15:
        raise NotFound(Text("Il n'y a rien à annuler.", "There is nothing to undo."))
    await run_in_threadpool(alarms.undo, _town(request).store, int(number), principal_of(request))
    return RedirectResponse("/alarmes", 303)


# --- one alarm


def one(request: Request) -> Response:
    """Answer one alarm: what, since when, the chart around it, what was done."""
    town, who = _town(request), principal_of(request)
    row = alarms.get(town.store, request.path_params["id"], who)
    values = row.values
    with town.store.read() as c:
        series = (
            read_series(c, [values["datastream_id"]]).get(values["datastream_id"])
            if values["datastream_id"]
            else None
        )
    try:
        rule = town.store.records.get("rule", values["rule"], deleted=None)
    except NotFound:
        rule = None
    plot = _plot(town, row, rule, request) if series is not None and (series.public or who.staff) else None
    return render(
        request, "watch/alarm.html", said=alarms.message_of(values, language_of(request)),
        rule_title=name_of(town, rule, language_of(request)) if rule is not None else "", row=row, alarm=values, state=state_words(request)[values["state"]], series=series,
        rule=rule, plot=plot, open=values["state"] in alarms.OPEN, unseen=values["state"] in alarms.UNSEEN,
        record=_record_of(row), named=_name_of(request, row), events=_events(request, row) if who.staff else [],
        actions=outbox.of_alarm(town.store, row.id) if who.staff else [], comments=_comments(values) if who.staff else [],
        severity=values["severity"] if values["state"] in alarms.OPEN else values["worst"],
    )  # fmt: skip


def _record_of(row: Row) -> str:
    parts = str(row.values["subject"]).split(":")
    return f"/donnees/{parts[1]}/{parts[2]}" if parts[0] == "record" and len(parts) == 3 else ""


def _name_of(request: Request, row: Row) -> str:
    """Return what the record that an alarm is about is called, its number when nobody may see it."""
    subject = str(row.values["subject"]).split(":")
    if subject[0] != "record" or len(subject) != 3:
        return ""
    name, number = subject[1], int(subject[2])
    collection = _town(request).store.records.collections.get(name)
    title = "" if collection is None else collection.title.of(language_of(request))
    return f"{title} · {labels_of(request, name, {number}).get(number, f'n° {number}')}"


def _plot(town: Town, row: Row, rule: Row | None, request: Request) -> Plot:
    values, _ = row.values, translate(request)
    end = values["cleared_at"] or town.clock()
    begin = values["began_at"] or values["raised_at"]
    margin = min(max((end - begin) // 2, 6 * HOUR_US), 30 * DAY_US)
    start, stop = begin - margin, min(end + margin, max(end, town.clock()))
    (trace,) = traces(town, values["datastream_id"], start, stop, aside=(Quality.BAD,))
    lines = []
    if rule is not None:
        try:
            lines = limits_of(read_rule(rule.values["yaml"]), values["datastream_id"])
        except Problem:
            lines = []
    number = values["datastream_id"]
    return Plot(
        title=alarms.message_of(values, language_of(request)), start_us=start, end_us=stop, points=trace.points, unit=values["unit"] or "",
        thresholds=tuple(Threshold(limit, _(severity), severity) for limit, severity in lines),
        files=((_("Série"), f"/series/{number}.csv"),),
    )  # fmt: skip


def _comments(values: Mapping[str, Any]) -> list[tuple[int, str, str]]:
    return [(parse_instant(line["at"]), line["who"], line["text"]) for line in values["comments"] or []]


def _events(request: Request, row: Row) -> list[Event]:
    _ = translate(request)
    changes = _town(request).store.records.history("alarm", row.id)
    names = {"system": "Beffroi", **author_names(request, {change.author for change in changes})}
    said, states = [], state_words(request)
    for change in changes:
        words = (
            _("Alarme levée") if change.action == "create" else states.get(str(change.after.get("state")), "")
        )
        if not words and "severity" in change.after:
            words = _("gravité : {severity}", severity=words_of(request).of(change.after["severity"]))
        said.append(
            Event(
                change.at_us, words or _("modifiée"), names.get(change.author, change.author), change.reason
            )
        )
    return said


Doer = Callable[[Any, int, Principal, str], Any]
_MOVES: dict[str, tuple[Doer, str]] = {
    "prendre-en-charge": (
        lambda store, number, who, text: alarms.acknowledge(store, [number], who, text),
        "text",
    ),
    "commenter": (alarms.comment, "text"),
    "confier": (alarms.assign, "assignee"),
    "terminer": (alarms.clear, "text"),
}


def _mover(do: Doer, field: str) -> Callable[[Request], Awaitable[Response]]:
    async def move(request: Request) -> Response:
        number, text = request.path_params["id"], str((await request.form()).get(field, ""))
        await run_in_threadpool(do, _town(request).store, number, principal_of(request), text)
        return RedirectResponse(f"/alarmes/{number}", 303)

    return move


async def retry(request: Request) -> Response:
    """Let a failed action of an alarm run again."""
    number, who, store = request.path_params["id"], principal_of(request), _town(request).store
    if not who.staff:
        raise (Unauthorised if who.id == "anonymous" else Forbidden)(
            Text("Seuls les agents font cela.", "Only staff do this.")
        )
    job = str((await request.form()).get("job", ""))
    await run_in_threadpool(alarms.get, store, number, who)
    mine = {action["id"] for action in await run_in_threadpool(outbox.of_alarm, store, number)}
    if job.isdigit() and int(job[:15]) in mine:
        await run_in_threadpool(outbox.retry, store, int(job), store.clock())
    return RedirectResponse(f"/alarmes/{number}#actions", 303)


ROUTES = [
    Route("/alarmes", index),
    Route("/alarmes", bulk, methods=["POST"]),
    Route("/alarmes/annuler", undo, methods=["POST"]),
    Route("/alarmes/{id:int}", one),
    Route("/alarmes/{id:int}/reessayer", retry, methods=["POST"]),
    *(Route(f"/alarmes/{{id:int}}/{name}", _mover(*made), methods=["POST"]) for name, made in _MOVES.items()),
]
