"""`/talq/v2/…`: the CMS side of TALQ 2.7.1, which gateways call. One of them speaks with a key of the service (role
device), its `clientAddress`, and is declared beforehand.

    POST services · GET POST PUT PATCH devices · GET PUT PATCH DELETE devices/ADDRESS · GET devices/ADDRESS/FUNCTION[/ATTRIBUTE]
    POST PUT device-classes · GET POST PUT …-types (and count) · GET groups, data-packages · POST log-reports
"""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from anyio import to_thread
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from beffroi.model.principal import ANONYMOUS, SYSTEM, Principal
from beffroi.model.problem import Conflict, NotFound, Problem
from beffroi.model.text import Text
from beffroi.services.lighting.talq import checking
from beffroi.services.lighting.talq.exchanges import UNDECLARED, Exchange, note, refused
from beffroi.services.lighting.talq.keeping import (
    add_devices,
    announce,
    change_devices,
    devices_of,
    gateway_called,
    take_log,
)
from beffroi.store.record import Query, Row
from beffroi.town import Town

__all__ = ["ROUTES"]

ROOT = "/talq/v2"
LARGEST = 8_000_000
TYPES = (
    "bracket-types", "controller-types", "driver-types", "lamp-types", "luminaire-types", "control-device-dali-part103-types",
    "control-gear-dali-part102-types", "luminaire-data-dali-part251-types", "energy-data-dali-part252-types",
    "diagnostics-and-maintenance-data-dali-part253-types", "luminaire-mounted-control-device-dali-part351-types",
)  # fmt: skip
Json = Any
Answer = tuple[int, Json]


class Call:
    """One call of a gateway: the town, the gateway, the parts of the address, the body."""

    def __init__(self, request: Request, body: bytes) -> None:
        self.town: Town = request.app.state.town
        self.path = request.path_params
        self.query = request.query_params
        self.who: Principal = getattr(request.state, "who", ANONYMOUS)
        self._body = body
        self.request = request
        self.gateway: Row | None = None
        self.items = 0

    @property
    def caller(self) -> Row:
        """The gateway that calls, known once its header, its address and its key were looked at. Raises `Problem`."""
        if self.gateway is None:
            self.gateway = self._found()
        return self.gateway

    def _found(self) -> Row:
        version = self.request.headers.get("talq-api-version", "")
        if not version.startswith("2."):
            raise _header("talq-api-version", "2.7.1")
        address = self.query.get("clientAddress", "")
        if not checking.is_uuid(address):
            raise _header("clientAddress", "UUID")
        if self.request.method != "GET" and not checking.is_uuid(self.query.get("talqRequestId", "")):
            raise _header("talqRequestId", "UUID")
        return gateway_called(self.town, self.who, address)

    @property
    def body(self) -> Json:
        """The JSON of the body. Raises `Problem`."""
        try:
            body = msgspec.json.decode(self._body)
        except (msgspec.DecodeError, RecursionError) as error:
            said = str(error).replace("{", "(").replace("}", ")")
            raise Problem(
                Text(f"Le corps n'est pas du JSON : {said}", f"The body is not JSON: {said}"), place="/"
            ) from error
        self.items = _length(body)
        return body

    @property
    def undeclared(self) -> bool:
        """True when a gateway that nobody declared calls with a good key."""
        return self.who.role != "citizen" and checking.is_uuid(self.query.get("clientAddress", ""))


def _length(body: Json) -> int:
    """Return how many things a body holds: the entries of a log report, the members of a list."""
    held = body.get("entries") if isinstance(body, dict) else body
    return len(held) if isinstance(held, list) else 1


def _header(name: str, form: str) -> Problem:
    return Problem(Text(f"« {name} » manque ou n'a pas la forme attendue ({form}).", f"'{name}' is missing or malformed ({form})."), place=name)  # fmt: skip


def _served(answer: Callable[[Call], Answer]) -> Callable[[Request], Any]:
    async def endpoint(request: Request) -> Response:
        body = b""
        async for chunk in request.stream():
            body += chunk
            if len(body) > LARGEST:
                return _refused(
                    Problem(
                        Text("Ce message est trop long.", "This message is too long."), place="/", status=413
                    )
                )
        try:
            status, said = await to_thread.run_sync(_answered, Call(request, body), answer)
        except Problem as problem:
            return _refused(problem)
        content = b"" if said is None else msgspec.json.encode(said)
        return Response(content, status, media_type="application/json")

    return endpoint


