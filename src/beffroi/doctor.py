"""Doctor: is the machine that carries the town well? Each check is a row of `CHECKS`; each finding has its mend.

The same findings are a command (`beffroi doctor`), a page of the administration, and figures for Prometheus.
"""

import shutil
import socket
import ssl
import stat
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import msgspec
from sqlalchemy import func, select

from beffroi.connectors.schedule import KINDS, states
from beffroi.connectors.source import sources_of
from beffroi.election import Election
from beffroi.model.instant import DAY_US, HOUR_US, MINUTE_US, SECOND_US
from beffroi.model.problem import Problem
from beffroi.model.text import Text
from beffroi.store import ledger
from beffroi.store.jobs import due
from beffroi.store.tables import job, latest
from beffroi.town import Town

__all__ = ["BACKUP_NOTE", "CHECKS", "Finding", "examine", "metrics"]

State = Literal["ok", "warning", "fault"]
BACKUP_NOTE = ".backup.json"  # in the data directory: when the last backup ended, and which it was
_GB = 1_000_000_000


class Finding(msgspec.Struct, frozen=True):
    """What a check found: `name` of what was looked at, its state, in words, the mend when it is not well.

    `figures` are what Prometheus is told, by the rest of their names.
    """

    name: str
    state: State
    said: Text
    mend: Text = Text("", "")
    figures: tuple[tuple[str, float], ...] = ()


def examine(town: Town) -> list[Finding]:
    """Return the findings of every check; a check that fails is a finding itself."""
    found: list[Finding] = []
    for name, check in CHECKS.items():
        try:
            found.extend(check(town))
        except (Problem, OSError) as error:
            reason = error.reason if isinstance(error, Problem) else Text(str(error), str(error))
            found.append(Finding(name, "fault", reason))
    return found


def _disk(town: Town) -> Iterator[Finding]:
    for name, folder in (("disk", town.settings.data), ("disk_segments", town.store.archive.folder)):
        if name != "disk" and (
            not folder.exists() or folder.stat().st_dev == town.settings.data.stat().st_dev
        ):
            continue
        usage = shutil.disk_usage(folder)
        share = usage.free / usage.total
        state: State = (
            "fault" if usage.free < _GB // 2 else "warning" if share < 0.1 or usage.free < 2 * _GB else "ok"
        )
        yield Finding(
            name, state,
            _free(usage.free / _GB, usage.total / _GB, share),
            Text("Faites de la place, ou gardez moins (Conservation).", "Make room, or keep less (Retention).") if state != "ok" else Text("", ""),
            ((f"{name}_free_bytes", usage.free), (f"{name}_total_bytes", usage.total)),
        )  # fmt: skip


def _free(free: float, total: float, share: float) -> Text:
    written = f"{free:.1f}"
    return Text(
        f"Disque : {written.replace('.', ',')} Go libres sur {total:.0f} ({share * 100:.0f} %).",
        f"Disk: {written} GB free of {total:.0f} ({share:.0%}).",
    )


def _clock(town: Town) -> Iterator[Finding]:
    with town.store.read() as connection:
        newest = connection.execute(select(func.max(latest.c.received_us))).scalar() or 0
    ahead_s = max(0, newest - town.clock()) // SECOND_US
    followed = any(
        Path(p).exists()
        for p in ("/run/systemd/timesync/synchronized", "/run/chrony/chronyd.sock", "/run/ntpd.sock")
    )
    if ahead_s > 60:
        yield Finding(
            "clock", "fault",
            Text("L'horloge a reculé : la dernière mesure reçue est datée de {s} s plus tard.",
                 "The clock went back: the last measurement received is dated {s} s ahead.").filled(s=ahead_s),
            Text("Réglez l'heure de la machine (timedatectl set-ntp true).", "Set the machine's time (timedatectl set-ntp true)."),
            (("clock_ahead_seconds", ahead_s),),
        )  # fmt: skip
        return
    yield Finding(
        "clock", "ok" if followed else "warning",
        Text("Horloge : réglée sur le réseau.", "Clock: follows the network.") if followed
        else Text("Horloge : rien ne la règle sur le réseau.", "Clock: nothing sets it from the network."),
        Text("", "") if followed else Text("Installez systemd-timesyncd ou chrony.", "Install systemd-timesyncd or chrony."),
        (("clock_ahead_seconds", ahead_s),),
    )  # fmt: skip


