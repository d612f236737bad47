"""Live streams: `/v1/stream`, and the messages of vosk at `/vosk` and of Deepgram at `/v1/listen`.

A refused handshake of `/v1/stream` and `/vosk` is accepted and closed with a code, because browsers
show a close code and hide the status of a handshake. `/v1/listen` answers with a status, as
Deepgram does.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from fastapi import APIRouter
from starlette.responses import JSONResponse
from starlette.websockets import WebSocket, WebSocketDisconnect

from fonoteka.service.api_errors import ApiError, api_error
from fonoteka.service.context import context_of, record_of
from fonoteka.service.interfaces import JobError, LiveStream, StreamRequest
from fonoteka.service.live import native, vosk
from fonoteka.service.live.closing import close_code, close_reason
from fonoteka.service.live.deepgram import DeepgramDialect
from fonoteka.service.live.deepgram_query import deepgram_options, deepgram_query
from fonoteka.service.live.dialect import Dialect
from fonoteka.service.live.query import Query, stream_request
from fonoteka.service.live.session import LiveSession

router = APIRouter()

TOKEN_PROTOCOLS = ("token", "bearer")
"""Subprotocols by which a browser sends a key, as in `new WebSocket(url, ["token", key])`."""

_LEFT = WebSocketDisconnect, OSError  # raised if the client left during the handshake

Opened = tuple[Dialect, StreamRequest, LiveStream]


@router.websocket("/v1/stream")
async def stream(websocket: WebSocket) -> None:
    """Recognise phones while they are spoken; `fonoteka.service.live.native` has the messages."""

    def dialect(query: Query, request: StreamRequest) -> Dialect:
        return native.NativeDialect(query, request)

    await _serve(websocket, native.PARAMETERS, dialect)


@router.websocket("/vosk")
async def vosk_stream(websocket: WebSocket) -> None:
    """Recognise phones with the messages of vosk-server, see `fonoteka.service.live.vosk`."""

    def dialect(query: Query, _request: StreamRequest) -> Dialect:
        return vosk.VoskDialect(query)

    await _serve(websocket, vosk.PARAMETERS, dialect)


@router.websocket("/v1/listen")
async def deepgram_stream(websocket: WebSocket) -> None:
    """Recognise phones with the messages of Deepgram, see `fonoteka.service.live.deepgram`."""

    def dialect(query: Query, request: StreamRequest) -> Dialect:
        return DeepgramDialect(deepgram_options(query), request)

    try:
        query = deepgram_query(websocket.query_params.multi_items())
        opened = _open(websocket, query, dialect)
    except ApiError as error:
        record = record_of(websocket)
        record.error = error.code
        await websocket.send_denial_response(_denial(error, record.request_id))
        return
    await _run(websocket, opened)


async def _serve(
    websocket: WebSocket,
    parameters: tuple[str, ...],
    dialect: Callable[[Query, StreamRequest], Dialect],
) -> None:
    try:
        query = Query(websocket.query_params.multi_items(), parameters)
        opened = _open(websocket, query, dialect)
    except ApiError as error:
        record_of(websocket).error = error.code
        with suppress(*_LEFT):
            await websocket.accept(_subprotocol(websocket))
            await websocket.send_json({"type": "error", **error.body()})
            await websocket.close(close_code(error), close_reason(error))
        return
    await _run(websocket, opened)


def _open(
    websocket: WebSocket, query: Query, dialect: Callable[[Query, StreamRequest], Dialect]
) -> Opened:
    """Return what a connection needs.

    Raises:
        ApiError: it is refused.
    """
    context, record = context_of(websocket), record_of(websocket)
    request = stream_request(query, context.models, record.request_id)
    record.model = request.model
    translated = dialect(query, request)
    try:
        return translated, request, context.workers.open_stream(request)
    except JobError as refusal:
        raise api_error(refusal) from refusal


async def _run(websocket: WebSocket, opened: Opened) -> None:
    dialect, request, live = opened
    try:
        await websocket.accept(_subprotocol(websocket))
    except _LEFT:
        live.cancel()
        record_of(websocket).error = "client_left"
        return
    await LiveSession(websocket, dialect, request).run(live)


def _subprotocol(websocket: WebSocket) -> str | None:
    """Return the subprotocol by which a browser sent its key; without it the browser refuses."""
    offered: list[str] = websocket.scope.get("subprotocols", [])
    return next((name for name in offered if name.lower() in TOKEN_PROTOCOLS), None)


def _denial(error: ApiError, request_id: str) -> JSONResponse:
    """Return the answer of Deepgram to a handshake that it refuses."""
    body = {"err_code": error.code, "err_msg": error.message, "request_id": request_id}
    shown = error.message.encode("ascii", "replace").decode()
    return JSONResponse(body, error.status, {**error.headers, "dg-error": shown})
