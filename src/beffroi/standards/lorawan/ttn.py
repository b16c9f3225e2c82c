"""The Things Stack v3: webhook body and MQTT message `v3/{application}/devices/{device}/up`.

Source: thethingsindustries.com/docs, "Data formats" (uplink messages). Fields that are zero are absent.
"""

from typing import Any

import msgspec

from beffroi.model.instant import parse_instant
from beffroi.model.problem import Problem
from beffroi.model.result import exact_float
from beffroi.model.text import Text
from beffroi.standards.lorawan.uplink import Gateway, Uplink, decode_body, payload_text

__all__ = ["parse"]


class _Application(msgspec.Struct):
    application_id: str = ""


class _Ids(msgspec.Struct):
    device_id: str = ""
    application_ids: _Application = msgspec.field(default_factory=_Application)
    dev_eui: str = ""
    dev_addr: str = ""


class _GatewayIds(msgspec.Struct):
    gateway_id: str = ""


class _Heard(msgspec.Struct):
    gateway_ids: _GatewayIds = msgspec.field(default_factory=_GatewayIds)
    rssi: int | float | None = None
    channel_rssi: int | float | None = None
    snr: int | float | None = None


class _Position(msgspec.Struct):
    latitude: float = 0.0
    longitude: float = 0.0


class _Version(msgspec.Struct):
    brand_id: str = ""
    model_id: str = ""
    firmware_version: str = ""


class _Lora(msgspec.Struct):
    bandwidth: int | None = None
    spreading_factor: int | None = None
    coding_rate: str = ""


class _Rate(msgspec.Struct):
    lora: _Lora = msgspec.field(default_factory=_Lora)


class _Settings(msgspec.Struct):
    data_rate: _Rate = msgspec.field(default_factory=_Rate)
    frequency: str = ""


class _Battery(msgspec.Struct):
    value: int | float | None = None


class _Message(msgspec.Struct):
    session_key_id: str = ""
    f_cnt: int = 0
    f_port: int = 0
    frm_payload: str = ""
    decoded_payload: dict[str, Any] | None = None
    rx_metadata: list[_Heard] | None = None
    received_at: str = ""
    locations: dict[str, _Position] | None = None
    version_ids: _Version | None = None
    last_battery_percentage: _Battery | None = None
    settings: _Settings = msgspec.field(default_factory=_Settings)


class _Body(msgspec.Struct):
    end_device_ids: _Ids
    received_at: str = ""
    uplink_message: _Message | None = None


_decoder = msgspec.json.Decoder(_Body, float_hook=exact_float)


def parse(body: bytes, now_us: int) -> Uplink | None:
    """Return the uplink in `body`, or None when the message is another event (join, downlink …).

    Raises `Problem` with a JSON pointer.
    """
    read: _Body = decode_body(_decoder, body)
    message, ids = read.uplink_message, read.end_device_ids
    eui = (ids.dev_eui or ids.device_id).lower()
    if not eui:
        raise Problem(
            Text("L'appareil n'a pas d'identifiant.", "The device has no identifier."),
            Text("Ajoutez dev_eui.", "Add dev_eui."),
            place="/end_device_ids/dev_eui",
        )
    if message is None:
        return None
    position = next(iter((message.locations or {}).values()), None)
    model = message.version_ids or _Version()
    decoded = message.decoded_payload or {}
    return Uplink(
        eui=eui,
        name=ids.device_id,
        time_us=_time(message.received_at or read.received_at, now_us),
        counter=message.f_cnt,
        session=message.session_key_id,
        application=ids.application_ids.application_id,
        model=" ".join(part for part in (model.brand_id, model.model_id) if part),
        payload=payload_text(message.frm_payload, decoded),
        decoded=decoded,
        gateways=tuple(
            Gateway(g.gateway_ids.gateway_id, g.rssi if g.rssi is not None else g.channel_rssi, g.snr)
            for g in message.rx_metadata or ()
        ),
        battery=message.last_battery_percentage.value if message.last_battery_percentage else None,
        longitude=position.longitude if position else None,
        latitude=position.latitude if position else None,
        radio=_radio(message),
        decoder=" ".join(part for part in ("The Things Stack", model.firmware_version) if part),
    )


def _radio(message: _Message) -> dict[str, Any]:
    lora = message.settings.data_rate.lora
    frequency = message.settings.frequency
    told = {
        "frequency": int(frequency) if frequency.isascii() and frequency.isdigit() else None,
        "spreadingFactor": lora.spreading_factor, "bandwidth": lora.bandwidth, "codingRate": lora.coding_rate or None,
        "port": message.f_port or None,
    }  # fmt: skip
    return {name: value for name, value in told.items() if value is not None}


def _time(text: str, now_us: int) -> int:
    if not text:
        return now_us
    try:
        return parse_instant(text)
    except Problem as problem:
        raise problem.at("/uplink_message/received_at") from problem
