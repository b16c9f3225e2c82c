"""Pages: from a template and its values to an answer in the reader's language.

    return render(request, "site/thing.html", thing=thing)

Templates extend `kit/base.html` (blocks `title`, `lead`, `content`), and have without importing anything:
`_("Texte français")`, `plural(n, "un", "plusieurs")`, `figures` (see `figures.py`), `now` (microseconds),
`request`, `who`, `language`, `look`, `csrf()`, `with_query(page=2)`, `text(Text)`, `asset("site.css")`
and `kit`, the macros described in `README.md` beside this file.
"""

from collections.abc import Callable, Mapping, MutableMapping
from functools import lru_cache
from pathlib import Path
from threading import Lock, RLock
from typing import Any
from urllib.parse import parse_qsl, urlencode
from zoneinfo import ZoneInfo

from jinja2 import ChoiceLoader, Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response

import beffroi
from beffroi.model.instant import system_clock
from beffroi.model.principal import ANONYMOUS, Principal
from beffroi.model.text import LANGUAGES, Text
from beffroi.model.value import say_field
from beffroi.store.record import Row
from beffroi.town import Town
from beffroi.web.kit.assets import bundle
from beffroi.web.kit.chart import plot_svg
from beffroi.web.kit.figures import Figures
from beffroi.web.kit.look import Look, commune_of, look_of, look_of_commune
from beffroi.web.kit.packing import Weighed
from beffroi.web.kit.readers import note
from beffroi.web.kit.words import Words, load_words

__all__ = [
    "Pages",
    "figures_of",
    "language_of",
    "look_here",
    "pages_for",
    "pages_of",
    "principal_of",
    "render",
    "translate",
    "with_query",
    "words_of",
]

PLACES = (
    ("/", "Situation", "situation"), ("/carte", "Carte", "carte"), ("/services", "Services", "services"),
    ("/donnees", "Données", "donnees"), ("/preuve", "Preuve", "preuve"),
)  # fmt: skip
BELOW = {
    "/signaler": "services",
    "/signalements": "services",
    "/suivi": "services",
    "/capteurs": "donnees",
    "/series": "donnees",
    "/mesures": "donnees",
    "/alarmes": "situation",
    "/regles": "services",
    "/riviere": "services",
    "/energie": "services",
}
MACROS = {
    "table": "table", "pager": "table", "exports": "table",
    "form": "form", "field": "form", "errors": "form", "button": "form",
    "card": "card", "alarm": "card", "chart": "chart", "map": "map",
    "severity": "words", "when": "words", "facts": "words", "empty": "words", "notice": "words", "tabs": "words",
    "heading": "words",
}  # fmt: skip
WEIGHT_MARK = "%weight%"


class _Environment(Environment):
    """An environment in which each template is compiled once: a dozen readers who come at once to a town that has just
    begun would each compile all that a page is made of, and hold the others up for seconds."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._compiling = RLock()

    def _load_template(self, name: str, globals: MutableMapping[str, Any] | None) -> Template:  # noqa: A002 -- Jinja's word
        with self._compiling:
            return super()._load_template(name, globals)


class Pages:
    """The templates and words of the platform and its services, ready in each language."""

    def __init__(self, packages: tuple[Path, ...] = (), zone: str = "Europe/Paris") -> None:
        house = Path(beffroi.__file__).parent
        self.packages = (house, *(p for p in packages if house not in p.parents))
        self.words: dict[str, Words] = {
            language: load_words(self.packages, language) for language in LANGUAGES
        }
        self.figures: dict[str, Figures] = {
            language: Figures(self.words[language], ZoneInfo(zone)) for language in LANGUAGES
        }
        folders = sorted(
            {path for package in self.packages for path in package.rglob("templates") if path.is_dir()}
        )
        loader = ChoiceLoader([FileSystemLoader(folder) for folder in folders])
        self.environments: dict[str, Environment] = {
            language: self._environment(language, loader) for language in LANGUAGES
        }

    def _environment(self, language: str, loader: ChoiceLoader) -> Environment:
        environment = _Environment(
            loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True,
            extensions=["jinja2.ext.do"], auto_reload=False,
        )  # fmt: skip
        words = self.words[language]
        environment.globals.update(
            _=words.of, plural=words.plural, figures=self.figures[language], language=language,
            text=lambda said: said.of(language) if isinstance(said, Text) else said,
            plot_svg=lambda plot: plot_svg(plot, self.figures[language]), asset=bundle().url, version=beffroi.__version__,
        )  # fmt: skip
        return environment


class Kit:
    """The macros of `templates/kit/`, each loaded when a page first uses it, with the page's own values."""

    def __init__(self, environment: Environment, base: Mapping[str, Any]) -> None:
        self._environment = environment
        self._base = base

    def __getattr__(self, name: str) -> Any:
        """Return the macro called `name`."""
        try:
            module = self._environment.get_template(f"kit/{MACROS[name]}.html").make_module(dict(self._base))
        except KeyError:
            raise AttributeError(f"the kit has no part called {name}") from None
        for macro, place in MACROS.items():
            if place == MACROS[name]:
                self.__dict__[macro] = getattr(module, macro)
        return self.__dict__[name]


def pages_of(request: Request) -> Pages:
    """Return the application's pages, made on first use from its town's services."""
    state = request.app.state
    pages: Pages | None = getattr(state, "pages", None)
    if pages is None:
        pages = state.pages = pages_for(getattr(state, "town", None))
    return pages


