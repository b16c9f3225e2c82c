"""`/series/{id}/relever`: one value that somebody read themselves, on a meter, a gauge or a rain gauge without radio."""

import secrets
from collections.abc import Mapping
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from beffroi.identity.rights import require_signed_in
from beffroi.intake.flags import Flags
from beffroi.intake.source_keys import sent_key
from beffroi.model.instant import MINUTE_US
from beffroi.model.observation import Draft
from beffroi.model.principal import Principal
from beffroi.model.problem import Forbidden, Problem
from beffroi.model.text import Text
from beffroi.standards.decimal_text import decimal_of
from beffroi.store.catalogue import default_feature
from beffroi.town import Town
from beffroi.web.kit.form import Input
from beffroi.web.kit.page import figures_of, language_of, principal_of, render, translate
from beffroi.web.site.catalogue import Series, find_series, find_station

__all__ = ["ROUTES", "may_read_for"]

_AHEAD_US = 5 * MINUTE_US  # a watch may be fast
_EARLIEST = 1900
_LOCAL = "%Y-%m-%dT%H:%M"


def may_read_for(who: Principal, series: Series, territory: str | None) -> bool:
    """True when `who` may add a value to a series by hand: staff, in their communes and of their service, for one number."""
    own = who.service is None or who.service == series.service
    return who.staff and who.covers(territory) and own and not series.components


def _series(request: Request) -> tuple[Town, Series]:
    town: Town = request.app.state.town
    who = principal_of(request)
    require_signed_in(who)
    series = find_series(town, who, request.path_params["id"], language=language_of(request))
    if not may_read_for(who, series, find_station(town, who, series.thing_id).territory):
        raise Forbidden(
            Text("Vous ne relevez pas cette série.", "You do not read this series."),
            Text("Demandez ce droit à l'administrateur.", "Ask the administrator for this right."),
        )
    return town, series


def _inputs(request: Request, series: Series) -> list[Input]:
    _ = translate(request)
    return [
        Input("value", _("Valeur lue"), "text", required=True, unit=figures_of(request).unit(series.unit).strip() if series.unit else ""),
        Input("at", _("Quand"), "datetime-local", _("À l'heure de la commune."), required=True),
        Input("note", _("Remarque"), "text", _("Comment, ce qui gênait.")),
        Input("key", "", "hidden"),
    ]  # fmt: skip


def page(request: Request) -> Response:
    """Show the form, at the present time."""
    town, _found = _series(request)
    now = datetime.fromtimestamp(town.clock() / 1e6, ZoneInfo(town.settings.time_zone))
    return _show(request, {"at": now.strftime(_LOCAL), "key": secrets.token_hex(8)}, {})


def _show(
    request: Request, values: Mapping[str, str], errors: Mapping[str, str], status: int = 200
) -> Response:
    _town, series = _series(request)
    return render(
        request, "site/manual_reading.html", status, {"Cache-Control": "no-store"}, series=series,
        inputs=_inputs(request, series), values=values, errors=errors,
    )  # fmt: skip


async def take(request: Request) -> Response:
    """Store the value; sent twice, it is stored once."""
    sent = {k: str(v).strip() for k, v in (await request.form()).items()}
    return await run_in_threadpool(_take, request, sent)


def _take(request: Request, sent: dict[str, str]) -> Response:
    town, series = _series(request)
    try:
        draft = _draft(town, series, sent)
    except Problem as problem:
        language = language_of(request)
        said = f"{problem.reason.of(language)} {problem.mend.of(language)}".strip()
        return _show(request, sent, {problem.place: said}, 400)
    with town.store.write() as c:
        draft.feature_id = default_feature(town.store, c, series.id)
    flags = Flags(town.store, town.registry.datastream_kind)
    flags.look_up([series.id])
    flags.judge([draft])
    who = principal_of(request)
    ids = [number for number in town.store.observations.append([draft]).ids if number is not None]
    if ids:
        town.store.provenance.note("hand", {"by": who.name, "note": sent.get("note", "")[:300]}, ids)
        with town.store.write() as c:
            town.store.audit.note(
                c, who, "observation.hand", f"datastream/{series.id}", {"observation": ids[0]}
            )
    return RedirectResponse(f"/series/{series.id}", 303)


def _draft(town: Town, series: Series, sent: Mapping[str, str]) -> Draft:
    """Return what the form says. Raises `Problem` at its field."""
    try:
        result = decimal_of(sent.get("value", ""))
    except Problem as problem:
        raise Problem(problem.reason, problem.mend, place="value") from problem
    try:
        local = datetime.strptime(sent.get("at", "")[:16], _LOCAL)  # noqa: DTZ007 -- the town's own time
    except ValueError as error:
        raise Problem(
            Text("La date n'est pas comprise.", "The date is not understood."), Text("Écrivez 2026-11-22T14:05.", "Write 2026-11-22T14:05."), place="at"
        ) from error  # fmt: skip
    moment = local.replace(tzinfo=ZoneInfo(town.settings.time_zone)).astimezone(UTC)
    at_us = int(moment.timestamp()) * 1_000_000
    if local.year < _EARLIEST or at_us > town.clock() + _AHEAD_US:
        raise Problem(
            Text("Cette date est à venir, ou d'un autre siècle.", "This date is to come, or of another century."),
            Text("Donnez l'heure du relevé.", "Give the time of the reading."), place="at",
        )  # fmt: skip
    key = sent_key(series.id, b"hand", sent.get("key", "").encode("utf-8", "replace"))
    return Draft(series.id, at_us, result, source_key=key)


ROUTES: list[BaseRoute] = [
    Route("/series/{id:int}/relever", page, methods=["GET"]),
    Route("/series/{id:int}/relever", take, methods=["POST"]),
]
