"""Find every page that a reader can reach by links, one address for each shape of address."""

import re
from collections.abc import Iterable
from urllib.parse import parse_qsl, urljoin, urlsplit, urlunsplit

from playwright.sync_api import APIRequestContext

NUMBER = re.compile(r"\d+")
HREF = re.compile(rb"""<a\b[^>]*?\bhref=["']([^"']+)["']""")
# what is not a page of ours, or changes who we are
OUTSIDE = ("/deconnexion", "/static/")
NAMED = re.compile(r"^/(donnees|ogc/collections)/([a-z][\w-]*)")


def shape(address: str) -> str:
    """Return the shape of an address: numbers and names of collections are places, values of the query are left out."""
    parts = urlsplit(address)
    path = NUMBER.sub("0", NAMED.sub(r"/\1/NAME", parts.path))
    keys = sorted({key for key, _ in parse_qsl(parts.query, keep_blank_values=True)} - {"lang"})
    return path + ("?" + "&".join(keys) if keys else "")


def links(body: bytes, base: str) -> list[str]:
    """Return the addresses of this site that a page links to, without fragments, in order."""
    origin = urlsplit(base)[:2]
    found = []
    for raw in HREF.findall(body):
        parts = urlsplit(urljoin(base, raw.decode().replace("&amp;", "&")))
        if parts[:2] == origin and not parts.path.startswith(OUTSIDE):
            found.append(urlunsplit((*parts[:4], "")))
    return found


class Site:
    """What a crawl found: `pages` are the HTML addresses, one or two per shape; `broken` the links that fail."""

    def __init__(self) -> None:
        self.pages: list[str] = []
        self.broken: list[str] = []
        self.asked: dict[str, list[str]] = {}


def crawl(request: APIRequestContext, starts: Iterable[str], each: int = 2) -> Site:
    """Follow links from `starts` and return what was found; at most `each` addresses of one shape are asked for."""
    site = Site()
    waiting = [(start, "(start)") for start in starts]
    while waiting:
        address, origin = waiting.pop(0)
        asked = site.asked.setdefault(shape(address), [])
        if address in asked or len(asked) >= each:
            continue
        asked.append(address)
        answer = request.get(address, max_redirects=5, timeout=20_000)
        if answer.status != 200:
            site.broken.append(f"{address}: {answer.status}, linked from {origin}")
        elif answer.headers.get("content-type", "").startswith("text/html"):
            if len(asked) == 1:
                site.pages.append(address)
            waiting += [(link, address) for link in links(answer.body(), answer.url)]
        answer.dispose()
    return site
