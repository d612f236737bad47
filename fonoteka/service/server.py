"""Run the service: its parts, its signals, and the order in which it starts and stops.

    python -m fonoteka serve [--models FOLDER] [--port N]

Writes  the address to stdout once connections are accepted; JSON lines to stderr

SIGTERM and SIGINT stop it: nothing more is admitted, live streams get their final text, jobs get
`drain_s`, then connections are closed. SIGHUP reads the packages again.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import sys
from collections.abc import Callable, Iterator

import uvicorn

from fonoteka.core.errors import UserError
from fonoteka.service.app import create_app
from fonoteka.service.context import ServiceContext
from fonoteka.service.http_protocol import protocol_with
from fonoteka.service.settings import ServiceSettings

_LOG = logging.getLogger("fonoteka.service")
_MESSAGE_BYTES = 2**20  # of a socket: 8 s of 16 bits at 64 kHz, where clients send 20 to 200 ms
_PING_S = 20.0  # a client that vanished without a word is found within 40 s
_ANSWER_S = 5  # for answers that are being sent when all jobs have ended


class _Server(uvicorn.Server):
    """uvicorn's server without its signal handlers: they would close streams before their text."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:  # type: ignore[override]
        yield


def serve(settings: ServiceSettings, announce: Callable[[str], None] = print) -> None:
    """Serve until a signal stops it.

    Args:
        settings: see `ServiceSettings`.
        announce: called with the address once connections are accepted.

    Raises:
        UserError: the port is taken, or no model can be offered.
    """
    asyncio.run(_serve(settings, announce))


async def _serve(settings: ServiceSettings, announce: Callable[[str], None]) -> None:
    context = _context(settings)
    server = _Server(_config(settings, context))
    stopping = asyncio.Event()
    _on_signals(stopping, context)
    await context.uploads.start()
    await context.workers.start()
    serving = asyncio.create_task(_serve_or_refuse(server, settings))
    loading = asyncio.create_task(context.models.start())
    stopped = asyncio.create_task(stopping.wait())
    try:
        while not server.started and not serving.done():
            await asyncio.sleep(0.01)
        if server.started:
            announce(_address(server))
            await _first_problem(loading, stopped, serving)
    finally:
        loading.cancel()
        stopped.cancel()
        await context.workers.stop(settings.drain_s)
        server.should_exit = True
        await asyncio.gather(serving, return_exceptions=True)
        await context.uploads.stop()
    serving.result()


async def _first_problem(
    loading: asyncio.Task[None], stopped: asyncio.Task[bool], serving: asyncio.Task[None]
) -> None:
    """Wait for a signal or the end of the server; raise what loading the models raised."""
    await asyncio.wait({loading, stopped, serving}, return_when=asyncio.FIRST_COMPLETED)
    if loading.done():
        loading.result()
        await asyncio.wait({stopped, serving}, return_when=asyncio.FIRST_COMPLETED)


async def _serve_or_refuse(server: _Server, settings: ServiceSettings) -> None:
    try:
        await server.serve()
    except SystemExit as error:  # uvicorn's answer to a port that is taken
        raise UserError(
            f"{settings.host}:{settings.port} cannot be listened on; choose another --port"
        ) from error


def _config(settings: ServiceSettings, context: ServiceContext) -> uvicorn.Config:
    return uvicorn.Config(
        create_app(context), host=settings.host, port=settings.port, lifespan="off",
        http=protocol_with(settings.limits.idle_s), ws="websockets-sansio", log_config=None,
        access_log=False, server_header=False, ws_max_size=_MESSAGE_BYTES,
        ws_ping_interval=_PING_S, ws_ping_timeout=_PING_S, timeout_graceful_shutdown=_ANSWER_S,
    )  # fmt: skip


def _address(server: _Server) -> str:
    host, port = server.servers[0].sockets[0].getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _on_signals(stopping: asyncio.Event, context: ServiceContext) -> None:
    loop = asyncio.get_running_loop()
    tasks: set[asyncio.Task[None]] = set()

    def refresh() -> None:
        task = loop.create_task(_refresh(context))
        tasks.add(task)  # the loop holds tasks weakly
        task.add_done_callback(tasks.discard)

    if sys.platform == "win32":
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: loop.call_soon_threadsafe(stopping.set))
        return
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopping.set)
    loop.add_signal_handler(signal.SIGHUP, refresh)


async def _refresh(context: ServiceContext) -> None:
    for name, outcome in (await context.models.refresh()).items():
        _LOG.info("model %s: %s", name, outcome)
