"""Reading what a form sends: its texts, its photos, who sent it."""

from collections.abc import Mapping
from typing import Any

from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException
from starlette.requests import Request

from beffroi.model.problem import Problem
from beffroi.model.text import Text
from beffroi.services.reports.abuse import Post
from beffroi.services.reports.following import visitor_of
from beffroi.services.reports.photos.cut import Cut, cut
from beffroi.services.reports.posted import MOST_BYTES, parts_of
from beffroi.services.reports.submission import MOST_PHOTOS
from beffroi.services.reports.where import LonLat
from beffroi.town import Town

__all__ = ["Sent", "address_of", "check_photos", "point_of", "post_of", "read_form", "town_of", "visitor"]

TRAP = "site_web"  # a field that people do not see, and that programs fill in


def town_of(request: Request) -> Town:
    """Return the town that is asked."""
    town: Town = request.app.state.town
    return town


def address_of(request: Request) -> str:
    """Return the network address of who asks."""
    return request.client.host if request.client else ""


def visitor(request: Request) -> str:
    """Return the day's pseudonym of who asks."""
    return visitor_of(town_of(request), address_of(request), request.headers.get("user-agent", ""))


class Sent:
    """A form that was sent: its texts, its photos (cut of their metadata), and the photos that could not be taken."""

    def __init__(self, texts: Mapping[str, str], photos: tuple[Cut, ...], problem: Problem | None) -> None:
        self.texts = texts
        self.photos = photos
        self.problem = problem

    def get(self, name: str) -> str:
        """Return a text, "" when it was not sent."""
        return self.texts.get(name, "")


def check_photos(sent: Sent) -> None:
    """Raise the `Problem` of photos that could not be taken, or are too many."""
    if sent.problem is not None:
        raise sent.problem
    if len(sent.photos) > MOST_PHOTOS:
        raise Problem(Text("Il y a trop de photos.", "There are too many photos."),
                      Text(f"Gardez-en {MOST_PHOTOS}.", f"Keep {MOST_PHOTOS}."), place="photo")  # fmt: skip


async def read_form(request: Request) -> Sent:
    """Return the form of a request; metadata are cut here, before anything else sees the photos."""
    texts: dict[str, str] = {}
    photos: list[Cut] = []
    problem: Problem | None = None
    form = await _parsed(request)
    try:
        for name, value in form.multi_items():
            if not isinstance(value, UploadFile):
                texts[name] = value.replace("\r\n", "\n").replace("\x00", "")[:20_000]
            elif value.filename or value.size:  # else the field was left empty
                try:
                    photos.append(cut(await _bytes_of(value)))
                except Problem as found:
                    problem = found
    finally:
        await form.close()
    return Sent(texts, tuple(photos), problem)


async def _parsed(request: Request) -> FormData:
    try:
        return await parts_of(request, files=MOST_PHOTOS + 4, fields=300)
    except MultiPartException as error:
        raise Problem(Text("Ce formulaire n'est pas compris.", "This form is not understood."),
                      Text(f"Rechargez la page et recommencez ({error.message}).", f"Load the page again ({error.message}).")) from error  # fmt: skip


async def _bytes_of(file: UploadFile) -> bytes:
    if (file.size or 0) > MOST_BYTES:
        raise Problem(Text("Cette photo pèse plus de 20 Mo.", "This photo is heavier than 20 MB."),
                      Text("Envoyez-en une plus légère.", "Send a lighter one."), place="photo")  # fmt: skip
    return await file.read()


def post_of(request: Request, sent: Sent, text: str) -> Post:
    """Return what a post shows of how it was made."""
    return Post(text, address_of(request), sent.get(TRAP), sent.get("start"), sent.get("proof"))


def point_of(values: Mapping[str, Any]) -> LonLat | None:
    """Return the point of the fields `lon` and `lat`, None when there is none that makes sense."""
    try:
        lon, lat = (
            float(str(values.get("lon", "")).replace(",", ".")),
            float(str(values.get("lat", "")).replace(",", ".")),
        )
    except ValueError:
        return None
    return (
        (round(lon, 6), round(lat, 6))
        if -180 <= lon <= 180 and -90 <= lat <= 90 and (lon, lat) != (0, 0)
        else None
    )
