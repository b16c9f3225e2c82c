"""`beffroi user`: people's accounts, from the command line."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from beffroi.cli import Data, Json, opened, say, tell
from beffroi.model.principal import SYSTEM
from beffroi.model.problem import NotFound
from beffroi.model.text import Text

if TYPE_CHECKING:
    from beffroi.identity.people import Person
    from beffroi.store.open import Store

__all__ = ["register"]

Email = Annotated[
    str, typer.Argument(metavar="EMAIL", help=say("Adresse du compte.", "The account's address."))
]


def report_of(person: "Person") -> dict[str, Any]:
    """Return an account as JSON."""
    return {
        "id": person.id, "email": person.email, "name": person.name, "role": person.role,
        "territories": list(person.territories), "service": person.service, "disabled": person.disabled,
    }  # fmt: skip


def _line(person: "Person") -> str:
    state = say("  (désactivé)", "  (disabled)") if person.disabled else ""
    return f"{person.id:>6}  {person.role:<12} {person.email:<32} {person.name}{state}"


def _found(store: "Store", email: str) -> "Person":
    from beffroi.identity import people

    person = people.find(store, email)
    if person is None:
        raise NotFound(
            Text("Aucun compte n'a cette adresse.", "No account has this address."),
            Text("beffroi user list les donne toutes.", "beffroi user list gives them all."),
            place="email",
        )
    return person


def _path(secret: str) -> str:
    return f"/connexion/lien/{secret}"


def register(app: typer.Typer) -> None:
    """Add `user add`, `user list`, `user disable`, `user enable` and `user link`."""
    group = typer.Typer(no_args_is_help=True, help=say("Les comptes des personnes.", "People's accounts."))
    app.add_typer(group, name="user")

    @group.command(
        "add",
        help=say(
            "Ajoute un compte et donne son lien de connexion.", "Add an account and give its sign-in link."
        ),
    )
    def add(
        email: Email,
        data: Data,
        name: Annotated[str, typer.Option(help=say("Nom de la personne.", "The person's name."))],
        role: Annotated[str, typer.Option(help="agent, responsable, elu, supplier, admin")],
        service: Annotated[
            str | None, typer.Option(help=say("Limite à un service.", "Limit to one service."))
        ] = None,
        territory: Annotated[
            list[str] | None,
            typer.Option(
                help=say("Limite à ce territoire (répétable).", "Limit to this territory (repeatable).")
            ),
        ] = None,
        as_json: Json = False,
    ) -> None:
        from beffroi.identity import people, sign_in

        with opened(data) as store:
            person = people.add(
                store, SYSTEM, email=email, name=name, role=role, service=service, territories=territory or ()
            )
            link = _path(sign_in.make_link(store, SYSTEM, person.id))
        tell({**report_of(person), "sign_in": link}, as_json=as_json, words=f"{_line(person)}\n  {link}")

    @group.command("list", help=say("Liste les comptes.", "List the accounts."))
    def list_(data: Data, as_json: Json = False) -> None:
        from beffroi.identity import people

        with opened(data) as store:
            every = people.every(store)
        tell([report_of(p) for p in every], as_json=as_json,
             words="\n".join(map(_line, every)) or say("Aucun compte.", "No account."))  # fmt: skip

    def switch(email: str, data: Any, *, disabled: bool, as_json: bool) -> None:
        from beffroi.identity import people

        with opened(data) as store:
            person = people.change(store, SYSTEM, _found(store, email).id, disabled=disabled)
        tell(report_of(person), as_json=as_json, words=_line(person))

    @group.command(
        "disable",
        help=say("Désactive un compte et ferme ses sessions.", "Disable an account and end its sessions."),
    )
    def disable(email: Email, data: Data, as_json: Json = False) -> None:
        switch(email, data, disabled=True, as_json=as_json)

    @group.command("enable", help=say("Réactive un compte.", "Enable an account again."))
    def enable(email: Email, data: Data, as_json: Json = False) -> None:
        switch(email, data, disabled=False, as_json=as_json)

    @group.command(
        "link", help=say("Donne un lien de connexion à usage unique.", "Give a one-time sign-in link.")
    )
    def link(email: Email, data: Data, as_json: Json = False) -> None:
        from beffroi.identity import sign_in

        with opened(data) as store:
            path = _path(sign_in.make_link(store, SYSTEM, _found(store, email).id))
        tell({"email": email, "sign_in": path}, as_json=as_json, words=path)

    @group.command(
        "reset-factor",
        help=say(
            "Retire le second facteur de qui a perdu son téléphone.",
            "Take away the second factor of who lost their telephone.",
        ),
    )
    def reset_factor(email: Email, data: Data, as_json: Json = False) -> None:
        from beffroi.identity import second_factor

        with opened(data) as store:
            person = _found(store, email)
            second_factor.reset(store, SYSTEM, person)
        tell(report_of(person), as_json=as_json, words=_line(person))
