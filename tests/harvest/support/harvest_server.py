"""A web server on loopback whose answers are scripted, and that counts the bytes it sends."""

from __future__ import annotations

import hashlib
import io
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email.utils import formatdate
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import soundfile

from fonoteka.g2p.espeak import speak

SENTENCE = "The quick brown fox jumps over the lazy dog near the river."


@cache
def talk(text: str = SENTENCE, times: int = 1) -> bytes:
    """Return a WAV file in which a text is spoken."""
    speech = speak(" ".join([text] * times), "en")
    file = io.BytesIO()
    soundfile.write(file, speech.samples, speech.sample_rate_hz, format="WAV", subtype="PCM_16")
    return file.getvalue()


class ScriptedExchange(BaseHTTPRequestHandler):
    """One request and its answer."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        server: HarvestServer = self.server.owner
        path = self.path.partition("?")[0]
        with server.lock:
            server.requests.append((self.command, path, self.headers.get("Range", "")))
        route = server.routes.get(path)
        if route is None:
            self.answer(404)
        else:
            route(self)

    def do_HEAD(self) -> None:
        self.do_GET()

    def handle(self) -> None:
        with suppress(ConnectionError):  # a client may close before it has read all
            super().handle()

    def answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        """Send an answer; a header's underscores are hyphens."""
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        names.setdefault("Content-Length", str(len(body)))
        self.send_response(status)
        for name, value in names.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.send(body)

    def send(self, body: bytes) -> None:
        """Send bytes of a body, and count them."""
        self.wfile.write(body)
        with self.server.owner.lock:
            self.server.owner.sent[self.path] += len(body)

    def log_message(self, *_words: object) -> None:
        """Print nothing."""


Route = Callable[[ScriptedExchange], None]


@dataclass
class HarvestServer:
    """A running server.

    Attributes:
        url: where it is.
        routes: the answer of each path.
        sent: bytes of bodies by path.
        requests: method, path and Range of each request.
    """

    url: str = ""
    routes: dict[str, Route] = field(default_factory=dict)
    sent: Counter[str] = field(default_factory=Counter)
    requests: list[tuple[str, str, str]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def forget_counts(self) -> None:
        """Begin to count from 0."""
        self.sent.clear()
        self.requests.clear()

    def media(self) -> list[tuple[str, str, str]]:
        """Return the requests for recordings."""
        return [request for request in self.requests if request[1].endswith(".wav")]


@contextmanager
def serving(routes: dict[str, Route] | None = None) -> Iterator[HarvestServer]:
    """Serve in a thread inside the block."""
    owner = HarvestServer(routes=dict(routes or {}))
    server = ThreadingHTTPServer(("127.0.0.1", 0), ScriptedExchange)
    server.daemon_threads = True
    server.owner = owner
    owner.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield owner
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def file(body: bytes, kind: str = "audio/wav", **headers: str) -> Route:
    """Serve a file with its ETag, its ranges and conditions."""
    etag = f'"{hashlib.sha256(body).hexdigest()[:12]}"'

    def route(exchange: ScriptedExchange) -> None:
        stated = {"ETag": etag, "Content-Type": kind, "Date": formatdate(usegmt=True), **headers}
        if exchange.headers.get("If-None-Match") == etag:
            exchange.answer(304, **stated)
            return
        wanted = exchange.headers.get("Range", "")
        if wanted and exchange.headers.get("If-Range", etag) == etag:
            start = int(wanted.removeprefix("bytes=").rstrip("-"))
            span = f"bytes {start}-{len(body) - 1}/{len(body)}"
            exchange.answer(206, body[start:], **stated, Content_Range=span)
            return
        exchange.answer(200, body, **stated)

    return route


def cut(body: bytes, position: int, then: bytes | None = None) -> Route:
    """Cut the first connection after some bytes; then serve the file, or another one."""
    whole, left = file(body), [1]
    rest = file(body if then is None else then)

    def route(exchange: ScriptedExchange) -> None:
        if exchange.command == "GET" and left:
            left.pop()
            send = exchange.send

            def send_start(data: bytes) -> None:
                send(data[:position])
                exchange.wfile.flush()
                exchange.close_connection = True
                exchange.connection.shutdown(2)

            exchange.send = send_start
            whole(exchange)
            return
        rest(exchange)

    return route


def busy(then: Route, times: int = 1, status: int = 429, **headers: str) -> Route:
    """Ask to wait some times before the answer."""
    left = [None] * times

    def route(exchange: ScriptedExchange) -> None:
        if left:
            left.pop()
            exchange.answer(status, **headers)
        else:
            then(exchange)

    return route


def status(code: int, body: bytes = b"", **headers: str) -> Route:
    """Always give one answer."""
    return lambda exchange: exchange.answer(code, body, **headers)


def endless(exchange: ScriptedExchange) -> None:
    """Send a recording that does not end and states no length."""
    exchange.send_response(200)
    exchange.send_header("Content-Type", "audio/wav")
    exchange.send_header("Connection", "close")
    exchange.end_headers()
    exchange.close_connection = True
    exchange.send(talk()[:1024])
    for _ in range(4096):
        exchange.send(bytes(1 << 16))
