"""An application in a server of its own, on a port of 127.0.0.1 that the system chooses."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from starlette.types import ASGIApp


class ThreadServer(uvicorn.Server):
    """A server that sets an event when it listens, and when it failed to start."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.is_ready = threading.Event()

    async def startup(self, sockets=None) -> None:
        """Listen, then set the event."""
        await super().startup(sockets)
        self.is_ready.set()

    def run_in_thread(self) -> None:
        """Serve until `should_exit` is set; the event is set whatever happens."""
        try:
            self.run()
        finally:
            self.is_ready.set()

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return self.servers[0].sockets[0].getsockname()[1]


@contextmanager
def running(app: ASGIApp) -> Iterator[str]:
    """Yield the address of an application, for example `http://127.0.0.1:40123`."""
    server = ThreadServer(uvicorn.Config(app, "127.0.0.1", 0, log_config=None))
    thread = threading.Thread(target=server.run_in_thread, daemon=True)
    thread.start()
    server.is_ready.wait()
    try:
        assert server.started, "the application did not start; its log has the reason"
        yield f"http://127.0.0.1:{server.port}"
    finally:
        server.should_exit = True
        thread.join()
