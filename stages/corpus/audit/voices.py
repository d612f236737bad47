"""Listen: one person under two names in two splits, and two people under one name.

Names are all that the split has to keep a person in one split. A name that is wrong lets a voice
into train and test, and no comparison of names finds that. The voices of one synthetic corpus are
settings of one program and are alike; they are counted apart and are never an error.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fonoteka.core.errors import UserError
from fonoteka.voices.compare_voices import (
    AlikePairs,
    AuditVoicesParams,
    alike_pairs,
    least_alike_division,
    nearest_other_part,
)
from fonoteka.voices.store import VoicePieces
from stages.corpus.audit.leakage import Parts
from stages.corpus.audit.numbers import counts

DIGITS = 3  # of a cosine in the report
REMEDY = (
    "listen to both, and give them one speaker or one session in metadata.csv, or set "
    "audit_voices.action to report"
)
REMEDY_OF_A_NAME = (
    "listen to its clips, and give each person a speaker of their own in metadata.csv, or set "
    "audit_voices.action to report"
)


@dataclass(frozen=True)
class SpeakerVoices:
    """The voices of all speakers that have one.

    Attributes:
        names: of the speakers, as `corpus/name`, sorted within their splits.
        parts: the split of each.
        sums: whole numbers, shape `[S, 256]`: the sum of the pieces of each.
        pieces: the pieces of each, shape `[K, 256]`.
        clips: the ids of the clips of each piece of each.
        synthetic: whether each is a synthetic voice.
    """

    names: list[str]
    parts: list[str]
    sums: NDArray[np.float64]
    pieces: list[NDArray[np.float64]]
    clips: list[list[str]]
    synthetic: list[bool]


def speaker_voices(stored: VoicePieces, parts: Parts) -> SpeakerVoices:
    """Return the voices of the speakers.

    Raises:
        UserError: the pieces are not those of the speakers in the splits.
    """
    speakers = {(part, row.speaker) for part, rows in parts.items() for row in rows}
    synthetic = {row.speaker for rows in parts.values() for row in rows if row.synthetic}
    listed = {(row["part"], row["speaker"]) for row in [*stored.rows, *stored.left_out]}
    if differing := sorted(speakers ^ listed):
        raise UserError(
            f"{len(differing)} speakers are in the splits or in data/corpus/voices alone, first "
            f"{differing[0][1]!r}; the files are of different runs: run dvc repro"
        )
    numbers: dict[tuple[str, str], list[int]] = {}
    for number, row in enumerate(stored.rows):
        numbers.setdefault((row["part"], row["speaker"]), []).append(number)
    vectors = stored.vectors.astype(np.float64)
    pieces = [vectors[own] for own in numbers.values()]
    sums = np.array([own.sum(axis=0) for own in pieces]).reshape(len(pieces), vectors.shape[1])
    return SpeakerVoices(
        [speaker for _, speaker in numbers],
        [part for part, _ in numbers],
        sums,
        pieces,
        [[stored.rows[number]["clips"] for number in own] for own in numbers.values()],
        [speaker in synthetic for _, speaker in numbers],
    )


def check_voices(
    stored: VoicePieces, parts: Parts, params: AuditVoicesParams, shown: Mapping[str, str]
) -> tuple[dict[str, Any], list[float]]:
    """Return the section of the report, and each voice's cosine with the nearest in another split.

    The console names speakers and clips; the report has the names in `shown`.

    Args:
        stored: of the stage `embed_voices`.
        parts: the utterances of each split.
        params: thresholds, and whether a flag is an error.
        shown: the name in the report of each speaker.

    Raises:
        UserError: the pieces are of another run, or a person is flagged and `params` refuses that.
    """
    voices = speaker_voices(stored, parts)
    part_numbers = np.array([list(parts).index(part) for part in voices.parts], np.int64)
    outside, inside = alike_pairs(
        voices.sums, part_numbers, _synthetic_corpora(voices), params.same_voice, params.listed
    )
    divided = _divided(voices, params.two_voices)
    # The pieces of a synthetic voice differ with its language, which says nothing of people.
    people = [flag for flag in divided if not voices.synthetic[flag[0]]]
    for first, second, cosine in outside.nearest:
        print(
            f"audit: {voices.names[first]!r} in {voices.parts[first]} and {voices.names[second]!r} "
            f"in {voices.parts[second]} sound like one person, cosine {cosine:.{DIGITS}f}"
        )
    for number, cosine, smaller in people[: params.listed]:
        ids = ", ".join(voices.clips[number][piece] for piece in smaller)
        print(
            f"audit: {voices.names[number]!r} sounds like two people, cosine {cosine:.{DIGITS}f}: "
            f"{ids} apart from the other clips"
        )
    if params.action == "refuse":
        _refuse(voices, outside, people)
    report = {
        "speakers": len(voices.names),
        "pieces": len(stored.rows),
        "left_out": counts(row["reason"] for row in stored.left_out),
        "same_voice": params.same_voice,
        "two_voices": params.two_voices,
        "alike": _pairs(outside, voices, shown),
        "alike_synthetic": _pairs(inside, voices, shown),
        "divided": {
            "compared": sum(
                len(own) > 1 and not machine
                for own, machine in zip(voices.pieces, voices.synthetic, strict=True)
            ),
            "names": len(people),
            "listed": _names(people, voices, params.listed, shown),
        },
        "divided_synthetic": {
            "compared": sum(
                len(own) > 1 and machine
                for own, machine in zip(voices.pieces, voices.synthetic, strict=True)
            ),
            "names": len(divided) - len(people),
        },
    }
    return report, nearest_other_part(voices.sums, part_numbers).tolist()


def _synthetic_corpora(voices: SpeakerVoices) -> NDArray[np.int64]:
    """Return the number of each synthetic voice's corpus, and -1 for people."""
    corpora = [name.partition("/")[0] for name in voices.names]
    order = sorted(set(corpora))
    return np.array(
        [
            order.index(corpus) if synthetic else -1
            for corpus, synthetic in zip(corpora, voices.synthetic, strict=True)
        ],
        np.int64,
    )


