"""`beffroi token`: keys for programs and devices."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from beffroi.cli import Data, Json, opened, say, tell
from beffroi.model.instant import format_instant
from beffroi.model.principal import SYSTEM

if TYPE_CHECKING:
    from beffroi.identity.keys import Key

__all__ = ["register"]


def _day(instant_us: int | None) -> str | None:
    return None if instant_us is None else format_instant(instant_us)


def report_of(key: "Key") -> dict[str, Any]:
    """Return a key as JSON, never its secret."""
    return {
        "id": key.id, "prefix": key.prefix, "name": key.name, "role": key.role, "service": key.service,
        "territories": list(key.territories), "created": _day(key.created_us), "expires": _day(key.expires_us),
        "last_used": _day(key.used_us), "revoked": _day(key.revoked_us),
    }  # fmt: skip


def _line(key: "Key") -> str:
    state = say("révoquée", "revoked") if key.revoked_us else say("valable", "valid")
    limits = " ".join((key.service or "", *key.territories)).strip()
    return f"{key.id:>6}  {key.prefix}…  {key.role:<12} {state:<9} {key.name}" + (
        f"  [{limits}]" if limits else ""
    )


def register(app: typer.Typer) -> None:
    """Add `token create`, `token list` and `token revoke`."""
    group = typer.Typer(no_args_is_help=True, help=say("Les clés des programmes.", "Keys for programs."))
    app.add_typer(group, name="token")

    @group.command(
        "create", help=say("Crée une clé et la montre, une seule fois.", "Create a key and show it, once.")
    )
    def create(
        data: Data,
        role: Annotated[str, typer.Option(help="admin, agent, responsable, elu, supplier, device")],
        service: Annotated[
            str | None, typer.Option(help=say("Limite la clé à un service.", "Limit the key to one service."))
        ] = None,
        territory: Annotated[
            list[str] | None,
            typer.Option(
                help=say(
                    "Limite la clé à ce territoire (répétable).",
                    "Limit the key to this territory (repeatable).",
                )
            ),
        ] = None,
        name: Annotated[str, typer.Option(help=say("À quoi elle sert.", "What it is for."))] = "",
        days: Annotated[
            int | None, typer.Option(help=say("Expire après tant de jours.", "Expires after that many days."))
        ] = None,
        as_json: Json = False,
    ) -> None:
        from beffroi.identity import keys

        with opened(data) as store:
            key, secret = keys.create(
                store, SYSTEM, role=role, name=name, service=service, territories=territory or (), days=days
            )
        # Alone on stdout, so that KEY=$(beffroi token create …) works.
        tell({"token": secret, **report_of(key)}, as_json=as_json, words=secret)

    @group.command("list", help=say("Liste les clés.", "List the keys."))
    def list_(data: Data, as_json: Json = False) -> None:
        from beffroi.identity import keys

        with opened(data) as store:
            every = keys.every(store)
        tell([report_of(k) for k in every], as_json=as_json,
             words="\n".join(map(_line, every)) or say("Aucune clé.", "No key."))  # fmt: skip

    @group.command("revoke", help=say("Révoque une clé, aussitôt.", "Revoke a key, at once."))
    def revoke(
        which: Annotated[
            str,
            typer.Argument(
                metavar="ID", help=say("Numéro ou préfixe de la clé.", "Number or prefix of the key.")
            ),
        ],
        data: Data,
        as_json: Json = False,
    ) -> None:
        from beffroi.identity import keys

        with opened(data) as store:
            key = keys.revoke(store, SYSTEM, int(which) if which.isdigit() else which.rstrip("…"))
        tell(report_of(key), as_json=as_json, words=_line(key))
