"""Files that the lighting service reads."""

from beffroi.services.lighting import importing

__all__ = ["IMPORTS"]

IMPORTS = importing.IMPORTS