def _answered(call: Call, answer: Callable[[Call], Answer]) -> Answer:
    """Return the answer to a call, and keep what was said and refused; questions that are answered leave no trace."""
    method, path = call.request.method, call.request.url.path.removeprefix(ROOT)
    try:
        call.caller  # noqa: B018 -- who calls is looked at before what is said
        status, said = answer(call)
    except Problem as problem:
        if call.gateway is not None or call.undeclared:
            said_so = refused(call.town.clock(), "in", method, path, problem)
            if call.gateway is None:
                said_so = msgspec.structs.replace(said_so, place=call.query["clientAddress"].lower())
            note(call.town, UNDECLARED if call.gateway is None else call.gateway.id, said_so)
        raise
    if method not in ("GET", "HEAD"):
        note(call.town, call.caller.id, Exchange(call.town.clock(), "in", method, path, status, call.items))
    return status, said


def _refused(problem: Problem) -> Response:
    """Return a list of TALQErrorMessage: the reason, and where as a JSON pointer."""
    said = {
        "key": f"{problem.reason.en} {problem.mend.en}".strip(),
        "references": [{"address": {"resource": "request", "address": problem.place or "/"}, "tag": problem.reason.fr}],
    }  # fmt: skip
    return Response(msgspec.json.encode([said]), problem.status, media_type="application/json")


def post_services(call: Call) -> Answer:
    """Take the announcement of what a gateway offers."""
    body = call.body
    checking.check_services(body)
    announce(call.town, call.caller, body)
    return 201, None


def _device(row: Row) -> Json:
    v = row.values
    return {
        "address": v["address"],
        "name": v["name"],
        "class": v["device_class"],
        "functions": v["functions"] or [],
    }


def get_devices(call: Call) -> Answer:
    """Answer the devices that this gateway told us of."""
    rows = sorted(devices_of(call.town, call.caller).values(), key=lambda r: r.id)
    wanted = call.query.getlist("deviceClasses")
    found = [_device(r) for r in rows if not wanted or r.values["device_class"] in wanted]
    first, count = (_count(call.query.get(name), name) for name in ("offset", "limit"))
    return 200, found[first or 0 :][: len(found) if count is None else count]


def _count(text: str | None, name: str) -> int | None:
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise _header(name, "0, 1, 2…")
    return int(text)


def post_devices(call: Call) -> Answer:
    """Take new devices."""
    body = call.body
    checking.check_devices(body)
    add_devices(call.town, call.caller, body)
    return 201, body


def put_devices(call: Call) -> Answer:
    """Take devices anew."""
    body = call.body
    checking.check_devices(body)
    change_devices(call.town, call.caller, body, partial=False)
    return 200, None


def patch_devices(call: Call) -> Answer:
    """Take what changed of devices."""
    body = call.body
    checking.check_devices(body, partial=True)
    change_devices(call.town, call.caller, body, partial=True)
    return 200, None


def _one(call: Call) -> Row:
    row = devices_of(call.town, call.caller).get(call.path["address"].lower())
    if row is None:
        raise NotFound(
            Text("Cet appareil n'est pas connu.", "This device is not known."), place="deviceAddress"
        )
    return row


def get_device(call: Call) -> Answer:
    """Answer one device."""
    return 200, _device(_one(call))


def change_device(*, partial: bool) -> Callable[[Call], Answer]:
    """Return what takes one device anew, or what changed of it."""

    def change(call: Call) -> Answer:
        row, body = _one(call), call.body
        checking.check_device(body, partial=partial)
        if str(body["address"]).lower() != row.values["address"]:
            raise Problem(Text("L'adresse n'est pas celle de l'appareil.", "The address is not the device's."), place="/address", status=422)  # fmt: skip
        change_devices(call.town, call.caller, [body], partial=partial)
        return 200, None

    return change


def delete_device(call: Call) -> Answer:
    """Forget a device."""
    call.town.store.records.delete("talq_device", _one(call).id, who=SYSTEM, reason="TALQ : appareil retiré")
    return 200, None


def get_function(call: Call) -> Answer:
    """Answer a function of a device, or one of its attributes."""
    functions = _one(call).values["functions"] or []
    found = next((f for f in functions if f["id"] == call.path["function"]), None)
    name = call.path.get("attribute")
    part = found if found is None or name is None else found.get(name)
    if part is None:
        raise NotFound(
            Text("Cette fonction n'est pas connue.", "This function is not known."), place="functionId"
        )
    return 200, part


