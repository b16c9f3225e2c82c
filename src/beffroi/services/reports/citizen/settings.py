"""`/signaler/reglages`: what a manager sets of reports: a first list, the abuse list, the gateway of text messages."""

from collections.abc import Callable
from urllib.parse import urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from beffroi.model.principal import ROLES
from beffroi.model.problem import Conflict, Forbidden, Problem, Unauthorised
from beffroi.model.text import Text
from beffroi.services.reports.citizen.reading import town_of
from beffroi.services.reports.notices import SMS
from beffroi.services.reports.starter import write_starter
from beffroi.services.reports.submission import ABUSE_LIST
from beffroi.store.record import Query
from beffroi.web.kit.page import principal_of, render, translate

__all__ = ["ROUTES"]

_MOST_WORDS = 500


def _manager(request: Request) -> None:
    who = principal_of(request)
    if ROLES.index(who.role) >= ROLES.index("responsable"):
        return
    said = Text("Cette page est pour les responsables.", "This page is for managers.")
    raise Unauthorised(said) if who.role == "citizen" else Forbidden(said)


def page(request: Request) -> Response:
    """Answer the settings."""
    _manager(request)
    town = town_of(request)
    return render(
        request, "citizen/settings.html", empty=town.store.records.count("report_category") == 0,
        lacking=_lacking(request), words="\n".join(town.store.setting(ABUSE_LIST, [])), sms=town.store.setting(SMS, ""), done=request.query_params.get("fait", ""),
    )  # fmt: skip


def _lacking(request: Request) -> list[str]:
    """Return what the town hall's own record lacks of what a legal receipt must say (CRPA, art. R112-11-1)."""
    _, query = translate(request), Query(where={"code": "mairie"}, limit=1)
    found = town_of(request).store.records.find("report_department", query).rows
    hall = found[0].values if found else {}
    named = {"phone": _("téléphone"), "mail": _("courriel"), "address": _("adresse postale")}
    return [words for name, words in named.items() if not hall.get(name)]


async def change(request: Request) -> Response:
    """Change one of them."""
    _manager(request)
    sent = {name: str(value) for name, value in (await request.form()).items()}
    deed = _DEEDS.get(sent.get("do", ""))
    if deed is None:
        return RedirectResponse("/signaler/reglages", 303)
    await run_in_threadpool(deed, request, sent)
    return RedirectResponse("/signaler/reglages?fait=1", 303)


def _start(request: Request, _sent: dict[str, str]) -> None:
    town = town_of(request)
    with town.store.records.writer(principal_of(request), "Liste type") as writer:
        if town.store.records.find("report_category", c=writer.connection).rows:
            raise Conflict(Text("Il y a déjà des catégories.", "There are categories already."))
        write_starter(writer)


def _list(request: Request, sent: dict[str, str]) -> None:
    words = [line.strip()[:100] for line in sent.get("words", "").splitlines() if line.strip()]
    _keep(request, ABUSE_LIST, words[:_MOST_WORDS] or None)


def _gateway(request: Request, sent: dict[str, str]) -> None:
    address = sent.get("sms", "").strip()
    if address and (urlsplit(address).scheme not in ("http", "https") or not urlsplit(address).hostname):
        raise Problem(Text("Cette adresse n'est pas celle d'une page.", "This is not a web address."),
                      Text("Par exemple : https://sms.exemple.fr/envoi", "For example: https://sms.example.org/send"), place="sms")  # fmt: skip
    _keep(request, SMS, address or None)


def _keep(request: Request, name: str, value: object) -> None:
    town_of(request).store.change_settings(principal_of(request), {name: value}, "setting", name, {})


_DEEDS: dict[str, Callable[[Request, dict[str, str]], None]] = {
    "start": _start,
    "list": _list,
    "gateway": _gateway,
}
ROUTES: list[BaseRoute] = [
    Route("/signaler/reglages", page),
    Route("/signaler/reglages", change, methods=["POST"]),
]
