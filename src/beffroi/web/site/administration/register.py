"""`/administration/registre`: the register of processing activities (RGPD, art. 30), made from the declarations.

Nothing is written twice: what each collection keeps of persons, why, for how long and who reads it is what decides how
it is stored, shown and erased. The town adds who answers for it and its delegate.
"""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from beffroi.identity.rights import require_reach
from beffroi.model.collection import Collection, Field
from beffroi.model.principal import ROLES, Role
from beffroi.model.text import Text
from beffroi.plugins import Registry, Service
from beffroi.web.kit.form import Input
from beffroi.web.kit.page import language_of, principal_of, translate
from beffroi.web.kit.paper import pdf
from beffroi.web.site.administration.desk import entry, off_loop, see_other, show, store_of

__all__ = ["ROUTES", "Datum", "Treatment", "treatment_of", "treatments_of"]

ANSWERS = "register"  # the town's setting: who answers for the processing, and the delegate
_LONGEST = 1000
_PUBLIC_TASK = Text(
    "Mission d'intérêt public (RGPD, art. 6, 1, e).", "Task in the public interest (GDPR, art. 6(1)(e))."
)
_READERS: dict[Role, Text] = {
    "citizen": Text("tout le monde", "everyone"), "elu": Text("élus, agents et responsables", "elected officials and staff"),
    "agent": Text("agents du territoire", "staff of the territory"), "responsable": Text("responsables du territoire", "managers of the territory"),
    "admin": Text("administrateurs", "administrators"),
}  # fmt: skip
_OWN_GROUP = Text("agents du service concerné, responsables", "staff of the department concerned, managers")


class Datum(msgspec.Struct, frozen=True):
    """One kind of personal data: what, why, how long, who reads it."""

    what: Text
    purpose: Text
    days: int
    since: Text
    readers: Text


class Treatment(msgspec.Struct, frozen=True):
    """One processing activity: everything that one service keeps of persons, for one purpose of the town."""

    title: Text
    purpose: Text
    persons: Text
    basis: Text
    data: tuple[Datum, ...]


_CHANGED = Text("le dernier changement", "the last change")
_KEPT = Text("l'enregistrement", "recording")
_HOUSE = Treatment(
    Text("Accès à la plateforme", "Access to the platform"),
    Text("Laisser entrer qui en a le droit, et pouvoir dire qui a fait quoi.", "Let in those who may, and be able to tell who did what."),
    Text("Agents, élus, prestataires qui ont un compte.", "Staff, elected officials and suppliers with an account."), _PUBLIC_TASK,
    (
        Datum(Text("Compte : nom, courriel, rôle, territoires, empreinte du mot de passe", "Account: name, e-mail, role, territories, digest of the password"),
              Text("Reconnaître la personne et ses droits.", "Know the person and their rights."), 0, Text("la fermeture du compte", "closing of the account"), _READERS["admin"]),
        Datum(Text("Session : appareil, dates", "Session: device, dates"), Text("Rester connecté, et pouvoir le faire cesser.", "Stay signed in, and be able to end it."),
              7, Text("la connexion", "sign-in"), _READERS["admin"]),
        Datum(Text("Essais de connexion : empreintes du compte et de l'adresse", "Attempts to sign in: digests of account and address"),
              Text("Ralentir qui devine.", "Slow down those who guess."), 1, Text("l'essai", "the attempt"), Text("personne", "nobody")),
        Datum(Text("Journal : numéro de compte, geste, date", "Journal: account number, deed, date"), Text("Prouver qui a fait quoi.", "Prove who did what."),
              0, Text("la fin de l'installation", "end of the installation"), _READERS["admin"]),
    ),
)  # fmt: skip


def treatments_of(registry: Registry) -> list[Treatment]:
    """Return the town's processing activities, services in their order, then the platform's own."""
    found = [one for service in registry.services.values() if (one := treatment_of(service)) is not None]
    ours = {c.name for service in registry.services.values() for c in service.collections}
    loose = [c for c in registry.collections.values() if c.name not in ours and c.personal]
    return [*found, *(_of_collection(c) for c in loose), _HOUSE]


def treatment_of(service: Service) -> Treatment | None:
    """Return what a service keeps of persons; None when it keeps nothing of them."""
    said: Mapping[str, Any] = service.manifest.get("personal_data") or {}
    data = (*(datum for c in service.collections for datum in _data(c)), *_others(said.get("other", ())))
    if not data:
        return None
    purpose = _text(said, "purpose") or Text(service.description.fr, service.description.en)
    persons = _text(said, "persons") or Text("Habitants.", "Residents.")
    return Treatment(service.title, purpose, persons, _text(said, "basis") or _PUBLIC_TASK, data)


