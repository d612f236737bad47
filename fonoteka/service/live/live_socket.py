"""The socket of a live stream, with limits of size and time in both directions."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from contextlib import suppress

from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketDisconnected

from fonoteka.service.live.closing import CloseCode, idle, too_big
from fonoteka.service.live.dialect import Outgoing

MESSAGE_BYTES = 1 << 20  # 33 s of PCM16 at 16 kHz
TEXT_BYTES = 1 << 16


class ClientLeftError(Exception):
    """The client closed the connection, or does not take what it is sent."""


class LiveSocket:
    """A socket that was accepted."""

    def __init__(self, websocket: WebSocket, limit_s: float) -> None:
        """Take a socket.

        Args:
            websocket: it.
            limit_s: longest wait for a message, and for the client to take one.
        """
        self._websocket, self._limit_s = websocket, limit_s

    async def received(self) -> str | bytes:
        """Return the next message.

        Raises:
            ApiError: none came in time, or it is too big.
            ClientLeftError: the client left.
        """
        try:
            async with asyncio.timeout(self._limit_s):
                message = await self._websocket.receive()
        except TimeoutError:
            raise idle(self._limit_s) from None
        if message["type"] == "websocket.disconnect":
            raise ClientLeftError
        data: str | bytes | None = message.get("bytes")
        most = MESSAGE_BYTES
        if data is None:
            data, most = message["text"], TEXT_BYTES
        if len(data) > most:
            raise too_big(len(data), most)
        return data

    async def left(self) -> None:
        """Drop messages until the client leaves.

        Raises:
            ClientLeftError: it left.
        """
        while True:
            message = await self._websocket.receive()
            if message["type"] == "websocket.disconnect":
                raise ClientLeftError

    async def send(self, messages: Sequence[Outgoing]) -> None:
        """Send messages as JSON.

        Raises:
            ClientLeftError: the client left, or does not take them in time.
        """
        for message in messages:
            text = json.dumps(message, ensure_ascii=False, allow_nan=False)
            try:
                async with asyncio.timeout(self._limit_s):
                    await self._websocket.send_text(text)
            except (TimeoutError, WebSocketDisconnect, WebSocketDisconnected, OSError):
                raise ClientLeftError from None

    async def close(self, code: CloseCode, reason: str = "") -> None:
        """Close the socket, unless the client left or reads nothing."""
        with suppress(TimeoutError, WebSocketDisconnect, WebSocketDisconnected, OSError):
            async with asyncio.timeout(self._limit_s):
                await self._websocket.close(code, reason)
