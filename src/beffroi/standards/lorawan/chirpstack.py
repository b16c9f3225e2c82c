"""ChirpStack v4: HTTP integration (`?event=up|status|…`, JSON) and MQTT `application/{id}/device/{eui}/event/{event}`.

Source: chirpstack.io/docs, "Integrations / Event types".
"""

from typing import Any

import msgspec

from beffroi.model.instant import parse_instant
from beffroi.model.problem import Problem
from beffroi.model.result import exact_float
from beffroi.model.text import Text
from beffroi.standards.lorawan.uplink import Gateway, Uplink, decode_body, payload_text

__all__ = ["parse"]


class _Device(msgspec.Struct, rename="camel"):
    dev_eui: str = ""
    device_name: str = ""
    application_name: str = ""
    device_profile_name: str = ""


class _Received(msgspec.Struct, rename="camel"):
    gateway_id: str = ""
    rssi: int | float | None = None
    snr: int | float | None = None


class _Lora(msgspec.Struct, rename="camel"):
    bandwidth: int | None = None
    spreading_factor: int | None = None
    code_rate: str = ""


class _Modulation(msgspec.Struct, rename="camel"):
    lora: _Lora = msgspec.field(default_factory=_Lora)


class _Sent(msgspec.Struct, rename="camel"):
    frequency: int | None = None
    modulation: _Modulation = msgspec.field(default_factory=_Modulation)


class _Body(msgspec.Struct, rename="camel"):
    device_info: _Device
    deduplication_id: str = ""
    time: str = ""
    dev_addr: str = ""
    f_cnt: int | None = None
    f_port: int | None = None
    data: str = ""
    object: dict[str, Any] | None = None
    rx_info: list[_Received] | None = None
    battery_level: int | float | None = None
    battery_level_unavailable: bool = False
    margin: int | None = None
    tx_info: _Sent = msgspec.field(default_factory=_Sent)


_decoder = msgspec.json.Decoder(_Body, float_hook=exact_float)


def parse(body: bytes, now_us: int, event: str = "up") -> Uplink | None:
    """Return the uplink (or device status) in `body`, None for other events. Raises `Problem` with a pointer."""
    if event not in ("up", "status"):
        return None
    read: _Body = decode_body(_decoder, body)
    device = read.device_info
    if not device.dev_eui:
        raise Problem(
            Text("L'appareil n'a pas de devEui.", "The device has no devEui."),
            Text("Envoyez le JSON de ChirpStack v4 sans le changer.", "Send ChirpStack v4's JSON unchanged."),
            place="/deviceInfo/devEui",
        )
    decoded = dict(read.object or {})
    status = event == "status"
    if status and read.margin is not None:
        decoded["margin"] = read.margin
    battery = read.battery_level if status and not read.battery_level_unavailable else None
    return Uplink(
        eui=device.dev_eui.lower(),
        name=device.device_name,
        time_us=_time(read.time, now_us),
        counter=-1 if status else read.f_cnt or 0,
        # one dedup id an uplink, whatever the number of gateways: it tells a counter's lives apart
        session=read.deduplication_id if status else read.dev_addr,
        application=device.application_name,
        model=device.device_profile_name,
        payload=payload_text(read.data, decoded),
        decoded=decoded,
        gateways=tuple(Gateway(g.gateway_id, g.rssi, g.snr) for g in read.rx_info or ()),
        battery=battery,
        radio=_radio(read),
        decoder="ChirpStack",
    )


def _radio(read: _Body) -> dict[str, Any]:
    lora = read.tx_info.modulation.lora
    told = {
        "frequency": read.tx_info.frequency, "spreadingFactor": lora.spreading_factor, "bandwidth": lora.bandwidth,
        "codingRate": lora.code_rate or None, "port": read.f_port,
    }  # fmt: skip
    return {name: value for name, value in told.items() if value is not None}


def _time(text: str, now_us: int) -> int:
    if not text:
        return now_us
    try:
        return parse_instant(text)
    except Problem as problem:
        raise problem.at("/time") from problem
