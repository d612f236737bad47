"""Start `fonoteka serve` as a process of its own, and stop it."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx

from fonoteka.core.errors import UserError

START_S, STOP_S = 120, 60


@dataclass(frozen=True)
class ServiceProcess:
    """A service that runs.

    Attributes:
        url: its address.
        process: of `fonoteka serve`; its workers are its children.
        log: the file of its log.
    """

    url: str
    process: subprocess.Popen[str]
    log: Path


@contextlib.contextmanager
def running_service(
    models: Path, log: Path, options: Sequence[str] = ()
) -> Iterator[ServiceProcess]:
    """Yield a service that is ready, and stop it at the end.

    Args:
        models: folder of its packages.
        log: the file for its log.
        options: further options of `fonoteka serve`.

    Raises:
        UserError: it does not start, or is not ready within two minutes.
    """
    command = [
        sys.executable, "-m", "fonoteka", "serve", "--models", str(models), "--port", "0", *options
    ]  # fmt: skip
    with (
        log.open("wb") as stderr,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=stderr, text=True) as process,
    ):
        try:
            assert process.stdout is not None
            url = process.stdout.readline().strip()
            _wait_until_ready(url, log)
            yield ServiceProcess(url, process, log)
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()


def _wait_until_ready(url: str, log: Path) -> None:
    deadline = time.monotonic() + START_S
    while url and time.monotonic() < deadline:
        with contextlib.suppress(httpx.TransportError):
            if httpx.get(f"{url}/ready").status_code == 200:
                return
        time.sleep(0.2)
    last = log.read_text(errors="replace").strip().splitlines()[-1:] or ["its log is empty"]
    raise UserError(f"bench service: the service is not ready after {START_S} s: {last[0]}")
