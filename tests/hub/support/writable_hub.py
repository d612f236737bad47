"""A model hub on this machine that accepts commits: preupload, LFS batch, verify, commit.

It answers as the public one does: names, headers and codes are those that huggingface_hub reads.
A file is large if its suffix is in `LARGE`; large files are objects, others are in the commit.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

LARGE = (".flac", ".onnx", ".safetensors", ".tar")
WRITER, READER = "hf_writer", "hf_reader"
CUT = "cut"

_REPOSITORY = re.compile(r"/api/(model|dataset)s/([^/]+/[^/]+)(?:/(\w+).*)?")
_BATCH = re.compile(r"/(datasets/)?([^/]+/[^/]+)\.git/info/lfs/objects/batch")


@dataclass
class Repository:
    """Files by path, and the number of commits."""

    private: bool
    files: dict[str, bytes] = field(default_factory=dict)
    messages: list[str] = field(default_factory=list)


@dataclass
class WritableHub:
    """The state of a hub.

    Attributes:
        url: its address.
        repositories: by kind and name, as `("model", "owner/name")`.
        objects: large files by SHA-256.
        requests: method and path of each request.
        fault: returns the status to answer a request with, `CUT` to close the connection, or None.
    """

    url: str = ""
    repositories: dict[tuple[str, str], Repository] = field(default_factory=dict)
    objects: dict[str, bytes] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    fault: Callable[[str], int | str | None] = lambda _request: None

    def uploads(self) -> list[str]:
        """Return the requests that sent contents."""
        return [r for r in self.requests if r.startswith("PUT ") or "/commit/" in r]


@contextmanager
def writable_hub() -> Iterator[WritableHub]:
    """Yield a running hub without repositories."""
    state = WritableHub()

    class WritableHubHandler(_Handler):
        hub = state

    server = ThreadingHTTPServer(("127.0.0.1", 0), WritableHubHandler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    state.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield state
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    hub: WritableHub

    def do_GET(self):
        self._answer()

    def do_POST(self):
        self._answer()

    def do_PUT(self):
        self._answer()

    def _answer(self):
        path = unquote(urlsplit(self.path).path)
        request = f"{self.command} {path}"
        self.hub.requests.append(request)
        self.body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        fault = self.hub.fault(request)
        if fault == CUT:
            self.close_connection = True
            self.connection.close()
            return
        if fault is not None:
            self._send(fault, {"error": "a fault of the test"})
            return
        if path.startswith("/objects/"):
            self._store(path.removeprefix("/objects/"))
        elif path == "/verify":
            self._verify()
        else:
            self._api(path)

    def _api(self, path):
        token = (self.headers.get("Authorization") or "").removeprefix("Bearer ")
        if token not in ("", WRITER, READER):
            message = "Invalid credentials in Authorization header"
            self._send(401, {"error": message}, {"X-Error-Message": message})
        elif path == "/api/validate-yaml":
            self._send(200, {"errors": [], "warnings": []})
        elif self.command == "POST" and token != WRITER:
            self._send(403, {"error": "the token has the role read"})
        elif path == "/api/repos/create":
            self._create()
        elif match := _BATCH.fullmatch(path):
            self._batch("dataset" if match[1] else "model", match[2])
        elif match := _REPOSITORY.fullmatch(path):
            repository = self.hub.repositories.get((match[1], match[2]))
            if repository is None or (repository.private and not token):
                self._not_found(token)
            else:
                answer = {"tree": self._tree, "preupload": self._preupload, "commit": self._commit}
                self.place = f"{'datasets/' if match[1] == 'dataset' else ''}{match[2]}"
                answer.get(match[3], self._info)(repository)
        else:
            self._send(404, {"error": f"no {path}"})

    def _not_found(self, token):
        # Without a token the public hub answers 401. The client knows that by the host, which is
        # another one here, or by the code.
        status = 404 if token else 401
        self._send(status, {"error": "not found"}, {"X-Error-Code": "RepoNotFound"})

    def _create(self):
        wanted = json.loads(self.body)
        key = wanted.get("type", "model"), f"{wanted['organization']}/{wanted['name']}"
        url = f"{self.hub.url}/{'datasets/' if key[0] == 'dataset' else ''}{key[1]}"
        if key in self.hub.repositories:
            self._send(409, {"error": "it exists", "url": url})
            return
        private = wanted.get("visibility") == "private" or wanted.get("private") is True
        self.hub.repositories[key] = Repository(private, {".gitattributes": b"*.onnx filter=lfs\n"})
        self._send(200, {"url": url})

    def _info(self, repository):
        entry = {"id": "x", "sha": _revision(repository), "siblings": []}
        self._send(200, entry | {"private": repository.private})

    def _tree(self, repository):
        entries = []
        for name, data in sorted(repository.files.items()):
            entry = {"type": "file", "path": name, "size": len(data), "oid": git_hash(data)}
            if name.endswith(LARGE):
                digest = hashlib.sha256(data).hexdigest()
                entry["lfs"] = {"oid": digest, "size": len(data), "pointerSize": 130}
                entry["oid"] = git_hash(b"a pointer to " + digest.encode())
            entries.append(entry)
        self._send(200, entries)

    def _preupload(self, repository):
        files = []
        for wanted in json.loads(self.body)["files"]:
            name, data = wanted["path"], repository.files.get(wanted["path"])
            large = name.endswith(LARGE)
            hashed = hashlib.sha256(data).hexdigest() if large and data is not None else None
            oid = hashed or (git_hash(data) if data is not None else None)
            mode = "lfs" if large else "regular"
            files.append({"path": name, "uploadMode": mode, "shouldIgnore": False, "oid": oid})
        self._send(200, {"files": files})

    def _batch(self, kind, name):
        assert (kind, name) in self.hub.repositories
        objects = []
        for wanted in json.loads(self.body)["objects"]:
            entry = {"oid": wanted["oid"], "size": wanted["size"]}
            if wanted["oid"] not in self.hub.objects:
                entry["actions"] = {
                    "upload": {"href": f"{self.hub.url}/objects/{wanted['oid']}"},
                    "verify": {"href": f"{self.hub.url}/verify"},
                }
            objects.append(entry)
        self._send(200, {"transfer": "basic", "objects": objects})

    def _store(self, oid):
        if hashlib.sha256(self.body).hexdigest() != oid:
            self._send(400, {"error": "other bytes"})
            return
        self.hub.objects[oid] = self.body
        self._send(200, {})

    def _verify(self):
        wanted = json.loads(self.body)
        arrived = len(self.hub.objects.get(wanted["oid"], b"")) == wanted["size"]
        self._send(200 if arrived else 404, {})

    def _commit(self, repository):
        files, message = {}, ""
        for line in self.body.splitlines():
            entry = json.loads(line)
            value = entry["value"]
            if entry["key"] == "header":
                message = value["summary"]
            elif entry["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            else:
                files[value["path"]] = self.hub.objects[value["oid"]]
        repository.files |= files
        repository.messages.append(message)
        revision = _revision(repository)
        url = f"{self.hub.url}/{self.place}/commit/{revision}"
        self._send(200, {"success": True, "commitOid": revision, "commitUrl": url})

    def _send(self, status, value, headers=None):
        data = json.dumps(value).encode()
        self.send_response(status)
        for name, text in {"Content-Type": "application/json", **(headers or {})}.items():
            self.send_header(name, text)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *args):
        pass


def git_hash(data: bytes) -> str:
    """Return the SHA-1 of a file as a git object."""
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


def _revision(repository: Repository) -> str:
    return hashlib.sha1(repr(repository.messages).encode()).hexdigest()
