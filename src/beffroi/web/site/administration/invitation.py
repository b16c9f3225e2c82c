"""Invitations: a link for one use, with an end, sent by mail or given by hand; sent again, or taken back."""

import smtplib
from email.message import EmailMessage
from email.utils import formataddr

from starlette.requests import Request

from beffroi.identity import sign_in
from beffroi.identity.people import Person
from beffroi.model.instant import DAY_US
from beffroi.model.principal import Principal
from beffroi.model.problem import Problem, Unavailable
from beffroi.model.text import Text
from beffroi.rules import mail
from beffroi.rules.mail import ActionError
from beffroi.store.open import Store
from beffroi.web.kit.page import pages_of

__all__ = ["DAYS", "days_of", "letter", "send"]

DAYS, LONGEST = 7, 30


def days_of(text: str) -> int:
    """Return for how many days an invitation holds. Raises `Problem`."""
    text = text.strip() or str(DAYS)
    if not (text.isascii() and text.isdecimal() and len(text) < 4 and 1 <= int(text) <= LONGEST):
        raise Problem(
            Text("La durée est hors limites.", "The duration is out of range."),
            Text("Entre 1 et {n} jours.", "Between 1 and {n} days.").filled(n=LONGEST), place="days",
        )  # fmt: skip
    return int(text)


def letter(request: Request, person: Person, address: str, until_us: int, *, author: str) -> EmailMessage:
    """Return the invitation, in the language of the person it is for."""
    town, pages = request.app.state.town, pages_of(request)
    _, figures = pages.words[person.language].of, pages.figures[person.language]
    written = EmailMessage()
    written["From"] = formataddr((town.name, town.settings.mail.sender))
    written["To"] = person.email
    written["Subject"] = _("{town} : votre accès à Beffroi", town=town.name)
    lines = [
        _("Bonjour {name},", name=person.name),
        _("{author} vous ouvre un accès à Beffroi, la plateforme de {town}.", author=author, town=town.name),
        _("Ce lien ne sert qu'une fois, jusqu'au {moment} :", moment=figures.moment(until_us)),
        address,
        _("Vous choisirez votre mot de passe en arrivant. Vous n'attendiez pas ce message ? Ne faites rien."),
    ]
    written.set_content("\n\n".join(lines) + "\n")
    return written


def send(request: Request, store: Store, who: Principal, person: Person, address: str, days: int) -> None:
    """Send the invitation now, so that whoever invites knows at once. Raises `Unavailable` when the mail does not leave."""
    until = store.clock() + days * DAY_US
    try:
        mail.send(store.settings, letter(request, person, address, until, author=who.name))
    except (ActionError, OSError, smtplib.SMTPException) as error:
        reason = str(error).replace("{", "(").replace("}", ")")[:200] or type(error).__name__
        raise Unavailable(
            Text(f"Le courriel n'est pas parti ({reason}).", f"The mail was not sent ({reason})."),
            Text("Donnez le lien vous-même, ou renvoyez l'invitation plus tard.",
                 "Give the link yourself, or send the invitation again later."),
        ) from error  # fmt: skip
    with store.write() as c:
        store.audit.note(c, who, "invitation.send", f"user:{person.id}", {"days": days})


def fresh_link(store: Store, who: Principal, person: Person, days: int) -> str:
    """Return the secret of a new link, the earlier ones being void. Raises `Problem`."""
    sign_in.revoke_links(store, who, person.id)
    return sign_in.make_link(store, who, person.id, hours=days * 24)
