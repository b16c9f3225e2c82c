"""What we say to a gateway, as TALQ 2.7.1 bodies: programs, calendars, assignments, overrides, loggers. Pure functions."""

from collections.abc import Sequence
from typing import Any

from beffroi.model.instant import format_instant
from beffroi.model.problem import Problem
from beffroi.model.text import Text
from beffroi.services.lighting.calendars import Calendar, Rule
from beffroi.services.lighting.schedule import Program, clock_text

__all__ = ["VERSION", "assignment", "calendar", "control_program", "logger_config", "override", "release"]

VERSION = "2.7.1"
Json = dict[str, Any]
_NOON = 720


def _level(level: float) -> Json:
    return {"state": {"name": "LevelState", "value": round(level * 100)}}


def control_program(code: str, program: Program, owner: str) -> Json:
    """Return a ControlProgramOne. Raises `Problem` for what TALQ has no word for (civil twilight, half-clock nights)."""
    on, off = program.on, program.off
    if on.anchor == "sunset" and off.anchor == "sunrise":
        period: Json = {
            "name": "AstroClockActivePeriod",
            "sunsetOffset": on.minutes,
            "sunriseOffset": off.minutes,
        }
    elif on.anchor == "clock" and off.anchor == "clock":
        period = {
            "name": "AbsoluteActivePeriod",
            "startTime": _time(on.minutes),
            "endTime": _time(off.minutes),
        }
    else:
        raise Problem(
            Text(f"TALQ ne sait pas dire « {program.text()} ».", f"TALQ has no word for '{program.text()}'."),
            Text("Allumez au coucher ± minutes et éteignez au lever ± minutes, ou à des heures fixes.",
                 "Light at sunset ± minutes and put out at sunrise ± minutes, or at fixed times."),
            place=code,
        )  # fmt: skip
    return {
        "type": "ControlProgramOne", "id": code, "ownerCMS": owner, "activePeriods": [period],
        "fixedTimeControls": _controls(program),
    }  # fmt: skip


def _controls(program: Program) -> list[Json]:
    """Return the levels by clock time, in the order of the day. The level of the evening holds from noon on."""
    levels = {_NOON: program.level} | {s.minutes: s.level for s in program.steps}
    return [{"startTime": _time(m), "command": _level(levels[m])} for m in sorted(levels)]


def _time(minutes: int) -> str:
    return f"{clock_text(minutes)}:00"


def calendar(code: str, held: Calendar, owner: str) -> Json:
    """Return a Calendar. Public holidays are not a condition of TALQ: raises `Problem`, write them as dates."""
    return {
        "id": code, "ownerCMS": owner, "rules": [part for rule in held.rules for part in _rules(rule)],
        "defaultProgram": held.default,
    }  # fmt: skip


def _rules(rule: Rule) -> list[Json]:
    if rule.holidays:
        raise Problem(
            Text("TALQ ne connaît pas les jours fériés.", "TALQ knows no public holidays."),
            Text("Écrivez leurs dates.", "Write their dates."), place="rules",
        )  # fmt: skip
    if rule.weekdays:
        days = [{"start": day + 1} for day in rule.weekdays]
        return [{"condition": {"type": "ccDay", "days": days}, "program": rule.program}]
    if len(rule.first) > 5:
        return [{"startDate": rule.first, "endDate": rule.last, "program": rule.program}]
    spans = (
        [(rule.first, rule.last)]
        if rule.first <= rule.last
        else [(rule.first, "12-31"), ("01-01", rule.last)]
    )  # the end of a span is after its start: over the new year it is two
    dates = [{"start": f"--{a}", "end": f"--{b}"} if a != b else {"start": f"--{a}"} for a, b in spans]
    return [{"condition": {"type": "ccDate", "dates": dates}, "program": rule.program}]


def _devices(addresses: Sequence[str]) -> list[Json]:
    return [{"resource": "devices", "address": address} for address in addresses]


def assignment(addresses: Sequence[str], calendar_code: str, reference: str) -> Json:
    """Return an AssignCommand: these devices follow that calendar."""
    return {
        "addresses": _devices(addresses), "entity": {"resource": "calendars", "address": calendar_code}, "cmsRefId": reference,
    }  # fmt: skip


def override(addresses: Sequence[str], level: int, start_us: int, end_us: int, reference: str) -> Json:
    """Return an OverrideCommand to a level (%), which ends by itself: the gateway goes back to the program then."""
    command = _level(level / 100) | {
        "reason": "override", "cmsRefId": reference, "start": format_instant(start_us), "expiration": format_instant(end_us),
    }  # fmt: skip
    return {"addresses": _devices(addresses), "targetCommand": command}


def release(addresses: Sequence[str]) -> Json:
    """Return the OverrideCommand without command: back to the program at once."""
    return {"addresses": _devices(addresses)}


def logger_config(address: str, owner: str, start_us: int) -> Json:
    """Return the logger that we ask for: states, power and energy of every lamp each quarter of an hour."""
    asked = (
        ("LampActuatorFunction", ("actualLightState",)),
        ("LampMonitorFunction", ("activePower", "activeEnergy", "operatingHours", "supplyVoltage")),
    )
    content = [
        {"function": {"functionType": kind, "attributes": [{"name": name} for name in names]}}
        for kind, names in asked
    ]
    return {
        "address": address, "ownerCMS": owner, "sourceAddresses": {"blackList": []},
        "recordingMode": {
            "type": "PeriodicRecordingMode", "content": content,
            "samplingProfiles": [{"samplingStartTime": format_instant(start_us), "samplingPeriod": "PT15M"}],
        },
        "reportingMode": {"type": "ImmediateReportingMode", "delay": 60},
    }  # fmt: skip
