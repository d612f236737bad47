"""The two sides of a comparison: their outputs by `dvc.lock`, their reports and parameters.

`dvc.lock` lists every output with its hash and is in git, so both sides can be read without a
checkout: the base through git, the branch from the working tree.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from fonoteka.core.errors import UserError
from fonoteka.pipeline.diff.compare_metric import ReportReader
from fonoteka.pipeline.revision import Revision, current_report
from fonoteka.reporting.flatten import flatten

METRICS = "reports/metrics"
REPORTS = "reports"
# libyaml's loader if it is installed: the Python loader needs a second for 6,000 lines.
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True)
class ComparedRevision:
    """One of the two sides of a comparison.

    Attributes:
        name: its name in messages.
        text: returns the contents of a file, or None if there is no such file.
        report: returns the parsed JSON of a path, or None if there is no such file.
    """

    name: str
    text: Callable[[str], str | None]
    report: ReportReader

    @cached_property
    def outputs(self) -> dict[str, LockedOutput]:
        """The outputs of all stages that are both in dvc.yaml and in dvc.lock, by path.

        Raises:
            UserError: one of the two files is missing or does not have dvc's format.
        """
        declared, lock = self._stages("dvc.yaml"), self._stages("dvc.lock")
        return {
            str(out["path"]): LockedOutput(name, str(out.get("md5", "")))
            for name, entry in lock.items()
            if _has(declared, name) and isinstance(entry, dict)
            for out in entry.get("outs") or []
        }

    @property
    def models(self) -> dict[str, str]:
        """The path of each model's report, by the name of the model."""
        paths = sorted(path for path in self.outputs if path.startswith(f"{METRICS}/"))
        return {PurePosixPath(path).stem: path for path in paths}

    @cached_property
    def params(self) -> dict[str, str]:
        """Every value of params.yaml, by its keys joined with dots.

        Raises:
            UserError: the file is missing or is not YAML.
        """
        return dict(flatten(self.yaml("params.yaml")))

    def problems(self) -> list[str]:
        """Return one sentence per reason why this side cannot be compared; empty if it can."""
        try:
            if not self.models:
                return [f"{self.name}: dvc.lock has no report in {METRICS}; run dvc repro"]
            outputs = self.outputs
        except ValueError as error:
            return [str(error)]
        reports = [
            p for p in sorted(outputs) if p.startswith(f"{REPORTS}/") and p.endswith(".json")
        ]
        problems = (self._problem(path, outputs[path].stage) for path in reports)
        return [problem for problem in problems if problem]

    def _problem(self, path: str, stage: str) -> str:
        try:
            report = self.report(path)
        except ValueError as error:
            return f"{self.name}: {error}"
        if report is None:
            return (
                f"{self.name}: {path} is missing, and by dvc.lock stage {stage!r} writes it; if it "
                "was renamed, rename it in dvc.yaml too and run dvc repro"
            )
        return "" if isinstance(report, dict) else f"{self.name}: {path} is not a JSON object"

    def _stages(self, file: str) -> dict[str, Any]:
        document = self.yaml(file)
        stages = document.get("stages") if isinstance(document, dict) else None
        if not isinstance(stages, dict) or not stages:
            raise UserError(f"{self.name}: {file} has no stages")
        return stages

    def yaml(self, file: str) -> Any:
        """Return the contents of a YAML file.

        Raises:
            UserError: it is missing or is not YAML.
        """
        if (text := self.text(file)) is None:
            raise UserError(f"{self.name}: there is no {file}")
        try:
            return yaml.load(text, Loader=LOADER)  # noqa: S506 - a safe loader
        except yaml.YAMLError as error:
            raise UserError(f"{self.name}: {file} is not valid YAML: {error}") from error


@dataclass(frozen=True)
class LockedOutput:
    """An output in dvc.lock: the stage that wrote it, and its hash."""

    stage: str
    md5: str


def working_tree() -> ComparedRevision:
    """Return the working tree, committed or not."""

    def text(file: str) -> str | None:
        path = Path(file)
        return path.read_text(encoding="utf-8") if path.is_file() else None

    return ComparedRevision("here", text, cache(current_report))


def committed(base: Revision) -> ComparedRevision:
    """Return a commit as a side of a comparison."""
    return ComparedRevision(f"at {base.description}", cache(base.text), cache(base.report))


def _has(declared: dict[str, Any], name: str) -> bool:
    """Return whether dvc.yaml still has a stage of dvc.lock, which keeps removed stages.

    >>> _has({"train": {"foreach": ["mlp"]}}, "train@mlp")
    True
    >>> _has({"train": {"foreach": ["mlp"]}}, "train@ctc")
    False
    """
    group, _, item = name.partition("@")
    if not isinstance(entry := declared.get(group), dict):
        return False
    items = entry.get("foreach")
    # Only dvc can expand a template or a matrix, so there every stage of the lock file counts.
    return not item or not isinstance(items, list | dict) or item in map(str, items)
