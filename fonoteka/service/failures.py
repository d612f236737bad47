"""Every failure of a request as an error body: ours, the framework's, and unexpected ones."""

from __future__ import annotations

import http
import logging
from collections.abc import Sequence
from typing import cast

from fastapi import APIRouter, FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, HTTPConnection, Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fonoteka.service.api_errors import SERVER, ApiError, api_error
from fonoteka.service.context import RequestRecord
from fonoteka.service.interfaces import JobError

CLIENT_LEFT = 499  # nginx's number for a client that left; no one receives it
log = logging.getLogger("fonoteka.service")


def client_left() -> ApiError:
    """Return the error of a request whose client left; only logs show it."""
    return ApiError(CLIENT_LEFT, "the client left before its answer", "client_left")


def internal_error(record: RequestRecord | None) -> ApiError:
    """Return the error of a fault of ours, which only the log explains."""
    request_id = record.request_id if record else "without an id"
    message = f"the service failed; its log has the reason under request {request_id}"
    return ApiError(500, message, "internal_error", type=SERVER)


def answer(connection: HTTPConnection, error: ApiError) -> JSONResponse:
    """Return the response to a failure, and note its code for the log line."""
    if record := _record(connection.scope):
        record.error = error.code
    return JSONResponse(error.body(), error.status, dict(error.headers))


def add_handlers(app: FastAPI) -> None:
    """Register what turns exceptions of routes into error bodies."""
    for exception, handler in (
        (ApiError, _own), (JobError, _refused_job), (RequestValidationError, _malformed),
        (HTTPException, _of_framework), (ClientDisconnect, _left),
    ):  # fmt: skip
        app.add_exception_handler(exception, handler)


async def _own(request: Request, error: Exception) -> Response:
    return answer(request, cast(ApiError, error))


async def _refused_job(request: Request, error: Exception) -> Response:
    return answer(request, api_error(cast(JobError, error)))


async def _left(request: Request, _error: Exception) -> Response:
    return answer(request, client_left())


async def _malformed(request: Request, error: Exception) -> Response:
    first = cast(RequestValidationError, error).errors()[0]
    param = str(first["loc"][-1])
    return answer(request, ApiError(400, f"{param}: {first['msg']}", "invalid_value", param))


async def _of_framework(request: Request, error: Exception) -> Response:
    raised = cast(HTTPException, error)
    headers = dict(raised.headers or {})
    match raised.status_code:
        case 404:
            message = f"{request.url.path} is not a path of this service; see /openapi.json"
            code = "not_found"
        case 405:
            # The framework's header has the methods of one route of the path, not of all.
            headers["Allow"] = allowed_methods(request.app.state.routers, request.url.path)
            message = f"{request.url.path} has no {request.method}; use {headers['Allow']}"
            code = "method_not_allowed"
        case status:
            message, code = str(raised.detail), http.HTTPStatus(status).phrase.lower()
    return answer(request, ApiError(raised.status_code, message, code, headers=headers))


def allowed_methods(routers: Sequence[APIRouter], path: str) -> str:
    """Return the methods of a path with commas between: of the first template that fits it."""
    routes = [route for router in routers for route in router.routes if isinstance(route, APIRoute)]
    template = next((route.path for route in routes if route.path_regex.match(path)), None)
    methods = {name for route in routes if route.path == template for name in route.methods or ()}
    return ", ".join(sorted(methods or {"GET", "HEAD"}))  # of the documentation's own paths


class UnexpectedFailures:
    """Answers 500 with the id of the request, and writes the traceback to the log.

    It is inside the middleware that logs requests, which therefore sees the answer. A failure
    after an answer began is raised again, so that the server ends the connection.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request to the application."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False

        async def noted_send(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self._app(scope, receive, noted_send)
        except Exception:
            if started:
                raise
            record = _record(scope)
            log.exception("request %s failed", record.request_id if record else "without an id")
            await answer(HTTPConnection(scope), internal_error(record))(scope, receive, send)


def _record(scope: Scope) -> RequestRecord | None:
    record: RequestRecord | None = scope.get("state", {}).get("record")
    return record
