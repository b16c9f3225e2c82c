"""`/signaler`: three fields, then, only when there is something to show or ask, one page before sending."""

from collections import defaultdict
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

from anyio import to_thread
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from beffroi.model.problem import Problem
from beffroi.model.text import Text
from beffroi.services.reports import drafts
from beffroi.services.reports.abuse import Post, challenge, many_from, start_mark
from beffroi.services.reports.arrival.table import contact_at
from beffroi.services.reports.categories_tree import Categories, Category, categories_of
from beffroi.services.reports.citizen.reading import (
    TRAP,
    Sent,
    address_of,
    point_of,
    post_of,
    read_form,
    town_of,
    visitor,
)
from beffroi.services.reports.citizen.shown import near_open, shown_of
from beffroi.services.reports.following import comment, me_too, public
from beffroi.services.reports.photos.cut import KINDS
from beffroi.services.reports.questions import inputs_of, not_ours, read_answers
from beffroi.services.reports.submission import CITIZEN, DOOR, Submission, check, reporter_of, submit
from beffroi.services.reports.where import LonLat, asset_record, near_assets, spot, territory_at
from beffroi.town import Town
from beffroi.web.kit.form import Input
from beffroi.web.kit.ground import base_map
from beffroi.web.kit.page import language_of, render, translate

__all__ = ["ROUTES", "ask", "before_sending", "category_options", "join", "problems_of"]

ACCEPT = ",".join((*KINDS, ".heic", ".heif"))
UNKNOWN = "?"
_CHANNELS = ("web", "qr")


async def page(request: Request) -> Response:
    """Answer the form, filled with what the address says (category, place, asset, point)."""
    query = request.query_params
    values = {
        "category": query.get("categorie", ""), "place": query.get("lieu", ""), "asset": query.get("equipement", ""),
        "lon": query.get("lon", ""), "lat": query.get("lat", ""), "channel": query.get("canal", "web"),
        "kind": "saisine" if query.get("saisine") else "signalement",
    }  # fmt: skip
    return await run_in_threadpool(ask, request, values)


def ask(
    request: Request,
    values: Mapping[str, Any],
    problems: list[Problem] | None = None,
    draft: str = "",
    photos: int = 0,
) -> Response:
    """Answer the form with values and what must be mended."""
    town, language = town_of(request), language_of(request)
    secret, now = town.settings.secret(), town.clock()
    mark = str(values.get("start") or start_mark(secret, now))
    with town.store.read() as c:
        riddle = challenge(secret, mark) if many_from(c, secret, address_of(request), now) else ""
    category = category_of(request, str(values.get("category", "")))
    asset = asset_record(town, str(values.get("asset", "")))
    errors = defaultdict(str, {p.place: said(p, language) for p in problems or ()})
    base = base_map(town)
    return render(
        request, "citizen/form.html", 400 if problems else 200, category=category, concerned=asset, values=defaultdict(str, values), errors=errors,
        inputs=inputs(request, str(values.get("kind")) == "saisine"), questions=inputs_of(category, language) if category else [],
        start=mark, riddle=riddle, trap=TRAP, draft=draft, photos=photos, accept=ACCEPT, base=base, unknown=UNKNOWN,
        saisine=values.get("kind") == "saisine", groups=categories_of(town).groups(), language=language,
    )  # fmt: skip


def said(problem: Problem, language: str) -> str:
    """Return a problem as the form says it: what, and the mend."""
    return " ".join(part for part in (problem.reason.of(language), problem.mend.of(language)) if part)


def category_of(request: Request, written: str) -> Category | None:
    """Return the category that a form or an address names, by number or by code."""
    known = categories_of(town_of(request))
    found = known.get(int(written)) if written.isdigit() and len(written) < 18 else known.by_code(written)
    return found if found is not None and found.active else None


def category_options(request: Request) -> list[tuple[str, list[tuple[str, str]]]]:
    """Return what the list of categories offers: (heading, [(value, words)])."""
    language = language_of(request)
    return [
        (parent.title.of(language) if parent else "", [(str(c.id), c.title.of(language)) for c in some])
        for parent, some in categories_of(town_of(request)).groups()
    ]


