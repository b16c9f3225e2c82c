"""The GeoReport v2 server: /open311/v2 (production) and /open311/test/v2 (the same, but a POST keeps nothing).

    GET  discovery · services · services/CODE · requests · requests/ID · tokens/TOKEN · servicerequestupdates
    POST requests (urlencoded or multipart with `media`) · servicerequestupdates (with a key)

/open311/bulk/requests.csv (GeoReport Bulk) is all of them in one file.

The suffix `.xml` or `.json` decides the format, for errors too. Reading needs no key; what is not public stays so.
"""

from collections.abc import Awaitable, Callable, Iterator
from itertools import islice
from zoneinfo import ZoneInfo

import msgspec
from anyio import to_thread
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from beffroi.identity import territories
from beffroi.model.principal import ANONYMOUS, Principal
from beffroi.model.problem import Forbidden, NotFound, Problem
from beffroi.model.text import Text
from beffroi.services.reports.open311.receiving import (
    Sent,
    receive,
    receive_update,
    unknown_service,
)
from beffroi.services.reports.open311.telling import Teller
from beffroi.services.reports.posted import MOST_BYTES, parts_of
from beffroi.services.reports.submission import DOOR, MOST_PHOTOS
from beffroi.standards.open311 import writing
from beffroi.standards.open311.arguments import RequestQuery, read_bulk, read_query, read_window
from beffroi.standards.open311.bulk import BulkRequest, csv_of
from beffroi.standards.open311.nouns import Discovery, Endpoint, Fault
from beffroi.store.record import Query, Row, Where
from beffroi.town import Town

__all__ = ["ROUTES"]

ROOT = "/open311"
CHANGESET = "2026-11-25T00:00:00Z"  # when what this server offers last changed
_TYPES = {"xml": "text/xml", "json": "application/json"}
Answer = Callable[["Call"], writing.Document]


class Call:
    """One call: the town, who asks, the format, the arguments."""

    def __init__(self, request: Request) -> None:
        self.request = request
        self.town: Town = request.app.state.town
        self.who: Principal = getattr(request.state, "who", ANONYMOUS)
        self.form: str = request.path_params["form"]
        self.arguments = dict(request.query_params.items())
        self.base = self.town.settings.base_url.rstrip("/") or str(request.base_url).rstrip("/")
        self.language: str = getattr(request.state, "language", self.town.settings.language)

    @property
    def teller(self) -> Teller:
        """What tells this caller the records."""
        zone = ZoneInfo(self.town.settings.time_zone)
        return Teller(self.town.store.records, self.who, self.language, zone, self.base)

    @property
    def territory(self) -> str | None:
        """The commune that `jurisdiction_id` names, None for all. Raises `NotFound`."""
        code = self.arguments.get("jurisdiction_id", "").strip()
        if not code:
            return None
        communes = {t.code for t in territories.every(self.town.store)}
        if code in communes:
            return code
        if len(communes) <= 1:
            return None  # one town: whatever clients call it, it is this one
        raise NotFound(
            Text(f"jurisdiction_id « {code[:40]} » n'existe pas.", f"There is no jurisdiction_id '{code[:40]}'."),
            Text(f"Les codes sont : {', '.join(sorted(communes)[:50])}.", f"The codes are: {', '.join(sorted(communes)[:50])}."),
            "jurisdiction_id",
        )  # fmt: skip


def _type(call_form: str, town: Town) -> str:
    bare = _TYPES[call_form]
    return f"{bare}; charset=utf-8" if call_form == "xml" and town.settings.open311.charset else bare


def respond(request: Request, form: str, document: writing.Document, status: int = 200) -> Response:
    """Return a document as an answer in `form`."""
    town: Town = request.app.state.town
    headers = {"Content-Type": _type(form, town), "Access-Control-Allow-Origin": "*"}
    return Response(writing.write(document, form), status, headers)


def refuse(request: Request, form: str, problem: Problem, language: str) -> Response:
    """Return a problem in the standard's words: a code and what to mend."""
    words = " ".join(t for t in (problem.reason.of(language), problem.mend.of(language)) if t)
    if problem.place and not words.startswith(problem.place):
        words = f"{problem.place}: {words}"
    return respond(request, form, writing.faults([Fault(problem.status, words)]), problem.status)


def _served(
    answer: Callable[[Call], Awaitable[writing.Document]],
) -> Callable[[Request], Awaitable[Response]]:
    """Return the endpoint that gives an answer, or why there is none, in the format that the address ends in."""

    async def endpoint(request: Request) -> Response:
        form = request.path_params["form"]
        if form not in writing.FORMATS:
            return refuse(request, "xml", _no_format(form), "en")
        call = Call(request)
        try:
            return respond(request, form, await answer(call))
        except Problem as problem:
            return refuse(request, form, problem, call.language)

    return endpoint


