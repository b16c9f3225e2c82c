"""The matchings that are remembered: listed, renamed, forgotten; a neighbour's made one's own."""

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from beffroi.intake.bringing import brought
from beffroi.intake.bringing.brought import Mapping
from beffroi.web.kit.page import language_of, principal_of, render
from beffroi.web.site.bring.desk import PRIVATE, agent_only, check_agent, town_of
from beffroi.web.site.data.desk import territory_names

__all__ = ["ROUTES"]

_HERE = "/donnees/apporter/correspondances"


class Line(msgspec.Struct, frozen=True):
    """One matching as the page shows it: where its files go, whose it is, for whom the reader may copy it."""

    mapping: Mapping
    title: str
    commune: str
    copies: list[tuple[str, str]]


@agent_only
def page(request: Request) -> Response:
    """List the remembered matchings: the reader's, then those of others."""
    store, language, who = town_of(request).store, language_of(request), principal_of(request)
    collections, names = store.records.collections, territory_names(request)
    every = brought.mappings(store)
    known = {(one.shape, one.territory, one.file) for one in every}
    lines: list[tuple[bool, Line]] = []
    for one in every:
        held = collections.get(one.plan.collection)
        copies = [(c, n) for c, n in names.items() if who.covers(c) and (one.shape, c, one.file) not in known] if len(names) > 1 else []  # fmt: skip
        own = not who.territories or one.territory in who.territories
        line = Line(one, held.title.of(language) if held else "", names.get(one.territory, ""), copies)
        lines.append((own, line))
    return render(
        request, "bring/remembered.html", 200, PRIVATE, own=[line for mine, line in lines if mine],
        others=[line for mine, line in lines if not mine],
    )  # fmt: skip


async def change(request: Request) -> Response:
    """Rename or forget one, or copy it for another commune."""
    check_agent(request)
    sent = {k: str(v) for k, v in (await request.form()).items()}
    await run_in_threadpool(_change, request, sent)
    return RedirectResponse(_HERE, 303)


def _change(request: Request, sent: dict[str, str]) -> None:
    store, who, number = town_of(request).store, principal_of(request), int(request.path_params["number"])
    action, name = sent.get("action"), sent.get("name", "").strip()
    if action == "copy":
        brought.copy_mapping(store, number, sent.get("territory", ""), who)
    elif action == "forget":
        brought.forget_mapping(store, number, who)
    elif name:
        brought.rename_mapping(store, number, name, who)


ROUTES = [
    Route(_HERE, page, methods=["GET"]),
    Route(f"{_HERE}/{{number:int}}", change, methods=["POST"]),
]
