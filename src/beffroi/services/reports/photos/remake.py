"""Remake: a photo drawn again from its pixels, turned upright, at the size that pages need, without metadata."""

import io
from typing import Any

import msgspec

from beffroi.model.problem import Problem
from beffroi.model.text import Text
from beffroi.services.reports.photos.broken import broken

__all__ = ["LARGE_PX", "MOST_PIXELS", "SMALL_PX", "Made", "remake"]

LARGE_PX, SMALL_PX = 1600, 320  # the longer side
MOST_PIXELS = 80_000_000
_TURNS = {2: "FLIP_LEFT_RIGHT", 3: "ROTATE_180", 4: "FLIP_TOP_BOTTOM", 5: "TRANSPOSE", 6: "ROTATE_270",
          7: "TRANSVERSE", 8: "ROTATE_90"}  # fmt: skip
Area = tuple[int, int, int, int]  # left, top, right, bottom in pixels


class Made(msgspec.Struct, frozen=True):
    """The photo to publish and its thumbnail (JPEG), the size of the former, and a hash of what it shows."""

    large: bytes
    small: bytes
    width: int
    height: int
    phash: str
    blurred: int


def remake(data: bytes, media_type: str, orientation: int = 1, blur: Any = None) -> Made:
    """Return the photo made again. `blur(image)` returns the areas to make unreadable. Raises `Problem`.

    HEIC needs the extra `[heic]`.
    """
    image = _opened(data, media_type)
    if orientation in _TURNS:
        from PIL import Image  # noqa: PLC0415 -- only the process that remakes photos pays for it

        image = image.transpose(getattr(Image.Transpose, _TURNS[orientation]))
    image.thumbnail((LARGE_PX, LARGE_PX))
    areas: list[Area] = blur(image) if blur is not None else []
    for area in areas:
        _hide(image, area)
    small = image.copy()
    small.thumbnail((SMALL_PX, SMALL_PX))
    return Made(_jpeg(image, 82), _jpeg(small, 75), image.width, image.height, phash(image), len(areas))


def _opened(data: bytes, media_type: str) -> Any:
    from PIL import Image, UnidentifiedImageError  # noqa: PLC0415

    if media_type == "image/heic":
        _learn_heic()
    Image.MAX_IMAGE_PIXELS = MOST_PIXELS
    try:
        image = Image.open(io.BytesIO(data), formats=None)
        if image.width * image.height > MOST_PIXELS:
            raise _too_large()
        if image.format == "JPEG":
            image.draft("RGB", (2 * LARGE_PX, 2 * LARGE_PX))  # decodes at a fraction of the work
        return _flat(image)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _too_large() from error
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, EOFError, RuntimeError) as error:
        raise broken() from error


def _too_large() -> Problem:
    return Problem(Text("Cette photo a trop de pixels.", "This photo has too many pixels."),
                   Text("Réduisez-la à 80 millions de pixels.", "Reduce it to 80 million pixels."), place="photo")  # fmt: skip


def _flat(image: Any) -> Any:
    """Return the image in RGB, transparency over white, alone: nothing that came with the file stays with it."""
    from PIL import Image  # noqa: PLC0415

    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        over = image.convert("RGBA")
        flat = Image.new("RGB", image.size, "white")
        flat.paste(over, mask=over.getchannel("A"))
        return flat
    drawn = image.convert("RGB")
    bare = Image.new("RGB", drawn.size)
    bare.paste(drawn)
    return bare


def _learn_heic() -> None:
    try:
        from pi_heif import register_heif_opener  # noqa: PLC0415
    except ImportError as error:
        raise Problem(
            Text("Les photos HEIC demandent l'extra « heic ».", "HEIC photos need the extra 'heic'."),
            Text("Installez-le : pip install 'beffroi[heic]'.", "Install it: pip install 'beffroi[heic]'."), place="photo",
        ) from error  # fmt: skip
    register_heif_opener(thumbnails=False)


def _jpeg(image: Any, quality: int) -> bytes:
    held = io.BytesIO()
    image.save(held, "JPEG", quality=quality, optimize=True, progressive=True)
    return held.getvalue()


def _hide(image: Any, area: Area) -> None:
    """Make an area unreadable: averaged over few large squares, which no filter undoes."""
    part = image.crop(area)
    if part.width and part.height:
        coarse = part.resize((max(1, min(6, part.width)), max(1, min(6, part.height))), 4)
        image.paste(coarse.resize(part.size, 0), area)


def phash(image: Any) -> str:
    """Return 64 bits of what the image shows: whether each of 8 × 8 cells is brighter than its right neighbour."""
    grey = image.convert("L").resize((9, 8), 4).tobytes()
    bits = 0
    for row in range(8):
        for column in range(8):
            at = row * 9 + column
            bits = bits << 1 | (grey[at] > grey[at + 1])
    return f"{bits:016x}"
