"""One live stream: what a socket receives goes to a worker, and its updates to the socket.

A task feeds the samples and another one forwards the updates. A flush ends the stream in the worker
and opens another one, whose times continue. Nothing grows with the client's speed: the socket is
read only as fast as samples may be fed, and an update that the client does not take in time ends
the stream.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import replace
from typing import Any

import numpy as np
from starlette.websockets import WebSocket

from fonoteka.audio.dsp import FRAME_HOP, SAMPLE_RATE_HZ, Signal
from fonoteka.audio.resampling import prepare_resampling
from fonoteka.service.api_errors import SERVER, ApiError, api_error
from fonoteka.service.context import context_of, record_of
from fonoteka.service.interfaces import (
    BusyError,
    JobError,
    LiveStream,
    StreamClosed,
    StreamRequest,
    Usage,
)
from fonoteka.service.live.closing import (
    CloseCode,
    close_code,
    close_reason,
    restart,
    wrong_data,
)
from fonoteka.service.live.dialect import Command, Dialect, text_of
from fonoteka.service.live.live_socket import ClientLeftError, LiveSocket
from fonoteka.service.live.pace import Pace
from fonoteka.service.live.pcm import PcmDecoder
from fonoteka.streaming.interfaces import StreamUpdate

PIECE = SAMPLE_RATE_HZ  # most samples that are fed at once; a multiple of `FRAME_HOP`


class LiveSession:
    """Connects a socket that was accepted with a stream that was opened for it."""

    def __init__(self, websocket: WebSocket, dialect: Dialect, request: StreamRequest) -> None:
        context = context_of(websocket)
        self._socket = LiveSocket(websocket, context.settings.limits.idle_s)
        self._dialect, self._request = dialect, request
        self._workers, self._record = context.workers, record_of(websocket)
        self._log_text = context.settings.log_text
        # Half of what may wait is left to the worker, in case it falls behind.
        self._pace = Pace(context.settings.work.stream_behind_s / 2)
        self._decoder: PcmDecoder | None = None  # made when the format is certain
        self._held: Signal = np.zeros(0, dtype=np.float32)  # less than a frame
        self._fed = self._before = 0  # samples: of the connection; before the current stream
        self._usage = Usage(0.0, 0.0, 0.0, 0)

    async def run(self, stream: LiveStream) -> None:
        """Serve the connection until it is closed."""
        try:
            await self._socket.send(self._dialect.opened())
            while await self._serve(stream) is Command.FLUSH:
                await self._socket.send(self._dialect.flushed())
                stream = self._opened_again()
            await self._socket.send(self._dialect.finished(self._usage))
            await self._socket.close(CloseCode.NORMAL)
        except ApiError as error:
            await self._fail(error)
        except ClientLeftError:
            self._record.error = "client_left"
        except Exception:
            # Logged with its traceback where the exception ends.
            message = "the service failed; try again, and report the request id if it fails again"
            await self._fail(ApiError(500, message, "server_error", type=SERVER))
            raise
        finally:
            self._record.usage = self._usage

    def _opened_again(self) -> LiveStream:
        self._before = self._fed
        try:
            return self._workers.open_stream(self._request)
        except JobError as refusal:
            raise api_error(refusal) from refusal

    async def _serve(self, stream: LiveStream) -> Command:
        """Feed a stream and forward its updates until it ends; return what the client asked for.

        Raises:
            ApiError: the stream failed, the service stops, or the client sent what is refused. In
                the last two cases, what was recognised before was sent.
            ClientLeftError: the client has closed the connection.
        """
        feeding = asyncio.create_task(self._feed(stream))
        forwarding = asyncio.create_task(self._forward(stream))
        leaving = asyncio.create_task(self._leaving(feeding))
        tasks = [feeding, forwarding, leaving]
        try:
            await asyncio.wait(tasks[:2], return_when=asyncio.FIRST_COMPLETED)
            command, error = feeding.result() if feeding.done() else (Command.NONE, None)
            if command is Command.FINISH:
                await asyncio.wait(tasks[1:], return_when=asyncio.FIRST_COMPLETED)
                if not forwarding.done():
                    leaving.result()
            await forwarding
            if error:
                if self._decoder is not None:  # samples came, so that there may be a last text
                    await self._socket.send(self._dialect.flushed())
                raise error
            if command is Command.NONE:
                await self._socket.send(self._dialect.finished(self._usage))
                raise restart()
            return command
        finally:
            stream.cancel()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _feed(self, stream: LiveStream) -> tuple[Command, ApiError | None]:
        """Feed a stream until the client ends it or breaks a rule, and finish the stream.

        Returns:
            What ended the stream, and what the client did wrong; `NONE` if the workers ended it.

        Raises:
            ApiError: the worker is too slow.
            ClientLeftError: the client left.
        """
        try:
            command, error = await self._fed_until_command(stream)
            if self._decoder is not None:
                flush = command is Command.FLUSH
                last = self._decoder.flush() if flush else self._decoder.finish()
                await self._feed_samples(stream, last, all_of_them=True)
                if self._decoder.fault and not error:
                    command, error = Command.FINISH, wrong_data(self._decoder.fault)
            stream.finish()
        except BusyError as refusal:
            raise api_error(refusal) from refusal
        except JobError:  # the stream has ended, and its updates say why
            return Command.NONE, None
        return command, error

    async def _fed_until_command(self, stream: LiveStream) -> tuple[Command, ApiError | None]:
        command = Command.NONE
        try:
            while command is Command.NONE:
                command = await self._take(stream, await self._socket.received())
        except ApiError as refusal:
            return Command.FINISH, refusal
        return command, None

    async def _take(self, stream: LiveStream, data: str | bytes) -> Command:
        if isinstance(data, str):
            return self._dialect.read_text(data)
        command = self._dialect.read_samples(data)
        if self._decoder is None:
            written = self._dialect.written
            # In a thread because the first call of a process takes up to 2 s.
            await asyncio.to_thread(prepare_resampling, written.sample_rate_hz)
            self._decoder = PcmDecoder(written)
        await self._feed_samples(stream, self._decoder.push(data))
        if self._decoder.fault:
            raise wrong_data(self._decoder.fault)
        await self._socket.send(self._dialect.fed(self._fed / SAMPLE_RATE_HZ))
        return command

    async def _feed_samples(
        self, stream: LiveStream, samples: Signal, all_of_them: bool = False
    ) -> None:
        """Feed samples in whole frames, so that small messages do not make small feeds."""
        self._held = np.concatenate([self._held, samples])
        whole = len(self._held) if all_of_them else len(self._held) // FRAME_HOP * FRAME_HOP
        for start in range(0, whole, PIECE):
            piece = self._held[start : min(start + PIECE, whole)]
            await self._pace.take(len(piece) / SAMPLE_RATE_HZ)
            stream.feed(piece)
            self._fed += len(piece)
        self._held = self._held[whole:]

    async def _forward(self, stream: LiveStream) -> None:
        """Send the updates of a stream until it is closed.

        Raises:
            ApiError: the stream failed.
            ClientLeftError: the client does not take them.
        """
        closed = False
        try:
            async for event in stream.updates():
                if isinstance(event, StreamClosed):
                    self._add(event.usage)
                    closed = True
                    continue
                update = self._shifted(event)
                self._pace.processed(update.audio_s)
                if self._log_text and update.committed:
                    text = f"{self._record.text or ''} {text_of(update.committed)}"
                    self._record.text = text.strip()
                await self._socket.send(self._dialect.updated(update))
        except JobError as refusal:
            raise api_error(refusal) from refusal
        assert closed, "the updates of a stream ended without StreamClosed"

    def _shifted(self, update: StreamUpdate) -> StreamUpdate:
        """Return an update with times of the connection."""
        if not self._before:
            return update
        offset_s = self._before / SAMPLE_RATE_HZ
        committed, provisional = (
            tuple(
                replace(phone, start_s=phone.start_s + offset_s, end_s=phone.end_s + offset_s)
                for phone in phones
            )
            for phones in (update.committed, update.provisional)
        )
        return StreamUpdate(update.audio_s + offset_s, committed, provisional, update.endpoint)

    def _add(self, usage: Usage) -> None:
        total = self._usage
        self._usage = Usage(
            total.audio_s + usage.audio_s, total.queued_s + usage.queued_s,
            total.compute_s + usage.compute_s, total.turns + usage.turns,
        )  # fmt: skip

    async def _leaving(self, feeding: asyncio.Task[Any]) -> None:
        """Once nothing is fed any more, drop what the client sends until it leaves.

        Raises:
            ClientLeftError: it left.
        """
        await asyncio.wait([feeding])
        if feeding.cancelled() or feeding.exception() or feeding.result()[0] is not Command.FINISH:
            return
        await self._socket.left()

    async def _fail(self, error: ApiError) -> None:
        self._record.error = error.code
        if close_code(error) is not CloseCode.RESTART:  # then the last message was the final text
            with suppress(ClientLeftError):
                await self._socket.send(self._dialect.failed(error))
        await self._socket.close(close_code(error), close_reason(error))
