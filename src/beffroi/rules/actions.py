"""What alarms do: e-mail, signed webhook, MQTT message, new record, command to a device. Each is one job of the outbox."""

import hashlib
import hmac
import json
import logging
import os
import smtplib
import ssl
import threading
from collections.abc import Callable, Mapping
from email.message import EmailMessage
from typing import Any
from urllib.parse import unquote, urlsplit

import msgspec

from beffroi.model.principal import SYSTEM
from beffroi.model.problem import Problem
from beffroi.model.value import parse_value
from beffroi.rules import alarms, mail, outbox
from beffroi.rules.mail import ActionError
from beffroi.rules.outbox import Job
from beffroi.rules.webhook import post
from beffroi.rules.words import SEVERITY_WORDS, fill
from beffroi.settings import Settings
from beffroi.standards.tasking.parameters import read_parameters
from beffroi.standards.tasking.tasks import capability, ready_values
from beffroi.store.catalogue import New, create
from beffroi.store.open import Store

__all__ = ["ALLOW_PRIVATE", "ActionError", "Hands", "message_of", "webhook_secret", "work_off"]

log = logging.getLogger("beffroi.rules")
ALLOW_PRIVATE = "webhook.private"  # the town's setting that lets webhooks reach private addresses
TIMEOUT_S = 15
Publish = Callable[[str, bytes, bool], None]


class Hands(msgspec.Struct, frozen=True):
    """The means of acting: the installation's settings, and how to publish on the town's own broker."""

    settings: Settings
    publisher: Callable[[], Publish | None] = lambda: None  # the embedded broker's, once it runs


def work_off(store: Store, hands: Hands, stop: threading.Event) -> int:
    """Do every action that is due; return how many were tried."""
    tried, owner = 0, f"pid {os.getpid()}"
    while not stop.is_set():
        job = outbox.take(store, store.clock(), owner)
        if job is None:
            return tried
        tried += 1
        try:
            _perform(store, hands, job)
        except (ActionError, Problem, OSError, smtplib.SMTPException) as error:
            final = isinstance(error, Problem) or (isinstance(error, ActionError) and error.final)
            reason = str(error) or type(error).__name__
            log.warning(
                "action %s of %s failed (attempt %s): %s",
                job.payload["action"]["kind"],
                job.key,
                job.attempts,
                reason,
            )
            outbox.failed(store, job, reason, store.clock(), final=final)
    return tried


def _perform(store: Store, hands: Hands, job: Job) -> None:
    kind = job.payload["action"]["kind"]
    if kind in _INWARD:
        _INWARD[kind](store, job)
        return
    _OUTWARD[kind](store, hands, job)
    with store.write() as c:
        outbox.done(c, job)


def message_of(job: Job) -> dict[str, Any]:
    """Return what a webhook or MQTT message carries."""
    return {
        "event": f"alarm.{job.payload['moment']}",
        "key": job.key,
        "at": job.payload["at"],
        "alarm": job.payload["alarm"],
    }


def _values(job: Job) -> dict[str, object]:
    alarm = job.payload["alarm"]
    return {**alarm, "moment": job.payload["moment"]}


# --- e-mail

_SUBJECTS = {
    "fr": {"raise": "Alerte {word}", "acknowledge": "Alerte {word} prise en charge", "clear": "Fin d'alerte {word}"},
    "en": {"raise": "{Word} alert", "acknowledge": "{Word} alert taken in charge", "clear": "{Word} alert over"},
}  # fmt: skip


def _letter(settings: Settings, job: Job) -> EmailMessage:
    alarm, options = job.payload["alarm"], job.payload["action"]["options"]
    language = "en" if settings.language == "en" else "fr"
    word = SEVERITY_WORDS[alarm["worst" if job.payload["moment"] == "clear" else "severity"]].of(language)
    subject = fill(_SUBJECTS[language][job.payload["moment"]], {"word": word, "Word": word.capitalize()})
    letter = EmailMessage()
    letter["From"] = settings.mail.sender
    letter["To"] = ", ".join(options["email"])
    said, colon = alarms.message_of(alarm, language), ": " if language == "en" else " : "
    written = fill(str(options.get("subject", "")), _values(job)) or f"{subject}{colon}{said}"
    letter["Subject"] = " ".join(written.split())[:200]
    letter["Message-ID"] = f"<{job.key.replace('/', '.')}@beffroi.{settings.mail.sender.rpartition('@')[2]}>"
    letter["Auto-Submitted"] = "auto-generated"
    lines = [said, "", f"{subject} — {settings.name}", job.payload["at"]]
    if settings.base_url:
        lines.append(f"{settings.base_url.rstrip('/')}/alarmes/{alarm['id']}")
    letter.set_content(
        fill(str(options["text"]), _values(job)) if options.get("text") else "\n".join(lines) + "\n"
    )
    return letter


def _email(_store: Store, hands: Hands, job: Job) -> None:
    mail.send(hands.settings, _letter(hands.settings, job))


# --- webhook, MQTT, record


