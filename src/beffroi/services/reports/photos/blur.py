"""Blur: faces and number plates found in a photo, when the extra `[blur]` is installed."""

from collections.abc import Callable
from typing import Any

from beffroi.town import Town

__all__ = ["blur_of"]

Area = tuple[int, int, int, int]


def blur_of(_town: Town) -> Callable[[Any], list[Area]] | None:
    """Return what finds the areas to hide, None when the extra is not installed."""
    return None
