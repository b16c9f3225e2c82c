"""What the page of what nobody reports shows: computed while one waits when there are few reports, otherwise kept."""

import io
import tempfile
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from beffroi.model.instant import DAY_US, to_datetime
from beffroi.model.principal import Principal
from beffroi.services.reports.demo import TRUTH, true_rates
from beffroi.services.reports.desk.watched import incidents_watched, neighbours_of
from beffroi.services.reports.rate.bias import Bias, bias_of
from beffroi.services.reports.rate.extract import write_extract
from beffroi.services.reports.rate.incidents import Incident
from beffroi.services.reports.rate.regression import Fit, fit_rates
from beffroi.town import Town

__all__ = [
    "WINDOW_DAYS",
    "BiasSheet",
    "archive_of",
    "bias_now",
    "incidents_now",
    "name_in",
    "sheet_of_incidents",
]

WINDOW_DAYS = 730


class BiasSheet(msgspec.Struct, frozen=True):
    """The numbers, until when. `alike` is the regression over the areas that are known, so that its average is theirs;
    None when fewer than two are. `truth`: in a demonstration town, the true rate (reports a day) of each area."""

    bias: Bias
    alike: Fit | None
    end_us: int
    days: int = WINDOW_DAYS
    truth: dict[str, float] = {}


def incidents_now(
    town: Town, who: Principal, now_us: int, progress: Callable[[float], None] = lambda _: None
) -> list[Incident]:
    """Return the incidents of the window that ends now, in the reader's territories."""
    return incidents_watched(town, who, now_us - WINDOW_DAYS * DAY_US, now_us, progress)


def bias_now(town: Town, who: Principal, now_us: int) -> BiasSheet:
    """Return the numbers from the reports as they are now."""
    return sheet_of_incidents(town, incidents_now(town, who, now_us), now_us)


def sheet_of_incidents(town: Town, incidents: Sequence[Incident], now_us: int) -> BiasSheet:
    """Return the numbers of incidents."""
    truth, bias = town.store.setting(TRUTH), bias_of(incidents, fitted=False)
    known = {cell.area for cell in bias.areas if cell.rate.known}
    there = [one for one in incidents if one.area in known]
    alike = fit_rates(there, neighbours=neighbours_of(town)) if len(known) > 1 else None
    return BiasSheet(bias, alike, now_us, truth=true_rates(truth, incidents) if truth else {})


def archive_of(town: Town, incidents: Sequence[Incident], now_us: int) -> tuple[str, bytes]:
    """Return the name and the bytes of the frozen extract as one archive; the same incidents give the same bytes."""
    with tempfile.TemporaryDirectory() as folder:
        made = write_extract(
            incidents,
            Path(folder),
            town=town.name,
            secret=town.settings.secret(),
            made=to_datetime(now_us),
        )
        return made.name, _archive(made)


def _archive(folder: Path) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.iterdir()):
            entry = zipfile.ZipInfo(f"{folder.name}/{path.name}", (1980, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, path.read_bytes())
    return out.getvalue()


def name_in(body: bytes) -> str:
    """Return the name of an archive's extract, which is that of its folder."""
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        return archive.namelist()[0].partition("/")[0]
