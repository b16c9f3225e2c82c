"""`beffroi environment`: concentrations of gases from one unit to the other."""

from typing import Annotated

import typer

from beffroi.model.problem import Problem
from beffroi.model.text import Text
from beffroi.terminal import Json, language, say, tell

__all__ = ["register"]

_PPB, _MASS = "[ppb]", "ug/m3"


def register(app: typer.Typer) -> None:
    """Add the group `environment`."""
    group = typer.Typer(
        no_args_is_help=True, help=say("Environnement : unités de l'air.", "Environment: units of the air.")
    )
    app.add_typer(group, name="environment")
    group.command(
        "convert",
        help=say("Une concentration de gaz, de ppb en µg/m³ ou de µg/m³ en ppb.", "A concentration of a gas, from ppb to µg/m³ or from µg/m³ to ppb."),
    )(_convert)  # fmt: skip


def _convert(
    gas: Annotated[str, typer.Argument(metavar="GAS", help="no2, o3, so2, no, co.")],
    value: Annotated[float, typer.Argument(metavar="VALUE", min=0, help=say("Concentration.", "Concentration."))],
    unit: Annotated[str, typer.Argument(metavar="UNIT", help=say("Unité de la valeur : ppb ou ug/m3 ; la réponse est dans l'autre.", "Unit of the value: ppb or ug/m3; the answer is in the other."))],
    celsius: Annotated[float, typer.Option("--celsius", min=-90, max=60, help=say("Température de l'air (20 °C par convention).", "Temperature of the air (20 °C by convention)."))] = 20.0,
    hectopascal: Annotated[float, typer.Option("--hectopascal", min=300, max=1100, help=say("Pression de l'air (1013 hPa par convention).", "Pressure of the air (1013 hPa by convention)."))] = 1013.0,
    as_json: Json = False,
) -> None:  # fmt: skip
    from beffroi.services.environment.air_index import GASES, to_ppb, to_ug_m3  # noqa: PLC0415
    from beffroi.standards.unit import unit_of  # noqa: PLC0415

    given = unit_of(unit)
    if given.ucum not in (_PPB, _MASS):
        raise Problem(Text(f"« {unit} » n'est ni ppb ni µg/m³.", f"'{unit}' is neither ppb nor µg/m³."),
                      Text("Écrivez ppb ou ug/m3.", "Write ppb or ug/m3."), "UNIT")  # fmt: skip
    gas = gas.lower()
    if gas not in GASES:
        raise Problem(Text(f"« {gas} » n'est pas un gaz connu : des particules ne se disent pas en ppb.", f"'{gas}' is no known gas: particles are not told in ppb."),
                      Text(f"Choisissez parmi {', '.join(GASES)}.", f"Choose among {', '.join(GASES)}."), "GAS")  # fmt: skip
    there, convert = ("µg/m³", to_ug_m3) if given.ucum == _PPB else ("ppb", to_ppb)
    found = float(f"{convert(gas, value, celsius, hectopascal):.6g}")
    report = {"gas": gas, "value": value, "unit": given.symbol, "converted": found, "converted_unit": there,
              "celsius": celsius, "hectopascal": hectopascal}  # fmt: skip
    words = f"{value:g} {given.symbol} = {found:g} {there} ({celsius:g} °C, {hectopascal:g} hPa)"
    tell(report, as_json=as_json, words=words.replace(".", ",") if language() == "fr" else words)
