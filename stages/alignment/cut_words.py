"""Words that are cut out of their clips at the times of each method."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fonoteka.alignment.emissions import emissions, frame_levels
from fonoteka.alignment.plain_path import plain_times
from fonoteka.audio.dsp import SAMPLE_RATE_HZ, Signal
from fonoteka.g2p.word_spans import word_phone_spans
from fonoteka.manifest import Utterance
from fonoteka.models.determinism import seed_of
from stages.alignment.placed_times import placed_times

ALIGNER, PLAIN, LATE, EXACT = "aligner", "plain_ctc", "aligner_50_ms_late", "exact"
METHODS = (ALIGNER, PLAIN, LATE, EXACT)
"""`exact` are the times of the corpus, for clips that have them: what the others can reach. The
aligner's cuts 50 ms later show how much worse a wrong time is."""

LATE_S = 0.05
MARGIN_S = 0.02
"""Silence on either side of a cut. On 150 words of the validation voices at their exact times, the
PER of whisper_ctc is 24 %, without silence 27 %, with 0.05 s 31 %; that of wav2vec2_ctc is 31, 29
and 40 %."""

Span = tuple[str, int, int]


@dataclass(frozen=True)
class CutWord:
    """A word of a clip, cut out at the times of each method that has times.

    Attributes:
        utterance: that it is a word of.
        phones: of the word.
        cuts: by method, the samples at 16 kHz with silence around, `[N]`.
    """

    utterance: Utterance
    phones: tuple[str, ...]
    cuts: Mapping[str, Signal]


def drawn_words(
    utterances: Sequence[Utterance], per_speaker: int, seed: int
) -> list[tuple[Utterance, list[Span]]]:
    """Return clips with the spans of those of their words that are drawn, sorted by id.

    The words of a speaker are put in an order by a hash of the seed, the clip's id and the place of
    the word, so a new clip replaces few others.

    Args:
        utterances: of which words are drawn.
        per_speaker: number of words; all if a speaker has fewer.
        seed: of the draw.
    """
    words: dict[str, list[tuple[int, str, Span]]] = defaultdict(list)
    for u in utterances:
        for span in word_phone_spans(u.normalized, u.language, u.phones):
            words[u.speaker].append((seed_of(seed, u.id, span[1]), u.id, span))
    drawn: dict[str, list[Span]] = defaultdict(list)
    for own in words.values():
        for _, key, span in sorted(own)[:per_speaker]:
            drawn[key].append(span)
    by_id = {u.id: u for u in utterances}
    return [(by_id[key], sorted(drawn[key], key=lambda span: span[1])) for key in sorted(drawn)]


def cut_words(
    utterance: Utterance, spans: Sequence[Span], log_probs: NDArray[np.float32], signal: Signal
) -> Iterator[CutWord]:
    """Yield words of a clip; none if it has too few frames for its phones.

    Args:
        utterance: of which words are cut.
        spans: of these words in its phones.
        log_probs: log posteriors of the recogniser that places the phones, `[T, V]`.
        signal: the clip, `[N]`.
    """
    scores = emissions(log_probs, frame_levels(signal, len(log_probs)))
    all_spans = word_phone_spans(utterance.normalized, utterance.language, utterance.phones)
    placed = placed_times(scores, utterance, all_spans)
    plain = plain_times(log_probs, utterance.phones, utterance.duration_s)
    if placed is None or plain is None:
        return
    late = [(start + LATE_S, end + LATE_S) for start, end in placed]
    times = {ALIGNER: placed, PLAIN: plain, LATE: late}
    if utterance.phone_times_s is not None:
        times[EXACT] = list(utterance.phone_times_s)
    for _, first, after in spans:
        cuts = {
            method: cut(signal, own[first][0], own[after - 1][1]) for method, own in times.items()
        }
        yield CutWord(utterance, utterance.phones[first:after], cuts)


def cut(signal: Signal, start_s: float, end_s: float) -> Signal:
    """Return the samples between two times, with `MARGIN_S` of silence on either side.

    >>> cut(np.ones(16_000, dtype=np.float32), 0.1, 0.3).nonzero()[0][[0, -1]].tolist()
    [320, 3519]
    """
    first, after = (round(s * SAMPLE_RATE_HZ) for s in (start_s, end_s))
    return np.pad(signal[first:after], round(MARGIN_S * SAMPLE_RATE_HZ))