def inputs(request: Request, formal: bool) -> dict[str, Input]:
    """Return the inputs of the form; a formal request asks who writes."""
    _ = translate(request)
    found = [
        Input("place", _("Où est-ce ?"), hint=_("Une adresse, un carrefour, un repère."), required=True, autocomplete="street-address"),
        Input("description", _("Que voyez-vous ?"), "textarea", _("Quelques mots suffisent. N'écrivez le nom de personne."), rows=3),
        Input("mail", _("Courriel"), "email", _("Pour recevoir les suites. Jamais montré."), formal, autocomplete="email"),
        Input("phone", _("Téléphone"), "text", autocomplete="tel"),
        Input("name", _("Nom et prénom"), "text", "", formal, autocomplete="name"),
        Input("postal", _("Adresse postale"), "textarea", "", formal, autocomplete="street-address", rows=2),
    ]  # fmt: skip
    return {one.name: one for one in found}


def submission_of(request: Request, sent: Sent) -> Submission:
    """Return what a form says."""
    category = category_of(request, sent.get("category"))
    channel = sent.get("channel")
    return Submission(
        category=category.id if category else None, description=sent.get("description"), place=sent.get("place"),
        point=point_of(sent.texts), asset=sent.get("asset") if asset_record(town_of(request), sent.get("asset")) else "",
        answers=read_answers(category, sent.texts) if category else {}, confidential=bool(sent.get("confidential")),
        kind="saisine" if sent.get("kind") == "saisine" else "signalement", channel=channel if channel in _CHANNELS else "web",
        language=language_of(request), name=sent.get("name")[:200], mail=sent.get("mail").strip()[:254], phone=sent.get("phone").strip()[:40],
        postal=sent.get("postal")[:500], photos=sent.photos,
    )  # fmt: skip


async def send(request: Request) -> Response:
    """Take what was sent: ask again, show what is near before sending, join another report, or take it in."""
    sent = await read_form(request)
    return await to_thread.run_sync(_send, request, sent, limiter=DOOR)


def _send(request: Request, sent: Sent) -> Response:
    town = town_of(request)
    given = submission_of(request, sent)
    if sent.get("same"):
        return _join(request, sent, given)
    if sent.get("back"):
        return ask(request, {**sent.texts, "category": sent.get("category")}, None, sent.get("draft"))
    category = categories_of(town).get(given.category)
    stop = (
        category.contact
        if category and category.not_ours
        else not_ours(category, given.answers)
        if category
        else None
    )
    if stop is not None and category is not None:
        return render(request, "citizen/not_ours.html", category=category, contact=stop, kept=None)
    problems = problems_of(town, sent, given)
    if problems:
        return ask(request, sent.texts, problems, _hold(request, sent, given, ()), len(given.photos))
    elsewhere = None if sent.get("anyway") else _owner(request, given)
    if elsewhere is not None:  # as far as the table knows: people may know better
        return render(
            request, "citizen/not_ours.html", category=category, contact=elsewhere, kept=_kept(sent, *_OWN, TRAP),
            draft=_hold(request, sent, given, ()), trap=TRAP,
        )  # fmt: skip
    return before_sending(request, sent, given) or _take(request, sent, given)


def problems_of(town: Town, sent: Sent, given: Submission) -> list[Problem]:
    """Return what must be mended; a question that was not asked yet is no fault."""
    unasked = _unasked(town, sent, given)
    found = [p for p in check(town, given) if unasked is None or not p.place.startswith("q-")]
    return [*([sent.problem] if sent.problem else []), *found]


def _unasked(town: Town, sent: Sent, given: Submission) -> Category | None:
    """Return the category whose questions the form did not show: without script, it was only chosen there."""
    category = categories_of(town).get(given.category)
    asked = category is None or not category.questions or sent.get("asked") == category.code
    return None if asked else category


_OWN = ("csrf", "draft", "proof")  # what each page makes anew


def _kept(sent: Sent, *without: str) -> dict[str, str]:
    return {k: v for k, v in sent.texts.items() if k not in without}


def _hold(request: Request, sent: Sent, given: Submission, near: tuple[int, ...]) -> str:
    """Hold the photos between two pages; those that an earlier page held go on being held."""
    town, key = town_of(request), sent.get("draft")
    if not given.photos and not near and not key:
        return ""
    with town.store.records.writer(CITIZEN) as writer:
        held = drafts.take(writer, key) if key else ()
    return drafts.begin(town, given.photos, near, visitor(request), held)


