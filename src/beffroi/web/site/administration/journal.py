"""The audit journal: who did what, and the proof that nobody rewrote it."""

import csv
import io
import json
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from beffroi.identity import keys, people
from beffroi.identity.rights import require_reach
from beffroi.model.instant import format_instant
from beffroi.store.audit import Entry, Fault
from beffroi.store.open import Store
from beffroi.web.kit.page import principal_of, translate, words_of
from beffroi.web.kit.table import Cell, Column, Row
from beffroi.web.site.administration.deeds import deed, details, place_of, subject
from beffroi.web.site.administration.desk import PRIVATE, entry, off_loop, show, store_of

__all__ = ["ROUTES"]

PAGE = 50
_MOST = 10_000  # lines of a file


def _read(store: Store, query: dict[str, str], limit: int) -> list[Entry]:
    at, writer, number = [*query.get("avant", "").split("~", 2), "", ""][:3]
    before = (int(at), writer, int(number)) if at.isdecimal() and number.isdecimal() else None
    with store.read() as connection:
        return store.audit.entries(
            connection, limit=limit, before=before,
            **{name: query.get(name, "")[:100].replace("\0", "\ufffd") for name in ("action", "target", "who")},
        )  # fmt: skip


@entry(admin=True)
async def journal(request: Request) -> Response:
    """Show the journal, newest first."""
    return await _journal(request)


async def _journal(request: Request, verified: tuple[int, list[Fault]] | None = None) -> Response:
    _ = translate(request)
    require_reach(principal_of(request), ())
    store, query = store_of(request), dict(request.query_params)
    found = await off_loop(_read, store, query, PAGE + 1)
    names = {f"user:{p.id}": p.name for p in await off_loop(people.every, store)}
    names |= {f"token:{k.id}": k.name for k in await off_loop(keys.every, store)} | {
        "system": "Beffroi",
        "citizen": _("un habitant"),
        "anonymous": _("sans compte"),
    }
    collections = store.records.collections
    titles = {c.name: c.title for c in collections.values()}
    words, language = words_of(request), request.state.language
    columns = [
        Column("at", _("Quand"), "instant"), Column("who", _("Qui")), Column("action", _("Action")),
        Column("target", _("Sur quoi")), Column("detail", _("Détail")), Column("line", _("Ligne")),
    ]  # fmt: skip
    rows = [
        Row({
            "at": e.at_us, "who": Cell(names.get(e.who) or e.who, href=place_of(e.who)),
            "action": deed(e.action, language),
            "target": Cell(subject(e.target, names, titles, language), href=place_of(e.target)),
            "detail": details(e.detail, words, collections.get(e.target.partition("/")[0])),
            "line": f"{e.writer}/{e.number}",
        })
        for e in found[:PAGE]
    ]  # fmt: skip
    filters = {k: query.get(k, "") for k in ("action", "target", "who")}
    older = ""
    if len(found) > PAGE:
        last = found[PAGE - 1]
        older = "?" + urlencode({**filters, "avant": f"{last.at_us}~{last.writer}~{last.number}"})
    return show(
        request, "journal", columns=columns, rows=rows, older=older, filters=filters, verified=verified,
        csv=f"/administration/journal.csv?{urlencode(filters)}", as_json=f"/administration/journal.json?{urlencode(filters)}",
    )  # fmt: skip


@entry(admin=True)
async def verify(request: Request) -> Response:
    """Recompute every chain of the journal and say what was found."""
    require_reach(principal_of(request), ())
    store = store_of(request)

    def recompute() -> tuple[int, list[Fault]]:
        with store.read() as connection:
            return store.audit.verify(connection)

    return await _journal(request, await off_loop(recompute))


@entry(admin=True)
async def as_file(request: Request) -> Response:
    """Give the journal as CSV or JSON, at most the newest 10,000 lines that match."""
    require_reach(principal_of(request), ())
    found = await off_loop(_read, store_of(request), dict(request.query_params), _MOST)
    lines = [
        {"at": format_instant(e.at_us), "who": e.who, "action": e.action, "target": e.target,
         "detail": e.detail, "writer": e.writer, "number": e.number}
        for e in found
    ]  # fmt: skip
    if request.url.path.endswith(".json"):
        return JSONResponse(lines, headers=PRIVATE)
    text = io.StringIO()
    table = csv.DictWriter(text, ["at", "who", "action", "target", "detail", "writer", "number"])
    table.writeheader()
    table.writerows({**line, "detail": json.dumps(line["detail"], ensure_ascii=False)} for line in lines)
    sent = {**PRIVATE, "Content-Disposition": 'attachment; filename="journal.csv"'}
    return Response(text.getvalue(), headers=sent, media_type="text/csv; charset=utf-8")


ROUTES = [
    Route("/administration/journal", journal, methods=["GET"]),
    Route("/administration/journal", verify, methods=["POST"]),
    Route("/administration/journal.csv", as_file, methods=["GET"]),
    Route("/administration/journal.json", as_file, methods=["GET"]),
]