def _backup(town: Town) -> Iterator[Finding]:
    try:
        note = msgspec.json.decode((town.settings.data / BACKUP_NOTE).read_bytes(), type=dict[str, Any])
        age_us = town.clock() - int(note["at_us"])
    except (FileNotFoundError, msgspec.DecodeError, KeyError, ValueError):
        yield Finding(
            "backup", "warning", Text("Aucune sauvegarde n'a encore été faite.", "No backup was made yet."),
            Text("beffroi backup --to DIR, chaque nuit.", "beffroi backup --to DIR, every night."),
        )  # fmt: skip
        return
    state: State = "fault" if age_us > 8 * DAY_US else "warning" if age_us > 2 * DAY_US else "ok"
    yield Finding(
        "backup", state,
        Text("Dernière sauvegarde : il y a {h} h.", "Last backup: {h} h ago.").filled(h=age_us // HOUR_US),
        Text("", "") if state == "ok" else Text("Voyez pourquoi la sauvegarde de la nuit ne passe plus.", "See why the nightly backup no longer runs."),
        (("backup_age_seconds", age_us // SECOND_US),),
    )  # fmt: skip


def _certificate(town: Town) -> Iterator[Finding]:
    address = urlsplit(town.settings.base_url)
    if address.scheme != "https" or not address.hostname:
        return
    try:
        context = ssl.create_default_context()
        with socket.create_connection((address.hostname, address.port or 443), timeout=5) as plain, \
                context.wrap_socket(plain, server_hostname=address.hostname) as secured:  # fmt: skip
            ends = ssl.cert_time_to_seconds(str((secured.getpeercert() or {})["notAfter"]))
    except (OSError, KeyError) as error:
        yield Finding(
            "certificate", "fault",
            Text("Le certificat de {h} n'est pas bon : {e}", "The certificate of {h} is not good: {e}").filled(
                h=address.hostname, e=str(error)[:120].replace("{", "(").replace("}", ")")),
            Text("Renouvelez-le, ou voyez le serveur frontal.", "Renew it, or see the reverse proxy."),
        )  # fmt: skip
        return
    days = (ends - datetime.now(UTC).timestamp()) / 86_400
    state: State = "fault" if days < 3 else "warning" if days < 14 else "ok"
    yield Finding(
        "certificate", state,
        Text("Certificat : encore {d:.0f} jours.", "Certificate: {d:.0f} days left.").filled(d=days),
        Text("", "") if state == "ok" else Text("Renouvelez-le.", "Renew it."), (("certificate_days", days),),
    )  # fmt: skip


def _connectors(town: Town) -> Iterator[Finding]:
    kinds = {**KINDS, **dict(c for s in town.registry.services.values() for c in s.connectors)}
    now = town.clock()
    for source, known in states(town.store, sources_of(town.settings.connectors, kinds)):
        silent_us = now - (known.worked_us or 0)
        late = silent_us > max(3 * source.every_us, 15 * MINUTE_US)
        if known.error is None and not (late and known.worked_us):
            state: State = "ok"
        else:
            state = "fault" if known.failures >= 5 or silent_us > 10 * source.every_us else "warning"
        why = known.error or Text("silencieuse", "silent") if state != "ok" else Text("va bien", "is well")
        yield Finding(
            f"connector:{source.name}", state,
            Text(f"Source {source.name} : {why.fr}", f"Source {source.name}: {why.en}"),
            Text("", "") if state == "ok" else Text("Voyez l'adresse et la clé dans beffroi.toml.", "See the address and the key in beffroi.toml."),
            ((f'connector_silent_seconds{{source="{source.name}"}}', silent_us // SECOND_US if known.worked_us else -1),),
        )  # fmt: skip


def _lag(town: Town) -> Iterator[Finding]:
    store, now = town.store, town.clock()
    head = store.observations.head()
    behind = max(head - int(store.setting(name, head)) for name in ("bus.rules", ledger.CURSOR))
    with store.read() as connection:
        waiting, lag_s = due(connection, now)
        failed = connection.execute(select(func.count()).where(job.c.state == "failed")).scalar_one()
    keeper = Election(store).held()
    state: State = (
        "fault"
        if lag_s > 3_600 or (not keeper and waiting)
        else "warning"
        if lag_s > 300 or behind > 200_000 or failed
        else "ok"
    )
    said = Text("File : {w} en attente, la plus ancienne depuis {s} s ; {f} en échec ; règles en retard de {b} mesures.",
                "Queue: {w} waiting, the oldest for {s} s; {f} failed; rules {b} measurements behind.").filled(w=waiting, s=lag_s, f=failed, b=behind)  # fmt: skip
    if not waiting + failed + behind:
        said = Text("File : rien n'attend, les règles sont à jour.", "Queue: nothing waits, the rules are up to date.")  # fmt: skip
    yield Finding(
        "queue", state, said,
        Text("", "") if state == "ok" else Text("Regardez le journal du service : une action échoue ou la machine est pleine.",
                                                "Look at the service's log: an action fails or the machine is full."),
        (("jobs_waiting", waiting), ("jobs_failed", failed), ("jobs_lag_seconds", lag_s), ("rules_behind", behind), ("keeper", int(keeper))),
    )  # fmt: skip


def _keys(town: Town) -> Iterator[Finding]:
    open_ones = [
        name for name in ("secret.key", "audit.key", "backup.key")
        if (path := town.settings.data / name).exists() and path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO)
    ]  # fmt: skip
    yield Finding(
        "keys", "fault" if open_ones else "ok",
        Text("Clés lisibles par d'autres : {k}", "Keys that others can read: {k}").filled(k=", ".join(open_ones)) if open_ones
        else Text("Clés : à leur seul propriétaire.", "Keys: their owner's alone."),
        Text("chmod 600 sur ces fichiers.", "chmod 600 on these files.") if open_ones else Text("", ""),
    )  # fmt: skip


def _log(town: Town) -> Iterator[Finding]:
    database = town.store.database
    if database.records_path is None or database.observations_path is None:
        return
    logs = [Path(f"{path}-wal") for path in (database.records_path, database.observations_path)]
    held = sum(path.stat().st_size for path in logs if path.exists())
    state: State = "warning" if held > _GB else "ok"
    yield Finding(
        "log", state, Text("Journal de la base : {m:.0f} Mo.", "Database log: {m:.0f} MB.").filled(m=held / 1e6),
        Text("", "") if state == "ok" else Text("Une lecture très longue le retient : redémarrez le service.", "A very long reading holds it: restart the service."),
        (("database_log_bytes", held),),
    )  # fmt: skip


CHECKS: dict[str, Callable[[Town], Iterator[Finding]]] = {
    "disk": _disk,
    "clock": _clock,
    "backup": _backup,
    "certificate": _certificate,
    "connectors": _connectors,
    "queue": _lag,
    "keys": _keys,
    "log": _log,
}


def metrics(found: list[Finding]) -> str:
    """Return findings as Prometheus reads them (text format 0.0.4)."""
    lines = ["# TYPE beffroi_check gauge", "# HELP beffroi_check 0 well, 1 to be watched, 2 at fault"]
    level = {"ok": 0, "warning": 1, "fault": 2}
    lines += [f'beffroi_check{{check="{_label(f.name)}"}} {level[f.state]}' for f in found]
    lines += [f"beffroi_{name} {value:g}" for f in found for name, value in f.figures]
    return "\n".join(lines) + "\n"


def _label(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ")
