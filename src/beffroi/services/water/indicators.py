"""Figures of rivers: each part of the service brings a table."""

from beffroi.services.water.warning.indicators import INDICATORS as WARNING

__all__ = ["INDICATORS"]

INDICATORS = (*WARNING,)
