"""The protocol of sockets in uvicorn, with an end for clients that read nothing.

Pass it to uvicorn as `ws`. Uvicorn closes a connection once all that was written to it is sent, so
a client that reads nothing could hold a connection and 64 KiB for as long as it likes.
"""

from __future__ import annotations

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

ABORT_S = 10.0  # after the end of the application; a client that reads needs less


class AbortingProtocol(WebSocketsSansIOProtocol):
    """Aborts a connection that is not closed in time after its application ended."""

    async def run_asgi(self) -> None:
        """Run the application for this connection."""
        await super().run_asgi()
        self.loop.call_later(ABORT_S, self.transport.abort)