def answering(make: Answer) -> Callable[[Request], Awaitable[Response]]:
    """Return the endpoint of a reading."""
    return _served(lambda call: to_thread.run_sync(make, call))


def _no_format(form: str) -> Problem:
    return NotFound(Text(f"Le format « {form[:20]} » n'existe pas.", f"There is no format '{form[:20]}'."),
                    Text("Finissez l'adresse par .xml ou .json.", "End the address in .xml or .json."))  # fmt: skip


def discovery(call: Call) -> writing.Document:
    """Answer GET discovery."""
    told = call.town.settings.open311
    endpoints = tuple(
        Endpoint(f"{call.base}{ROOT}/{path}", CHANGESET, kind)
        for path, kind in (("v2", "production"), ("test/v2", "test"))
    )
    contact = told.contact or call.town.name
    key = told.key_service or ("Aucune clé n'est demandée pour lire ni pour signaler ; l'administrateur en donne une aux applications. "
                               "No key is needed to read or to report; the administrator gives one to applications.")  # fmt: skip
    return writing.discovery(Discovery(CHANGESET, contact, key, endpoints))


def services(call: Call) -> writing.Document:
    """Answer GET services."""
    return writing.services(call.teller.services(call.territory))


def definition(call: Call) -> writing.Document:
    """Answer GET services/CODE."""
    teller = call.teller
    row = teller.service(call.request.path_params["code"])
    if row is None:
        raise unknown_service(call.request.path_params["code"])
    return writing.definition(teller.definition(row))


def requests(call: Call) -> writing.Document:
    """Answer GET requests."""
    asked = read_query(call.arguments, call.town.clock())
    teller = call.teller
    rows = _found(call, teller, asked)
    return writing.requests(teller.requests(rows, extensions=asked.extensions), extensions=asked.extensions)


def _found(call: Call, teller: Teller, asked: RequestQuery) -> list[Row]:
    if asked.ids:
        found = teller.desk.find(
            "service_request", Query(where={"number": list(asked.ids)}, limit=len(asked.ids))
        ).rows
        order = {number: i for i, number in enumerate(asked.ids)}
        return sorted(found, key=lambda row: order[row.values["number"]])
    query = _query_of(call, teller, asked)
    if asked.page == 1:
        return teller.desk.find("service_request", query).rows
    first = (asked.page - 1) * asked.page_size
    return list(islice(teller.desk.all("service_request", query), first, first + asked.page_size))


def _query_of(call: Call, teller: Teller, asked: RequestQuery) -> Query:
    territory = call.territory
    places = None if territory is None else (territory, "")
    where: dict[str, object] = {
        "requested": (Where(">=", asked.window.start_us), Where("<=", asked.window.end_us)),
    }
    if asked.codes:
        where["category"] = [row.id for code in asked.codes if (row := teller.service(code)) is not None] or [
            0
        ]
    if len(set(asked.statuses)) == 1:
        where["state"] = Where("=" if asked.statuses[0] == "closed" else "!=", "closed")
    return Query(where=where, territories=places, sort="-requested", limit=asked.page_size)


async def bulk(request: Request) -> Response:
    """Answer every public request as one CSV (GeoReport Bulk), without the limits of the API.

    `status`, `service_code`, `start_date` and `end_date` filter as there. It is read as it is sent, page by page.
    """
    request.path_params["form"] = "json"  # in which a wrong argument is told
    call = Call(request)
    try:
        query = await to_thread.run_sync(_bulk_query, call)
    except Problem as problem:
        return refuse(request, "json", problem, call.language)
    headers = {
        "Content-Disposition": 'attachment; filename="requests.csv"',
        "Access-Control-Allow-Origin": "*",
    }
    return StreamingResponse(csv_of(_pages(call, query)), media_type="text/csv; charset=utf-8; header=present", headers=headers)  # fmt: skip


def _bulk_query(call: Call) -> Query:
    return _query_of(call, call.teller, read_bulk(call.arguments))


def _pages(call: Call, query: Query) -> Iterator[list[BulkRequest]]:
    teller = call.teller
    following: str | None = None
    while True:
        page = teller.desk.find("service_request", msgspec.structs.replace(query, after=following))
        yield teller.bulk(page.rows)
        following = page.next
        if following is None:
            return


def request_(call: Call) -> writing.Document:
    """Answer GET requests/ID with a list of one."""
    number = call.request.path_params["number"]
    teller = call.teller
    rows = teller.desk.find("service_request", Query(where={"number": number}, limit=1)).rows
    if not rows:
        raise NotFound(
            Text(f"Il n'y a pas de demande « {number[:60]} ».", f"There is no request '{number[:60]}'."),
            Text("Elle peut ne pas être encore publiée.", "It may not be published yet."), "service_request_id",
        )  # fmt: skip
    extensions = call.arguments.get("extensions", "").lower() in ("true", "1", "v1")
    return writing.requests(teller.requests(rows, extensions=extensions), extensions=extensions)


