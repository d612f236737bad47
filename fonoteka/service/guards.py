"""Middleware that refuses requests and sockets before their route runs: keys and origins.

They are plain ASGI, because Starlette's BaseHTTPMiddleware sees no WebSocket.
"""

from __future__ import annotations

from collections.abc import Collection
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fonoteka.service.api_errors import AUTHENTICATION, ApiError
from fonoteka.service.context import record_of
from fonoteka.service.failures import answer
from fonoteka.service.keys import KeyFile, key_protocol, presented_key

OPEN_PATHS = ("/", "/health", "/ready", "/docs", "/openapi.json", "/favicon.ico")
"""What is answered without a key: probes, the page, and what the API is."""

DOCS_FILES = "/docs/files/"
OPEN_FOLDERS = ("/page/", DOCS_FILES)
_CHALLENGE = {"WWW-Authenticate": 'Bearer realm="fonoteka"'}


class KeyGuard:
    """Answers 401 unless a valid key is presented; paths that are open need none."""

    def __init__(self, app: ASGIApp, keys: KeyFile) -> None:
        self._app, self._keys = app, keys

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request or socket to the application, or refuse it."""
        if scope["type"] not in ("http", "websocket") or is_open(scope["path"]):
            await self._app(scope, receive, send)
            return
        connection = HTTPConnection(scope)
        key = presented_key(connection)
        if key is None:
            error = ApiError(
                401, "an API key is needed; send Authorization: Bearer KEY", "missing_api_key",
                type=AUTHENTICATION, headers=_CHALLENGE,
            )  # fmt: skip
            await answer(connection, error)(scope, receive, send)
        elif (owner := self._keys.owner(key)) is None:
            error = ApiError(
                401, "the API key is not valid; use one that the service's owner made",
                "invalid_api_key", type=AUTHENTICATION, headers=_CHALLENGE,
            )  # fmt: skip
            await answer(connection, error)(scope, receive, send)
        else:
            record_of(connection).key = owner
            await self._app(scope, receive, _with_protocol(scope, send))


def is_open(path: str) -> bool:
    """Return whether a path needs no key.

    >>> is_open("/health"), is_open("/page/page.js"), is_open("/v1/models")
    (True, True, False)
    """
    return path in OPEN_PATHS or path.startswith(OPEN_FOLDERS)


def _with_protocol(scope: Scope, send: Send) -> Send:
    """Answer the offer of subprotocols that contained the key, unless the route answers it."""
    offered: list[str] = scope.get("subprotocols", [])

    async def send_with_protocol(message: Message) -> None:
        if message["type"] == "websocket.accept" and not message.get("subprotocol"):
            message = {**message, "subprotocol": key_protocol(offered)}
        await send(message)

    return send_with_protocol if offered else send


class OriginGuard:
    """Answers 403 to browsers that show a page of another site.

    Without CORS a page of another site cannot read an answer, but its form can post a recording and
    its script can open a WebSocket, to a service on 127.0.0.1 too. Browsers name the page's site
    in `Origin`; programs send none.
    """

    def __init__(self, app: ASGIApp, origins: Collection[str]) -> None:
        self._app, self._origins = app, origins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request or socket to the application, or refuse it."""
        if scope["type"] in ("http", "websocket"):
            connection = HTTPConnection(scope)
            origin = connection.headers.get("origin")
            if origin is not None and not self._admits(origin, connection.headers.get("host", "")):
                error = ApiError(
                    403, f"origin {origin!r} may not call this service; start it with --origin",
                    "foreign_origin",
                )  # fmt: skip
                await answer(connection, error)(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _admits(self, origin: str, host: str) -> bool:
        if origin in self._origins or "*" in self._origins:
            return True
        try:
            return urlsplit(origin).netloc.lower() == host.lower() != ""
        except ValueError:  # "http://[" is not an address
            return False
