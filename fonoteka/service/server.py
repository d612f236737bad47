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
from starlette.middleware import Middleware

from fonoteka.audio.resampling import prepare_resampling
from fonoteka.core.errors import UserError
from fonoteka.service.app import create_app
from fonoteka.service.context import ServiceContext
from fonoteka.service.http_protocol import protocol_with
from fonoteka.service.live.live_socket import MESSAGE_BYTES
from fonoteka.service.live.transport import AbortingProtocol
from fonoteka.service.registry.registry import ModelRegistry
from fonoteka.service.settings import ServiceSettings
from fonoteka.service.telemetry.json_log import configure_logging
from fonoteka.service.telemetry.middleware import Telemetry, TelemetryMiddleware
from fonoteka.service.uploads.upload_service import UploadService
from fonoteka.service.work.pool import WorkerPool

_LOG = logging.getLogger("fonoteka.service")
_BROWSERS_HZ = 48_000  # the rate of most microphones; its filter takes 2 s to compute
_PING_S = 20.0  # a client that vanished without a word is found within 40 s
_ANSWER_S = 5  # for answers that are being sent when all jobs have ended


class _Server(uvicorn.Server):
    """uvicorn's server without its signal handlers: they would close streams before their text."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def serve(settings: ServiceSettings, announce: Callable[[str], None] = print) -> None:
    """Serve until a signal stops it.

    Args:
        settings: see `ServiceSettings`.
        announce: called with the address once connections are accepted.

    Raises:
        UserError: the address cannot be listened on, or a setting does not fit the models.
    """
    configure_logging()
    asyncio.run(_serve(settings, announce))


def service_context(settings: ServiceSettings) -> ServiceContext:
    """Return the parts of a service, not started."""
    workers = WorkerPool(settings.work)
    models = ModelRegistry(settings, workers)
    return ServiceContext(settings, workers, models, UploadService(settings))


async def _serve(settings: ServiceSettings, announce: Callable[[str], None]) -> None:
    context = service_context(settings)
    server = _Server(_config(settings, context))
    stopping = asyncio.Event()
    _on_signals(stopping, context)
    # The application can start and stop the parts too, as its lifespan. Here connections are
    # accepted while models are still loaded, so that /ready can say so, and they are closed after
    # the workers have stopped, so that streams get their final text.
    await context.uploads.start()
    await context.workers.start()
    serving = asyncio.create_task(_accept(server, settings))
    loading = asyncio.create_task(_load(context))
    stopped = asyncio.create_task(stopping.wait())
    try:
        while not server.started and not serving.done():
            await asyncio.sleep(0.01)
        if server.started:
            announce(_address(server))
            await _until_stopped(loading, stopped, serving)
    finally:
        loading.cancel()
        stopped.cancel()
        await asyncio.gather(loading, stopped, return_exceptions=True)
        await context.models.stop()
        await context.workers.stop(settings.drain_s)
        server.should_exit = True
        await asyncio.gather(serving, return_exceptions=True)
        await context.uploads.stop()
    serving.result()


async def _load(context: ServiceContext) -> None:
    await context.models.start()
    for name, reason in context.models.refused().items():
        _LOG.warning("model %s is not offered: %s", name, reason)
    await asyncio.to_thread(prepare_resampling, _BROWSERS_HZ)


async def _until_stopped(
    loading: asyncio.Task[None], stopped: asyncio.Task[bool], serving: asyncio.Task[None]
) -> None:
    """Wait for a signal or the end of the server; raise what loading the models raised."""
    await asyncio.wait({loading, stopped, serving}, return_when=asyncio.FIRST_COMPLETED)
    if loading.done():
        loading.result()
        await asyncio.wait({stopped, serving}, return_when=asyncio.FIRST_COMPLETED)


async def _accept(server: _Server, settings: ServiceSettings) -> None:
    try:
        await server.serve()
    except SystemExit as error:  # how uvicorn ends if it cannot listen
        raise UserError(
            f"{settings.host}:{settings.port} cannot be listened on; choose another --port"
        ) from error


def _config(settings: ServiceSettings, context: ServiceContext) -> uvicorn.Config:
    telemetry = Middleware(TelemetryMiddleware, telemetry=Telemetry(context))
    return uvicorn.Config(
        create_app(context, outermost=[telemetry]), host=settings.host, port=settings.port,
        http=protocol_with(settings.limits.idle_s), ws=AbortingProtocol, lifespan="off",
        log_config=None, access_log=False, server_header=False, ws_max_size=MESSAGE_BYTES,
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
