"""Classify each stage as fresh, stale, missing or not pulled, and estimate its cost.

Works on the results of `fonoteka.pipeline.status.inspect` alone, without files and without dvc.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from fonoteka.pipeline.status.inspect import MissingOutput, PipelineInspection, StageInspection

PARTS = {f"data/splits/{part}.jsonl": part for part in ("train", "valid", "test")}
# For a stage that reads no split: the audit's count for the first of these paths that it reads.
COUNTED = {
    "data/audio": "accepted",
    "data/corpus/accepted.csv": "accepted",
    "data/corpus/inventory.csv": "files",
    "data/raw": "files",
}


class StageState(StrEnum):
    """The state of a stage; the values are printed."""

    FRESH = "fresh"
    STALE = "stale"
    MAY_BE = "may be stale"
    MISSING = "missing"
    NOT_PULLED = "not pulled"
    FROZEN = "frozen"


@dataclass(frozen=True)
class StageStatus:
    """The state of a stage with its reasons and its cost.

    Attributes:
        stage: its name.
        state: one of `StageState`.
        reasons: one sentence per reason.
        in_lock: whether dvc.lock has an entry for it.
        clips: number of clips that it reads, by the last audit; None if it reads none, or if there
            was no audit.
        size: bytes that it read at its last run; the bytes to pull if it is not pulled.
        took_s: seconds of its last run on this machine; None if it never ran here.
    """

    stage: str
    state: StageState
    reasons: tuple[str, ...]
    in_lock: bool
    clips: int | None
    size: int
    took_s: float | None

    def settled(self, allow_missing: bool) -> bool:
        """Return whether the stage needs no run and no pull.

        Args:
            allow_missing: whether outputs that only dvc.lock has are accepted.
        """
        if self.state in (StageState.FRESH, StageState.FROZEN):
            return True
        return (
            allow_missing
            and self.in_lock
            and self.state in (StageState.NOT_PULLED, StageState.MISSING)
        )


def classify(
    pipeline: PipelineInspection, corpus: Mapping[str, Any], took_s: Mapping[str, float]
) -> list[StageStatus]:
    """Return the status of each stage, in the order of dvc.yaml.

    Args:
        pipeline: the stages compared with dvc.lock.
        corpus: the report of the last audit; empty if there was none.
        took_s: the seconds of the last run of each stage on this machine.
    """
    stages = {stage.name: stage for stage in pipeline.stages}
    roots: dict[str, tuple[str, ...]] = {}
    rows = []
    for stage in pipeline.stages:
        state, reasons = _own(stage, pipeline.remote)
        if state in (StageState.FRESH, StageState.NOT_PULLED):
            # A stale stage above may write other bytes, which only its run shows.
            above = _roots(stage.name, stages, pipeline.remote, roots)
            if above:
                also = [f"{reason}, unless it is rewritten" for reason in reasons]
                state, reasons = StageState.MAY_BE, [f"because of {', '.join(above)}", *also]
        to_pull = sum(out.size for out in stage.missing if not out.in_workspace and not out.cached)
        size = to_pull if state is StageState.NOT_PULLED else stage.reads_bytes
        clips = clips_of(stage.reads, corpus)
        seconds = took_s.get(stage.name)
        rows.append(
            StageStatus(stage.name, state, tuple(reasons), stage.in_lock, clips, size, seconds)
        )
    return rows


def _own(stage: StageInspection, remote: str) -> tuple[StageState, list[str]]:
    """Return the state of a stage without regard to those above it, and the reasons."""
    if stage.frozen and not stage.missing:
        return StageState.FROZEN, ["dvc skips it until it is unfrozen"]
    if not stage.in_lock:
        return StageState.MISSING, ["never ran: dvc.lock has no entry for it"]
    if stage.changed:
        return StageState.STALE, list(stage.changed)
    if lost := [out for out in stage.missing if not (out.cached or remote)]:
        return StageState.MISSING, list(_lost(lost))
    if stage.missing:
        return StageState.NOT_PULLED, [_pull(stage.missing, remote)]
    if stage.not_pulled:
        return StageState.NOT_PULLED, [f"{', '.join(stage.not_pulled)}: a part of it is not pulled"]
    return StageState.FRESH, []


def _lost(missing: Sequence[MissingOutput]) -> Iterator[str]:
    """Yield one sentence per kind of lost output, with the command that brings it back."""
    in_git = [out.path for out in missing if out.in_git]
    uncached = [out.path for out in missing if out.in_workspace and not out.in_git]
    nowhere = [out.path for out in missing if not (out.in_workspace or out.in_git)]
    if in_git:
        yield f"{_named(in_git)}: missing; restore it with git checkout -- {' '.join(in_git)}"
    if uncached:
        yield f"{_named(uncached)}: in the workspace but not in dvc's cache; add it with dvc commit"
    if nowhere:
        yield f"{_named(nowhere)}: not in the workspace or dvc's cache, and there is no remote"


def _pull(missing: Sequence[MissingOutput], remote: str) -> str:
    paths = _named([out.path for out in missing])
    if all(out.cached for out in missing):
        return f"{paths}: in dvc's cache; restore it with dvc checkout"
    return f"{paths}: fetch it with dvc pull, if remote {remote!r} has it"


def _named(paths: Sequence[str], most: int = 3) -> str:
    """Return the paths, or the first three and the number of the others.

    >>> _named(["a", "b", "c", "d"])
    'a, b, c and 1 more'
    """
    more = len(paths) - most
    return ", ".join(paths[:most]) + (f" and {more} more" if more > 0 else "")


def _roots(
    name: str,
    stages: Mapping[str, StageInspection],
    remote: str,
    roots: dict[str, tuple[str, ...]],
) -> tuple[str, ...]:
    """Return the upstream stages that are sure to run and may change what a stage reads.

    A stage whose outputs were lost writes the same bytes again, and a frozen one does not run.
    The results are cached in `roots`.
    """
    if name not in roots:
        sure: dict[str, None] = {}
        for above in (other for other in stages[name].upstream if other in stages):
            state, _ = _own(stages[above], remote)
            if state is StageState.STALE or not stages[above].in_lock:
                sure[above] = None
            elif state is not StageState.FROZEN:
                sure |= dict.fromkeys(_roots(above, stages, remote, roots))
        roots[name] = tuple(sure)
    return roots[name]


def clips_of(reads: Sequence[str], corpus: Mapping[str, Any]) -> int | None:
    """Return how many clips a stage reads, as the last audit counted them.

    >>> report = {"files": 9, "accepted": 8, "parts": {"train": {"utterances": 5}}}
    >>> clips_of(["data/audio", "data/splits/train.jsonl"], report)
    5
    >>> clips_of(["data/audio"], report)
    8
    """
    try:
        if parts := [PARTS[path] for path in reads if path in PARTS]:
            return sum(int(corpus["parts"][part]["utterances"]) for part in parts)
        return next((int(corpus[name]) for path, name in COUNTED.items() if path in reads), None)
    except (KeyError, TypeError, ValueError):
        return None  # no audit yet, or a report of another form
