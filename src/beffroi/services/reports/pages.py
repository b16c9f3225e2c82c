"""The addresses of reports."""

from beffroi.services.reports.open311.serving import ROUTES

__all__ = ["ROUTES"]