def _of_collection(collection: Collection) -> Treatment:
    persons = Text("Habitants.", "Residents.")
    return Treatment(
        collection.title, collection.description, persons, _PUBLIC_TASK, tuple(_data(collection))
    )


def _text(said: Mapping[str, Any], name: str) -> Text | None:
    fr = str(said.get(f"{name}_fr", ""))
    return Text(fr, str(said.get(f"{name}_en", "") or fr)) if fr else None


def _data(collection: Collection) -> Iterator[Datum]:
    end = collection.field(collection.end_of_life)
    for field in collection.personal:
        assert field.personal is not None
        what = Text(f"{collection.title.fr} : {field.title.fr}", f"{collection.title.en}: {field.title.en}")
        since = Text(f"«\u00a0{end.title.fr}\u00a0»", f"'{end.title.en}'") if end is not None else _CHANGED
        yield Datum(
            what, field.personal.purpose, field.personal.retention_days, since, _readers(collection, field)
        )


def _readers(collection: Collection, field: Field) -> Text:
    """Return who may read a field: the stricter of what it and its collection say, at least the staff."""
    least = max(collection.read, field.read, "agent", key=ROLES.index)
    return _OWN_GROUP if least == "agent" and collection.kept_to else _READERS[least]


def _others(said: Iterable[Mapping[str, Any]]) -> Iterator[Datum]:
    for one in said:
        readers = str(one.get("read", "agent"))
        yield Datum(
            Text(str(one["fr"]), str(one["en"])), _text(one, "purpose") or Text("", ""), int(one["days"]), _text(one, "since") or _KEPT,
            _READERS[readers] if readers in _READERS else Text("personne", "nobody"),
        )  # fmt: skip


# --- The pages.


def _sheet(request: Request) -> dict[str, Any]:
    town = request.app.state.town
    said = {"controller": "", "delegate": "", **town.store.setting(ANSWERS, {})}
    return {"treatments": treatments_of(town.registry), "said": said}


@entry(admin=True)
async def page(request: Request) -> Response:
    """Show the register."""
    require_reach(principal_of(request), ())
    _ = translate(request)
    sheet = await off_loop(_sheet, request)
    inputs = [
        Input("controller", _("Responsable du traitement"), "textarea", _("Nom, adresse, courriel, téléphone de la commune et de son maire."), rows=3),
        Input("delegate", _("Délégué à la protection des données"), "textarea", _("Nom et moyen de le joindre."), rows=2),
    ]  # fmt: skip
    return show(request, "register", inputs=inputs, done="fait" in request.query_params, **sheet)


@entry(admin=True)
async def change(request: Request) -> Response:
    """Keep who answers for the processing."""
    who = principal_of(request)
    require_reach(who, ())
    sent = {name: str(value).strip()[:_LONGEST] for name, value in (await request.form()).items()}
    kept = {name: sent.get(name, "") for name in ("controller", "delegate")}
    await off_loop(store_of(request).change_settings, who, {ANSWERS: kept}, "setting", ANSWERS, {})
    return see_other("/administration/registre?fait")


@entry(admin=True)
async def paper(request: Request) -> Response:
    """Answer the register as PDF."""
    require_reach(principal_of(request), ())
    return await off_loop(_paper, request)


def _paper(request: Request) -> Response:
    name = "registre-des-traitements.pdf"
    return pdf(request, "administration/register_paper.html", name, kept="no-store", **_sheet(request))


@entry(admin=True)
async def table(request: Request) -> Response:
    """Answer the register as CSV: one line for each kind of data."""
    require_reach(principal_of(request), ())
    return await off_loop(_table, request)


def _table(request: Request) -> Response:
    _, language = translate(request), language_of(request)
    out = io.StringIO()
    writer = csv.writer(out, delimiter=";", lineterminator="\r\n")
    writer.writerow([_("Traitement"), _("Finalité"), _("Personnes concernées"), _("Base légale"), _("Donnée"), _("Pourquoi"),
                     _("Jours"), _("Depuis"), _("Qui la lit")])  # fmt: skip
    for one in treatments_of(request.app.state.town.registry):
        head = [text.of(language) for text in (one.title, one.purpose, one.persons, one.basis)]
        for datum in one.data:
            writer.writerow([*head, datum.what.of(language), datum.purpose.of(language), datum.days or "", datum.since.of(language), datum.readers.of(language)])  # fmt: skip
    headers = {"Content-Disposition": 'attachment; filename="registre-des-traitements.csv"', "Cache-Control": "no-store"}  # fmt: skip
    return Response("\ufeff" + out.getvalue(), media_type="text/csv; charset=utf-8", headers=headers)


ROUTES = [
    Route("/administration/registre", page, methods=["GET"]),
    Route("/administration/registre", change, methods=["POST"]),
    Route("/administration/registre.pdf", paper, methods=["GET"]),
    Route("/administration/registre.csv", table, methods=["GET"]),
]
