"""Bodies that say what they weigh."""

import gzip

from starlette.requests import Request

from beffroi.web.kit.packing import Weighed


def asked(encoding: str) -> Request:
    return Request({"type": "http", "headers": [(b"accept-encoding", encoding.encode())]})


def test_a_body_says_what_it_weighs_packed_within_the_digits_of_saying_it() -> None:
    before, after = b"<p>" + bytes(range(32, 127)) * 40, b" octets</p>"
    said: list[int] = []

    def words(size: int) -> bytes:
        said.append(size)
        return str(size).encode()

    packed = Weighed(before, after, words).answer(asked("gzip"), "text/html", 200, {"X-A": "1"})
    plain = Weighed(before, after, words).answer(asked("identity"), "text/html")
    assert said[0] == said[1]
    assert gzip.decompress(bytes(packed.body)) == plain.body == before + str(said[0]).encode() + after
    assert abs(len(packed.body) - said[0]) <= 8
    assert (packed.headers["content-encoding"], packed.headers["x-a"]) == ("gzip", "1")
    assert "content-encoding" not in plain.headers
    assert {packed.headers["vary"], plain.headers["vary"]} == {"Accept-Encoding"}


def test_a_small_body_is_not_packed() -> None:
    answer = Weighed(b"small", b"", lambda _size: b"").answer(asked("gzip"), "text/html")
    assert answer.body == b"small"
    assert "content-encoding" not in answer.headers