def _divided(voices: SpeakerVoices, below: float) -> list[tuple[int, float, tuple[int, ...]]]:
    """Return number, cosine and smaller half of the names that can be divided, lowest first."""
    divisions = [
        (number, *least_alike_division(pieces)) for number, pieces in enumerate(voices.pieces)
    ]
    flagged = [division for division in divisions if division[1] < below]
    return sorted(flagged, key=lambda division: (division[1], division[0]))


def _refuse(
    voices: SpeakerVoices, pairs: AlikePairs, people: Sequence[tuple[int, float, tuple[int, ...]]]
) -> None:
    if pairs.count:
        names = (
            f"{voices.names[pairs.nearest[0][0]]!r} and {voices.names[pairs.nearest[0][1]]!r}"
            if pairs.nearest
            else "none listed"
        )
        raise UserError(
            f"{pairs.count} pairs of names in two splits sound like one person, nearest {names}; "
            f"{REMEDY}"
        )
    if people:
        raise UserError(
            f"{len(people)} names sound like two people each, first "
            f"{voices.names[people[0][0]]!r}; {REMEDY_OF_A_NAME}"
        )


def _pairs(pairs: AlikePairs, voices: SpeakerVoices, shown: Mapping[str, str]) -> dict[str, Any]:
    listed = [
        {
            "names": [shown[voices.names[first]], shown[voices.names[second]]],
            "splits": [voices.parts[first], voices.parts[second]],
            "cosine": round(cosine, DIGITS),
        }
        for first, second, cosine in pairs.nearest
    ]
    return {"compared": pairs.compared, "pairs": pairs.count, "listed": listed}


def _names(
    flags: Sequence[tuple[int, float, tuple[int, ...]]], voices: SpeakerVoices, listed: int,
    shown: Mapping[str, str],
) -> list[dict[str, Any]]:  # fmt: skip
    return [
        {
            "name": shown[voices.names[number]],
            "split": voices.parts[number],
            "pieces": len(voices.pieces[number]),
            "apart": len(smaller),
            "cosine": round(cosine, DIGITS),
        }
        for number, cosine, smaller in flags[:listed]
    ]
