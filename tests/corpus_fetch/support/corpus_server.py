"""A server on loopback that imitates a model hub's data sets and a plain web server with files.

Plain files are at /NAME. A data set's are at /datasets/OWNER/NAME/resolve/REVISION/PATH, and the
hub answers POST /api/datasets/OWNER/NAME/paths-info/REVISION as the public one does.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

LARGE = (".gz", ".tgz", ".zip")  # a hub stores these outside git

_INFO = re.compile(r"/api/datasets/([^/]+/[^/]+)/paths-info/(.+)")
_FILE = re.compile(r"/datasets/([^/]+/[^/]+)/resolve/([^/]+)/(.+)")


@dataclass
class CorpusServer:
    """The state of a server.

    Attributes:
        url: its address, ending with a slash.
        files: plain files by name.
        hub: files of data sets, by `owner/name@revision` and path.
        requests: method and path of each request.
        ranges: the Range header of each GET, empty if it had none.
        tokens: the Authorization header of each request that had one.
        sent: bytes of bodies of GET.
        cut_after: bytes after which the connection of the next GETs is closed, one value for each.
        statuses: status and headers of the next answers for a path; 200 is the file.
        sizes: the size that is stated for a path instead of the true one.
        without_ranges: whether Range is ignored.
        without_sizes: whether no size is stated, as GitHub does for archives.
    """

    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    hub: dict[str, dict[str, bytes]] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    ranges: list[str] = field(default_factory=list)
    tokens: list[str] = field(default_factory=list)
    sent: int = 0
    cut_after: list[int] = field(default_factory=list)
    statuses: dict[str, list[tuple[int, dict[str, str]]]] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)
    without_ranges: bool = False
    without_sizes: bool = False

    def file_at(self, path: str) -> bytes | None:
        """Return the file of a path, or None if the server does not have it."""
        if match := _FILE.fullmatch(path):
            name, revision, file = match.groups()
            return self.hub.get(f"{name}@{revision}", {}).get(file)
        return self.files.get(path.removeprefix("/"))


@contextmanager
def corpus_server() -> Iterator[CorpusServer]:
    """Yield a server, which answers while the block runs."""
    state = CorpusServer()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(state))
    state.url = f"http://127.0.0.1:{server.server_port}/"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _handler(state: CorpusServer) -> type[BaseHTTPRequestHandler]:
    class FileHandler(BaseHTTPRequestHandler):
        def do_HEAD(self):
            self.answer()

        def do_GET(self):
            self.answer()

        def do_POST(self):
            path = self.noted()
            form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
            match = _INFO.fullmatch(path)
            if self.refused(path):
                return
            if match is None or f"{match[1]}@{match[2]}" not in state.hub:
                code = "RepoNotFound" if match is None else "RevisionNotFound"
                self.reply(404, {"X-Error-Code": code})
                return
            files = state.hub[f"{match[1]}@{match[2]}"]
            entries = [hub_entry(name, files[name]) for name in form["paths"] if name in files]
            self.reply(200, {"Content-Type": "application/json"}, json.dumps(entries).encode())

        def noted(self):
            path = unquote(urlsplit(self.path).path)
            state.requests.append(f"{self.command} {path}")
            if token := self.headers.get("Authorization"):
                state.tokens.append(token)
            return path

        def refused(self, path):
            """Answer with the next status that a test has set, if there is one."""
            waiting = state.statuses.get(path, [])
            status, headers = waiting.pop(0) if waiting else (200, {})
            if status != 200:
                self.reply(status, headers)
            return status != 200

        def answer(self):
            path = self.noted()
            if self.refused(path):
                return
            # Also for HEAD: the headers of both are the same.
            data = state.file_at(path)
            if data is None:
                self.reply(404, {})
                return
            tag = f'"{hashlib.sha256(data).hexdigest()[:16]}"'
            range_ = self.headers.get("Range", "")
            if self.command == "GET":
                state.ranges.append(range_)
            start = int(range_.removeprefix("bytes=").rstrip("-")) if range_ else 0
            if state.without_ranges or self.headers.get("If-Range", tag) != tag:
                start = 0
            if start >= len(data) > 0:
                self.reply(416, {"Content-Range": f"bytes */{len(data)}"})
                return
            self.send(path, data, start, tag)

        def send(self, path, data, start, tag):
            size = state.sizes.get(path, len(data))
            self.send_response(206 if start else 200)
            self.send_header("ETag", tag)
            if start:
                self.send_header("Content-Range", f"bytes {start}-{size - 1}/{size}")
            if state.without_sizes:
                self.close_connection = True
            else:
                self.send_header("Content-Length", str(size - start))
            self.end_headers()
            if self.command == "GET":
                most = state.cut_after.pop(0) if state.cut_after else len(data)
                body = data[start:][:most]
                self.wfile.write(body)
                state.sent += len(body)
                self.close_connection = self.close_connection or most < len(data) - start

        def reply(self, status, headers, body=b""):
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args):
            pass

    return FileHandler


def hub_entry(path: str, data: bytes) -> dict:
    """Return what the hub states of a file."""
    blob = hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
    entry = {"type": "file", "path": path, "size": len(data), "oid": blob}
    if path.endswith(LARGE):
        digest = hashlib.sha256(data).hexdigest()
        entry["lfs"] = {"oid": digest, "size": len(data), "pointerSize": 134}
    return entry
