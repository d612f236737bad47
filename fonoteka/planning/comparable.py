"""Whether two builds differ in size alone, so that their stages have the same rates."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from fonoteka.core.errors import UserError
from fonoteka.planning.build import FinishedBuild

SIZE_KEYS = frozenset({
    "ctc.epochs", "encoder.pretrain.steps", "mlp.epochs", "reference.epochs",
    "synthesize.sentences.per_voice", "synthesize.voices", "train_realtime.epochs",
    "train_stream.batches", "train_stream.epochs", "train_whisper.checkpoint_every",
    "train_whisper.steps", "train_whisper.valid_every",
})  # fmt: skip
"""Parameters that change how much a stage does, and not what a unit of it costs."""

UNREAD = frozenset({"gate", "planning", "verify"})
"""Sections that no stage reads; those of benchmarks begin with `bench`."""


def require_comparable(build: FinishedBuild, other: FinishedBuild) -> None:
    """Require that two builds have the same parameters but for their size.

    Raises:
        UserError: a parameter differs that changes what a unit of work costs.
    """
    if different := differences(build.params, other.params):
        raise UserError(
            f"{other.name}: {different[0]} differs from that of {build.name}, so a unit of work "
            f"costs another time; compare builds that differ in {', '.join(sorted(SIZE_KEYS))} only"
        )


def differences(params: Mapping[str, Any], others: Mapping[str, Any]) -> list[str]:
    """Return the parameters that differ, without those of the size.

    >>> differences({"ctc": {"epochs": 2, "hidden": 32}}, {"ctc": {"epochs": 8, "hidden": 96}})
    ['ctc.hidden']
    """
    left, right = dict(_flat(params, "")), dict(_flat(others, ""))
    names = sorted({*left, *right})
    return [name for name in names if left.get(name) != right.get(name)]


def _flat(section: Mapping[str, Any], above: str) -> Iterator[tuple[str, Any]]:
    for key, value in section.items():
        path = f"{above}.{key}" if above else str(key)
        if path in SIZE_KEYS or path in UNREAD or path.startswith("bench"):
            continue
        if isinstance(value, Mapping):
            yield from _flat(value, path)
        else:
            yield path, value
