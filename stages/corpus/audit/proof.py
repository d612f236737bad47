"""Prove on finished parts that none knows another, or name the clips that tell of it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from fonoteka.audio.dsp import SAMPLE_RATE_HZ
from fonoteka.core.errors import UserError
from fonoteka.tables import Row
from stages.corpus.audit.cross_split_copies import twins
from stages.corpus.audit.leakage import Leak, Parts, across, flat, leaks
from stages.corpus.audit.shard_digest import Heard, hear

DURATION_SLACK_S = 0.001
"""The tables hold seconds with four decimals; less than a sample's rounding is no other sound."""
LISTED = 200
"""Lines that are printed of what was found; the message names the first of each kind."""

AGAIN = "run the stages preprocess and split again"
PARTED = "run the stage split again"
REMEDIES: Mapping[str, str] = {
    "speaker": PARTED,
    "session": PARTED,
    "group": PARTED,
    "parent": PARTED,
    "id": PARTED,
    "sound": "run the stages dedupe and split again",
    "audio": AGAIN,
    "missing": AGAIN,
    "duration": AGAIN,
    "reference": AGAIN,
    "recording": "remove one of each pair, or give both one session in metadata.csv",
    "sentence": (
        "set split.sentences to disjoint, or name the corpora in audit.same_sentences, in "
        "params.yaml"
    ),
}
"""What to do about each kind of finding; the kinds that the audit knows are these."""


@dataclass(frozen=True)
class Evidence:
    """What the proof is led from.

    Attributes:
        parts: the utterances of each part.
        inventory: its rows by id.
        index: the rows of the shards' index by id.
        audio: the folder of the shards.
        workers: processes that listen to shards.
    """

    parts: Parts
    inventory: Mapping[str, Row]
    index: Mapping[str, Row]
    audio: Path
    workers: int


def prove(
    evidence: Evidence, sentences: str, same_sentences: Collection[str], correlation: float
) -> dict[str, int]:
    """Return how much of one part another knows: nothing but sentences, or it is an error.

    Args:
        evidence: the data, and nothing of the code that made it.
        sentences: `refuse` or `report` a sentence in two parts.
        same_sentences: corpora in which it is reported in any case.
        correlation: of two waveforms that count as one recording, 0 to 1.

    Raises:
        ValueError: anything else is in two parts, or a clip's sound isn't what its line says. The
            message names the first of each kind and its clips; all are printed before.
    """
    found = findings(evidence, correlation)
    shared = found["sentence"]
    refused = _sentences(evidence.parts, same_sentences) if sentences == "refuse" else []
    bad = found | {"sentence": refused}
    if any(bad.values()):
        _refuse(bad)
    test = evidence.parts["test"]
    known = {utterance.normalized for utterance in evidence.parts["train"]}
    return {
        "speakers": len(found["speaker"]),
        "sessions": len(found["session"]),
        "near_duplicate_groups": len(found["group"]),
        "families": len(found["parent"]),
        "clips": len(found["id"]) + len(found["sound"]),
        "recordings_found_by_ear": len(found["recording"]),
        "sentences": len(shared),
        "test_utterances_with_a_train_sentence": sum(u.normalized in known for u in test),
    }


def findings(evidence: Evidence, correlation: float) -> dict[str, list[Leak]]:
    """Return all that is wrong, by kind."""
    parts = evidence.parts
    found = leaks(parts, evidence.inventory)
    heard = hear(
        evidence.audio, {u.audio for rows in parts.values() for u in rows}, evidence.workers
    )
    decoded = [
        (heard[u.audio].pcm, part, u.id)
        for part, rows in parts.items()
        for u in rows
        if heard[u.audio].pcm
    ]
    by_ear = [leak for leak in across("sound", decoded) if not _one_id(leak)]
    named = {tuple(leak.clips.items()) for leak in found["sound"]}
    found["sound"] += [leak for leak in by_ear if tuple(leak.clips.items()) not in named]
    found["missing"] = list(_missing(parts, heard))
    found["duration"] = list(_durations(parts, heard))
    found["reference"] = list(_references(parts, evidence.index))
    found["recording"] = twins(parts, heard, evidence.audio, correlation)
    assert set(found) == set(REMEDIES)
    return found


def _sentences(parts: Parts, same_sentences: Collection[str]) -> list[Leak]:
    """Return what is said in two parts outside of the corpora in which it may be."""
    return across(
        "sentence",
        [
            (row.normalized, part, row.id)
            for part, rows in parts.items()
            for row in rows
            if row.source not in same_sentences
        ],
    )


def _one_id(leak: Leak) -> bool:
    """Tell whether it is one clip that is in several parts, which is said of its id."""
    return len({key for ids in leak.clips.values() for key in ids}) == 1


def _missing(parts: Parts, heard: Mapping[str, Heard]) -> Iterator[Leak]:
    for part, rows in parts.items():
        for row in rows:
            if problem := heard[row.audio].problem:
                yield Leak("missing", f"{row.audio} {problem}", {part: (row.id,)})


def _durations(parts: Parts, heard: Mapping[str, Heard]) -> Iterator[Leak]:
    for part, rows in parts.items():
        for row in rows:
            seconds = heard[row.audio].samples / SAMPLE_RATE_HZ
            if not heard[row.audio].problem and abs(seconds - row.duration_s) > DURATION_SLACK_S:
                said = f"{seconds:.4f} s in the shard, {row.duration_s:.4f} s in the manifest"
                yield Leak("duration", said, {part: (row.id,)})


def _references(parts: Parts, index: Mapping[str, Row]) -> Iterator[Leak]:
    """Give the lines that refer to another sound than the index has for their clip."""
    for part, rows in parts.items():
        for row in rows:
            if row.id in index and index[row.id]["audio"] != row.audio:
                said = f"{row.audio} where the index has {index[row.id]['audio'] or 'none'}"
                yield Leak("reference", said, {part: (row.id,)})


def _refuse(found: Mapping[str, Sequence[Leak]]) -> None:
    total = sum(map(len, found.values()))
    for number, leak in enumerate(flat(found)):
        if number == LISTED:
            print(f"audit: and {total - LISTED} more")
            break
        print(f"audit: {leak}")
    first = [
        f"{held[0]}" + (f", one of {len(held)} such" if len(held) > 1 else "")
        for held in found.values()
        if held
    ]
    advice = dict.fromkeys(REMEDIES[kind] for kind, held in found.items() if held)
    raise UserError(f"{'; '.join(first)}; {'; '.join(advice)}")
