"""A finished build: its parameters, hours of speech, recorded outputs and logs."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from fonoteka.core.errors import UserError
from fonoteka.core.files import read_json
from fonoteka.manifest import PARTS
from fonoteka.pipeline.outputs import output_hashes
from fonoteka.planning.stage_runs import StageRun, last_finished, read_runs

CORPUS = Path("reports/corpus.json")
HOUR_S = 3600.0


@dataclass(frozen=True)
class SplitHours:
    """Hours of speech in the three splits, and the number of training clips."""

    train: float
    valid: float
    test: float
    train_clips: int

    @property
    def all(self) -> float:
        """Hours of speech in all of the corpus."""
        return self.train + self.valid + self.test

    @property
    def train_clip_s(self) -> float:
        """Mean length of a training clip in seconds."""
        return self.train * HOUR_S / self.train_clips if self.train_clips else 0.0


@dataclass(frozen=True)
class FinishedBuild:
    """One build.

    Attributes:
        name: of its folder.
        folder: of the project.
        params: the sections of params.yaml.
        lock: the stages of dvc.lock.
        hours: of its corpus.
        runs: the last finished run of each stage.
        later: stages whose newest run did not finish.
    """

    name: str
    folder: Path
    params: Mapping[str, Any]
    lock: Mapping[str, Any]
    hours: SplitHours
    runs: Mapping[str, StageRun]
    later: tuple[str, ...]

    def params_of(self, stage: str) -> Mapping[str, Any]:
        """Return the parameters that a stage ran with.

        They are those that dvc.lock records: params.yaml may have changed since.
        """
        recorded = self.lock.get(stage, {}).get("params", {}).get("params.yaml", {})
        return {**self.params, **recorded}

    @property
    def unmeasured(self) -> list[str]:
        """Stages of dvc.lock without a finished run in the logs."""
        return sorted(set(self.lock) - set(self.runs))


def read_build(folder: Path) -> FinishedBuild:
    """Read the build of a project.

    Args:
        folder: the top of the project.

    Raises:
        UserError: a file is missing, no stage has a finished run, or the corpus has no speech.
    """
    params = _document(folder / "params.yaml")
    lock = _document(folder / "dvc.lock").get("stages") or {}
    if not isinstance(lock, dict):
        raise UserError(f"{folder / 'dvc.lock'}: expected stages by name; run `make repro`")
    hours = read_hours(folder / CORPUS)
    _require_recorded(folder, lock)
    logged = read_runs(folder / "logs")
    runs = last_finished(logged)
    if not runs:
        raise UserError(f"{folder / 'logs'}: no stage has finished; run `make repro` to the end")
    # A killed run after the finished one says that the outputs may be of other parameters.
    later = [name for name, each in logged.items() if not max(each, key=lambda r: r.run).finished]
    return FinishedBuild(
        folder.resolve().name, folder, params, lock, hours, runs, tuple(sorted(later))
    )


def read_hours(path: Path) -> SplitHours:
    """Return the hours of speech that a report of the stage `audit` states.

    Raises:
        UserError: the report is missing or has no speech.
    """
    report = read_json(path)
    parts = report.get("parts") if isinstance(report, dict) else None
    if not isinstance(parts, dict):
        raise UserError(
            f"{path}: no parts with hours, so it is not the output of audit; run dvc repro"
        )
    hours = {name: float(parts.get(name, {}).get("hours", 0.0)) for name in PARTS}
    languages = parts.get("train", {}).get("languages", {}).values()
    clips = sum(int(language["utterances"]) for language in languages)
    if not sum(hours.values()):
        raise UserError(
            f"{path}: the splits have 0 hours of speech, so no cost per hour can be stated; "
            "build a corpus first"
        )
    return SplitHours(hours["train"], hours["valid"], hours["test"], clips)


def _require_recorded(folder: Path, lock: Mapping[str, Any]) -> None:
    """Require that the report on the corpus is the one that dvc.lock records.

    The report is in git: before the stage `audit` has run, its hours are those of another build.
    """
    digest = hashlib.md5((folder / CORPUS).read_bytes(), usedforsecurity=False).hexdigest()
    if output_hashes(lock).get(CORPUS.as_posix()) != digest:
        raise UserError(
            f"{folder / CORPUS}: not the output that dvc.lock records, so its hours are not those "
            "of this build; run `make repro` to the end"
        )


def _document(path: Path) -> dict[str, Any]:
    """Return a YAML file; with C's loader, because dvc.lock has 6,000 lines."""
    if not path.is_file():
        raise UserError(f"{path}: no such file; name the top of a project that was built")
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        document = yaml.load(path.read_bytes(), loader)  # noqa: S506  a safe loader
    except yaml.YAMLError as error:
        raise UserError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from error
    if not isinstance(document, dict):
        raise UserError(f"{path}: expected keys and values, found {type(document).__name__}")
    return document
