"""Section `release` of params.yaml: which numbers a model needs, and the limits of each stage."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal

from fonoteka.core.errors import UserError
from fonoteka.pipeline.diff.compare_metric import MetricSpec


@dataclass(frozen=True)
class ReleaseParams:
    """Section `release`.

    Attributes:
        data: folder whose outputs in dvc.lock are the data revision.
        always: groups of numbers that each model needs. A group are the numbers of section `gate`
            whose names begin with its name and a dot.
        numbers: further groups of a model, besides the one with the name of the model.
        stages: limits of numbers, by stage and model. They apply besides those of section `gate`.
    """

    data: str
    always: tuple[str, ...]
    numbers: dict[str, tuple[str, ...]]
    stages: dict[str, dict[str, dict[str, float]]]

    def specs(self, name: str, gate: Mapping[str, MetricSpec]) -> dict[str, MetricSpec]:
        """Return the numbers of section `gate` that a model has to pass, sorted by name.

        Args:
            name: of the model.
            gate: all numbers.

        Raises:
            UserError: section `gate` has no number of this model.
        """
        own = (name, *self.numbers.get(name, ()))
        if not any(_group(number) in own for number in gate):
            patterns = " or ".join(f"{group}.*" for group in own)
            raise UserError(
                f"section gate of params.yaml has no number {patterns}, so nothing of this model "
                "would be checked; add one"
            )
        groups = (*own, *self.always)
        return {number: gate[number] for number in sorted(gate) if _group(number) in groups}

    def limits(self, name: str, stage: str) -> dict[str, float]:
        """Return the limits of a stage for a model.

        Raises:
            UserError: the stage is unknown, or the model cannot have it.
        """
        if stage not in self.stages:
            raise UserError(
                f"release.stages of params.yaml has no stage {stage!r}; use one of "
                f"{', '.join(sorted(self.stages))}"
            )
        if name not in self.stages[stage]:
            raise UserError(
                f"release.stages.{stage} of params.yaml does not list {name}; add it with its "
                "limits, or use another stage"
            )
        return self.stages[stage][name]


def stricter(specs: Mapping[str, MetricSpec], limits: Mapping[str, float]) -> dict[str, MetricSpec]:
    """Return specs with the stricter of two limits: their own and those of a stage.

    Raises:
        UserError: a limit is of a number that is not among the specs.

    >>> spec = MetricSpec("a.json", "per", "lower", limit=0.09, tolerance=0)
    >>> [stricter({"a.per": spec}, {"a.per": limit})["a.per"].limit for limit in (0.08, 0.1)]
    [0.08, 0.09]
    """
    if unknown := sorted(limits.keys() - specs.keys()):
        raise UserError(
            f"the stage has a limit of {unknown[0]}, which section gate does not have at that "
            "version; release a version that has it, or change release.stages in params.yaml"
        )
    return {name: _with_limit(spec, limits.get(name)) for name, spec in specs.items()}


def _with_limit(spec: MetricSpec, limit: float | None) -> MetricSpec:
    if limit is None or not spec.passes(Decimal(str(limit))):
        return spec
    return replace(spec, limit=limit)


def _group(number: str) -> str:
    return number.partition(".")[0]
