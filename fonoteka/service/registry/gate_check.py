"""Compare the numbers of a model with their limits, as `fonoteka gate` does without a base.

The numbers are those of section `gate` of params.yaml whose names begin with the name of the
model; those of `whisper` begin with `words`. A difference from another revision does not matter
here: it stops a change from being merged, not a model from being used.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from fonoteka.core.errors import UserError
from fonoteka.core.files import read_json
from fonoteka.core.params import load
from fonoteka.git import dvc_top
from fonoteka.pipeline.diff.compare_metric import MetricSpec, evaluate
from fonoteka.pipeline.diff.gate import GateParams
from fonoteka.service.registry.build_check import BuildRecord
from fonoteka.service.registry.names import NUMBERS
from fonoteka.service.registry.package import ModelPackage

UNCHECKED = "or serve the folder with --no-gates"


@dataclass(frozen=True)
class GatedNumber:
    """A number of a model that is within its limit.

    Attributes:
        name: in section `gate`.
        value: in the report.
        limit: the worst value that passes.
        direction: which values are better, `lower` or `higher`.
    """

    name: str
    value: float
    limit: float
    direction: str


class ModelGates:
    """The gates of the project around a folder of models, as its files are now."""

    def __init__(self, models: Path) -> None:
        """Read section `gate` and the lock file.

        Raises:
            UserError: the folder is outside a project, or one of the two cannot be used.
        """
        root = dvc_top(models)
        if root is None:
            raise UserError(
                f"{models}: in no project, so no report can be compared with its limit; serve "
                f"data/models of one, {UNCHECKED}"
            )
        self._prefix = models.resolve().relative_to(root)
        self._numbers = load("gate", GateParams, root / "params.yaml").numbers
        self._build = BuildRecord(root)
        self._report = cache(lambda file: _report(root, file))

    def check(self, package: ModelPackage) -> Mapping[str, GatedNumber]:
        """Return the numbers of a model by metric.

        Raises:
            UserError: a number is past its limit or missing, the model has no gate, or a report is
                of another build.
        """
        name = package.version.name
        prefix = f"{NUMBERS.get(name, name)}."
        specs = {n: spec for n, spec in self._numbers.items() if n.startswith(prefix)}
        if not specs:
            raise UserError(
                f"section gate of params.yaml has no number {prefix}*; add one, {UNCHECKED}"
            )
        numbers = {n.removeprefix(prefix): self._number(n, spec) for n, spec in specs.items()}
        path = (self._prefix / package.path).as_posix()
        reports = {file for spec in specs.values() for file, _ in spec.terms}
        if problem := self._build.problem(package, path, reports):
            raise UserError(problem)
        return numbers

    def _number(self, name: str, spec: MetricSpec) -> GatedNumber:
        comparison = evaluate(spec, self._report, None)
        if comparison.value is None or comparison.past_limit:
            raise UserError(f"{name}: {comparison.reason}")
        return GatedNumber(name, float(comparison.value), spec.limit, spec.direction)


def _report(root: Path, file: str) -> Any:
    path = root / file
    return read_json(path) if path.is_file() else None
