"""The base map of the town, served from its own machine: `/fond/…` (byte ranges)."""

from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import BaseRoute, Route

from beffroi.model.problem import NotFound
from beffroi.model.text import Text
from beffroi.town import Town
from beffroi.web.kit.ground import BaseMap, base_map

__all__ = ["ROUTES", "BaseMap", "base_map"]


def file(request: Request) -> Response:
    """Answer the file of the base map; its address changes with it, so it may be kept for a year."""
    town: Town = request.app.state.town
    name = request.path_params["name"]
    path = town.settings.data / name
    if name not in ("base.pmtiles", "base.geojson") or not path.exists():
        raise NotFound(Text("Cette ville n'a pas de fond de carte.", "This town has no base map."))
    kind = "application/vnd.pmtiles" if name.endswith(".pmtiles") else "application/geo+json"
    return FileResponse(
        path, media_type=kind, headers={"Cache-Control": "public, max-age=31536000, immutable"}
    )


ROUTES: list[BaseRoute] = [Route("/fond/{version}/{name}", file, methods=["GET"])]
