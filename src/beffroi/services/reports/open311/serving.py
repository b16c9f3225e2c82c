"""The GeoReport v2 server: /open311/v2 (production) and /open311/test/v2 (the same, but a POST keeps nothing).

    GET  discovery · services · services/CODE · requests · requests/ID · tokens/TOKEN · servicerequestupdates
    POST requests (urlencoded or multipart with `media`) · servicerequestupdates (with a key)

The suffix `.xml` or `.json` decides the format, for errors too. Reading needs no key; what is not public stays so.
"""

from collections.abc import Awaitable, Callable
from functools import partial
from itertools import islice
from zoneinfo import ZoneInfo

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from beffroi.identity import territories
from beffroi.model.principal import ANONYMOUS, Principal
from beffroi.model.problem import NotFound, Problem
from beffroi.model.text import Text
from beffroi.services.reports.open311.telling import Teller
from beffroi.standards.open311 import writing
from beffroi.standards.open311.arguments import RequestQuery, read_query, read_window
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
    return respond(request, form, writing.faults([Fault(problem.status, words)]), problem.status)


def answering(make: Answer) -> Callable[[Request], Awaitable[Response]]:
    """Return the endpoint of a reading."""

    async def endpoint(request: Request) -> Response:
        form = request.path_params["form"]
        if form not in writing.FORMATS:
            return refuse(request, "xml", _no_format(form), "en")
        call = Call(request)
        try:
            return respond(request, form, await to_thread.run_sync(partial(make, call)))
        except Problem as problem:
            return refuse(request, form, problem, call.language)

    return endpoint


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


def unknown_service(code: str) -> Problem:
    """Return the problem of a service_code that there is not."""
    return NotFound(Text(f"Il n'y a pas de service_code « {code[:60]} ».", f"There is no service_code '{code[:60]}'."),
                    Text("GET services donne les codes.", "GET services lists the codes."), "service_code")  # fmt: skip


def requests(call: Call) -> writing.Document:
    """Answer GET requests."""
    asked = read_query(call.arguments, call.town.clock())
    teller = call.teller
    rows = _found(call, teller, asked)
    return writing.requests(teller.requests(rows, extensions=asked.extensions), extensions=asked.extensions)


def _found(call: Call, teller: Teller, asked: RequestQuery) -> list[Row]:
    territory = call.territory
    places = None if territory is None else (territory, "")
    if asked.ids:
        found = teller.desk.find(
            "service_request", Query(where={"number": list(asked.ids)}, limit=len(asked.ids))
        ).rows
        order = {number: i for i, number in enumerate(asked.ids)}
        return sorted(found, key=lambda row: order[row.values["number"]])
    where: dict[str, object] = {
        "requested": (Where(">=", asked.window.start_us), Where("<=", asked.window.end_us)),
    }
    if asked.codes:
        where["category"] = [row.id for code in asked.codes if (row := teller.service(code)) is not None] or [
            0
        ]
    if len(set(asked.statuses)) == 1:
        where["state"] = Where("=" if asked.statuses[0] == "closed" else "!=", "closed")
    query = Query(where=where, territories=places, sort="-requested", limit=asked.page_size)
    if asked.page == 1:
        return teller.desk.find("service_request", query).rows
    first = (asked.page - 1) * asked.page_size
    return list(islice(teller.desk.all("service_request", query), first, first + asked.page_size))


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


def _both(
    path: str, endpoint: Callable[[Request], Awaitable[Response]], methods: list[str]
) -> list[BaseRoute]:
    return [Route(f"{ROOT}/{root}{path}", endpoint, methods=methods) for root in ("v2", "test/v2")]


_READINGS: tuple[tuple[str, Answer], ...] = (
    ("/discovery.{form}", discovery), ("/services.{form}", services), ("/services/{code}.{form}", definition),
    ("/requests.{form}", requests), ("/requests/{number}.{form}", request_), ("/servicerequestupdates.{form}", updates),
)  # fmt: skip
ROUTES: list[BaseRoute] = [
    Route(f"{ROOT}/discovery.{{form}}", answering(discovery), methods=["GET"]),
    *(route for path, make in _READINGS for route in _both(path, answering(make), ["GET"])),
]
