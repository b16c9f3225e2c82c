"""Files that the lighting service reads."""

from beffroi.services.lighting.importing import IMPORTS

__all__ = ["IMPORTS"]
