"""A server in front of another one that has its places below a path, as a hub's buckets do."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

_HOP = {"connection", "content-length", "keep-alive", "transfer-encoding"}


@contextmanager
def prefix_proxy(target: str, prefix: str) -> Iterator[tuple[str, list[str]]]:
    """Yield the address with the prefix, and the list of paths that were requested.

    A request below the prefix is forwarded without it; any other one is answered with 404.

    Args:
        target: address of the server behind.
        prefix: begins with a slash.
    """
    paths: list[str] = []
    host = urlsplit(target).netloc

    class PrefixHandler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def __getattr__(self, name):
            if name.startswith("do_"):
                return self.forward
            raise AttributeError(name)

        def forward(self):
            paths.append(self.path)
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if not self.path.startswith(f"{prefix}/"):
                self.answer(404, [], b"not below the prefix")
                return
            connection = http.client.HTTPConnection(host, timeout=60)
            headers = {k: v for k, v in self.headers.items() if k.lower() not in _HOP}
            try:
                path = self.path.removeprefix(prefix)
                connection.request(self.command, path, body, headers)
                response = connection.getresponse()
                self.answer(response.status, response.getheaders(), response.read())
            finally:
                connection.close()

        def answer(self, status, headers, data):
            # A HEAD has the length of the file and no data.
            length = dict(headers).get("Content-Length", "0") if self.command == "HEAD" else None
            self.send_response_only(status)
            for name, value in headers:
                if name.lower() not in _HOP:
                    self.send_header(name, value)
            self.send_header("Content-Length", length or str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *args):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), PrefixHandler)
    server.daemon_threads = True  # clients keep their connections
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}{prefix}", paths
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
