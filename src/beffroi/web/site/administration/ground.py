"""`/administration/commune`: the commune's own ground from public data: found, compared, taken, refreshed."""

from pathlib import Path

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from beffroi.identity import territories
from beffroi.identity.rights import require_reach
from beffroi.intake.moving_in import order
from beffroi.intake.moving_in.order import Order
from beffroi.intake.moving_in.sources import SOURCES
from beffroi.model.principal import Principal
from beffroi.model.problem import Conflict, Problem
from beffroi.model.text import Text
from beffroi.store.open import Store
from beffroi.web.kit.page import figures_of, language_of, principal_of, translate
from beffroi.web.kit.table import Cell, Column, Row
from beffroi.web.site.administration.desk import PRIVATE, entry, off_loop, refused, see_other, show, store_of

__all__ = ["ROUTES"]


@entry(admin=True)
async def page(request: Request) -> Response:
    """Offer to find the commune, or say how far its data are."""
    require_reach(principal_of(request), ())
    words, files = request.query_params.get("q", ""), request.query_params.get("files") == "1"
    found: list[tuple[str, str]] = []
    errors: dict[str, str] = {}
    try:
        found = await off_loop(order.search, store_of(request), words, files=files)
    except Problem as problem:
        errors = {"q": " ".join(refused(request, problem).values())}
    return await _page(request, words=words, files=files, found=found, errors=errors)


async def _page(
    request: Request, *, words: str = "", files: bool = False, found: list[tuple[str, str]] | None = None,
    errors: dict[str, str] | None = None, status: int = 200,
) -> Response:  # fmt: skip
    _, store = translate(request), store_of(request)
    last = await off_loop(order.order_of, store)
    given = await off_loop(order.files_given, store)
    held = [t for t in await off_loop(territories.every, store) if t.kind == "commune" and len(t.code) == 5]
    columns = [
        Column("source", _("Source")),
        Column("licence", _("Licence")),
        Column("size", _("Taille")),
        Column("state", _("État")),
    ]
    return show(
        request, "ground", status, words=words, files=files or any(given.values()), found=found or [], errors=errors or {},
        order=last, columns=columns, rows=_rows(request, last, given), held=held, changes=_changes(request, last),
        change_columns=_change_columns(request), folder="sources/files", given=sum(map(len, given.values())),
        searched=bool(words), doing=_doing(request, last),
    )  # fmt: skip


def _doing(request: Request, last: Order | None) -> str:
    _ = translate(request)
    if last is None:
        return ""
    name = last.name or last.insee
    return {
        "comparing": _("Comparaison des sources de {name}", name=name), "compared": _("Ce qui changerait à {name}", name=name),
        "taking": _("Les données de {name} arrivent", name=name), "done": _("Les données de {name} sont là", name=name),
        "failed": _("Les données de {name} n'ont pas pu être prises", name=name),
    }[last.stage]  # fmt: skip


def _rows(request: Request, last: Order | None, given: dict[str, list[Path]]) -> list[Row]:
    _, language, figures = translate(request), language_of(request), figures_of(request)
    states = {
        "waiting": _("en attente"),
        "running": _("en cours"),
        "taken": _("pris"),
        "absent": _("absent"),
        "failed": _("échec"),
    }
    marks = {"taken": "vert", "failed": "rouge", "absent": "jaune"}
    rows = []
    for name, source in SOURCES.items():
        step = last.steps.get(name) if last is not None else None
        sizes = [p.stat().st_size for p in given.get(name, ())]
        size = step.whole or step.done if step is not None and (step.whole or step.done) else sum(sizes)
        said: object = Cell(
            _("à prendre") if source.address or sizes else _("à fournir"), note=source.absent.of(language)
        )
        if step is not None:
            note = step.reason.of(language)
            if step.state == "running" and step.whole:
                note = _("{done} sur {whole}", done=figures.size(step.done), whole=figures.size(step.whole))
            said = Cell(states[step.state], severity=marks.get(step.state, ""), note=note)
        rows.append(
            Row(
                {
                    "source": source.title.of(language),
                    "licence": source.credit,
                    "size": figures.size(size) if size else "",
                    "state": said,
                }
            )
        )
    return rows


def _change_columns(request: Request) -> list[Column]:
    _ = translate(request)
    return [Column("collection", _("Collection")), *(Column(n, t, "number", decimals=0) for n, t in (
        ("created", _("Nouveaux")), ("updated", _("Changés")), ("unchanged", _("Inchangés")), ("gone", _("Disparus de la source")),
        ("rejected", _("Refusés"))))]  # fmt: skip


def _changes(request: Request, last: Order | None) -> list[Row]:
    language, known = language_of(request), store_of(request).records.collections
    rows = []
    for step in last.steps.values() if last is not None else ():
        for c in step.changes:
            title = known[c.collection].title.of(language) if c.collection in known else c.collection
            cells = {
                "collection": title,
                "created": c.created,
                "updated": c.updated,
                "unchanged": c.unchanged,
                "gone": c.gone,
                "rejected": c.rejected,
            }
            rows.append(
                Row(
                    cells,
                    f"/donnees/{c.collection}"
                    if c.collection in known and last and last.stage == "done"
                    else "",
                )
            )
    return rows


@entry(admin=True)
async def act(request: Request) -> Response:
    """Begin, compare, apply, or try again."""
    who = principal_of(request)
    require_reach(who, ())
    sent = {name: str(value).strip() for name, value in (await request.form()).items()}
    try:
        await off_loop(_act, store_of(request), who, sent)
    except Problem as problem:
        return await _page(
            request, errors={"q": " ".join(refused(request, problem).values())}, status=problem.status
        )
    return see_other("/administration/commune")


def _act(store: Store, who: Principal, sent: dict[str, str]) -> None:
    last = order.order_of(store)
    if last is not None and last.waiting:
        raise Conflict(
            Text("Un travail est déjà en cours.", "Work is going on already."),
            Text("Attendez sa fin.", "Wait for its end."),
        )
    action, insee = sent.get("action", ""), sent.get("insee", "")
    files = sent.get("files") == "1"
    if action in ("apply", "again") and last is not None:
        insee, files = last.insee, last.files
    if not insee:
        raise Problem(Text("Dites quelle commune.", "Say which commune."), place="q")
    if insee not in {t.code for t in territories.every(store)}:
        territories.add(store, who, insee, sent.get("name") or insee)
    if action == "create" and sent.get("rename") == "1" and sent.get("name"):
        store.change_settings(who, {"town.name": sent["name"]}, "town.look", "town", {"name": sent["name"]})
    stage = "comparing" if action == "compare" else "taking"
    with store.write() as c:
        store.audit.note(c, who, f"sources.{stage}", f"territory/{insee}", {"files": files})
    order.asked(store, Order(insee, who.id, store.clock(), stage, files, sent.get("name", "")))  # type: ignore[arg-type]


@entry(admin=True)
async def state(request: Request) -> Response:
    """Answer how far the work is, for the page that waits."""
    require_reach(principal_of(request), ())
    last = await off_loop(order.order_of, store_of(request))
    steps = list(last.steps.values()) if last is not None else []
    done = sum(s.state not in ("waiting", "running") for s in steps)
    said = translate(request)("{done} sources sur {whole}", done=done, whole=len(steps))
    return JSONResponse(
        {"waiting": last is not None and last.waiting, "done": done, "whole": len(steps), "said": said},
        headers=PRIVATE,
    )


ROUTES = [
    Route("/administration/commune", page, methods=["GET"]),
    Route("/administration/commune", act, methods=["POST"]),
    Route("/administration/commune/etat", state, methods=["GET"]),
]