def pages_for(town: Town | None) -> Pages:
    """Return the pages of a town, for what is written without a request: a paper that goes by mail."""
    services = () if town is None else town.registry.services.values()
    zone = "Europe/Paris" if town is None else town.settings.time_zone
    with _reading:
        return _pages(tuple(s.package for s in services if s.package is not None), zone)


_reading = Lock()


@lru_cache(maxsize=4)
def _pages(packages: tuple[Path, ...], zone: str) -> Pages:
    return Pages(packages, zone)


def language_of(request: Request) -> str:
    """Return the reader's language, "fr" or "en"."""
    return str(getattr(request.state, "language", "fr"))


def principal_of(request: Request) -> Principal:
    """Return who asks."""
    who: Principal = getattr(request.state, "who", ANONYMOUS)
    return who


def words_of(request: Request) -> Words:
    """Return the words of the reader's language."""
    return pages_of(request).words[language_of(request)]


def translate(request: Request) -> Callable[..., str]:
    """Return `_` for page code: `_ = translate(request); _("Texte français")`."""
    return words_of(request).of


def figures_of(request: Request) -> Figures:
    """Return the formatting of figures in the reader's language."""
    return pages_of(request).figures[language_of(request)]


def with_query(request: Request, **changes: object) -> str:
    """Return this page's address with query parameters set, or removed when None (relative to the host)."""
    query = request.url.query
    pairs = parse_qsl(query, keep_blank_values=True) if query else []
    kept = [(k, v) for k, v in pairs if k != "lang" and k not in changes]
    kept += [(k, str(v)) for k, v in changes.items() if v is not None]
    return request.url.path + (f"?{urlencode(kept)}" if kept else "")


def _csrf(request: Request) -> Markup:
    token = getattr(request.state, "csrf", "")
    return Markup('<input type="hidden" name="csrf" value="{}">').format(
        token() if callable(token) else token
    )


def _places(here: Look | None) -> tuple[tuple[str, str, str], ...]:
    """Return the five words of the navigation; a commune has its own situation and map."""
    if here is None:
        return PLACES
    own = {"/": here.place, "/carte": f"{here.place}/carte"}
    return tuple((own.get(href, href), name, place) for href, name, place in PLACES)


def _active(path: str) -> str:
    for prefix, place in BELOW.items():
        if path == prefix or path.startswith(prefix + "/"):
            return place
    for prefix, _, place in PLACES[1:]:
        if path == prefix or path.startswith(prefix + "/"):
            return place
    return "situation" if path == "/" else ""


def look_here(request: Request) -> Look | None:
    """Return the look of the commune whose pages these are (`/communes/35236/…`), None for the whole town's."""
    found: Look | None = getattr(request.state, "look", None)
    return found


def _look(town: Town | None, who: Principal) -> Look:
    """Return what the page shows of the town, or of the one commune that the reader works for."""
    if town is None or len(who.territories) != 1:
        return look_of(town)
    found = commune_of(town, who.territories[0])
    return look_of(town) if found is None else look_of_commune(town, found)


def render(
    request: Request,
    template: str,
    /,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    **context: Any,
) -> Response:
    """Return the page made from `template` and `context`.

    The footer says what the page weighs as served (its HTML, style and islands); the body is compressed
    here when the reader's browser takes gzip.
    """
    pages = pages_of(request)
    town = getattr(request.app.state, "town", None)
    islands: list[str] = []

    def island(name: str) -> str:
        if name not in islands:
            islands.append(name)
        return ""

    here = look_here(request)
    base = {
        "request": request, "who": principal_of(request), "town": town, "look": here or _look(town, principal_of(request)),
        "now": town.clock() if town is not None else system_clock(), "places": _places(here),
        "active": _active(request.url.path.removeprefix(here.place) or "/" if here else request.url.path), "csrf": lambda: _csrf(request), "island": island, "islands": islands,
        "with_query": lambda **changes: with_query(request, **changes), "weight_mark": WEIGHT_MARK,
    }  # fmt: skip
    language = language_of(request)

    def said(collection: str, record: Row, name: str) -> str:
        return (
            ""
            if town is None
            else say_field(town.store.records.collections[collection], record.values, name, language)
        )

    def tongue(code: str | None = None) -> Markup:
        """Return the mark of words that are not in the page's language (WCAG 3.1.2): people's, in the town's by default."""
        theirs = code or (town.settings.language if town is not None else language)
        return Markup("") if theirs == language else Markup(' lang="{}"').format(theirs)

    base |= {"tongue": tongue, "said": said, "kept": pages.words[language].kept}
    environment = pages.environments[language]
    html = environment.get_template(template).render({**base, "kit": Kit(environment, base), **context})
    return _answer(request, html, islands, status, headers or {})


def _answer(
    request: Request, html: str, islands: list[str], status: int, headers: Mapping[str, str]
) -> Response:
    sheets = [name for name in ("site.css", "desk.css", "river.css") if f'"{bundle().url(name)}"' in html]
    assets = sum(bundle().weight(name) for name in (*sheets, *islands))
    whole = html.encode()
    before, mark, after = whole.partition(WEIGHT_MARK.encode())

    def said(packed_size: int) -> bytes:
        return figures_of(request).size(packed_size + assets).encode() if mark else b""

    body = Weighed(before, after, said)
    if status < 400:
        note(request, whole, body.weight + assets, 1 + len(sheets) + len(islands))
    sent = {
        "Content-Language": language_of(request), "Vary": "Accept-Encoding, Accept-Language, Cookie",
        "Cache-Control": "no-cache", **headers,
    }  # fmt: skip
    return body.answer(request, "text/html; charset=utf-8", status, sent)
