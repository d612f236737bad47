"""Servers on loopback, each in a process of its own, that serve a folder as remote storage.

python tests/support/servers.py http|sftp|webdav PORT FOLDER
"""

from __future__ import annotations

import getpass
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

WORD = "a word that opens # it"  # a password; it must be in no file but .dvc/config.local
BUCKET = "fonoteka"
SSHD = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin")


@dataclass
class Server:
    """A running server.

    Attributes:
        url: where it is.
        process: what to kill.
        options: of `python -m fonoteka remote`, after the address.
        secrets: options for `.dvc/config.local`.
        environment: variables with credentials.
    """

    url: str
    process: subprocess.Popen | None = None
    options: tuple[str, ...] = ()
    secrets: dict[str, str] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)


def free_port() -> int:
    with socket.socket() as server_socket:
        server_socket.bind(("127.0.0.1", 0))
        return server_socket.getsockname()[1]


@contextmanager
def running(command: list[str], port: int, log: Path) -> Iterator[subprocess.Popen]:
    """Start a server, wait until it answers, and end it after the block."""
    with (
        log.open("wb") as out,
        subprocess.Popen(command, stdout=out, stderr=out, stdin=subprocess.DEVNULL) as process,
    ):
        try:
            limit = time.monotonic() + 60
            while not answers(port):
                assert process.poll() is None, log.read_text()
                assert time.monotonic() < limit, log.read_text()
                time.sleep(0.05)
            yield process
        finally:
            process.kill()


def answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


@contextmanager
def folder(base: Path) -> Iterator[Server]:
    yield Server(str(base / "store"))


@contextmanager
def http(base: Path) -> Iterator[Server]:
    """Serve the folder `store` read-only; tests write to it directly."""
    (base / "store").mkdir(exist_ok=True)
    port = free_port()
    command = [sys.executable, __file__, "http", str(port), str(base / "store")]
    with running(command, port, base / "http.log") as process:
        yield Server(f"http://127.0.0.1:{port}", process)


@contextmanager
def sftp(base: Path) -> Iterator[Server]:
    """SSH by asyncssh, which dvc's own client requires."""
    store, key = base / "store", _key(base, "id")
    store.mkdir(exist_ok=True)
    _key(base, "host")
    port = free_port()
    command = [sys.executable, __file__, "sftp", str(port), str(base)]
    with running(command, port, base / "sftp.log") as process:
        user = getpass.getuser()
        yield Server(
            f"ssh://{user}@127.0.0.1:{port}{store}", process, secrets={"keyfile": str(key)}
        )


@contextmanager
def sshd(base: Path) -> Iterator[Server]:
    """SSH by OpenSSH's own server."""
    if SSHD is None:
        pytest.skip("sshd is not installed: Debian's package is openssh-server")
    store, key, host = base / "store", _key(base, "id"), _key(base, "host")
    store.mkdir(exist_ok=True)
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)  # the package's service creates it at its start
    port = free_port()
    config = base / "sshd_config"
    config.write_text(
        f"ListenAddress 127.0.0.1:{port}\nHostKey {host}\nAuthorizedKeysFile {key}.pub\n"
        "PidFile none\nStrictModes no\nPasswordAuthentication no\nUsePAM no\n"
        "Subsystem sftp internal-sftp\n"
    )
    with running([SSHD, "-D", "-e", "-f", str(config)], port, base / "sshd.log") as process:
        user = getpass.getuser()
        yield Server(
            f"ssh://{user}@127.0.0.1:{port}{store}", process, secrets={"keyfile": str(key)}
        )


def _key(base: Path, name: str) -> Path:
    import asyncssh

    path = base / name
    if not path.exists():
        key = asyncssh.generate_private_key("ssh-ed25519")
        key.write_private_key(str(path))
        path.chmod(0o600)
        key.write_public_key(f"{path}.pub")
    return path


@contextmanager
def s3(base: Path) -> Iterator[Server]:
    """S3 by moto, whose buckets are in memory."""
    port = free_port()
    command = [sys.executable, "-m", "moto.server", "-p", str(port)]
    with running(command, port, base / "s3.log") as process:
        end = f"http://127.0.0.1:{port}"
        urllib.request.urlopen(urllib.request.Request(f"{end}/{BUCKET}", method="PUT")).close()
        yield Server(
            f"s3://{BUCKET}/data", process, ("--endpoint", end),
            environment={
                "AWS_ACCESS_KEY_ID": "someone", "AWS_SECRET_ACCESS_KEY": WORD,
                "AWS_DEFAULT_REGION": "us-east-1", "AWS_EC2_METADATA_DISABLED": "true",
            },
        )  # fmt: skip


@contextmanager
def webdav(base: Path) -> Iterator[Server]:
    """WebDAV by WsgiDAV, with a user name and a password."""
    (base / "store" / "data").mkdir(parents=True, exist_ok=True)
    port = free_port()
    command = [sys.executable, __file__, "webdav", str(port), str(base)]
    with running(command, port, base / "webdav.log") as process:
        secrets = {"user": "someone", "password": WORD}
        yield Server(f"webdav://127.0.0.1:{port}/data", process, secrets=secrets)


def serve_http(port: int, base: Path) -> None:
    handler = partial(SimpleHTTPRequestHandler, directory=str(base))
    ThreadingHTTPServer(("127.0.0.1", port), handler).serve_forever()


def serve_sftp(port: int, base: Path) -> None:
    import asyncio

    import asyncssh

    async def listen() -> None:
        server = await asyncssh.listen(
            "127.0.0.1", port, server_host_keys=[str(base / "host")],
            authorized_client_keys=str(base / "id.pub"), sftp_factory=True,
        )  # fmt: skip
        await server.wait_closed()

    asyncio.run(listen())


def serve_webdav(port: int, base: Path) -> None:
    config = {
        "host": "127.0.0.1", "port": port, "server": "cheroot",
        "provider_mapping": {"/": str(base / "store")},
        "simple_dc": {"user_mapping": {"*": {"someone": {"password": WORD}}}},
    }  # fmt: skip
    (base / "wsgidav.json").write_text(json.dumps(config))
    from wsgidav.server.server_cli import run

    sys.argv = ["wsgidav", "-c", str(base / "wsgidav.json")]
    run()


def serve_proxy(port: int, target: int, most: int) -> None:
    """Forward bytes in both directions, and exit with code 3 once more than `most` have passed."""
    passed = 0
    lock = threading.Lock()

    def carry(source: socket.socket, target_socket: socket.socket) -> None:
        nonlocal passed
        with suppress(OSError):
            while data := source.recv(1 << 14):
                with lock:
                    passed += len(data)
                    if passed > most:
                        os._exit(3)
                target_socket.sendall(data)
        for end in (source, target_socket):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    with socket.create_server(("127.0.0.1", port)) as server_socket:
        while True:
            source, _ = server_socket.accept()
            target_socket = socket.create_connection(("127.0.0.1", target))
            for pair in ((source, target_socket), (target_socket, source)):
                threading.Thread(target=carry, args=pair, daemon=True).start()


if __name__ == "__main__":
    if sys.argv[1] == "proxy":
        serve_proxy(*map(int, sys.argv[2:]))
    _, kind, port, place = sys.argv
    {"http": serve_http, "sftp": serve_sftp, "webdav": serve_webdav}[kind](int(port), Path(place))
