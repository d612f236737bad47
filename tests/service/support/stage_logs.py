"""Run stages with a log, and read it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

from fonoteka.core import stage_log

ROOT = Path(__file__).resolve().parents[3]


def log_lines(folder: Path, stage: str) -> list[dict]:
    """Return the lines of the only log of a stage."""
    (path,) = (folder / stage).glob("*.jsonl")
    return [json.loads(line) for line in path.read_text(encoding="ascii").splitlines()]


def events(lines: list[dict], event: str) -> list[dict]:
    return [line for line in lines if line["event"] == event]


@contextmanager
def logged(folder: Path, stage: str = "toy", sample_s: float = 0.001) -> Iterator[None]:
    """Log the block as a stage, with a sample every millisecond."""
    with (
        patch.dict(os.environ, {"FONOTEKA_LOGS": str(folder)}),
        patch.object(stage_log, "SAMPLE_S", sample_s),
        stage_log.stage_log(stage),
    ):
        yield


def run_stage(code: str, logs: str, *arguments: str, **options) -> subprocess.CompletedProcess:
    """Run code whose `main` is a stage, as DVC runs it."""
    text = f"from fonoteka.core.run_stage import stage\n{code}\nstage(main)"
    variables = {"DVC_STAGE": "train@mlp", "FONOTEKA_LOGS": logs, "PYTHONPATH": str(ROOT)}
    environment = os.environ | variables
    # Coverage writes its data at the end of the process, past the limits that tests set to files.
    environment.pop("COVERAGE_PROCESS_CONFIG", None)
    return subprocess.run(
        [sys.executable, "-c", text, *arguments], capture_output=True, text=True, check=False,
        env=environment, **options,
    )  # fmt: skip