def before_sending(
    request: Request, sent: Sent, given: Submission, *, staff: bool = False
) -> Response | None:
    """Return the page before sending, None when there is nothing to show or to choose; of `staff`, who enters what a
    caller tells, nobody notes that they saw and left."""
    town = town_of(request)
    known, language = categories_of(town), language_of(request)
    checked = sent.get("step") == "checked"
    at = None if checked else _point(request, given)
    near = near_open(town, at, given.category)
    likely = known.search(given.description) if given.category is None and not checked else []
    unasked = _unasked(town, sent, given)
    concerned = [] if checked or given.asset else near_assets(town, _kind_of_asset(known, given), at)
    # a street alone names no lamp: nobody is stopped for it
    pointed = bool(concerned) and given.point is not None
    if not near and not likely and unasked is None and not pointed:
        return None
    draft = _hold(request, sent, given, () if staff else tuple(row.id for row in near))
    kept = _kept(sent, *_OWN, "step", "category", "asset", TRAP, *(("asked",) if unasked else ()))
    return render(
        request, "citizen/check.html", to=request.url.path, kept=kept, concerned=concerned, named=given.asset, near=shown_of(request, near, at), likely=likely, given=given, draft=draft, trap=TRAP,
        asked=unasked, questions=inputs_of(unasked, language) if unasked else [],
        title=known.title(given.category, language), category=given.category, unknown=UNKNOWN, photos=len(given.photos),
    )  # fmt: skip


def _kind_of_asset(known: Categories, given: Submission) -> str:
    """Return the collection of which a report of this category concerns a record, "" for none."""
    category = known.get(given.category)
    above = known.get(category.parent) if category is not None else None
    return next((one.asset for one in (category, above) if one is not None and one.asset), "")


def _owner(request: Request, given: Submission) -> Text | None:
    """Return whom to ask instead, when the place is another's."""
    town = town_of(request)
    values = {"category": given.category, "answers": dict(given.answers), "requested": town.clock()}
    return contact_at(town, values, lambda: _point(request, given), territory_at(town, given.point))


def _point(request: Request, given: Submission) -> LonLat | None:
    at = spot(town_of(request), point=given.point, asset=given.asset, words=given.place, private_home=False)
    return at.exact or at.shown


def _take(request: Request, sent: Sent, given: Submission) -> Response:
    town = town_of(request)
    text = f"{given.description}\n{given.place}"
    made = submit(
        town, given, post_of(request, sent, text), held=lambda writer: drafts.take(writer, sent.get("draft"))
    )
    return RedirectResponse(f"/suivi/{made.number}/{made.key}?merci=1", 303)


def _join(request: Request, sent: Sent, given: Submission) -> Response:
    """Add what was written to a report that exists: "me too"."""
    return join(
        request, sent, given, visitor(request), post_of(request, sent, f"{given.description}\n{given.place}")
    )


def join(request: Request, sent: Sent, given: Submission, who: str, post: Post | None) -> Response:
    """Add what `who` (a pseudonym) tells to the report that was chosen as the same."""
    town = town_of(request)
    row = public(town, sent.get("same"))
    me_too(town, row, who, given.mail, given.phone, given.language)
    with town.store.records.writer(CITIZEN) as writer:
        held = drafts.take(writer, sent.get("draft"))
    if given.description.strip() or given.photos or held:
        reporter = reporter_of(town, given.mail, given.phone) or who
        comment(
            town,
            row,
            given.description,
            given.photos,
            actor="neighbour",
            reporter=reporter,
            post=post,
            held=held,
        )
    return RedirectResponse(f"/signalements/{row.values['number']}?merci=aussi", 303)


def worker(_request: Request) -> Response:
    """Answer the service worker that lets the form open without a network, and shows what is pushed."""
    text = (files("beffroi.services.reports.citizen") / "worker.js").read_text("utf-8")
    return Response(text, media_type="text/javascript", headers={"Cache-Control": "no-cache"})


ROUTES: list[BaseRoute] = [
    Route("/signaler", page),
    Route("/signaler", send, methods=["POST"]),
    Route("/signaler.sw.js", worker),
]
