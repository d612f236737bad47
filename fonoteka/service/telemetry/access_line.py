"""The log line of a request or connection, and the ids that requests bring."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

REQUEST, WEBSOCKET = "request", "websocket"
"""Events of the lines."""

_ID = re.compile(rb"[A-Za-z0-9._:-]{1,64}")
_ONLY_IF_SET = ("text", "exception")


@dataclass(frozen=True)
class AccessLine:
    """What is logged when a request or connection ends, after `time`, `level` and `event`.

    A value is null if it does not apply; `text` and `exception` are then left out.

    Attributes:
        request_id: taken from X-Request-ID, or made.
        connection: number of the request or connection since the service began, because two
            clients may send the same id.
        method: of HTTP; GET for a WebSocket.
        route: template of the path, so that ids in paths stay out of logs; `unrouted` for an
            unknown path and for what was refused before a route was chosen.
        status: of the answer; 101 for an accepted WebSocket; 499 if the client left before an
            answer.
        close_code: of the WebSocket, the first that either side sent; 1006 if the connection broke.
        seconds: on the clock, from the headers to the end.
        model, model_version: that computed the answer.
        audio_s: length of the recording or stream.
        queued_s: from admission to the first turn.
        compute_s: processor seconds.
        cpu_share: compute_s / seconds.
        memory_mib: resident memory of the service and its workers, at most a second old.
        bytes_in, bytes_out: of bodies or messages.
        key: name of the API key.
        error: code of the error that was answered; `client_left`, `cancelled` or `internal_error`
            if there was no such answer.
        text: what was recognised, if the settings ask for it.
        exception: traceback of a fault of ours.
    """

    request_id: str
    connection: int
    method: str
    route: str
    status: int
    close_code: int | None
    seconds: float
    model: str | None
    model_version: str | None
    audio_s: float | None
    queued_s: float | None
    compute_s: float | None
    cpu_share: float | None
    memory_mib: float
    bytes_in: int
    bytes_out: int
    key: str | None
    error: str | None
    text: str | None = None
    exception: str | None = None

    def fields(self) -> dict[str, Any]:
        """Return the values by name, in the order of the line."""
        values = asdict(self)
        return {k: v for k, v in values.items() if v is not None or k not in _ONLY_IF_SET}


def request_id(headers: Iterable[tuple[bytes, bytes]]) -> str:
    """Return the id that a request brings in X-Request-ID, or a new one.

    An id has at most 64 ASCII letters, digits and `-_.:`. Any other is replaced and never sent
    back, and so are several, because no one can tell which is meant.

    >>> request_id([(b"x-request-id", b"trace-1:7")])
    'trace-1:7'
    >>> len(request_id([(b"x-request-id", b"a b")]))
    32
    """
    values = [value for name, value in headers if name.lower() == b"x-request-id"]
    if len(values) == 1 and _ID.fullmatch(values[0]):
        return values[0].decode("ascii")
    return secrets.token_hex(16)
