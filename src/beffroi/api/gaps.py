"""`/api/datastreams/{id}/gaps`: the ledger of what is missing in a datastream, as JSON or CSV (`.csv`).

GET /api/datastreams/12/gaps?start=2026-01-01T00:00:00Z&end=…&limit=1000&skip=0
"""

import csv
import io
from typing import Any

from anyio import to_thread
from sqlalchemy import select
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from beffroi.model.instant import format_instant, parse_instant
from beffroi.model.principal import ANONYMOUS
from beffroi.model.problem import NotFound, Problem
from beffroi.model.text import Text
from beffroi.standards.sensorthings.entities import BY_NAME
from beffroi.standards.sensorthings.sight import sight_of
from beffroi.store.cadence import intervals
from beffroi.store.ledger import Gap, gaps
from beffroi.store.tables import datastream
from beffroi.town import Town

__all__ = ["ROUTES"]

MOST = 10_000
REASONS = {
    "silence": Text("silence", "silence"), "partial": Text("reçu en partie, plus tard", "came late in part"),
    "late": Text("reçu plus tard", "came late"),
}  # fmt: skip


def _read(request: Request) -> tuple[list[Gap] | None, int | None]:
    town: Town = request.app.state.town
    number = request.path_params["id"]
    sight = sight_of(getattr(request.state, "who", ANONYMOUS))
    start, end, limit, skip = _asked(request)
    with town.store.read() as connection:
        shown = select(datastream.c.id).where(
            datastream.c.id == number, *sight.of(BY_NAME["Datastream"], datastream)
        )
        if connection.execute(shown).first() is None:
            raise NotFound(
                Text(f"Datastream {number} n'existe pas, ou pas pour vous.", f"There is no Datastream {number}, or not for you."),
                Text("Vérifiez l'identifiant, ou votre clé.", "Check the id, or your key."), place="id",
            )  # fmt: skip
        found = gaps(connection, number, town.clock(), start, end, limit=limit, offset=skip)
        return found, intervals(connection, [number]).get(number)


def _asked(request: Request) -> tuple[int | None, int | None, int, int]:
    query = request.query_params

    def instant(name: str) -> int | None:
        try:
            return parse_instant(query[name].replace(" ", "+")) if query.get(name) else None
        except Problem as problem:
            raise problem.at(name) from problem

    def number(name: str, default: int) -> int:
        text = query.get(name, str(default))
        if text.isascii() and text.isdigit() and len(text) < 10:
            return int(text)
        raise Problem(Text(f"« {name} » est un nombre entier.", f"'{name}' is a whole number."),
                      Text(f"Écrivez par exemple {name}=100.", f"Write for example {name}=100."), place=name)  # fmt: skip

    return instant("start"), instant("end"), min(number("limit", 1_000), MOST), number("skip", 0)


def _told(one: Gap) -> dict[str, Any]:
    return {
        "from": format_instant(one.from_us), "to": None if one.to_us is None else format_instant(one.to_us),
        "expected": one.expected, "received": one.received, "missing": one.expected - one.received, "reason": one.reason,
        "filled": None if one.filled_us is None else format_instant(one.filled_us),
    }  # fmt: skip


async def as_json(request: Request) -> Response:
    """Answer the gaps of a datastream, newest first; `irregular` true: it has no ledger."""
    found, interval = await to_thread.run_sync(_read, request)
    body = {
        "datastream": request.path_params["id"], "irregular": found is None,
        "expectedInterval": None if interval is None else f"PT{interval / 1e6:g}S", "value": [_told(one) for one in found or ()],
    }  # fmt: skip
    return JSONResponse(body)


async def as_csv(request: Request) -> Response:
    """Answer the gaps as a file for office tools: `;`, UTF-8 with its mark."""
    found, _interval = await to_thread.run_sync(_read, request)
    out = io.StringIO()
    writer = csv.writer(out, delimiter=";", lineterminator="\r\n")
    writer.writerow(("de", "a", "attendues", "recues", "manquantes", "motif", "completee"))
    for one in found or ():
        told = _told(one)
        writer.writerow([told["from"], told["to"] or "", one.expected, one.received, told["missing"], REASONS[one.reason].fr,
                         told["filled"] or ""])  # fmt: skip
    name = f"lacunes-{request.path_params['id']}.csv"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(
        b"\xef\xbb\xbf" + out.getvalue().encode(), media_type="text/csv; charset=utf-8", headers=headers
    )


ROUTES: list[BaseRoute] = [
    Route("/api/datastreams/{id:int}/gaps", as_json),
    Route("/api/datastreams/{id:int}/gaps.csv", as_csv),
]
