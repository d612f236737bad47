"""Toy projects with a sweep, and the command as a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import yaml
from dvc_yaml import TOP

PARAMS = """\
# Every number of the toy.
toy:
  x: 0.3  # far too large
  depth: 7
  kind: a  # a, b or c

  # Nothing searches this one.
  seed: 1
other: {kept: true}
"""
KEYS = {
    "toy.x": {"kind": "float", "low": 0.0001, "high": 1.0, "log": True},
    "toy.depth": {"kind": "int", "low": 1, "high": 10, "log": False},
    "toy.kind": {"kind": "categorical", "choices": ["a", "b", "c"]},
}
PROGRAM = Path(__file__).with_name("toy_training.py")
SPACE = {
    "keys": KEYS,
    "fixed": {},
    "sections": ["toy"],
    "command": f"python -S {PROGRAM} {{targets}} {{out}}",
    "inputs": {"targets": "data/targets.txt"},
    "objective": {"file": "model.json", "key": "valid_per"},
    "trials": 6,
    "round": 4,
    "seed": 1,
    "test": None,
}


def make_project(folder: Path, **changes: object) -> Path:
    """Write params.yaml, an input and a space with some changes; return the folder."""
    (folder / "data").mkdir(parents=True)
    (folder / "params.yaml").write_text(PARAMS)
    (folder / "data/targets.txt").write_text("a b\n")
    write_space(folder, **changes)
    return folder


def write_space(folder: Path, **changes: object) -> None:
    (folder / "space.yaml").write_text(yaml.safe_dump(SPACE | changes, sort_keys=False))


def started(project: Path) -> list[str]:
    """Return the trainings that were started, in that order."""
    path = project / "data/starts.txt"
    return path.read_text().split() if path.is_file() else []


def begin(project: Path, *options: str, **environment: str) -> subprocess.Popen[str]:
    """Start `python -m fonoteka sweep space.yaml`."""
    command = [sys.executable, "-m", "fonoteka", "sweep", "space.yaml", *options]
    return subprocess.Popen(
        command, cwd=project, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(TOP)} | environment,
    )  # fmt: skip


def table(project: Path) -> str:
    return (project / "reports/bench/sweep/space/trials.csv").read_text()
