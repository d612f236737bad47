"""A task whose results are known, and which notes each call in a file."""

from __future__ import annotations

import hashlib
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

from fonoteka.compute.clip_task import Shard
from fonoteka.core.errors import UserError

EXECUTION = """
execution:
  executor: {executor}
  workers: {workers}
  scheduler: "{scheduler}"
  slurm: {{partition: "", array_limit: {workers}, time: "", extra: [], poll_s: 0.05}}
"""


def write_params(executor: str, workers: int = 2, scheduler: str = "") -> None:
    """Write section `execution` into the current folder."""
    text = EXECUTION.format(executor=executor, workers=workers, scheduler=scheduler)
    Path("params.yaml").write_text(text)


@dataclass(frozen=True)
class ToyTask:
    """The result of a clip is a hash of its id, after a sleep that the hash draws.

    Attributes:
        sleep_s: the longest sleep.
        killing: the clip that kills its worker, each time, or once if `once` is a path.
        faulty: the clip with an exception of the code.
        refused: the clip with a mistake of the user.
    """

    sleep_s: float = 0.0
    killing: str = ""
    once: str = ""
    faulty: str = ""
    refused: str = ""
    fingerprint: str = "toy-1"
    name: str = "toy"

    def open(self):
        _note("opened", "yes")
        return self.digest_of

    def digest_of(self, clip: str) -> bytes:
        if clip == self.killing and not (self.once and Path(self.once).exists()):
            if self.once:
                Path(self.once).touch()
            os.kill(os.getpid(), signal.SIGKILL)
        if clip == self.faulty:
            raise ZeroDivisionError("division of a toy")
        if clip == self.refused:
            raise UserError("12 Hz is too low")
        digest = hashlib.sha256(clip.encode()).digest()
        time.sleep(self.sleep_s * digest[0] / 255)
        _note("calls", clip)
        return digest

    def clip(self, item: str) -> str:
        return item

    def content(self, item: str) -> str:
        return f"samples of {item}"

    def encode(self, result: bytes) -> bytes:
        return result[::-1]

    def decode(self, data: bytes) -> bytes:
        return data[::-1]


def _note(name: str, text: str) -> None:
    with Path(name).open("a", encoding="utf-8") as file:
        file.write(f"{text}\n")


def noted(name: str) -> list[str]:
    """Return the clips that were computed, or one line per opened task."""
    path = Path(name)
    return path.read_text(encoding="utf-8").split() if path.exists() else []


def toy_plan(shards: int = 3, items: int = 6) -> list[Shard[str]]:
    """Return shards of different sizes, the last one empty."""
    names = [[f"s{s}-c{i}" for i in range(items + s)] for s in range(shards)]
    plan = [Shard(f"shard-{s}", tuple(clips)) for s, clips in enumerate(names)]
    return [*plan, Shard("shard-empty", ())]


def digests(plan: list[Shard[str]]) -> list[tuple[str, list[bytes]]]:
    """Return what every executor has to yield."""
    return [(s.name, [hashlib.sha256(c.encode()).digest() for c in s.items]) for s in plan]
