"""Taking a change back: one change, a bulk action or a whole import, by its change set."""

from urllib.parse import urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from beffroi.model.problem import NotFound
from beffroi.model.text import Text
from beffroi.web.site.data.desk import desk_of

__all__ = ["ROUTES"]


def _own_page(address: str) -> str:
    """Return `address` when it is one of our pages of data, the list of collections otherwise."""
    parts = urlsplit(address)
    ours = not parts.scheme and not parts.netloc and parts.path.startswith("/donnees") and "\\" not in address
    return address if ours else "/donnees"


async def undo(request: Request) -> Response:
    """Undo the change set named in the form, then go back."""
    form = await request.form()
    number = str(form.get("change_set", ""))
    if not number.isdigit() or len(number) > 18:
        raise NotFound(Text("Cette modification n'existe pas.", "There is no such change."))
    await run_in_threadpool(desk_of(request).undo, int(number))
    return RedirectResponse(_own_page(str(form.get("back", ""))), 303)


ROUTES = [Route("/donnees/annuler", undo, methods=["POST"])]
