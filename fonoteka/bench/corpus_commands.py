"""Run inventory and dedupe as commands in a folder of their own, and say what each took."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from fonoteka.core.errors import UserError

TOP = Path(__file__).resolve().parents[2]
INVENTORY = (
    "stages.corpus.inventory", "raw", "inventory.csv", "prints.npy", "phones.jsonl", "corpora.json",
)  # fmt: skip
DEDUPE = (
    "stages.corpus.dedupe", "inventory.csv", "prints.npy", "raw", "accepted.csv",
    "quarantined.csv", "duplicates.csv", "duplicates.json",
)  # fmt: skip
DECODE = ("fonoteka.bench.decode_baseline", "raw")


@dataclass(frozen=True)
class Taken:
    """What a command took.

    Attributes:
        seconds: by the clock.
        cpu_s: of all its processes together; others at work on the machine disturb it less.
        peak_mib: of the largest of its processes.
    """

    seconds: float
    cpu_s: float
    peak_mib: float


def write_params(folder: Path, params: Path, corpora: Sequence[str], **dedupe: object) -> None:
    """Write a params.yaml for the two stages: the repository's, with other corpora.

    Raises:
        ValueError: the repository's has no such section.
    """
    known: Any = yaml.safe_load(params.read_text(encoding="utf-8"))
    for section in ("inventory", "dedupe"):
        if section not in known:
            raise UserError(f"{params}: section {section!r} is missing")
    sections = {
        "inventory": known["inventory"] | {"corpora": list(corpora)},
        "dedupe": known["dedupe"] | dedupe,
    }
    (folder / "params.yaml").write_text(yaml.safe_dump(sections), encoding="utf-8")


def timed(command: Sequence[str], folder: Path) -> Taken:
    """Run a module with its arguments in a folder.

    Raises:
        ValueError: it failed; what it said stands in the message.
    """
    environment = os.environ | {"PYTHONPATH": str(TOP)}
    begin = time.perf_counter()
    with subprocess.Popen(
        [sys.executable, "-m", *command], cwd=folder, env=environment, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    ) as process:  # fmt: skip
        said = process.stdout.read() if process.stdout else ""
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise UserError(f"{' '.join(command)} failed: {said.strip()[-400:]}")
    cpu_s = usage.ru_utime + usage.ru_stime
    return Taken(time.perf_counter() - begin, cpu_s, usage.ru_maxrss / 1024)
