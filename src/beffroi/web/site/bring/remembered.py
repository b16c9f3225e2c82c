"""The matchings that are remembered: listed, renamed, forgotten."""

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from beffroi.intake.bringing import brought
from beffroi.web.kit.page import language_of, render
from beffroi.web.site.bring.desk import PRIVATE, agent_only, check_agent, town_of

__all__ = ["ROUTES"]


@agent_only
def page(request: Request) -> Response:
    """List the remembered matchings."""
    town, language = town_of(request), language_of(request)
    collections = town.store.records.collections
    rows = [
        (
            one,
            collections[one.plan.collection].title.of(language) if one.plan.collection in collections else "",
        )
        for one in brought.mappings(town.store)
    ]
    return render(request, "bring/remembered.html", 200, PRIVATE, rows=rows)


async def change(request: Request) -> Response:
    """Rename or forget one."""
    check_agent(request)
    sent = await request.form()
    store, number = town_of(request).store, int(request.path_params["number"])
    name = str(sent.get("name", "")).strip()
    if sent.get("action") == "forget":
        await run_in_threadpool(brought.forget_mapping, store, number)
    elif name:
        await run_in_threadpool(brought.rename_mapping, store, number, name)
    return RedirectResponse("/donnees/apporter/correspondances", 303)


ROUTES = [
    Route("/donnees/apporter/correspondances", page, methods=["GET"]),
    Route("/donnees/apporter/correspondances/{number:int}", change, methods=["POST"]),
]