class Kind:
    """A kind of resource that gateways deposit: `resource` in the address, known by the property `named`."""

    def __init__(self, resource: str, named: str) -> None:
        self.resource = resource
        self.named = named

    def routes(self) -> list[BaseRoute]:
        """Return the routes of these resources."""
        return [
            _route(f"/{self.resource}", GET=self.every, POST=self.post, PUT=self.put),
            _route(f"/{self.resource}/count", GET=self.count),
            _route(f"/{self.resource}/{{address}}", GET=self.one, PUT=self.put_one, DELETE=self.delete),
        ]

    def _held(self, call: Call) -> dict[str, Row]:
        where = {"gateway": call.caller.id, "resource": self.resource}
        rows = call.town.store.records.all("talq_resource", Query(where=where))
        return {str(row.values["code"]).partition("|")[2]: row for row in rows}

    def _keep(self, call: Call, bodies: Sequence[Json], *, new: bool) -> None:
        held = self._held(call)
        for number, body in enumerate(bodies):
            known, place = str(body[self.named]) in held, f"/{number}/{self.named}"
            if new and known:
                raise Conflict(
                    Text("Cette ressource est déjà connue.", "This resource is known already."), place=place
                )
            if not new and not known:
                raise _unknown(place)
        with call.town.store.records.writer(SYSTEM, f"TALQ : {self.resource}") as writer:
            for body in bodies:
                name = str(body[self.named])
                code = f"{call.caller.id}/{self.resource}|{name}"
                values = {"body": body, "gateway": call.caller.id, "resource": self.resource, "code": code}
                if name in held:
                    writer.change("talq_resource", held[name].id, values)
                else:
                    writer.create("talq_resource", values, None, call.caller.territory)

    def _one(self, call: Call) -> Row:
        row = self._held(call).get(call.path["address"])
        if row is None:
            raise _unknown(self.named)
        return row

    def post(self, call: Call) -> Answer:
        """Take new ones."""
        body = call.body
        checking.check_resource(body, named=self.named)
        self._keep(call, body, new=True)
        return 201, body

    def put(self, call: Call) -> Answer:
        """Take known ones anew."""
        body = call.body
        checking.check_resource(body, named=self.named)
        self._keep(call, body, new=False)
        return 200, None

    def every(self, call: Call) -> Answer:
        """Answer them all."""
        return 200, [row.values["body"] for row in self._held(call).values()]

    def count(self, call: Call) -> Answer:
        """Answer how many there are."""
        return 200, len(self._held(call))

    def one(self, call: Call) -> Answer:
        """Answer one."""
        return 200, self._one(call).values["body"]

    def put_one(self, call: Call) -> Answer:
        """Take one anew."""
        self._one(call)
        body = call.body
        checking.check_resource([body], named=self.named)
        if str(body[self.named]) != call.path["address"]:
            raise Problem(
                Text("L'adresse n'est pas celle de la ressource.", "The address is not the resource's."),
                place=f"/{self.named}",
                status=422,
            )
        self._keep(call, [body], new=False)
        return 200, None

    def delete(self, call: Call) -> Answer:
        """Forget one."""
        call.town.store.records.delete(
            "talq_resource", self._one(call).id, who=SYSTEM, reason="TALQ : retrait"
        )
        return 200, None


def _unknown(place: str) -> NotFound:
    return NotFound(Text("Cette ressource n'est pas connue.", "This resource is not known."), place=place)


def _empty(_call: Call) -> Answer:
    return 200, []


def post_log(call: Call) -> Answer:
    """Take a log report."""
    body = call.body
    checking.check_log_report(body)
    take_log(call.town, call.caller, body)
    return 201, None


def _route(path: str, **methods: Callable[[Call], Answer]) -> Route:
    served = {method: _served(answer) for method, answer in methods.items()}

    async def endpoint(request: Request) -> Response:
        method = "GET" if request.method == "HEAD" else request.method
        answer: Response = await served[method](request)
        return answer

    return Route(ROOT + path, endpoint, methods=list(methods))


ROUTES: list[BaseRoute] = [
    _route("/services", POST=post_services),
    _route("/devices", GET=get_devices, POST=post_devices, PUT=put_devices, PATCH=patch_devices),
    _route("/devices/{address}", GET=get_device, PUT=change_device(partial=False), PATCH=change_device(partial=True), DELETE=delete_device),
    _route("/devices/{address}/{function}", GET=get_function),
    _route("/devices/{address}/{function}/{attribute}", GET=get_function),
    *Kind("device-classes", "name").routes(),
    *[route for kind in TYPES for route in Kind(kind, "address").routes()],
    _route("/groups", GET=_empty),
    _route("/data-packages", GET=_empty),
    _route("/log-reports", POST=post_log),
]  # fmt: skip
