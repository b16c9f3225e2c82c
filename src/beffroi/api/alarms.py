"""`/api/alarms`: alarms as JSON, CSV and an Atom feed; people's moves on them, with a key or a session.

    GET  /api/alarms?state=open&severity=orange,rouge&rule=3&thing=7&start=…&end=…&q=…&limit=100&after=…
    GET  /api/alarms/12
    POST /api/alarms/12/acknowledge|comment|assign|clear   {"text": "…"} or {"assignee": "…"}
    POST /api/alarms/acknowledge {"ids": [1, 2]}  ·  POST /api/alarms/undo {"change_set": 34}

Anyone may read the alarms of public series; names of people and comments are for staff.
"""

import csv
import io
from collections.abc import Awaitable, Callable
from typing import Annotated, Any
from xml.sax.saxutils import escape, quoteattr

import msgspec
from anyio import to_thread
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from beffroi.model.instant import format_instant
from beffroi.model.principal import ANONYMOUS, Principal
from beffroi.model.problem import Problem
from beffroi.model.text import Text
from beffroi.rules import alarms, outbox
from beffroi.rules.words import SEVERITY_WORDS
from beffroi.store.open import Store
from beffroi.store.record import Row
from beffroi.town import Town

__all__ = ["ROUTES"]

MOST = 1000
LARGEST = 64_000
_FEED = Text("Alarmes – {town}", "Alarms – {town}")
_ENTRY = Text("Alerte {word} : {said}", "Alert, {word}: {said}")
_OVER = Text(" Terminée le {at}.", " Over on {at}.")
_COLUMNS = ("id", "state", "severity", "worst", "message", "rule", "thing_id", "datastream_id", "raised_at", "cleared_at",
            "acknowledged_at", "value", "peak", "unit", "territory")  # fmt: skip


Number = Annotated[int, msgspec.Meta(ge=0, lt=2**53)]


class _Move(msgspec.Struct, forbid_unknown_fields=True):
    """What a POST may say."""

    text: str = ""
    assignee: str = ""
    ids: list[Number] = []
    change_set: Number = 0


def _town(request: Request) -> Town:
    town: Town = request.app.state.town
    return town


def _who(request: Request) -> Principal:
    who: Principal = getattr(request.state, "who", ANONYMOUS)
    return who


def _told(row: Row, who: Principal) -> dict[str, Any]:
    told = alarms.seen_by(who, alarms.told(row))
    word = SEVERITY_WORDS[told["severity"]]
    return {**told, "severity_words": {"fr": word.fr, "en": word.en}, "href": f"/alarmes/{row.id}"}


def _limit(request: Request, default: int) -> int:
    word = request.query_params.get("limit", str(default))
    if not (word.isascii() and word.isdigit() and 1 <= int(word[:9]) <= MOST):
        raise Problem(
            Text(f"La limite va de 1 à {MOST}.", f"The limit goes from 1 to {MOST}."), place="limit"
        )
    return int(word)


def _found(request: Request, default: int) -> tuple[list[Row], str | None]:
    wish = alarms.wish_of(request.query_params)
    after = request.query_params.get("after")
    query = alarms.query_of(wish, _who(request), limit=_limit(request, default), after=after)
    page = _town(request).store.records.find("alarm", query)
    return page.rows, page.next


def listed(request: Request) -> Response:
    """Answer the alarms asked for, the newest first."""
    rows, following = _found(request, 100)
    query = alarms.query_of(alarms.wish_of(request.query_params), _who(request))
    body = {
        "count": _town(request).store.records.count("alarm", query),
        "alarms": [_told(row, _who(request)) for row in rows],
        "next": str(request.url.include_query_params(after=following)) if following else None,
    }
    return JSONResponse(body, headers={"Cache-Control": "no-cache"})


def one(request: Request) -> Response:
    """Answer one alarm, its history and, for staff, the actions it made."""
    town, who = _town(request), _who(request)
    row = alarms.get(town.store, request.path_params["id"], who)
    body = _told(row, who)
    if who.staff:
        body["history"] = [
            {"at": format_instant(change.at_us), "author": change.author, "action": change.action, "reason": change.reason,
             "changed": sorted(change.after)}
            for change in town.store.records.history("alarm", row.id)
        ]  # fmt: skip
        body["actions"] = [
            {**{k: v for k, v in job.items() if k != "due_us"}, "due": format_instant(job["due_us"])}
            for job in outbox.of_alarm(town.store, row.id)
        ]
    return JSONResponse(body, headers={"Cache-Control": "no-cache"})


def as_csv(request: Request) -> Response:
    """Answer the alarms as a file for office tools: `;`, decimal comma, UTF-8 with its mark."""
    rows, _ = _found(request, MOST)
    out = io.StringIO()
    out.write("\ufeff")
    writer = csv.writer(out, delimiter=";", lineterminator="\r\n")
    writer.writerow(_COLUMNS)
    for row in rows:
        told = alarms.told(row) | {"message": alarms.message_of(row.values, _language(request))}
        writer.writerow([_cell(told[name]) for name in _COLUMNS])
    headers = {"Content-Disposition": 'attachment; filename="alarmes.csv"', "Cache-Control": "no-cache"}
    return Response(out.getvalue(), media_type="text/csv; charset=utf-8", headers=headers)


