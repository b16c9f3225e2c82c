"""What the server says of itself, on its standard error: lines for people, or one JSON object a line for programs.

Nothing of a request is written: neither addresses nor persons. Who did what is in the audit, how it goes in `/metrics`.
"""

import logging
import os
from datetime import UTC, datetime

import msgspec

__all__ = ["FORM", "begin"]

FORM = "BEFFROI_LOG"


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        """Return one line: time (UTC), level, logger, message, process, thread and, where one was raised, the exception."""
        said: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(), "logger": record.name, "message": record.getMessage(),
            "process": record.process, "thread": record.threadName,
        }  # fmt: skip
        if record.exc_info:
            said["exception"] = self.formatException(record.exc_info)
        return msgspec.json.encode(said).decode()


def begin() -> None:
    """Begin to write, in the form that the environment asks for (`BEFFROI_LOG=json`); a second call changes nothing."""
    plain = logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s")
    handler = logging.StreamHandler()
    handler.setFormatter(_Json() if os.environ.get(FORM) == "json" else plain)
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
