"""The outermost middleware: ids, the record of each request, its log line and its metrics."""

from __future__ import annotations

import json
import logging
from contextlib import suppress
from itertools import count

from prometheus_client import Gauge
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fonoteka.service.api_errors import SERVER, ApiError
from fonoteka.service.context import RequestRecord, ServiceContext
from fonoteka.service.telemetry.access_line import REQUEST, WEBSOCKET, request_id
from fonoteka.service.telemetry.exchange import FAULT, INTERNAL_ERROR, SWITCHING, Exchange
from fonoteka.service.telemetry.json_log import mark_as_logged
from fonoteka.service.telemetry.metrics import ServiceMetrics
from fonoteka.service.telemetry.service_memory import ServiceMemory

log = logging.getLogger("fonoteka.service.access")


class Telemetry:
    """Log lines and metrics of one service; `scope["state"]["telemetry"]` of its requests."""

    def __init__(self, context: ServiceContext) -> None:
        self.metrics = ServiceMetrics(context.workers, context.models)
        self._memory = ServiceMemory(context.workers)
        self._log_text = context.settings.log_text
        self._numbers = count(1)

    def begin(self, scope: Scope) -> Exchange:
        """Give a request or connection its id, number and record."""
        record = RequestRecord(request_id(scope["headers"]))
        # A copy, because servers may share the state of the application between requests.
        scope["state"] = {**scope.get("state", {}), "record": record, "telemetry": self}
        exchange = Exchange(scope, record, next(self._numbers))
        self._running(exchange).inc()
        return exchange

    def end(self, exchange: Exchange) -> None:
        """Log and count a request or connection that ended."""
        self._running(exchange).dec()
        line = exchange.line(self._memory.mib(), log_text=self._log_text)
        self.metrics.count(line, exchange.record.usage)
        event = WEBSOCKET if exchange.is_socket else REQUEST
        log.log(exchange.level(), event, extra={"fields": line.fields()})

    def _running(self, exchange: Exchange) -> Gauge:
        return self.metrics.open_streams if exchange.is_socket else self.metrics.in_flight


class TelemetryMiddleware:
    """Makes `scope["state"]["record"]`, answers with the id, and logs each request once."""

    def __init__(self, app: ASGIApp, telemetry: Telemetry) -> None:
        self._app, self._telemetry = app, telemetry

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request or connection to the application."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        exchange = self._telemetry.begin(scope)

        async def noted_receive() -> Message:
            message = await receive()
            exchange.received(message)
            return message

        async def noted_send(message: Message) -> None:
            await send(exchange.sent(message))

        try:
            await self._app(scope, noted_receive, noted_send)
        except BaseException as error:
            exchange.failed(error)
            mark_as_logged(error)
            if exchange.exception:
                with suppress(OSError):  # the client left
                    await _answer_fault(exchange, noted_send)
            raise
        finally:
            self._telemetry.end(exchange)


async def _answer_fault(exchange: Exchange, send: Send) -> None:
    """Answer what no one answered: with 500 before an answer, with close code 1011 in a stream."""
    if exchange.status == SWITCHING and exchange.close_code is None and not exchange.left:
        await send({"type": "websocket.close", "code": INTERNAL_ERROR, "reason": ""})
        return
    if exchange.status is not None:
        return
    prefix = "websocket." if exchange.is_socket else ""
    if exchange.is_socket and "websocket.http.response" not in exchange.scope["extensions"]:
        return  # the server answers 500 itself
    message = (
        f"the service failed; its log has the reason under request {exchange.record.request_id}"
    )
    body = json.dumps(ApiError(FAULT, message, "internal_error", type=SERVER).body()).encode()
    headers = [
        (b"content-type", b"application/json"), (b"content-length", str(len(body)).encode()),
    ]  # fmt: skip
    await send({"type": f"{prefix}http.response.start", "status": FAULT, "headers": headers})
    await send({"type": f"{prefix}http.response.body", "body": body})
