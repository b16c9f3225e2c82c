"""`/signaler/affiche`: a sheet to print and stick: a QR code that opens the form filled in for a place or an asset."""

from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from beffroi.services.reports.citizen.form import category_of, category_options
from beffroi.services.reports.citizen.reading import town_of
from beffroi.services.reports.where import asset_record
from beffroi.web.kit.page import language_of, render
from beffroi.web.kit.qr import qr_svg

__all__ = ["ROUTES"]


def page(request: Request) -> Response:
    """Answer the sheet, with the form that makes another."""
    town, query = town_of(request), request.query_params
    asked = [(k, query.get(k, "").strip()[:120]) for k in ("equipement", "lieu", "categorie", "lon", "lat")]
    given = [(k, v) for k, v in asked if v]
    base = (town.settings.base_url or str(request.base_url)).rstrip("/")
    address = f"{base}/signaler?" + urlencode([*given, ("canal", "qr")])
    asset = asset_record(town, query.get("equipement", ""))
    collection = town.store.records.collections.get(asset.collection) if asset else None
    name = (
        f"{collection.title.of(language_of(request))} · {asset.values[collection.label]}"
        if asset and collection
        else ""
    )
    return render(
        request, "citizen/poster.html", values=dict(asked), qr=qr_svg(address) if given else None, address=address, name=name,
        options=category_options(request), category=category_of(request, query.get("categorie", "")),
    )  # fmt: skip


ROUTES: list[BaseRoute] = [Route("/signaler/affiche", page)]
