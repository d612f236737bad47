"""Measure what a shard costs besides its work, for the executors of this machine.

    python -m fonoteka.bench.scale.hand_over [--shards N] [EXECUTOR ...]

Prints  for each executor the seconds until the first shard and the milliseconds of each later one

The work of a shard takes no time, so what is left is: look-up, way to the worker, entry of the
cache and way back. The start of the workers is stated apart: it is paid once per stage.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from fonoteka.compute.clip_task import Shard
from fonoteka.compute.execution import VARIABLE
from fonoteka.compute.map_shards import map_shards
from fonoteka.core.errors import UserError
from fonoteka.core.params import PARAMS
from fonoteka.core.run_stage import run_command

RESULT_BYTES = 115_200  # embeddings of 3 s: 150 frames of 192 floats


class NoWork(NamedTuple):
    """A task whose results are there at once."""

    name: str = "hand-over"
    fingerprint: str = "1"

    def open(self) -> Callable[[int], bytes]:
        """Return a function of no cost."""
        return lambda _: bytes(RESULT_BYTES)

    def clip(self, item: int) -> str:
        """Return the number as text."""
        return str(item)

    def content(self, item: int) -> str:
        """Return the number as text."""
        return str(item)

    def encode(self, result: bytes) -> bytes:
        """Return the bytes."""
        return result

    def decode(self, data: bytes) -> bytes:
        """Return the bytes."""
        return data


class HandOver(NamedTuple):
    """Times of one executor.

    Attributes:
        first_s: until the first shard, with the start of the workers.
        shard_ms: per shard after that, mean.
    """

    first_s: float
    shard_ms: float


def measure(shards: int) -> HandOver:
    """Return the times of shards with one clip each, with an empty cache in the current folder."""
    plan = [Shard(f"shard-{number}", (number,)) for number in range(shards)]
    start = time.perf_counter()
    results = map_shards(NoWork(), plan)
    next(results)
    first = time.perf_counter()
    for _ in results:
        last = time.perf_counter()
    return HandOver(first - start, 1000 * (last - first) / (shards - 1))


def times(executors: list[str], shards: int) -> dict[str, dict[str, float]]:
    """Measure executors in an empty folder with this project's section `execution`.

    Returns:
        The fields of `HandOver` by executor.

    Raises:
        UserError: there are fewer than two shards.
    """
    if shards < 2:
        raise UserError(f"--shards: expected 2 or more, got {shards}")
    text = PARAMS.read_text(encoding="utf-8")
    measured = {}
    for executor in executors:
        before = Path.cwd()
        with tempfile.TemporaryDirectory() as folder:
            os.chdir(folder)
            try:
                PARAMS.write_text(text, encoding="utf-8")
                os.environ[VARIABLE] = executor
                measured[executor] = measure(shards)._asdict()
            finally:
                os.chdir(before)
    return measured


def run(executors: list[str], shards: int) -> None:
    """Print the times of executors."""
    print(json.dumps(times(executors, shards), indent=2))


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("executors", nargs="*", metavar="executor")
    parser.add_argument("--shards", type=int, default=200)
    args = parser.parse_args()
    run(args.executors or ["serial", "processes", "dask"], args.shards)


if __name__ == "__main__":
    run_command(main)
