"""`beffroi doctor`: is the machine that carries the town well?"""

import typer

from beffroi.cli import Data, Json, fail, language, say, tell

__all__ = ["register"]

_MARKS = {"ok": "✓", "warning": "!", "fault": "✗"}


def register(app: typer.Typer) -> None:
    """Add `doctor`."""

    @app.command(
        "doctor",
        help=say(
            "Examine la machine et la ville ; sort en 1 si quelque chose ne va pas.",
            "Examine the machine and the town; exit 1 when something is at fault.",
        ),
    )
    def doctor(data: Data, as_json: Json = False) -> None:
        from beffroi.doctor import examine
        from beffroi.town import open_town

        town = open_town(data)
        try:
            found = examine(town)
        finally:
            town.close()
        tongue = language()
        lines = []
        for one in found:
            lines.append(f"{_MARKS[one.state]} {one.said.of(tongue)}")
            lines += [f"    {one.mend.of(tongue)}"] if one.mend.of(tongue) else []
        faults = [f for f in found if f.state == "fault"]
        report = {
            "ok": not faults,
            "checks": [
                {"name": f.name, "state": f.state, "said": f.said.of(tongue), "mend": f.mend.of(tongue), "figures": dict(f.figures)}
                for f in found
            ],
        }  # fmt: skip
        tell(report, as_json=as_json, words="\n".join(lines))
        if faults:
            fail(1)
