"""Decide what each stage is: fresh, stale, missing or only not pulled, and what it would cost.

Pure bookkeeping over what `fonoteka.pipeline.status.inspect` found: no files, no dvc.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from fonoteka.pipeline.status.inspect import Facts, Gone, Look

PARTS = {f"data/splits/{part}.jsonl": part for part in ("train", "valid", "test")}
# What an audit counted of each, where a stage reads no part: the first that it reads says it.
COUNTED = {
    "data/audio": "accepted",
    "data/corpus/accepted.csv": "accepted",
    "data/corpus/inventory.csv": "files",
    "data/raw": "files",
}


class State(StrEnum):
    """What a stage is; the values are what a person reads."""

    FRESH = "fresh"
    STALE = "stale"
    MAY_BE = "may be stale"
    MISSING = "missing"
    NOT_PULLED = "not pulled"
    FROZEN = "frozen"


@dataclass(frozen=True)
class Row:
    """A stage, what it is, why, and what it would cost.

    Attributes:
        stage: its name.
        state: one of `State`.
        why: a sentence for each reason.
        known: whether dvc.lock has it.
        clips: how many it reads, by the last audit; None where it reads none, or none was made.
        size: bytes it reads, as when it ran last; of one that isn't pulled the bytes to pull.
        took_s: seconds it took when it ran here last; None where it never did.
    """

    stage: str
    state: State
    why: tuple[str, ...]
    known: bool
    clips: int | None
    size: int
    took_s: float | None

    def settled(self, allow_missing: bool) -> bool:
        """Return whether nothing is to be done about it.

        Args:
            allow_missing: whether what dvc.lock knows doesn't have to be here.
        """
        if self.state in (State.FRESH, State.FROZEN):
            return True
        return allow_missing and self.known and self.state in (State.NOT_PULLED, State.MISSING)


def decide(look: Look, corpus: Mapping[str, Any], took_s: Mapping[str, float]) -> list[Row]:
    """Return a row for each stage, in the order of dvc.yaml.

    Args:
        look: what dvc knows.
        corpus: the report of the last audit; empty where there is none.
        took_s: the seconds of each stage that ran here.
    """
    facts = {stage.name: stage for stage in look.stages}
    roots: dict[str, tuple[str, ...]] = {}
    rows = []
    for stage in look.stages:
        state, why = _own(stage, look.remote)
        if state in (State.FRESH, State.NOT_PULLED):
            above = _roots(stage.name, facts, look.remote, roots)
            if above:
                also = [f"{line}, unless it comes out anew" for line in why]
                state, why = State.MAY_BE, [f"because of {', '.join(above)}", *also]
        gone = sum(one.size for one in stage.gone if not one.here and not one.cached)
        size = gone if state is State.NOT_PULLED else stage.reads_bytes
        clips = clips_of(stage.reads, corpus)
        rows.append(
            Row(stage.name, state, tuple(why), stage.known, clips, size, took_s.get(stage.name))
        )
    return rows


def _own(stage: Facts, remote: str) -> tuple[State, list[str]]:
    """Return what a stage is by itself, and why."""
    if stage.frozen and not stage.gone:
        return State.FROZEN, ["dvc leaves it alone until it is unfrozen"]
    if not stage.known:
        return State.MISSING, ["never ran: dvc.lock doesn't have it"]
    if stage.changed:
        return State.STALE, list(stage.changed)
    if lost := [one for one in stage.gone if not (one.cached or remote)]:
        return State.MISSING, list(_lost(lost))
    if stage.gone:
        return State.NOT_PULLED, [_pull(stage.gone, remote)]
    if stage.unseen:
        return State.NOT_PULLED, [f"{', '.join(stage.unseen)}: a part of it isn't pulled"]
    return State.FRESH, []


def _lost(gone: Sequence[Gone]) -> Iterator[str]:
    """Yield a sentence for each way in which outputs are nowhere, and how to get them."""
    in_git = [one.path for one in gone if one.in_git]
    here = [one.path for one in gone if one.here and not one.in_git]
    nowhere = [one.path for one in gone if not (one.here or one.in_git)]
    if in_git:
        yield f"{_named(in_git)}: gone; git has it: git checkout -- {' '.join(in_git)}"
    if here:
        yield f"{_named(here)}: here and not in dvc's cache; dvc commit puts it there"
    if nowhere:
        yield f"{_named(nowhere)}: neither here nor in dvc's cache, and no remote to pull from"


def _pull(gone: Sequence[Gone], remote: str) -> str:
    paths = _named([one.path for one in gone])
    if all(one.cached for one in gone):
        return f"{paths}: in dvc's cache; dvc checkout puts it here"
    return f"{paths}: dvc pull gets it, where remote {remote!r} has it"


def _named(paths: Sequence[str], most: int = 3) -> str:
    """Return paths, the first three of them where they are more.

    >>> _named(["a", "b", "c", "d"])
    'a, b, c and 1 more'
    """
    more = len(paths) - most
    return ", ".join(paths[:most]) + (f" and {more} more" if more > 0 else "")


def _roots(
    name: str, facts: Mapping[str, Facts], remote: str, known: dict[str, tuple[str, ...]]
) -> tuple[str, ...]:
    """Return the stages above one that are sure to run and may change what it reads.

    One whose outputs were lost gives the same bytes again, and one that is frozen doesn't run.
    """
    if name not in known:
        found: dict[str, None] = {}
        for above in (one for one in facts[name].upstream if one in facts):
            state, _ = _own(facts[above], remote)
            if state is State.STALE or not facts[above].known:
                found[above] = None
            elif state is not State.FROZEN:
                found |= dict.fromkeys(_roots(above, facts, remote, known))
        known[name] = tuple(found)
    return known[name]


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
        return None  # no audit yet, or one that counted otherwise
