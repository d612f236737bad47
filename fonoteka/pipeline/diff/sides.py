"""What a revision's pipeline says it has made, and whether its reports are there to be compared.

`dvc.lock` names every output with its hash and lies in git, so both sides of a comparison are known
without checking anything out: the base through git, the branch as it lies in the working tree.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from fonoteka.core.errors import UserError
from fonoteka.pipeline.diff.compare_metric import Report
from fonoteka.pipeline.revision import Revision, here
from fonoteka.reporting.flatten import flatten

METRICS = "reports/metrics"
REPORTS = "reports"
# libyaml's where there is one: a lock file of thousands of lines takes the other one a second.
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True)
class Side:
    """One of the two revisions compared.

    Attributes:
        name: how it is called in sentences.
        text: gives what is in a file, or None where there is none.
        report: gives the parsed JSON of a path, or None where there is none.
    """

    name: str
    text: Callable[[str], str | None]
    report: Report

    @cached_property
    def outputs(self) -> dict[str, Output]:
        """The outputs of all stages that dvc.yaml has and dvc.lock knows, by their paths.

        Raises:
            ValueError: one of the two files is missing or isn't what dvc writes.
        """
        declared, lock = self._stages("dvc.yaml"), self._stages("dvc.lock")
        return {
            str(out["path"]): Output(name, str(out.get("md5", "")))
            for name, entry in lock.items()
            if _has(declared, name) and isinstance(entry, dict)
            for out in entry.get("outs") or []
        }

    @property
    def models(self) -> dict[str, str]:
        """The report of each model, by the model's name."""
        paths = sorted(path for path in self.outputs if path.startswith(f"{METRICS}/"))
        return {PurePosixPath(path).stem: path for path in paths}

    @cached_property
    def params(self) -> dict[str, str]:
        """Every value of params.yaml, by its keys with dots between them.

        Raises:
            ValueError: the file is missing or isn't YAML.
        """
        return dict(flatten(self.yaml("params.yaml")))

    def problems(self) -> list[str]:
        """Return a sentence for each reason why this side can't be compared; none is well."""
        try:
            if not self.models:
                return [f"{self.name}: dvc.lock knows no report in {METRICS}; run dvc repro"]
            outputs = self.outputs
        except ValueError as error:
            return [str(error)]
        reports = [
            p for p in sorted(outputs) if p.startswith(f"{REPORTS}/") and p.endswith(".json")
        ]
        return [said for path in reports if (said := self._unreadable(path, outputs[path].stage))]

    def _unreadable(self, path: str, stage: str) -> str:
        try:
            found = self.report(path)
        except ValueError as error:
            return f"{self.name}: {error}"
        if found is None:
            return (
                f"{self.name}: {path} is not there, and by dvc.lock stage {stage!r} writes it; if "
                "it was renamed, then in dvc.yaml too, and run dvc repro"
            )
        return "" if isinstance(found, dict) else f"{self.name}: {path} holds no keys and values"

    def _stages(self, file: str) -> dict[str, Any]:
        found = self.yaml(file)
        stages = found.get("stages") if isinstance(found, dict) else None
        if not isinstance(stages, dict) or not stages:
            raise UserError(f"{self.name}: {file} has no stages")
        return stages

    def yaml(self, file: str) -> Any:
        """Return what a YAML file holds.

        Raises:
            ValueError: it is missing or isn't YAML.
        """
        if (text := self.text(file)) is None:
            raise UserError(f"{self.name}: there is no {file}")
        try:
            return yaml.load(text, Loader=LOADER)  # noqa: S506 - a safe one
        except yaml.YAMLError as error:
            raise UserError(f"{self.name}: {file} is not valid YAML: {error}") from error


@dataclass(frozen=True)
class Output:
    """What dvc.lock knows of an output: the stage that wrote it, and its hash."""

    stage: str
    md5: str


def working_tree() -> Side:
    """Return the branch as it lies here, committed or not."""

    def text(file: str) -> str | None:
        path = Path(file)
        return path.read_text(encoding="utf-8") if path.is_file() else None

    return Side("here", text, cache(here))


def at(base: Revision) -> Side:
    """Return another revision."""
    return Side(f"at {base.said}", cache(base.text), cache(base.report))


def _has(declared: dict[str, Any], name: str) -> bool:
    """Return whether dvc.yaml still has a stage of the lock file, which forgets none.

    >>> _has({"train": {"foreach": ["mlp"]}}, "train@mlp")
    True
    >>> _has({"train": {"foreach": ["mlp"]}}, "train@ctc")
    False
    """
    group, _, item = name.partition("@")
    if not isinstance(entry := declared.get(group), dict):
        return False
    items = entry.get("foreach")
    # What a template or a matrix expands to is dvc's to say; then the lock file is believed.
    return not item or not isinstance(items, list | dict) or item in map(str, items)
