"""Mail: one letter handed to the mail server of the settings (RFC 5321), by TLS when the server knows it."""

import smtplib
import ssl
from email.message import EmailMessage
from urllib.parse import unquote, urlsplit

from beffroi.settings import Settings

__all__ = ["ActionError", "send"]

TIMEOUT_S = 15


class ActionError(Exception):
    """An action could not be done. `final`: trying again would not help."""

    def __init__(self, reason: str, *, final: bool = False) -> None:
        super().__init__(reason)
        self.final = final


def send(settings: Settings, letter: EmailMessage) -> None:
    """Send a letter. Raises `ActionError`, `OSError`, `smtplib.SMTPException`."""
    url = urlsplit(settings.mail.url)
    if not url.hostname:
        raise ActionError("no mail server is set (mail.url in beffroi.toml)", final=True)
    context = ssl.create_default_context()
    secure = url.scheme == "smtps"
    server: smtplib.SMTP
    if secure:
        server = smtplib.SMTP_SSL(url.hostname, url.port or 465, timeout=TIMEOUT_S, context=context)
    else:
        server = smtplib.SMTP(url.hostname, url.port or 25, timeout=TIMEOUT_S)
    with server:
        server.ehlo()
        if not secure and server.has_extn("starttls"):
            server.starttls(context=context)
            server.ehlo()
        if url.username:
            server.login(unquote(url.username), unquote(url.password or ""))
        refused = server.send_message(letter)
    if refused:
        raise ActionError(f"refused by the mail server: {', '.join(refused)}", final=True)
