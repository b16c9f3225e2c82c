"""The routes that can answer, found by the first part of the path: the answers are those of the whole router."""

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Mount, Route, Router
from starlette.testclient import TestClient

from beffroi.web.kit.signposts import Signposts


def told(name: str) -> object:
    def answer(request: Request) -> Response:
        return PlainTextResponse(f"{name} {sorted(request.path_params.items())}")

    return answer


def routes() -> list[Route | Mount]:
    return [
        Route("/", told("home")), Route("/a", told("a")), Route("/a/{n:int}", told("a n")), Route("/a/{rest:path}", told("a rest")),
        Route("/b/", told("b")), Route("/look-{version}.css", told("look")), Route("/{any}.json", told("json")),
        Route("/a", told("post"), methods=["POST"]), Mount("/c", routes=[Route("/d", told("d"))]), Route("/b.json", told("never")),
    ]  # fmt: skip


def plain() -> Starlette:
    return Starlette(routes=routes())


def signed() -> Starlette:
    app = plain()
    app.router.middleware_stack = Signposts(app.router)
    return app


@pytest.mark.parametrize(
    ("method", "path"),
    [
        *(("GET", p) for p in ("/", "/a", "/a/", "/a/3", "/a/x/y", "/b", "/b/", "/b.json", "/look-3.css", "/z.json", "/c/d", "/c/", "/c",
                               "/none", "/none/", "/a%2F3", "//a", "/%61")),
        ("POST", "/a"), ("PUT", "/a"), ("POST", "/b/"), ("DELETE", "/none"),
    ],
)  # fmt: skip
def test_answers_are_those_of_the_whole_router(method: str, path: str) -> None:
    one, other = (
        TestClient(app, follow_redirects=False).request(method, f"http://testserver{path}")
        for app in (plain(), signed())
    )
    names = ("location", "allow", "content-type")
    assert (other.status_code, other.text, [other.headers.get(n) for n in names]) == (
        one.status_code, one.text, [one.headers.get(n) for n in names])  # fmt: skip


def test_only_routes_that_can_answer_are_tried() -> None:
    tried: list[str] = []

    class Spied(Route):
        def matches(self, scope):  # type: ignore[no-untyped-def]
            tried.append(self.path)
            return super().matches(scope)

    router = Router([Spied(f"/{name}", told(name)) for name in "abcdef"])
    router.middleware_stack = Signposts(router)
    assert TestClient(router).get("/e").text == "e []"
    assert tried == ["/e"]
