"""All logs of the process as JSON lines: those of the service, of uvicorn and of libraries.

The standard library is enough: uvicorn and other packages log through it anyway, so a second
system such as structlog would only pass its lines on, and what it binds to a request is already in
the record of the request.
"""

from __future__ import annotations

import logging
import sys
from typing import Any, TextIO

from fonoteka.core.log_line import log_line

MESSAGE = "message"
"""Event of a line that is a sentence, with the fields `logger` and `message`."""

_LOGGED = "_fonoteka_logged"
_OF_SOCKETS = ('%s - "WebSocket', "connection open", "connection closed")


class JsonFormatter(logging.Formatter):
    """Formats a record as one line of `fonoteka.core.log_line`.

    A record with the attribute `fields` is an event with these fields; any other is a `message`.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return the line without its newline."""
        text = _text(record)
        fields: dict[str, Any] | None = getattr(record, "fields", None)
        if fields is None:
            event, fields = MESSAGE, {"logger": record.name, "message": text}
        else:
            event, fields = text, dict(fields)
        if record.exc_info:
            fields["exception"] = self.formatException(record.exc_info)
        if record.stack_info:
            fields["stack"] = record.stack_info
        line = log_line(record.levelname.lower(), event, fields, record.created)
        return line.decode("ascii").removesuffix("\n")


def configure_logging(stream: TextIO | None = None, level: int = logging.INFO) -> None:
    """Send what any logger of this process writes to a stream, as JSON lines.

    To be called before uvicorn starts, with `log_config=None` for uvicorn, which would otherwise
    set loggers of its own. Its access lines are turned off: ours have more in them.

    Args:
        stream: that is written to; None for stderr.
        level: the lowest that is written.
    """
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonFormatter())
    handler.addFilter(_is_news)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.asgi", "uvicorn.access"):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.setLevel(logging.NOTSET)
        logger.propagate = name != "uvicorn.access"
    logging.captureWarnings(capture=True)


def mark_as_logged(error: BaseException) -> None:
    """Leave out the line with which uvicorn reports an exception that a line of ours contains."""
    setattr(error, _LOGGED, True)


def _is_news(record: logging.LogRecord) -> bool:
    """Return False for what an access line has already, and without an address or raw path."""
    if not record.name.startswith("uvicorn"):
        return True
    error = record.exc_info[1] if record.exc_info else None
    return not hasattr(error, _LOGGED) and not str(record.msg).startswith(_OF_SOCKETS)


def _text(record: logging.LogRecord) -> str:
    """Return the message; one whose arguments do not fit is written as it is, and not lost."""
    try:
        return record.getMessage()
    except Exception:  # a library's mistake in its own log call
        return f"{record.msg!s} {record.args!r}"