def webhook_secret(settings: Settings, url: str) -> bytes:
    """Return the secret that signs what is sent to `url`: its receiver is given it, in hexadecimal."""
    return hmac.new(settings.secret(), f"webhook {url}".encode(), hashlib.sha256).hexdigest().encode()


def _webhook(store: Store, _hands: Hands, job: Job) -> None:
    options = job.payload["action"]["options"]
    body = json.dumps(message_of(job), ensure_ascii=False).encode()
    secret = webhook_secret(store.settings, str(options["webhook"]))
    allowed = bool(store.setting(ALLOW_PRIVATE, False))
    status = post(
        str(options["webhook"]),
        body,
        secret,
        job.key,
        now_us=store.clock(),
        private=allowed,
        timeout_s=TIMEOUT_S,
    )
    if not 200 <= status < 300:
        # 408, 425 and 429 say "later"; the other 4xx say "never like this"
        raise ActionError(f"answered {status}", final=400 <= status < 500 and status not in (408, 425, 429))


def _mqtt(_store: Store, hands: Hands, job: Job) -> None:
    options = job.payload["action"]["options"]
    topic, retain = str(options["mqtt"]), options.get("retain") == "true"
    written = str(options.get("payload", ""))
    payload = fill(written, _values(job)) if written else json.dumps(message_of(job), ensure_ascii=False)
    publish = hands.publisher()
    if publish is not None:
        publish(topic, payload.encode(), retain)
        return
    url = urlsplit(hands.settings.mqtt.url)
    if not url.hostname:
        raise ActionError("no MQTT broker is running and none is set (mqtt.url in beffroi.toml)")
    _publish_outside(url, topic, payload.encode(), retain=retain)


def _publish_outside(url: Any, topic: str, payload: bytes, *, retain: bool) -> None:
    from paho.mqtt.client import Client  # noqa: PLC0415 -- only towns with another broker pay for its import
    from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode  # noqa: PLC0415

    client = Client(CallbackAPIVersion.VERSION2)
    if url.username:
        client.username_pw_set(unquote(url.username), unquote(url.password or ""))
    if url.scheme == "mqtts":
        client.tls_set_context(ssl.create_default_context())
    client.connect(url.hostname, url.port or (8883 if url.scheme == "mqtts" else 1883), keepalive=TIMEOUT_S)
    client.loop_start()
    try:
        sent = client.publish(topic, payload, qos=1, retain=retain)
        sent.wait_for_publish(TIMEOUT_S)
        if not sent.is_published() or sent.rc != MQTTErrorCode.MQTT_ERR_SUCCESS:
            raise ActionError("the MQTT broker did not acknowledge the message")
    except (RuntimeError, ValueError) as error:
        raise ActionError(f"the MQTT broker refused: {error}") from error
    finally:
        client.disconnect()
        client.loop_stop()


def _record(store: Store, job: Job) -> None:
    """Create a record; it and the end of the job are one transaction, so it exists once."""
    options: Mapping[str, Any] = job.payload["action"]["options"]
    alarm, values = job.payload["alarm"], options.get("values", {})
    if not isinstance(values, Mapping):
        raise ActionError("`values` must be fields of the record", final=True)
    filled = {name: fill(str(value), _values(job)) for name, value in values.items()}
    with store.write() as c:
        collection = store.records.shelf(str(options["record"])).collection
        read = {name: _read_field(collection, name, value) for name, value in filled.items()}
        store.records.put(
            collection,
            read,
            territory=alarm.get("territory"),
            who=SYSTEM,
            reason=f"Alarme {alarm['id']}",
            c=c,
        )
        outbox.done(c, job)


def _command(store: Store, job: Job) -> None:
    """Command a device; the task and the end of the job are one transaction, so it is given once."""
    options: Mapping[str, Any] = job.payload["action"]["options"]
    written = options.get("parameters", {})
    if not isinstance(written, Mapping) or not str(options["command"]).isdigit():
        raise ActionError(
            "`command` must be the id of a TaskingCapability, `parameters` what it is told", final=True
        )
    number, now = int(options["command"]), store.clock()
    with store.write() as c:
        known = capability(c, id=number)
        if not known:
            raise ActionError(f"there is no TaskingCapability {number}", final=True)
        form = {name: fill(str(value), _values(job)) for name, value in written.items()}
        given = read_parameters(known[0].parameters).read(form)
        new = New("task", {}, belongs={"tasking_capability_id": number})
        given_text = json.dumps(given, ensure_ascii=False)
        new.values = ready_values(c, SYSTEM, number, {"tasking_parameters": given_text}, now, job.key)
        made = create(store, c, new)
        store.audit.note(c, SYSTEM, "task.create", f"task:{made.id}", {"alarm": job.payload["alarm"]["id"]})
        outbox.done(c, job)


def _read_field(collection: Any, name: str, value: str) -> Any:
    field = collection.field(name)
    return value if field is None else parse_value(field, value)


_INWARD: dict[str, Callable[[Store, Job], None]] = {"record": _record, "command": _command}
_OUTWARD: dict[str, Callable[[Store, Hands, Job], None]] = {
    "email": _email,
    "webhook": _webhook,
    "mqtt": _mqtt,
}
