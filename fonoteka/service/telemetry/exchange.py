"""What a request or a connection exchanges with its client, as far as its log line needs it."""

from __future__ import annotations

import asyncio
import logging
import time
import traceback
from collections.abc import Mapping
from typing import Any

from starlette.requests import ClientDisconnect
from starlette.types import Message, Scope
from starlette.websockets import WebSocketDisconnect, WebSocketDisconnected

from fonoteka.service.context import RequestRecord
from fonoteka.service.telemetry.access_line import AccessLine

SWITCHING, CLIENT_LEFT, FAULT, UNAVAILABLE = 101, 499, 500, 503
NO_CODE, BROKEN, INTERNAL_ERROR = 1005, 1006, 1011
"""Close codes of RFC 6455: a frame without a code, no frame at all, a fault of the service."""

_ORDERLY = (1000, 1001, NO_CODE, 1012)
"""Close codes of an end that either side announced: done, page left, without a code, restart."""

_LEFT = (ClientDisconnect, WebSocketDisconnect, WebSocketDisconnected)


class Exchange:
    """Watches the messages of one request or connection."""

    def __init__(self, scope: Scope, record: RequestRecord, connection: int) -> None:
        self.scope, self.record, self.connection = scope, record, connection
        self.begun_s = time.perf_counter()
        self.is_socket: bool = scope["type"] == "websocket"
        self.status: int | None = None
        self.close_code: int | None = None
        self.bytes_in = self.bytes_out = 0
        self.complete = False
        self.left = False
        self.error: str | None = None
        self.exception: str | None = None

    def received(self, message: Message) -> None:
        """Note a message of the client."""
        match message["type"]:
            case "http.request":
                self.bytes_in += len(message.get("body", b""))
            case "http.disconnect":
                self.left = self.left or not self.complete
            case "websocket.receive":
                self.bytes_in += _size(message)
            case "websocket.disconnect":
                self.left = self.left or self.close_code is None
                # uvicorn reports 1005 for a broken connection too, but then without a reason.
                code = message.get("code", NO_CODE)
                self._closed(BROKEN if code == NO_CODE and "reason" not in message else code)

    def sent(self, message: Message) -> Message:
        """Note a message to the client and return it, with the id if it carries headers."""
        match message["type"]:
            case "http.response.start" | "websocket.http.response.start":
                self.status = message["status"]
                return self._with_id(message)
            case "http.response.body" | "websocket.http.response.body":
                self.bytes_out += len(message.get("body", b""))
                self.complete = not message.get("more_body", False)
            case "websocket.accept":
                self.status = SWITCHING
                return self._with_id(message)
            case "websocket.send":
                self.bytes_out += _size(message)
            case "websocket.close":
                if self.status is None:  # a handshake that is refused without an answer
                    self.status = 403
                else:
                    self._closed(message.get("code") or 1000)
        return message

    def failed(self, error: BaseException) -> None:
        """Note the exception that ended the exchange."""
        if isinstance(error, _LEFT):
            self.left = True
        elif isinstance(error, asyncio.CancelledError):
            self.error = "cancelled"
        else:
            self.error = "internal_error"
            self.exception = "".join(traceback.format_exception(error)).rstrip()

    def line(self, memory_mib: float, *, log_text: bool) -> AccessLine:
        """Return the log line; the exchange has ended."""
        seconds = time.perf_counter() - self.begun_s
        record, usage = self.record, self.record.usage
        # A socket that no one closed was broken off by the server, and its client sees 1006.
        code = self.close_code or BROKEN if self.status == SWITCHING else None
        return AccessLine(
            request_id=record.request_id,
            connection=self.connection,
            method=self.scope.get("method", "GET"),
            route=route_template(self.scope),
            status=self._final_status(),
            close_code=code,
            seconds=round(seconds, 4),
            model=record.model.name if record.model else None,
            model_version=record.model.version if record.model else None,
            audio_s=round(usage.audio_s, 3) if usage else None,
            queued_s=round(usage.queued_s, 4) if usage else None,
            compute_s=round(usage.compute_s, 4) if usage else None,
            cpu_share=round(usage.compute_s / max(seconds, 1e-4), 3) if usage else None,
            memory_mib=round(memory_mib, 1),
            bytes_in=self.bytes_in,
            bytes_out=self.bytes_out,
            key=record.key,
            error=self._final_error(),
            text=record.text if log_text else None,
            exception=self.exception,
        )

    def level(self) -> int:
        """Return the level of the line: a refusal is not an error of the service."""
        status = self._final_status()
        if self.exception or self.close_code == INTERNAL_ERROR:
            return logging.ERROR
        if status == UNAVAILABLE:  # it may pass, and probes of `/ready` repeat it
            return logging.WARNING
        return logging.ERROR if status >= FAULT else logging.INFO

    def _final_status(self) -> int:
        if self.status is not None:
            return self.status
        return CLIENT_LEFT if self.left or self.error == "cancelled" else FAULT

    def _final_error(self) -> str | None:
        if code := self.record.error or self.error:
            return code
        if self.left and self.close_code not in _ORDERLY:
            return "client_left"
        return "internal_error" if self.status is None else None

    def _closed(self, code: int) -> None:
        self.close_code = code if self.close_code is None else self.close_code

    def _with_id(self, message: Message) -> Message:
        headers = [
            (name, value)
            for name, value in message.get("headers", ())
            if name.lower() != b"x-request-id"
        ]
        headers.append((b"x-request-id", self.record.request_id.encode("ascii")))
        return {**message, "headers": headers}


def route_template(scope: Mapping[str, Any]) -> str:
    """Return the template of the route that was chosen, or `unrouted`.

    FastAPI puts the route into the scope; a plain route or a mounted application is found by its
    endpoint.
    """
    if (route := scope.get("route")) is not None:
        return str(route.path)
    endpoint, app = scope.get("endpoint"), scope.get("app")
    if endpoint is not None and app is not None:
        for candidate in app.routes:
            if endpoint in (getattr(candidate, "endpoint", None), getattr(candidate, "app", None)):
                return str(candidate.path)
    return "unrouted"


def _size(message: Message) -> int:
    if (data := message.get("bytes")) is not None:
        return len(data)
    return len((message.get("text") or "").encode("utf-8", "surrogatepass"))
