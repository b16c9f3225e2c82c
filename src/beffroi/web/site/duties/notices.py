"""`/mentions-legales`: who publishes and hosts, and that there is no tracker; `/conditions`; `/.well-known/security.txt` (RFC 9116)."""

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from beffroi.model.instant import DAY_US, format_instant
from beffroi.town import Town
from beffroi.web.kit.page import render
from beffroi.web.site.duties.said import said_of

__all__ = ["ROUTES"]

_SOFTWARE = "https://github.com/beffroi/beffroi/security/policy"


def notices(request: Request) -> Response:
    """Answer the legal notices (law 2004-575, art. 1-1)."""
    return render(request, "duties/notices.html", said=said_of(request.app.state.town))


def terms(request: Request) -> Response:
    """Answer the terms of use: what the site itself makes true, and what the town adds."""
    town: Town = request.app.state.town
    return render(
        request, "duties/terms.html", said=said_of(town), reports="reports" in town.registry.services
    )


def security(request: Request) -> Response:
    """Answer whom to tell of a hole. It expires in a year, counted from the first day of this month, so that it is cached well."""
    town: Town = request.app.state.town
    contact = said_of(town).security
    lines = [f"Contact: {one}" for one in ([_uri(contact)] if contact else []) + [_SOFTWARE]]
    month = format_instant(town.clock())[:8] + "01T00:00:00Z"
    year = int(month[:4]) + 1
    base = town.settings.base_url.rstrip("/") or str(request.base_url).rstrip("/")
    lines += [
        f"Expires: {year}{month[4:]}",
        "Preferred-Languages: fr, en",
        f"Canonical: {base}/.well-known/security.txt",
    ]
    return PlainTextResponse(
        "\n".join(lines) + "\n", headers={"Cache-Control": f"public, max-age={DAY_US // 1_000_000}"}
    )


def _uri(contact: str) -> str:
    return contact if contact.startswith(("https://", "mailto:", "tel:")) else f"mailto:{contact}"


ROUTES: list[BaseRoute] = [
    Route("/mentions-legales", notices),
    Route("/conditions", terms),
    Route("/.well-known/security.txt", security),
]
