"""A model hub on this machine: serves folders with the hub's headers and records its requests."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote

REVISION = "0123456789abcdef0123456789abcdef01234567"


@contextmanager
def hub(repositories: dict[str, Path]) -> Iterator[tuple[str, list[str]]]:
    """Yield the address of a hub that serves folders at one revision, and its list of requests."""
    requests: list[str] = []

    # The headers that huggingface_hub needs: commit, ETag, and the code of an error.
    class HubHandler(BaseHTTPRequestHandler):
        def do_HEAD(self):
            self.answer(body=False)

        def do_GET(self):
            self.answer(body=True)

        def answer(self, body):
            requests.append(unquote(self.path))
            owner_name, _, rest = unquote(self.path).strip("/").partition("/resolve/")
            revision, _, file = rest.partition("/")
            path = repositories.get(owner_name, Path("none")) / file
            exists = revision == REVISION and path.is_file()
            data = path.read_bytes() if exists else b""
            self.send_response(200 if exists else 404)
            self.send_header("X-Repo-Commit", REVISION)
            if exists:
                self.send_header("ETag", f'"{hashlib.sha256(data).hexdigest()}"')
            elif owner_name in repositories:
                missing = "EntryNotFound" if revision == REVISION else "RevisionNotFound"
                self.send_header("X-Error-Code", missing)
            else:
                self.send_header("X-Error-Code", "RepoNotFound")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            if body:
                self.wfile.write(data)

        def log_message(self, *args):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), HubHandler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", requests
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
