"""Projects of three stages with logs, as a finished build leaves them, without a build."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import yaml

DAY = "20261130T"
HOURS = {"train": 6.0, "valid": 2.0, "test": 2.0}

SECTION = {
    "hours": [10, 100], "max_error": 0.2, "passes": {},
    "prices": {
        "date": "2026-11-30", "cpu_core_hour_eur": 0.5, "gpu_hour_eur": {"A6000": 2.0},
        "storage_gb_month_eur": 0.01,
        "sources": {
            "cpu_core_hour_eur": "one", "gpu_hour_eur": "two", "storage_gb_month_eur": "three"
        },
    },
    "published": [
        {
            "model": "mlp", "gpu": "A6000", "audio_h": 5.0, "gpu_h": 10.0, "date": "2023-05-10",
            "source": "a page", "remark": "No epochs.",
        }
    ],
}  # fmt: skip
"""Section `planning`, with prices that are easy to multiply."""

COMMANDS = {
    "preprocess": "python -m stages.corpus.preprocess data/raw data/audio",
    "train@mlp": "python -m stages.training.train mlp data/audio",
    "package@mlp": "python -m stages.export.package data/models/mlp",
    "audit": "python -m stages.corpus.audit reports/corpus.json",
}

LINES = {"preprocess": (2.0, 3.0), "train@mlp": (5.0, 4.0), "package@mlp": (7.0, 0.0)}
"""Constant and rate of each stage: CPU seconds, and per unit of its work."""


def params(epochs: int = 2, hidden: int = 32) -> dict:
    """Return params.yaml of a project with one model."""
    return {
        "models": {"mlp": {"encoder": "wav2vec2", "head": "mlp"}},
        "mlp": {"epochs": epochs, "hidden": hidden},
        "planning": SECTION,
    }


def make(
    folder: Path, hours: dict | None = None, epochs: int = 2, lines: dict | None = None,
    hidden: int = 32,
) -> Path:  # fmt: skip
    """Make a build whose stages cost exactly `constant + rate x work`, half of it imports.

    Args:
        folder: of the project.
        hours: of the splits.
        epochs: of the training.
        lines: constant and rate by stage.
        hidden: a parameter that is not of the size.
    """
    hours, lines = hours or HOURS, lines or LINES
    folder.mkdir(parents=True)
    (folder / "params.yaml").write_text(yaml.safe_dump(params(epochs, hidden)))
    write_corpus(folder, hours)
    work = {
        "preprocess": sum(hours.values()), "train@mlp": epochs * hours["train"], "package@mlp": 0.0
    }  # fmt: skip
    for stage, (constant, rate) in lines.items():
        write_log(folder, stage, constant + rate * work[stage], import_cpu_s=constant / 2)
    write_log(folder, "audit", 1.0)
    return folder


def write_corpus(folder: Path, hours: dict) -> None:
    """Write the report on the corpus and the lock file that records it."""
    parts = {
        name: {"hours": value, "languages": {"en": {"utterances": 100}}}
        for name, value in hours.items()
    }
    report = folder / "reports" / "corpus.json"
    report.parent.mkdir(exist_ok=True)
    report.write_text(json.dumps({"parts": parts}))
    digest = hashlib.md5(report.read_bytes()).hexdigest()
    outs = {
        "preprocess": [{"path": "data/audio", "size": int(1e9 * sum(hours.values()))}],
        "train@mlp": [{"path": "data/models/mlp/model.safetensors", "size": 1_000_000}],
        "package@mlp": [{"path": "data/models/mlp/package.json", "size": 1000}],
        "audit": [{"path": "reports/corpus.json", "size": 10, "md5": digest}],
    }
    deps = {
        "preprocess": ["data/raw"], "train@mlp": ["data/audio"],
        "package@mlp": ["data/models/mlp"], "audit": ["data/audio"],
    }  # fmt: skip
    stages = {
        stage: {
            "cmd": COMMANDS[stage], "deps": [{"path": path} for path in deps[stage]],
            "outs": outs[stage],
        }
        for stage in COMMANDS
    }  # fmt: skip
    (folder / "dvc.lock").write_text(
        yaml.safe_dump({"schema": "2.0", "stages": stages}, sort_keys=False)
    )


def write_log(
    folder: Path, stage: str, cpu_s: float, *, import_cpu_s: float = 0.0, run: str = "100000Z-1",
    code: int | None = 0, between: tuple[dict, ...] = (),
) -> Path:  # fmt: skip
    """Write the log of a run.

    Args:
        folder: of the project.
        stage: its name.
        cpu_s: processor seconds, imports included.
        import_cpu_s: of these, imports.
        run: the time of its start in the day, and its process.
        code: the exit code; None for a run that was killed.
        between: events between start and end.
    """
    start = {"event": "start", "stage": stage, "cores": 2, "import_cpu_s": import_cpu_s}
    end = {"event": "end", "seconds": 10.0, "exit": code, "cpu_s": cpu_s - import_cpu_s}
    events = [start, *between, *([] if code is None else [end])]
    path = folder / "logs" / stage / f"{DAY}{run}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(event) + "\n" for event in events))
    return path


def sample(seconds: float, share: float, step: int | None = None) -> dict:
    """Return an event of utilisation."""
    event = {"event": "sample", "seconds": seconds, "cpu_share": share}
    return event if step is None else event | {"step": step}
