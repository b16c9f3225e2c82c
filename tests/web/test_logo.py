"""Logos: drawings are kept, everything else in the file is not."""

import base64
import random
import struct
import zlib

import pytest

from beffroi.model.problem import Problem
from beffroi.web.site.administration.logo import LARGEST, clean_logo

PNG = b"\x89PNG\r\n\x1a\n"


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int = 2, height: int = 2, extra: bytes = b"", after: bytes = b"") -> bytes:
    pixels = zlib.compress(b"\0" + b"\x7f\0\0" * 2 + b"\0" + b"\0\x7f\0" * 2)
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return PNG + chunk(b"IHDR", head) + extra + chunk(b"IDAT", pixels) + chunk(b"IEND", b"") + after


def kept(body: bytes) -> bytes:
    return base64.b64decode(clean_logo(body).partition(";base64,")[2])


def svg(inside: str, attributes: str = "") -> bytes:
    return f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" viewBox="0 0 9 9" {attributes}>{inside}</svg>'.encode()


def test_a_plain_image_is_kept_as_it_is() -> None:
    assert kept(png()) == png()
    assert clean_logo(png()).startswith("image/png;base64,")
    assert clean_logo(svg("<path d='M0 0'/>")).startswith("image/svg+xml;base64,")


def test_what_hides_in_a_png_is_dropped() -> None:
    secrets = chunk(b"tEXt", b"Author\0Someone") + chunk(b"eXIf", b"GPS") + chunk(b"zzZz", b"<script>")
    assert kept(png(extra=secrets, after=b"<script>alert(1)</script>")) == png()


@pytest.mark.parametrize(
    "body",
    [
        b"", b"GIF89a", PNG, png()[:-5], png()[:40], png().replace(b"IDAT", b"IDAX"), png(width=0), png(width=2001),
        png()[:-20] + b"x" * 20, PNG + chunk(b"IEND", b""), b"../../etc/passwd", b"<html/>", b"<svg/>", b"<svg",
        b"<!DOCTYPE svg [<!ENTITY a 'b'>]><svg xmlns='http://www.w3.org/2000/svg'>&a;</svg>", b"x" * (LARGEST + 1),
        "<svg xmlns='http://www.w3.org/2000/svg'/>".encode("utf-16"), b"\xff\xfe<", b"<?xml version='1.0' encoding='zz'?><svg/>",
    ],
)  # fmt: skip
def test_what_is_no_image_is_refused(body: bytes) -> None:
    with pytest.raises(Problem) as caught:
        clean_logo(body)
    assert caught.value.place == "logo"


@pytest.mark.parametrize(
    "inside",
    [
        "<script>alert(1)</script>", "<g onload='alert(1)'/>", "<image href='https://evil.example/x.png'/>",
        "<a xlink:href='javascript:alert(1)'><path d='M0 0'/></a>", "<use xlink:href='https://evil.example/#a'/>",
        "<foreignObject><body xmlns='http://www.w3.org/1999/xhtml'>evil</body></foreignObject>",
        "<style>@import 'https://evil.example/x.css';</style>", "<style>path{fill:url(https://evil.example/)}</style>",
        "<path style='fill:url(https://evil.example/#x)'/>", "<path fill='url(//evil.example/#x)'/>",
        "<animate onbegin='alert(1)'/>", "<set attributeName='href' to='javascript:alert(1)'/>",
        "<x:script xmlns:x='http://www.w3.org/1999/xhtml'>alert(1)</x:script>", "<style>a{b:\\75rl(//evil.example)}</style>",
        "<path xmlns:x='http://www.w3.org/1999/xlink' x:href='//evil.example'/>", "<g><g><script>alert(1)</script></g></g>",
    ],
)  # fmt: skip
def test_what_acts_or_calls_out_is_taken_away(inside: str) -> None:
    clean = kept(svg(inside)).decode()
    for bad in (
        "script",
        "evil",
        "onload",
        "onbegin",
        "javascript",
        "@import",
        "foreignObject",
        "image",
        "animate",
    ):
        assert bad not in clean
    assert 'viewBox="0 0 9 9"' in clean


def test_a_drawing_keeps_what_draws() -> None:
    inside = (
        '<defs><linearGradient id="a"><stop offset="0" stop-color="#123456" /></linearGradient></defs>'
        '<style>.st0{fill:#0b5c73}</style><g class="st0" transform="scale(2)"><path d="M0 0h9" fill="url(#a)" /></g>'
        '<use href="#a" /><text x="1" y="2">Redon</text>'
    )
    clean = kept(svg(inside)).decode()
    for part in (
        'stop-color="#123456"',
        ".st0{fill:#0b5c73}",
        'd="M0 0h9"',
        'fill="url(#a)"',
        'href="#a"',
        ">Redon</text>",
    ):
        assert part in clean
    assert kept(kept(svg(inside))).decode() == clean


def test_damaged_images_never_break_the_reader() -> None:
    chance = random.Random(3)
    for _ in range(300):
        body = bytearray(chance.choice([png(), svg("<g><path d='M0 0'/></g>")]))
        for _ in range(chance.randint(1, 4)):
            body[chance.randrange(len(body))] = chance.randrange(256)
        try:
            clean_logo(bytes(body))
        except Problem as problem:
            assert problem.place == "logo"