def updates(call: Call) -> writing.Document:
    """Answer GET servicerequestupdates: public words within a span of 90 days at most, oldest first."""
    window = read_window(call.arguments, call.town.clock())
    where = {
        "at": (Where(">=", window.start_us), Where("<=", window.end_us)),
        "kind": ["state", "reply", "comment"],
    }
    rows = call.teller.desk.find("report_update", Query(where=where, sort="at", limit=1000)).rows
    return writing.updates(call.teller.updates(rows))


def tokens(call: Call) -> writing.Document:
    """Answer GET tokens/TOKEN: our requests have their number at once, and it is their token too."""
    token = call.request.path_params["token"]
    asked = Query(where={"number": token}, limit=1, fields=("number",))
    if not call.town.store.records.find("service_request", asked).rows:
        raise NotFound(
            Text(f"Il n'y a pas de jeton « {token[:60]} ».", f"There is no token '{token[:60]}'."),
            place="token",
        )
    return writing.submitted([{"service_request_id": token, "token": token}])


def _take_request(test: bool, town: Town, sent: Sent, territory: str | None) -> writing.Document:
    return writing.submitted([dict(receive(town, sent, territory, dry=test))])


def _take_update(_test: bool, town: Town, sent: Sent, _territory: str | None) -> writing.Document:
    return writing.updates([receive_update(town, sent)])


def receiving(
    take: Callable[[bool, Town, Sent, str | None], writing.Document],
) -> Callable[[Request], Awaitable[Response]]:
    """Return the endpoint of a POST."""

    async def answer(call: Call) -> writing.Document:
        sent = await _sent(call.request, call)
        test = "/test/" in call.request.url.path
        territory = await to_thread.run_sync(lambda: call.territory)
        return await to_thread.run_sync(take, test, call.town, sent, territory, limiter=DOOR)

    return _served(answer)


async def _sent(request: Request, call: Call) -> Sent:
    """Read a form, urlencoded or in parts; arguments of the address count too, and `api_key` says who sends."""
    pairs, photos = list(request.query_params.multi_items()), []
    try:
        form = await parts_of(request, files=2 * MOST_PHOTOS, fields=500)
        for name, value in form.multi_items():
            if isinstance(value, str):
                pairs.append((name, value))
            elif data := await value.read(MOST_BYTES + 1):
                photos.append(data)
        await form.close()
    except (HTTPException, MultiPartException, ValueError) as error:
        raise Problem(
            Text("Le formulaire n'est pas lisible.", "The form cannot be read."),
            Text("Envoyez-le en application/x-www-form-urlencoded ou multipart/form-data.",
                 "Send it as application/x-www-form-urlencoded or multipart/form-data."),
        ) from error  # fmt: skip
    if any(len(data) > MOST_BYTES for data in photos):
        raise Problem(
            Text("La photo pèse plus de 20 Mo.", "The photo is heavier than 20 MB."),
            place="media",
            status=413,
        )
    call.arguments |= {name: value for name, value in pairs if name == "jurisdiction_id"}
    who = await _sender(
        request, call, next((value for name, value in pairs if name == "api_key" and value), "")
    )
    address = request.client.host if request.client else ""
    return Sent(tuple(pairs), tuple(photos), address, who, call.language)


async def _sender(request: Request, call: Call, key: str) -> Principal:
    if not key:
        return call.who
    gate = request.app.state.gate
    known = gate.recall("token", key) or await to_thread.run_sync(gate.look_up, "token", key)
    if known is None:
        raise Forbidden(
            Text("Cette api_key n'est pas, ou plus, valable.", "This api_key is not, or no longer, valid."),
            place="api_key",
        )
    who: Principal = known.who
    return who


def _both(
    path: str, endpoint: Callable[[Request], Awaitable[Response]], methods: list[str]
) -> list[BaseRoute]:
    return [Route(f"{ROOT}/{root}{path}", endpoint, methods=methods) for root in ("v2", "test/v2")]


_READINGS: tuple[tuple[str, Answer], ...] = (
    ("/discovery.{form}", discovery), ("/services.{form}", services), ("/services/{code}.{form}", definition),
    ("/requests.{form}", requests), ("/requests/{number}.{form}", request_), ("/servicerequestupdates.{form}", updates), ("/tokens/{token}.{form}", tokens),
)  # fmt: skip
ROUTES: list[BaseRoute] = [
    Route(f"{ROOT}/discovery.{{form}}", answering(discovery), methods=["GET"]),
    Route(f"{ROOT}/bulk/requests.csv", bulk, methods=["GET"]),
    *_both("/requests.{form}", receiving(_take_request), ["POST"]),
    *_both("/servicerequestupdates.{form}", receiving(_take_update), ["POST"]),
    *(route for path, make in _READINGS for route in _both(path, answering(make), ["GET"])),
]
