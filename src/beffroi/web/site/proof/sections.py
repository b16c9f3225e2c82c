"""The proof of a service: sections, each a question, from whichever part of the platform answers it.

A module named in `PARTS` has `section(request, service) -> Section | None`; the page shows them in their order.
"""

import importlib
from collections.abc import Mapping
from typing import Any

import msgspec
from starlette.requests import Request

from beffroi.plugins import Service
from beffroi.web.kit.page import translate

__all__ = ["PARTS", "Section", "sections_of", "tabs_of"]

PARTS = (
    "beffroi.web.site.proof.worth",
    "beffroi.web.site.proof.figures",
    "beffroi.web.site.experiments.section",
    "beffroi.web.site.proof.consumption",
    "beffroi.web.site.proof.governance",
)


class Section(msgspec.Struct, frozen=True):
    """One section: its question as a title, the answer in one sentence, then the template that shows the means."""

    name: str
    title: str
    answer: str
    template: str
    order: int = 100
    context: Mapping[str, Any] = {}


def sections_of(request: Request, service: Service) -> list[Section]:
    """Return the sections of a service's proof, in their order."""
    made = [importlib.import_module(part).section(request, service) for part in PARTS]
    return sorted((one for one in made if one is not None), key=lambda s: s.order)


def tabs_of(request: Request) -> list[tuple[str, str, bool]]:
    """Return the neighbouring views of the place *Preuve*."""
    _ = translate(request)
    path = request.url.path
    views = (
        (_("Services"), "/preuve"), (_("Modèles économiques"), "/preuve/modeles"),
        (_("Expérimentations"), "/preuve/experimentations"), (_("Sobriété"), "/preuve/sobriete"),
    )  # fmt: skip
    return [(name, href, path == href) for name, href in views]
