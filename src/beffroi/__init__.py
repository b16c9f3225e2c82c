"""Beffroi: an open urban platform that a town runs itself."""

__all__ = ["__version__"]

__version__ = "0.1.0"
