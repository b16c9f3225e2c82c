"""`/mesures/{id}`: one value, and where it comes from: the message, who read it, the value, what is thought of it."""

from collections.abc import Callable
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from beffroi.model.instant import parse_instant
from beffroi.model.problem import NotFound
from beffroi.model.text import Text
from beffroi.standards.sensorthings.provenance import provenance_of
from beffroi.town import Town
from beffroi.web.kit.page import figures_of, principal_of, render, translate, words_of
from beffroi.web.kit.table import Column, Row
from beffroi.web.site.catalogue import find_series
from beffroi.web.site.series import qualities

__all__ = ["ROUTES"]

KINDS = {
    "lorawan": Text("Message d'un appareil LoRaWAN", "Message of a LoRaWAN device"), "file": Text("Import d'un fichier", "Import of a file"),
    "connector": Text("Relevé chez une source", "Polled from a source"), "http": Text("Envoi par l'API", "Sent by the API"),
    "mqtt": Text("Envoi par MQTT", "Sent over MQTT"), "hand": Text("Relevé à la main", "Read by hand"),
}  # fmt: skip
NETWORKS = {"ttn": "The Things Stack", "chirpstack": "ChirpStack"}
RADIO = (
    ("frequency", 1e6, "MHz"),
    ("spreadingFactor", 1, ""),
    ("bandwidth", 1e3, "kHz"),
    ("codingRate", 0, ""),
    ("port", 1, ""),
)


def page(request: Request) -> Response:
    """Answer the page of one observation."""
    town: Town = request.app.state.town
    who, _ = principal_of(request), translate(request)
    number = request.path_params["id"]
    found = town.store.observations.get(number) if number < 2**53 else None
    if found is None:
        raise NotFound(Text("Cette mesure n'existe pas.", "There is no such measurement."),
                       Text("Elle a pu être supprimée.", "It may have been deleted."))  # fmt: skip
    series = find_series(town, who, found.datastream_id, language=words_of(request).language)
    told = provenance_of(town.store, who, number)
    language, figures = words_of(request).language, figures_of(request)
    value = found.result.value
    shown = (
        figures.quantity(value, series.unit, found.result.decimals)
        if value is not None
        else found.result.json().strip('"')
    )
    kind = told.get("kind")
    return render(
        request, "site/observation.html", series=series, found=found, shown=shown, kind=KINDS[kind].of(language) if kind else "",
        facts=_facts(told, figures.moment, _), radio=_radio(told, figures.quantity, _), gateways=[Row(one) for one in told.get("gateways", ())],
        columns=[Column("id", _("Passerelle")), Column("rssi", _("Signal"), "number", unit="dBm", decimals=0),
                 Column("snr", _("Rapport signal sur bruit"), "number", unit="dB", decimals=1)],
        payload=told.get("payload", ""), quality=qualities(found.quality, language), corrected=told.get("corrected"),
        extra=_plain(found.extra),
    )  # fmt: skip


def _plain(text: str | None) -> str:
    return (
        ""
        if text is None
        else msgspec.json.format(msgspec.json.encode(msgspec.json.decode(text)), indent=2).decode()
    )


def _facts(
    told: dict[str, Any], moment: Callable[[int], str], _: Callable[..., str]
) -> list[tuple[str, str]]:
    """Return what is known, in words, in the order in which it happened."""
    decoder = told.get("decoder") or {}
    read_by = ", ".join(str(decoder[k]) for k in ("name", "profile", "reader") if decoder.get(k))
    pairs = [
        (_("Appareil"), told.get("device")), (_("Réseau"), NETWORKS.get(told.get("network", ""))), (_("Application"), told.get("application")),
        (_("Numéro du message"), told.get("counter")), (_("Entendu le"), told.get("receivedAt")), (_("Lu par"), read_by),
        (_("Fichier"), told.get("file")), (_("Ligne"), told.get("line")), (_("Empreinte SHA-256"), told.get("sha256")),
        (_("Source"), told.get("source")), (_("Adresse"), told.get("url")), (_("Relevé le"), told.get("fetchedAt")),
        (_("Relevé par"), told.get("by")), (_("Remarque"), told.get("note")), (_("Clé"), told.get("name") or told.get("key")), (_("Client MQTT"), told.get("client")), (_("Sujet MQTT"), told.get("topic")),
        (_("Enregistré le"), told.get("takenAt")),
    ]  # fmt: skip
    times = (_("Entendu le"), _("Relevé le"), _("Enregistré le"))
    return [
        (name, moment(parse_instant(str(v))) if name in times else str(v))
        for name, v in pairs
        if v not in (None, "")
    ]


def _radio(
    told: dict[str, Any], quantity: Callable[[float, str], str], _: Callable[..., str]
) -> list[tuple[str, str]]:
    words = {"frequency": _("Fréquence"), "spreadingFactor": _("Facteur d'étalement"), "bandwidth": _("Bande passante"),
             "codingRate": _("Taux de codage"), "port": _("Port")}  # fmt: skip
    radio = told.get("radio") or {}
    return [
        (words[name], quantity(radio[name] / per, unit) if per and isinstance(radio[name], int | float) else str(radio[name]))
        for name, per, unit in RADIO if name in radio
    ]  # fmt: skip


ROUTES: list[BaseRoute] = [Route("/mesures/{id:int}", page)]
