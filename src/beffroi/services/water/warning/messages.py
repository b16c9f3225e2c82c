"""The CAP message of a warning, each time a person confirms, changes or ends it: kept as it was sent, in the feed and by mail."""

import unicodedata
from urllib.parse import urlsplit

from beffroi.model.instant import HOUR_US
from beffroi.model.text import Text
from beffroi.services.water.warning.advice import advice_of, meaning
from beffroi.services.water.warning.escalation import queue_message
from beffroi.services.water.warning.ranks import NAMES, rank
from beffroi.services.water.warning.wording import EXERCISE, HEADLINES
from beffroi.standards import cap
from beffroi.store.record import Query, Row
from beffroi.store.record_writer import Writer
from beffroi.town import Town

__all__ = ["alert_of", "issue", "river_path", "slug_of"]

# By colour: severity, urgency, responses, hours that the message holds.
_TERMS: dict[str, tuple[str, str, tuple[str, ...], int]] = {
    "vert": ("Minor", "Past", ("AllClear",), 6), "jaune": ("Moderate", "Expected", ("Monitor",), 24),
    "orange": ("Severe", "Immediate", ("Prepare", "Avoid"), 12), "rouge": ("Extreme", "Immediate", ("Shelter", "Avoid"), 12),
}  # fmt: skip
_AWARENESS = {
    "vert": "1; green; Minor",
    "jaune": "2; yellow; Moderate",
    "orange": "3; orange; Severe",
    "rouge": "4; red; Extreme",
}
_EVENT = Text("Crue", "Flood")
_RADIUS_KM = 3.0
_LANGUAGES = (("fr", "fr-FR"), ("en", "en-GB"))


def slug_of(river: str) -> str:
    """Return a river's name as its page's address has it: "L'Ardèche" is `l-ardeche`."""
    plain = unicodedata.normalize("NFKD", river.lower()).encode("ascii", "ignore").decode()
    return "-".join("".join(c if c.isalnum() else " " for c in plain).split()) or "riviere"


def river_path(station: Row) -> str:
    """Return the address of the page of a station's river."""
    return f"/riviere/{slug_of(station.values['river'])}"


def issue(town: Town, writer: Writer, warning: Row, station: Row, kind: str) -> Row:
    """Keep and send the message of a warning as it is now; `kind` is Alert, Update, Cancel or End. Raises `Problem`."""
    now = town.clock()
    query = Query(where={"warning": warning.id}, sort="sent", limit=500)
    before = town.store.records.find("cap_message", query, writer.connection).rows
    alert = alert_of(town, warning, station, kind, before, now)
    values = {
        "identifier": alert.identifier, "warning": warning.id, "kind": alert.message_type, "colour": warning.values["colour"],
        "sent": now, "headline": alert.infos[0].headline, "xml": cap.write(alert).decode(),
    }  # fmt: skip
    message = writer.create("cap_message", values, None, warning.territory)
    queue_message(town, writer, message, warning.values["worst"])
    return message


def _sender(town: Town) -> str:
    sender = town.settings.mail.sender
    return "".join(c for c in sender if c not in " \t,<&") or "beffroi@localhost"


def alert_of(town: Town, warning: Row, station: Row, kind: str, before: list[Row], now_us: int) -> cap.Alert:
    """Return the message; `before` are those sent of the same warning, the first first."""
    sender = _sender(town)
    kinds = {"End": "Update", "Alert": "Update" if before else "Alert"}
    message_type = kinds.get(kind, kind)
    said = "Update" if kind == "Alert" and before else kind
    return cap.Alert(
        f"beffroi.{urlsplit('//' + sender.rpartition('@')[2]).hostname or 'ville'}.{warning.id}.{len(before) + 1}.{now_us // 1_000_000}",
        sender, now_us, "Exercise" if warning.values["exercise"] else "Actual", message_type,
        tuple(_info(town, warning, station, said, language, tag, now_us) for language, tag in _LANGUAGES),
        tuple((sender, row.values["identifier"], row.values["sent"]) for row in before) if message_type != "Alert" else (),
        incidents=(f"beffroi-crue-{warning.id}",),
    )  # fmt: skip


def _info(town: Town, warning: Row, station: Row, kind: str, language: str, tag: str, now: int) -> cap.Info:
    v, place = warning.values, f"{station.values['name']}, {town.name}"
    colour = "vert" if kind in ("Cancel", "End") else v["colour"]
    word = NAMES[colour].of(language)
    exercise = EXERCISE.of(language) if v["exercise"] else ""
    headline = HEADLINES[kind].of(language, exercise=exercise, colour=word, place=place)
    severity, urgency, responses, hours = _TERMS[colour]
    advice = [v["instruction"]] if v["instruction"] and kind not in ("Cancel", "End") else []
    parameters = [
        ("couleur", NAMES[colour].fr),
        ("awareness_level", _AWARENESS[colour]),
        ("awareness_type", "12; Flooding"),
    ]
    base = (town.settings.base_url or "").rstrip("/")
    image = v["image"]
    return cap.Info(
        tag, _EVENT.of(language), urgency, severity, "Observed" if rank(v["auto"]) >= rank(colour) else "Likely", now,
        now + hours * HOUR_US, town.name, headline[:160], meaning(colour).of(language),
        " ".join([*advice, *advice_of(station.values, colour, language)]), responses, v["opened_at"],
        f"{base}{river_path(station)}" if base else "", station.values["phone"] or "", tuple(parameters),
        (cap.Resource(station.values["name"], "image/jpeg", f"{base}/riviere/images/{image}.jpg"),) if base and image else (),
        (_area(station, place),),
    )  # fmt: skip


def _area(station: Row, place: str) -> cap.Area:
    circle = None
    if station.geometry is not None:
        lon, lat = station.geometry["coordinates"][:2]
        circle = (lat, lon, _RADIUS_KM)
    return cap.Area(place, circle, geocodes=(("INSEE", station.territory),) if station.territory else ())
