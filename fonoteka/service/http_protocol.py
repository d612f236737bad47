"""HTTP connections that must send their headers in time.

uvicorn waits for the first headers of a connection without end, so a client that opens sockets and
sends nothing, or a byte per minute, would hold them all.
"""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol


class TimedH11Protocol(H11Protocol):
    """uvicorn's protocol, closing a connection whose headers take longer than `header_s`."""

    header_s: ClassVar[float] = 30.0
    _header_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first headers."""
        super().connection_made(transport)
        self._start_header_timer()

    def data_received(self, data: bytes) -> None:
        """Stop waiting once headers are complete, and wait again for those of the next request."""
        super().data_received(data)
        if self.conn.their_state is h11.IDLE:
            self._start_header_timer()
        else:
            self._stop_header_timer()

    def handle_websocket_upgrade(self, event: h11.Request) -> None:
        """Stop waiting, because the connection is now that of a WebSocket."""
        self._stop_header_timer()
        super().handle_websocket_upgrade(event)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        self._stop_header_timer()
        super().connection_lost(exc)

    def _start_header_timer(self) -> None:
        # Not restarted by further bytes: headers that trickle in do not extend the time.
        if self._header_timer is None:
            self._header_timer = self.loop.call_later(self.header_s, self._close_late_headers)

    def _stop_header_timer(self) -> None:
        if self._header_timer is not None:
            self._header_timer.cancel()
            self._header_timer = None

    def _close_late_headers(self) -> None:
        self._header_timer = None
        self.transport.close()


def protocol_with(header_s: float) -> type[TimedH11Protocol]:
    """Return the protocol with another time for headers."""
    attributes: dict[str, Any] = {"header_s": header_s}
    return type("ServiceH11Protocol", (TimedH11Protocol,), attributes)