def _language(request: Request) -> str:
    return str(getattr(request.state, "language", "fr"))


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return repr(value).replace(".", ",")
    text = str(value)
    return "'" + text if text[:1] in ("=", "+", "-", "@", "\t") else text


def as_atom(request: Request) -> Response:
    """Answer the newest alarms as an Atom feed (RFC 4287)."""
    town = _town(request)
    rows, _ = _found(request, 50)
    home = town.settings.base_url.rstrip("/") or str(request.base_url).rstrip("/")
    updated = format_instant(max((row.updated_us for row in rows), default=town.clock()))
    language = _language(request)
    title = _FEED.of(language, town=town.name)
    lines = [
        '<?xml version="1.0" encoding="utf-8"?>', f'<feed xmlns="http://www.w3.org/2005/Atom" xml:lang="{language}">',
        f"<title>{escape(title)}</title>", f"<id>{escape(home)}/alarmes</id>", f"<updated>{updated}</updated>",
        f"<author><name>{escape(town.name)}</name></author>", f"<link href={quoteattr(home + '/alarmes')}/>",
        f'<link rel="self" type="application/atom+xml" href={quoteattr(home + "/api/alarms.atom")}/>',
    ]  # fmt: skip
    lines += [_entry(row, home, language) for row in rows]
    return Response("\n".join([*lines, "</feed>", ""]), media_type="application/atom+xml; charset=utf-8")


def _entry(row: Row, home: str, language: str) -> str:
    values, place = row.values, f"{home}/alarmes/{row.id}"
    said, word = alarms.message_of(values, language), SEVERITY_WORDS[values["severity"]].of(language)
    title = _ENTRY.of(language, word=word, said=said)
    over = "" if values["cleared_at"] is None else _OVER.of(language, at=format_instant(values["cleared_at"]))
    return (
        f"<entry><id>{escape(place)}</id><title>{escape(_printable(title))}</title>"
        f"<link href={quoteattr(place)}/><updated>{format_instant(row.updated_us)}</updated>"
        f"<published>{format_instant(values['raised_at'])}</published><category term={quoteattr(values['severity'])}/>"
        f"<summary>{escape(_printable(said) + '.' + over)}</summary></entry>"
    )


def _printable(text: str) -> str:
    """Return the text without what XML 1.0 cannot carry."""
    return "".join(char for char in text if char >= " " or char in "\t\n")


# --- moves


async def _said(request: Request) -> _Move:
    """Read the body of a POST. Raises `Problem`."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > LARGEST:
            raise Problem(Text("Le message est trop gros.", "The message is too large."), status=413)
    try:
        return msgspec.json.decode(bytes(body) or b"{}", type=_Move)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        detail = str(error)[:120]
        raise Problem(
            Text(f"Le corps n'est pas compris : {detail}", f"The body is not understood: {detail}"),
            Text('Envoyez par exemple {"text": "…"}.', 'Send for example {"text": "…"}.'), "body",
        ) from error  # fmt: skip


Doer = Callable[[Store, int, Principal, _Move], Row]
_MOVES: dict[str, Doer] = {
    "acknowledge": lambda store, number, who, said: alarms.acknowledge(store, [number], who, said.text)[0][0],
    "comment": lambda store, number, who, said: alarms.comment(store, number, who, said.text),
    "assign": lambda store, number, who, said: alarms.assign(store, number, who, said.assignee),
    "clear": lambda store, number, who, said: alarms.clear(store, number, who, said.text),
}


def _mover(do: Doer) -> Callable[[Request], Awaitable[Response]]:
    async def move(request: Request) -> Response:
        said, who = await _said(request), _who(request)
        row = await to_thread.run_sync(do, _town(request).store, request.path_params["id"], who, said)
        return JSONResponse(_told(row, who))

    return move


async def acknowledge_many(request: Request) -> Response:
    """Take several alarms in charge as one change set."""
    said, who, store = await _said(request), _who(request), _town(request).store
    if not 1 <= len(said.ids) <= MOST:
        raise Problem(Text(f"Donnez de 1 à {MOST} numéros.", f"Give 1 to {MOST} numbers."), place="ids")
    rows, change_set = await to_thread.run_sync(alarms.acknowledge, store, said.ids, who, said.text)
    return JSONResponse({"alarms": [_told(row, who) for row in rows], "change_set": change_set or None})


async def undo(request: Request) -> Response:
    """Take back one's own change set."""
    said, who, store = await _said(request), _who(request), _town(request).store
    rows = await to_thread.run_sync(alarms.undo, store, said.change_set, who)
    return JSONResponse({"alarms": [_told(row, who) for row in rows]})


ROUTES: list[BaseRoute] = [
    Route("/api/alarms", listed),
    Route("/api/alarms.csv", as_csv),
    Route("/api/alarms.atom", as_atom),
    Route("/api/alarms/acknowledge", acknowledge_many, methods=["POST"]),
    Route("/api/alarms/undo", undo, methods=["POST"]),
    Route("/api/alarms/{id:int}", one),
    *(Route(f"/api/alarms/{{id:int}}/{name}", _mover(do), methods=["POST"]) for name, do in _MOVES.items()),
]
