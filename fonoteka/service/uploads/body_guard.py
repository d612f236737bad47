"""Middleware that bounds the body of every request while it is read.

A body that states its length is refused before its first byte. Any other is counted: nothing after
the limit reaches a route, so a route spools at most the limit. uvicorn has then read at most its
own buffer more, 320 KiB. If the client is still sending, the connection is closed, because the rest
of the body would otherwise have to be read.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace

from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fonoteka.service.api_errors import ApiError
from fonoteka.service.failures import answer
from fonoteka.service.settings import UploadLimits
from fonoteka.service.uploads.refusals import malformed, too_large, too_slow

OTHER_BYTES = 1 << 20
"""Limit of bodies that are not forms: JSON, which is held in memory."""

SLOWEST = 256  # bytes per second after `idle_s`, or a byte per `idle_s` would hold a connection
GUARDED = "body_guard"  # key of the scope's state that says that a request is guarded
# A connection that is closed before its body was read is reset, which can destroy an answer that
# was not read yet. So the end of the answer, which closes the connection, comes a little later.
_LINGER_S = 0.2


class BodyGuard:
    """Answers 413 to bodies beyond the limit, and 408 to bodies that do not arrive."""

    def __init__(self, app: ASGIApp, limits: UploadLimits) -> None:
        self._app, self._limits = app, limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request to the application with a bounded body, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope.setdefault("state", {})[GUARDED] = True
        exchange = _Exchange(scope, receive, send, self._limits)
        if exchange.unsent_refusal() is None:
            try:
                await self._app(scope, exchange.receive, exchange.send)
            except Exception:
                # The application may have wrapped the refusal in an error of its own.
                if exchange.unsent_refusal() is None:
                    raise
        if refusal := exchange.unsent_refusal():
            await exchange.answer(refusal)


class _Exchange:
    """A request whose body is counted, and its answer."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, limits: UploadLimits) -> None:
        headers: dict[bytes, bytes] = dict(scope["headers"])
        self._scope, self._receive, self._send, self._idle_s = scope, receive, send, limits.idle_s
        is_form = headers.get(b"content-type", b"").lower().startswith(b"multipart/form-data")
        self._limit = limits.body_mib << 20 if is_form else OTHER_BYTES
        self._count, self._began = 0, time.monotonic()
        self._answered = self._replaced = self._closes = self._is_silent = False
        stated = headers.get(b"content-length", b"0")
        chunked = b"transfer-encoding" in headers
        self._complete = not chunked and stated.strip(b"0") == b""
        self._refusal: ApiError | None = None
        if not stated.isdigit():
            self._refusal = malformed(f"Content-Length is {stated[:20]!r}; expected a number")
        # Python refuses to convert numbers of over 4300 digits.
        elif len(stated.lstrip(b"0")) > 18 or int(stated) > self._limit:
            self._refusal = too_large(self._limit)
        # uvicorn itself reads the rest of a short body before the next request.
        self._is_short = not chunked and not self._refusal and int(stated) <= 1 << 16

    def unsent_refusal(self) -> ApiError | None:
        """Return why the body was refused, unless it was not or an answer began."""
        return None if self._answered else self._refusal

    async def receive(self) -> Message:
        """Return the next message.

        Raises:
            ApiError: 413 or 408. `answer` or `send` sends it even if the application hides it.
        """
        if self._refusal:
            raise self._refusal
        if self._complete:
            return await self._receive()  # waits until the client leaves
        waited = time.monotonic() - self._began
        left = self._idle_s + self._count / SLOWEST - waited
        try:
            async with asyncio.timeout(max(0, min(self._idle_s, left))):
                message = await self._receive()
        except TimeoutError:
            self._refusal, self._is_silent = too_slow(self._idle_s), True
            raise self._refusal from None
        self._count += len(message.get("body", b""))
        self._complete = not message.get("more_body", False)
        if self._count > self._limit:
            self._refusal = too_large(self._limit)
            raise self._refusal
        return message

    async def send(self, message: Message) -> None:
        """Send a message of the application; if the body was refused, send the refusal instead."""
        if self._replaced:
            return
        if message["type"] == "http.response.start":
            if self._refusal and not self._answered:
                self._replaced = True
                await self.answer(self._refusal)
                return
            self._answered = True
            self._closes = not self._complete and not self._is_short
            if self._closes:
                headers = [*message.get("headers", ()), (b"connection", b"close")]
                message = {**message, "headers": headers}
        elif self._closes and not message.get("more_body", False):
            await self._send({**message, "more_body": True})
            await self._linger()
            message = {"type": "http.response.body", "body": b"", "more_body": False}
        await self._send(message)

    async def answer(self, error: ApiError) -> None:
        """Send an error, and note its code for the log line of the request."""
        self._answered = True
        closing = replace(error, headers={**error.headers, "Connection": "close"})
        response = answer(HTTPConnection(self._scope), closing)
        await response(self._scope, self._receive, self._lingering_send)

    async def _lingering_send(self, message: Message) -> None:
        if message["type"] == "http.response.body":
            await self._send({**message, "more_body": True})
            await self._linger()
            message = {"type": "http.response.body", "body": b"", "more_body": False}
        await self._send(message)

    async def _linger(self) -> None:
        """Let a client that still sends read its answer, which was sent but for its end."""
        if not self._complete and not self._is_silent:
            await asyncio.sleep(_LINGER_S)
