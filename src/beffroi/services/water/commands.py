"""`beffroi water`: each room of the service brings its own commands."""

import importlib

import typer

from beffroi.terminal import say

__all__ = ["register"]

# packages of this service with a module `commands` whose `add(group)` adds their commands
_ROOMS: tuple[str, ...] = ("camera", "rating", "forecast")


def register(app: typer.Typer) -> None:
    """Add the group `water`."""
    group = typer.Typer(
        no_args_is_help=True,
        help=say("Mesure, alerte et prévoit les rivières.", "Measure, warn of and forecast rivers."),
    )
    app.add_typer(group, name="water")
    for room in _ROOMS:
        importlib.import_module(f"beffroi.services.water.{room}.commands").add(group)
