"""Servers on loopback, each a process of its own, that hold a folder as remote storage does.

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

WORD = "a word that opens # it"  # a password; what is written nowhere but in .dvc/config.local
BUCKET = "fonoteka"
SSHD = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin")


@dataclass
class Server:
    """A server that runs.

    Attributes:
        url: where it is.
        process: what to kill.
        options: what `make remote` is told beside the address.
        secrets: options for `.dvc/config.local`.
        environment: variables with credentials.
    """

    url: str
    process: subprocess.Popen | None = None
    options: tuple[str, ...] = ()
    secrets: dict[str, str] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


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
def folder(here: Path) -> Iterator[Server]:
    yield Server(str(here / "store"))


@contextmanager
def http(here: Path) -> Iterator[Server]:
    """Hand out the folder `store`, to which something else writes."""
    (here / "store").mkdir(exist_ok=True)
    port = free_port()
    command = [sys.executable, __file__, "http", str(port), str(here / "store")]
    with running(command, port, here / "http.log") as process:
        yield Server(f"http://127.0.0.1:{port}", process)


@contextmanager
def sftp(here: Path) -> Iterator[Server]:
    """SSH by asyncssh, which is there wherever dvc's own client is."""
    store, key = here / "store", _key(here, "id")
    store.mkdir(exist_ok=True)
    _key(here, "host")
    port = free_port()
    command = [sys.executable, __file__, "sftp", str(port), str(here)]
    with running(command, port, here / "sftp.log") as process:
        user = getpass.getuser()
        yield Server(
            f"ssh://{user}@127.0.0.1:{port}{store}", process, secrets={"keyfile": str(key)}
        )


@contextmanager
def sshd(here: Path) -> Iterator[Server]:
    """SSH by OpenSSH's own server."""
    if SSHD is None:
        pytest.skip("sshd is not installed: Debian's package is openssh-server")
    store, key, host = here / "store", _key(here, "id"), _key(here, "host")
    store.mkdir(exist_ok=True)
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)  # what the package's service makes at its start
    port = free_port()
    config = here / "sshd_config"
    config.write_text(
        f"ListenAddress 127.0.0.1:{port}\nHostKey {host}\nAuthorizedKeysFile {key}.pub\n"
        "PidFile none\nStrictModes no\nPasswordAuthentication no\nUsePAM no\n"
        "Subsystem sftp internal-sftp\n"
    )
    with running([SSHD, "-D", "-e", "-f", str(config)], port, here / "sshd.log") as process:
        user = getpass.getuser()
        yield Server(
            f"ssh://{user}@127.0.0.1:{port}{store}", process, secrets={"keyfile": str(key)}
        )


def _key(here: Path, name: str) -> Path:
    import asyncssh

    path = here / name
    if not path.exists():
        key = asyncssh.generate_private_key("ssh-ed25519")
        key.write_private_key(str(path))
        path.chmod(0o600)
        key.write_public_key(f"{path}.pub")
    return path


@contextmanager
def s3(here: Path) -> Iterator[Server]:
    """S3 by moto, whose buckets are in memory."""
    port = free_port()
    command = [sys.executable, "-m", "moto.server", "-p", str(port)]
    with running(command, port, here / "s3.log") as process:
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
def webdav(here: Path) -> Iterator[Server]:
    """WebDAV by WsgiDAV, which asks for a name and a word."""
    (here / "store" / "data").mkdir(parents=True, exist_ok=True)
    port = free_port()
    command = [sys.executable, __file__, "webdav", str(port), str(here)]
    with running(command, port, here / "webdav.log") as process:
        secrets = {"user": "someone", "password": WORD}
        yield Server(f"webdav://127.0.0.1:{port}/data", process, secrets=secrets)


def serve_http(port: int, here: Path) -> None:
    handler = partial(SimpleHTTPRequestHandler, directory=str(here))
    ThreadingHTTPServer(("127.0.0.1", port), handler).serve_forever()


def serve_sftp(port: int, here: Path) -> None:
    import asyncio

    import asyncssh

    async def listen() -> None:
        server = await asyncssh.listen(
            "127.0.0.1", port, server_host_keys=[str(here / "host")],
            authorized_client_keys=str(here / "id.pub"), sftp_factory=True,
        )  # fmt: skip
        await server.wait_closed()

    asyncio.run(listen())


def serve_webdav(port: int, here: Path) -> None:
    config = {
        "host": "127.0.0.1", "port": port, "server": "cheroot",
        "provider_mapping": {"/": str(here / "store")},
        "simple_dc": {"user_mapping": {"*": {"someone": {"password": WORD}}}},
    }  # fmt: skip
    (here / "wsgidav.json").write_text(json.dumps(config))
    from wsgidav.server.server_cli import run

    sys.argv = ["wsgidav", "-c", str(here / "wsgidav.json")]
    run()


def serve_proxy(port: int, target: int, most: int) -> None:
    """Pass bytes on in both directions, and end with code 3, unheard, when `most` have passed."""
    passed = 0
    lock = threading.Lock()

    def carry(one: socket.socket, other: socket.socket) -> None:
        nonlocal passed
        with suppress(OSError):
            while data := one.recv(1 << 14):
                with lock:
                    passed += len(data)
                    if passed > most:
                        os._exit(3)
                other.sendall(data)
        for end in (one, other):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    with socket.create_server(("127.0.0.1", port)) as listener:
        while True:
            one, _ = listener.accept()
            other = socket.create_connection(("127.0.0.1", target))
            for pair in ((one, other), (other, one)):
                threading.Thread(target=carry, args=pair, daemon=True).start()


if __name__ == "__main__":
    if sys.argv[1] == "proxy":
        serve_proxy(*map(int, sys.argv[2:]))
    _, what, at, place = sys.argv
    {"http": serve_http, "sftp": serve_sftp, "webdav": serve_webdav}[what](int(at), Path(place))
