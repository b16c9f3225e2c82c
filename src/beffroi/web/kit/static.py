"""Serving of the bundle: precompressed, hashed names kept for a year, others revalidated."""

import hashlib

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from beffroi.model.problem import NotFound
from beffroi.model.text import Text
from beffroi.web.kit.assets import bundle

__all__ = ["ROUTES", "accepts"]


def accepts(request: Request, coding: str) -> bool:
    """True when the client takes the content `coding` ("br", "gzip") and does not give it weight 0."""
    for part in request.headers.get("accept-encoding", "").lower().split(","):
        name, _, weight = part.strip().partition(";")
        if name.strip() in (coding, "*"):
            return weight.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False


async def static(request: Request) -> Response:
    """Answer `/static/{name}` from memory."""
    asset = bundle().files.get(request.path_params["name"])
    if asset is None:
        raise NotFound(Text("Ce fichier n'existe pas.", "There is no such file."))
    coding = next((c for c in ("br", "gzip") if c in asset.variants and accepts(request, c)), "")
    body = asset.variants[coding]
    tag = f'"{hashlib.blake2b(body, digest_size=8).hexdigest()}"'
    age = "public, max-age=31536000, immutable" if asset.hashed else "public, max-age=3600"
    headers = {"Cache-Control": age, "ETag": tag, "Vary": "Accept-Encoding"}
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    if coding:
        headers["Content-Encoding"] = coding
    return Response(body, media_type=asset.media_type, headers=headers)


ROUTES: list[BaseRoute] = [Route("/static/{name:path}", static, name="static")]
