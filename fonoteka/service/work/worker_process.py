"""The program of a worker process.

    python -m fonoteka.service.work.worker_process batch|live SOCKET PARENT

Reads   messages from a socket, whose number it gets
Writes  messages to it

It ends when the other end of the socket is closed, and the system ends it when its parent dies. It
ignores SIGINT and SIGTERM: a terminal sends Ctrl+C to all its processes, but streams are finished
first. One thread loads models, so that turns and streams continue meanwhile; the rest is one loop.
"""

from __future__ import annotations

import faulthandler
import os
import selectors
import signal
import socket
import sys
from collections.abc import Iterator
from queue import SimpleQueue
from threading import Lock, Thread
from typing import Any, Protocol

from fonoteka.core.errors import UserError
from fonoteka.core.run_stage import die_with_parent
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

BATCH, LIVE = "batch", "live"

NICE = 10
"""The niceness of batch workers. Linux gives a process of niceness 10 a tenth of the time of one of
niceness 0 on the same core, so streams run first, and recordings still progress. SCHED_BATCH also
lets a stream that wakes up run at once."""


class Channel:
    """The worker's end of the socket; both threads may send."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket, self._reader, self._lock = connection, FrameReader(), Lock()
        # Not `select.select`, which refuses numbers above 1023: a service with many connections
        # gives a worker that is started again a socket of such a number.
        self._waiting = selectors.DefaultSelector()
        self._waiting.register(connection, selectors.EVENT_READ)

    def send(self, message: FromWorker) -> None:
        """Send a message; waits while the service does not read."""
        data = frame(message)
        with self._lock:
            self._socket.sendall(data)

    def receive(self, wait: bool) -> Iterator[ToWorker]:
        """Yield the messages that have come; if `wait`, the first of them is waited for.

        Raises:
            EOFError: the service has closed its end.
        """
        while wait or self._waiting.select(0):
            data = self._socket.recv(1 << 20)
            if not data:
                raise EOFError
            wait = False
            yield from self._reader.feed(data)


class Work(Protocol):
    """What a kind of worker does."""

    @property
    def waits(self) -> bool:
        """Whether nothing can be done until a message comes."""

    def take(self, message: ToWorker) -> Iterator[FromWorker]:
        """Take a message, and yield the answers."""

    def step(self) -> Iterator[FromWorker]:
        """Do some work, and yield what it computed."""


def serve(channel: Channel, work: Work, models: Any) -> None:
    """Take messages and do work until the service closes its end.

    Args:
        channel: to the service.
        work: of this worker.
        models: `LoadedModels`.
    """
    orders: SimpleQueue[Load | Unload] = SimpleQueue()
    Thread(target=_keep_models, args=(orders, models, channel), daemon=True).start()
    channel.send(Ready())
    try:
        while True:
            for message in channel.receive(wait=work.waits):
                if isinstance(message, Load | Unload):
                    orders.put(message)
                    continue
                for answer in work.take(message):
                    channel.send(answer)
            if not work.waits:
                for answer in work.step():
                    channel.send(answer)
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return


def _keep_models(orders: SimpleQueue[Load | Unload], models: Any, channel: Channel) -> None:
    """Load and unload models, one after the other."""
    while True:
        order = orders.get()
        if isinstance(order, Unload):
            models.unload(order.model)
            channel.send(Unloaded(order.model))
            continue
        problem = ""
        try:
            models.load(order.model)
        except (UserError, OSError) as error:
            problem = str(error)
        except Exception as error:
            problem = f"model {order.model.name} does not run: {type(error).__name__}: {error}"
        channel.send(Loaded(order.model, problem))


def run_later_than_streams() -> None:
    """Let the system run live workers before this process, see `NICE`."""
    os.nice(NICE)
    if hasattr(os, "SCHED_BATCH"):
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))


def main() -> None:
    """Run a worker."""
    kind, number, parent = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    die_with_parent(parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    faulthandler.enable()
    if kind == BATCH:
        run_later_than_streams()
    channel = Channel(socket.socket(fileno=number))
    # Imported here, because each kind needs its own half, and after the signals are ignored.
    from fonoteka.service.work.compute.loaded_models import LoadedModels

    models = LoadedModels(live=kind == LIVE)
    if kind == LIVE:
        from fonoteka.service.work.compute.live_work import LiveWork

        serve(channel, LiveWork(models), models)
    else:
        from fonoteka.service.work.compute.batch_work import BatchWork

        serve(channel, BatchWork(models), models)


if __name__ == "__main__":
    main()
