"""Photos: nothing but the picture is left, whatever the kind, and the picture is the same."""

import io
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageChops
from tests.services.reports.photographs import TRACES, exif, heic, left_in, photograph

from beffroi.model.problem import Problem
from beffroi.services.reports.photos.cut import cut, kind_of
from beffroi.services.reports.photos.remake import LARGE_PX, remake

KINDS = ("jpeg", "png", "webp", "avif")
MADE = {kind: photograph(kind) for kind in KINDS}


def same_picture(one: bytes, other: bytes) -> bool:
    first, second = (Image.open(io.BytesIO(data)).convert("RGB") for data in (one, other))
    return first.size == second.size and ImageChops.difference(first, second).getbbox() is None


@pytest.mark.parametrize("kind", KINDS)
def test_only_the_picture_is_left(kind: str, tmp_path: Path) -> None:
    whole = MADE[kind]
    assert any(trace in whole for trace in TRACES)
    bare = cut(whole)
    assert bare.media_type == f"image/{kind}" == kind_of(whole)
    assert [trace for trace in TRACES if trace in bare.data] == []
    assert left_in(bare.data, tmp_path) == set()
    assert same_picture(whole, bare.data)
    assert cut(bare.data).data == bare.data
    found = Image.open(io.BytesIO(bare.data))
    assert not found.getexif() and not ({"icc_profile", "xmp", "comment", "exif"} & found.info.keys())


def test_only_the_picture_is_left_of_a_heic(tmp_path: Path) -> None:
    whole = heic(tmp_path)
    assert any(trace in whole for trace in TRACES)
    bare = cut(whole)
    assert bare.media_type == "image/heic"
    assert [trace for trace in TRACES if trace in bare.data] == []
    assert left_in(bare.data, tmp_path) == set()
    before, after = remake(whole, "image/heic"), remake(bare.data, "image/heic")
    assert (before.width, before.height, before.phash) == (after.width, after.height, after.phash)
    assert same_picture(before.large, after.large)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_published_is_drawn_again_without_anything_else(kind: str, tmp_path: Path) -> None:
    bare = cut(MADE[kind])
    made = remake(bare.data, bare.media_type, bare.orientation)
    for data in (made.large, made.small):
        assert left_in(data, tmp_path) == set()
        assert [trace for trace in TRACES if trace in data] == []
        assert kind_of(data) == "image/jpeg"
        assert b"\xff\xfe" not in data[: data.index(b"\xff\xda")]  # no comment
    assert (made.width, made.height) == (160, 120)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["jpeg", "png", "webp"])
def test_it_is_upright_as_the_telephone_meant(kind: str, orientation: int) -> None:
    whole = photograph(kind, orientation)
    from PIL import ImageOps

    upright = ImageOps.exif_transpose(Image.open(io.BytesIO(whole))).convert("RGB")
    bare = cut(whole)
    assert bare.orientation == orientation
    shown = Image.open(io.BytesIO(remake(bare.data, bare.media_type, bare.orientation).large))
    assert shown.size == upright.size
    for x in (0.1, 0.9):
        for y in (0.1, 0.9):
            at = int(shown.width * x), int(shown.height * y)
            assert (
                max(abs(a - b) for a, b in zip(shown.getpixel(at), upright.getpixel(at), strict=True)) < 40
            )  # red and grey differ by 118


def test_it_is_made_as_large_as_pages_need() -> None:
    made = remake(photograph("jpeg", size=(3000, 1500)), "image/jpeg")
    assert (made.width, made.height) == (LARGE_PX, LARGE_PX // 2)
    assert Image.open(io.BytesIO(made.small)).size == (320, 160)
    assert len(made.small) < 12_000


def test_blurring_makes_an_area_unreadable() -> None:
    source = Image.effect_noise((400, 300), 90).convert("RGB")
    held = io.BytesIO()
    source.save(held, "PNG")
    made = remake(held.getvalue(), "image/png", blur=lambda _image: [(100, 100, 220, 160)])
    shown = Image.open(io.BytesIO(made.large))
    inside, outside = shown.crop((106, 106, 214, 154)), shown.crop((230, 100, 390, 160))
    assert made.blurred == 1
    assert len(set(inside.convert("L").tobytes())) < 120 < len(set(outside.convert("L").tobytes()))


def test_what_is_no_photo_is_refused() -> None:
    for data in (
        b"",
        b"GIF89a..",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"%PDF-1.7",
        b"RIFF\0\0\0\0WAVE",
    ):
        with pytest.raises(Problem):
            cut(data)


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=60)
@given(data=st.data())
def test_a_damaged_photo_is_told_or_cut_but_never_fails_otherwise(kind: str, data: st.DataObject) -> None:
    whole = bytearray(MADE[kind])
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    damaged = bytes(whole[: data.draw(st.integers(0, len(whole)))])
    try:
        bare = cut(damaged)
        remake(bare.data, bare.media_type, bare.orientation)
    except Problem as problem:
        assert problem.place == "photo"


def test_a_place_hidden_in_any_segment_goes(tmp_path: Path) -> None:
    """Segments that telephones add: IPTC, FlashPix, MPF, a second EXIF, a thumbnail in JFIF."""
    whole = MADE["jpeg"]
    for marker in (0xE0, 0xE2, 0xE5, 0xED, 0xEE, 0xEF, 0xFE, 0xF0):
        body = b"Photoshop 3.0\0" + exif() + b"Rue-des-Secrets-47.6543"
        added = bytes([0xFF, marker]) + (len(body) + 2).to_bytes(2, "big") + body
        bare = cut(whole[:2] + added + whole[2:])
        assert [trace for trace in TRACES if trace in bare.data] == []
        assert bare.data == cut(whole).data
