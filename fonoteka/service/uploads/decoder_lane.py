"""A queue of files, and the process that decodes them one after the other."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any

from fonoteka.service.uploads.decode_messages import DecodeReply, DecodeRequest
from fonoteka.service.uploads.decoder_process import DecoderDiedError, DecoderProcess
from fonoteka.service.uploads.refusals import busy, unavailable

_GRACE_S = 0.25  # a file whose client left may end within it, which saves a start of 0.7 CPU s
log = logging.getLogger("fonoteka.service")

_Begin = Callable[[], Coroutine[Any, Any, DecoderProcess]]


class DecoderLane:
    """Decodes files in one process, which is replaced if it dies, hangs or has done its share."""

    def __init__(self, begin: _Begin, longest_s: float, waiting: int, files: int) -> None:
        """Describe the lane; `start` starts its process.

        Args:
            begin: starts a process.
            longest_s: wall seconds after which a process is killed.
            waiting: most files that wait.
            files: after which a process is replaced, so that what leaks is freed.
        """
        self._begin, self._longest_s, self._files = begin, longest_s, files
        self._waiting = waiting
        self._queue: asyncio.Queue[tuple[DecodeRequest, asyncio.Future[DecodeReply]]]
        self._process: DecoderProcess | None = None
        self._next: asyncio.Task[DecoderProcess] | None = None
        self._worker: asyncio.Task[None] | None = None

    @property
    def pids(self) -> list[int]:
        """Numbers of the processes that run."""
        return [self._process.pid] if self._process else []

    async def start(self) -> None:
        """Start the process, and wait until it is ready.

        Raises:
            DecoderDiedError: it does not start.
        """
        self._queue = asyncio.Queue(self._waiting)
        self._process = await self._begin()
        self._worker = asyncio.create_task(self._work())

    async def stop(self) -> None:
        """Kill the process; files that wait are answered with 503."""
        tasks = [task for task in (self._worker, self._next) if task]
        for task in tasks:
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        processes = [self._process, *(p for p in ended if isinstance(p, DecoderProcess))]
        for process in processes:
            if process:
                await process.end()
        self._process = self._next = self._worker = None
        while not self._queue.empty():
            _, answer = self._queue.get_nowait()
            if not answer.done():
                answer.set_exception(unavailable("the service stops"))

    async def decode(self, request: DecodeRequest) -> DecodeReply:
        """Decode a file when its turn comes; a cancelled call stops its decoding.

        Raises:
            ApiError: 429, too many files wait; 503, no process can be started.
            DecoderDiedError: the process died or was too slow; nothing is left of the target.
        """
        answer: asyncio.Future[DecodeReply] = asyncio.get_running_loop().create_future()
        try:
            self._queue.put_nowait((request, answer))
        except asyncio.QueueFull:
            raise busy(self._waiting) from None
        return await answer

    async def _work(self) -> None:
        while True:
            request, answer = await self._queue.get()
            if answer.done():
                continue  # its client left while it waited
            reply: DecodeReply | Exception
            try:
                reply = await self._decoded(request, answer)
            except asyncio.CancelledError:
                if not answer.done():
                    answer.set_exception(unavailable("the service stops"))
                raise
            except Exception as error:  # it is the caller's; this loop serves the next file
                reply = error
            if answer.done() or isinstance(reply, Exception):
                request.target.unlink(missing_ok=True)
            if answer.done():
                continue
            if isinstance(reply, Exception):
                answer.set_exception(reply)
            else:
                answer.set_result(reply)

    async def _decoded(
        self, request: DecodeRequest, answer: asyncio.Future[DecodeReply]
    ) -> DecodeReply:
        process = await self._current()
        task = asyncio.create_task(process.decode(request))
        try:
            await asyncio.wait(
                {task, answer}, timeout=self._longest_s, return_when=asyncio.FIRST_COMPLETED
            )
            if answer.done():
                await asyncio.wait({task}, timeout=_GRACE_S)
            if task.done() and task.exception() is None:
                return task.result()
        finally:
            task.cancel()
            (problem,) = await asyncio.gather(task, return_exceptions=True)
        await self._replace()
        log.warning("a decoder was replaced: %r", problem)
        raise DecoderDiedError(f"a decoder was replaced: {problem!r}")

    async def _replace(self) -> None:
        process, self._process = self._process, None
        self._prepare()
        if process:
            await process.end()

    def _prepare(self) -> None:
        if self._next is None:
            self._next = asyncio.create_task(self._begin())

    async def _current(self) -> DecoderProcess:
        """Return the process, or its successor as soon as that is ready.

        Raises:
            ApiError: 503, it does not start; the next file tries again.
        """
        worn = self._process is not None and self._process.files >= self._files
        if self._process is None or worn:
            self._prepare()
        if self._next is not None and (self._process is None or self._next.done()):
            task, self._next = self._next, None
            try:
                successor = await task
            except (DecoderDiedError, OSError, TimeoutError) as error:
                log.error("no decoder can be started: %s", error)  # noqa: TRY400 - the reason is in it
                if self._process is None:
                    raise unavailable(str(error)) from error
            else:
                old, self._process = self._process, successor
                if old:
                    await old.end()
        assert self._process is not None
        return self._process
