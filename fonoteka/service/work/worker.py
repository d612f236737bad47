"""A worker process, on the side of the service: its start, its socket, and what it has loaded."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import fonoteka
from fonoteka.service.interfaces import ModelVersion
from fonoteka.service.process_memory import resident_mib
from fonoteka.service.work.framing import FrameReader, frame
from fonoteka.service.work.messages import (
    FromWorker,
    Load,
    Loaded,
    Ready,
    ToWorker,
    Unload,
    Unloaded,
)
from fonoteka.service.work.tickets import Admitted, JobTicket

_ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
_CODE = str(Path(fonoteka.__file__).parents[1])

LAST_TURN_S = 3.0
"""How long a process that was asked to end may continue its turn."""


class WorkerHandle(asyncio.Protocol):
    """A process that is started again and again; see `fonoteka.service.work.worker_process`.

    It is started from the thread of the event loop, which must not end before the service does:
    Linux ends a process with the thread that started it, see `die_with_parent`.

    Attributes:
        name: for example `batch-0`.
        kind: `batch` or `live`.
        tickets: that it works on, or that wait for its models, by key.
        zombies: keys of cancelled ones that it has not dropped yet.
        restarts: since the service began.
        failures: how often in a row the process has ended soon after its start.
        is_ready: whether it takes messages.
        has_news: whether a message came since this was last set to False.
    """

    def __init__(
        self, kind: str, number: int, on_message: Callable[[WorkerHandle, FromWorker], None]
    ) -> None:
        self.name, self.kind = f"{kind}-{number}", kind
        self.tickets: dict[int, Admitted] = {}
        self.zombies: set[int] = set()
        self.restarts = self.failures = 0
        self.is_ready = self.has_news = False
        self._on_message = on_message
        self._process: subprocess.Popen[bytes] | None = None
        self._transport: asyncio.Transport | None = None
        self._loads: dict[ModelVersion, asyncio.Future[str]] = {}
        self._frees: dict[ModelVersion, asyncio.Future[None]] = {}

    async def start(self) -> bool:
        """Start the process, and return whether it became ready."""
        loop = asyncio.get_running_loop()
        self._reader = FrameReader()
        self._ready: asyncio.Future[bool] = loop.create_future()
        self._closed: asyncio.Future[None] = loop.create_future()
        ours, theirs = socket.socketpair()
        with theirs:
            number = theirs.fileno()
            command = [sys.executable, "-m", "fonoteka.service.work.worker_process"]
            self._process = subprocess.Popen(
                [*command, self.kind, str(number), str(os.getpid())],
                pass_fds=[number], stdin=subprocess.DEVNULL, env=_environment(),
            )  # fmt: skip
        ours.setblocking(False)
        await loop.create_unix_connection(lambda: self, sock=ours)
        self.is_ready = await self._ready
        return self.is_ready

    async def ended(self) -> str:
        """Wait until the process has ended, and return how."""
        await self._closed
        self.is_ready = False
        assert self._process is not None
        process, self._process = self._process, None
        code = await asyncio.get_running_loop().run_in_executor(None, _exit_code, process)
        reason = f"exit status {code}" if code >= 0 else signal.Signals(-code).name
        for future in self._loads.values():
            if not future.done():
                future.set_result(f"worker {self.name} ended while it loaded a model: {reason}")
        for free in self._frees.values():
            if not free.done():
                free.set_result(None)
        self._loads, self._frees = {}, {}
        self.zombies.clear()
        return reason

    def stop(self) -> None:
        """Let the process end after its turn."""
        if self._transport is not None:
            self._transport.close()

    def kill(self) -> None:
        """End the process now."""
        if self._process is not None:
            self._process.kill()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Store the transport."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Take messages of the process."""
        for message in self._reader.feed(data):
            self.has_news = True
            if isinstance(message, Ready):
                self._ready.set_result(True)
            elif isinstance(message, Loaded):
                self._loads[message.model].set_result(message.problem)
            elif isinstance(message, Unloaded):
                self._frees.pop(message.model).set_result(None)
            else:
                self._on_message(self, message)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's name
        """Note that the process has ended, or soon will."""
        self.is_ready, self._transport = False, None
        if not self._ready.done():
            self._ready.set_result(False)
        self._closed.set_result(None)

    def send(self, message: ToWorker) -> None:
        """Send a message without waiting; one to a process that has ended is dropped.

        What waits to be sent is bounded by the limits of jobs and of samples per stream.
        """
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(frame(message))

    def has(self, model: ModelVersion) -> bool:
        """Return whether a model is loaded."""
        future = self._loads.get(model)
        return future is not None and future.done() and not future.result()

    async def load(self, model: ModelVersion) -> str:
        """Load a model if it is not loaded, and return the problem if that failed."""
        future = self._loads.get(model)
        if future is None or (future.done() and future.result()):
            if not self.is_ready:
                return f"worker {self.name} is being started"
            future = asyncio.get_running_loop().create_future()
            # A copy, because the object of a request is a lease that keeps the version loaded.
            self._loads[replace(model)] = future
            self.send(Load(model))
        return await asyncio.shield(future)

    async def unload(self, model: ModelVersion) -> None:
        """Free a model that no job or stream of this worker uses."""
        future = self._loads.get(model)
        if future is None:
            return
        await asyncio.shield(future)
        if self._loads.get(model) is not future or not self.is_ready:
            return
        del self._loads[model]
        self._frees[model] = asyncio.get_running_loop().create_future()
        self.send(Unload(model))
        await asyncio.shield(self._frees[model])

    def begin(self, ticket: Admitted) -> None:
        """Send a job or stream whose models are loaded."""
        for message in ticket.first_messages():
            self.send(message)

    @property
    def process(self) -> int | None:
        """The id of the process, None while it is started."""
        return self._process.pid if self._process is not None and self.is_ready else None

    @property
    def remaining_s(self) -> float:
        """Seconds of sound that are left of its jobs."""
        jobs = (ticket for ticket in self.tickets.values() if isinstance(ticket, JobTicket))
        return sum(job.remaining_s for job in jobs)

    def memory_mib(self) -> float:
        """Return the resident memory, 0 while the process is started."""
        return resident_mib(self.process) if self.process else 0.0


def _exit_code(process: subprocess.Popen[bytes]) -> int:
    """Return the exit code of a process that has closed its socket, or was asked to end."""
    try:
        return process.wait(LAST_TURN_S)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()


def _environment() -> dict[str, str]:
    """Return the environment of a worker: one thread per library, and the code of this process."""
    path = os.pathsep.join(filter(None, [_CODE, os.environ.get("PYTHONPATH")]))
    return {**os.environ, **dict.fromkeys(_ONE_THREAD, "1"), "PYTHONPATH": path}
