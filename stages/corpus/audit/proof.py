"""Check on finished splits that none shares a value with another, and name the clips that do."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from fonoteka.audio.dsp import SAMPLE_RATE_HZ
from fonoteka.core.errors import UserError
from fonoteka.tables import Row
from stages.corpus.audit.cross_split_copies import cross_split_duplicates
from stages.corpus.audit.leakage import Leak, Parts, find_leaks, flatten, shared_values
from stages.corpus.audit.shard_digest import ClipDigest, digest_shards

DURATION_SLACK_S = 0.001
"""The tables contain seconds with four decimals: a difference of one rounding is not an error."""
MAX_PRINTED = 200
"""The most leaks that are printed; the error message names the first of each kind."""

RERUN_PREPROCESS = "run the stages preprocess and split again"
RERUN_SPLIT = "run the stage split again"
REMEDIES: Mapping[str, str] = {
    "speaker": RERUN_SPLIT,
    "session": RERUN_SPLIT,
    "group": RERUN_SPLIT,
    "parent": RERUN_SPLIT,
    "id": RERUN_SPLIT,
    "sound": "run the stages dedupe and split again",
    "audio": RERUN_PREPROCESS,
    "missing": RERUN_PREPROCESS,
    "duration": RERUN_PREPROCESS,
    "reference": RERUN_PREPROCESS,
    "recording": "remove one of each pair, or give both one session in metadata.csv",
    "sentence": (
        "set split.sentences to disjoint, or name the corpora in audit.same_sentences, in "
        "params.yaml"
    ),
}
"""What to do about each kind of leak; the audit has these kinds and no others."""


@dataclass(frozen=True)
class AuditData:
    """The data that is checked; nothing of the code that made it.

    Attributes:
        parts: the utterances of each split.
        inventory: its rows by id.
        index: the rows of the shards' index by id.
        audio: the folder of the shards.
        workers: processes that decode shards.
    """

    parts: Parts
    inventory: Mapping[str, Row]
    index: Mapping[str, Row]
    audio: Path
    workers: int


def check_leakage(
    data: AuditData, sentences: str, same_sentences: Collection[str], correlation: float
) -> dict[str, int]:
    """Return how many values two splits share; only sentences may be shared.

    Args:
        data: the splits, tables and shards.
        sentences: `refuse` or `report` a sentence in two splits.
        same_sentences: corpora in which such a sentence is always reported.
        correlation: 0 to 1; two waveforms that reach it count as one recording.

    Raises:
        UserError: anything else is in two splits, or a clip differs from its line in the manifest.
            The message names the first leak of each kind and its clips; up to `MAX_PRINTED` leaks
            are printed before.
    """
    leaks = all_leaks(data, correlation)
    # Shared sentences are counted in either case, but those that may be shared are not an error.
    shared = leaks["sentence"]
    refused_sentences = (
        _shared_sentences(data.parts, same_sentences) if sentences == "refuse" else []
    )
    refused_leaks = leaks | {"sentence": refused_sentences}
    if any(refused_leaks.values()):
        _raise_for(refused_leaks)
    test = data.parts["test"]
    train_sentences = {utterance.normalized for utterance in data.parts["train"]}
    return {
        "speakers": len(leaks["speaker"]),
        "sessions": len(leaks["session"]),
        "near_duplicate_groups": len(leaks["group"]),
        "families": len(leaks["parent"]),
        "clips": len(leaks["id"]) + len(leaks["sound"]),
        "recordings_by_waveform": len(leaks["recording"]),
        "sentences": len(shared),
        "test_utterances_with_a_train_sentence": sum(u.normalized in train_sentences for u in test),
    }


def all_leaks(data: AuditData, correlation: float) -> dict[str, list[Leak]]:
    """Return all leaks, by kind."""
    parts = data.parts
    leaks = find_leaks(parts, data.inventory)
    digests = digest_shards(
        data.audio, {u.audio for rows in parts.values() for u in rows}, data.workers
    )
    # Samples that are equal in the shards, beside those that are equal in the inventory.
    occurrences = [
        (digests[u.audio].pcm, part, u.id)
        for part, rows in parts.items()
        for u in rows
        if digests[u.audio].pcm
    ]
    same_samples = [leak for leak in shared_values("sound", occurrences) if not _is_one_clip(leak)]
    listed = {tuple(leak.clips.items()) for leak in leaks["sound"]}
    leaks["sound"] += [leak for leak in same_samples if tuple(leak.clips.items()) not in listed]
    leaks["missing"] = list(_unreadable_clips(parts, digests))
    leaks["duration"] = list(_wrong_durations(parts, digests))
    leaks["reference"] = list(_wrong_references(parts, data.index))
    leaks["recording"] = cross_split_duplicates(parts, digests, data.audio, correlation)
    assert set(leaks) == set(REMEDIES)
    return leaks


def _shared_sentences(parts: Parts, same_sentences: Collection[str]) -> list[Leak]:
    """Return the sentences in two splits, without the corpora in which they are allowed."""
    return shared_values(
        "sentence",
        [
            (row.normalized, part, row.id)
            for part, rows in parts.items()
            for row in rows
            if row.source not in same_sentences
        ],
    )


def _is_one_clip(leak: Leak) -> bool:
    """Return whether all clips of a leak are one; that is a leak of kind `id` already."""
    return len({id_ for ids in leak.clips.values() for id_ in ids}) == 1


def _unreadable_clips(parts: Parts, digests: Mapping[str, ClipDigest]) -> Iterator[Leak]:
    for part, rows in parts.items():
        for row in rows:
            if problem := digests[row.audio].problem:
                yield Leak("missing", f"{row.audio} {problem}", {part: (row.id,)})


def _wrong_durations(parts: Parts, digests: Mapping[str, ClipDigest]) -> Iterator[Leak]:
    for part, rows in parts.items():
        for row in rows:
            seconds = digests[row.audio].samples / SAMPLE_RATE_HZ
            if not digests[row.audio].problem and abs(seconds - row.duration_s) > DURATION_SLACK_S:
                message = f"{seconds:.4f} s in the shard, {row.duration_s:.4f} s in the manifest"
                yield Leak("duration", message, {part: (row.id,)})


def _wrong_references(parts: Parts, index: Mapping[str, Row]) -> Iterator[Leak]:
    """Yield the lines that refer to another file than the index has for their clip."""
    for part, rows in parts.items():
        for row in rows:
            if row.id in index and index[row.id]["audio"] != row.audio:
                message = f"{row.audio} where the index has {index[row.id]['audio'] or 'none'}"
                yield Leak("reference", message, {part: (row.id,)})


def _raise_for(leaks_by_kind: Mapping[str, Sequence[Leak]]) -> None:
    total = sum(map(len, leaks_by_kind.values()))
    for number, leak in enumerate(flatten(leaks_by_kind)):
        if number == MAX_PRINTED:
            print(f"audit: and {total - MAX_PRINTED} more")
            break
        print(f"audit: {leak}")
    first = [
        f"{leaks[0]}" + (f", one of {len(leaks)} such" if len(leaks) > 1 else "")
        for leaks in leaks_by_kind.values()
        if leaks
    ]
    advice = dict.fromkeys(REMEDIES[kind] for kind, leaks in leaks_by_kind.items() if leaks)
    raise UserError(f"{'; '.join(first)}; {'; '.join(advice)}")
