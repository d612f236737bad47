"""Compare an exported Whisper model with torch, and an int8 file with its fp32 file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, repeat

import numpy as np
from numpy.typing import NDArray

from fonoteka.audio.dsp import Signal
from fonoteka.core.errors import UserError
from fonoteka.whisper.decode import Recogniser, Step, hypotheses, recognise
from fonoteka.whisper.rules import input_length_s
from fonoteka.whisper.word_scores import canonical, word_errors


@dataclass(frozen=True)
class CheckClip:
    """A clip to check with.

    Attributes:
        id: for errors.
        language: of the clip.
        text: reference, canonical.
        signal: samples at 16 kHz.
    """

    id: str
    language: str
    text: str
    signal: Signal


def batches_of(clips: Sequence[CheckClip], sizes: Sequence[int]) -> Iterator[list[CheckClip]]:
    """Yield all clips in batches of each size, sorted by length; the last one may be smaller."""
    ordered = sorted(clips, key=lambda clip: (len(clip.signal), clip.id))
    for size in sizes:
        for start in range(0, len(ordered), size):
            yield ordered[start : start + size]


def check_parity(
    name: str, exported: Recogniser, reference: Recogniser,
    batches: Sequence[Sequence[CheckClip]], max_error: float,
) -> float:  # fmt: skip
    """Return the largest difference of a log probability between a model and its reference.

    Each decoding step is compared over all tokens of the vocabulary.

    Args:
        name: of the model, for errors.
        exported: the exported model.
        reference: the model in torch.
        batches: clips that are decoded side by side, their input as long as the longest needs it.
        max_error: the tolerance.

    Raises:
        UserError: the difference is above `max_error`, or a decoded token differs.
    """
    largest = 0.0
    for batch in batches:
        input_s = max(input_length_s(len(clip.signal)) for clip in batch)
        signals = [clip.signal for clip in batch]
        languages = [clip.language for clip in batch]
        pair = _Pair(reference.start(signals, input_s), exported.start(signals, input_s))
        expected = hypotheses(pair.step, signals, languages, reference.rules)
        # Both got the tokens that the reference chose; another choice is a difference.
        actual = hypotheses(pair.replay(), signals, languages, exported.rules)
        place = f"{name}: {batch[0].id}" + f" and {len(batch) - 1} more" * (len(batch) > 1)
        if not pair.largest <= max_error:
            raise UserError(
                f"{place}: max abs error {pair.largest:.2e} against torch; allowed is {max_error}"
            )
        if [own.tokens for own in actual] != [own.tokens for own in expected]:
            raise UserError(f"{place}: its decoded tokens differ from those of torch")
        largest = max(largest, pair.largest)
    return largest


@dataclass
class _Pair:
    """Two decoders that get the same tokens; the first one's logits decide.

    Attributes:
        first, second: their steps.
        logits: of the second, step after step.
        largest: difference of a log probability so far.
    """

    first: Step
    second: Step
    logits: list[NDArray[np.float32]] = field(default_factory=list)
    largest: float = 0.0

    def step(self, tokens: NDArray[np.int64]) -> NDArray[np.float32]:
        ours, theirs = self.first(tokens), self.second(tokens)
        error = float(np.abs(log_softmax(ours) - log_softmax(theirs)).max())
        self.largest = error if np.isnan(error) else max(self.largest, error)
        self.logits.append(theirs)
        return ours

    def replay(self) -> Step:
        """Return a step with the logits of the second; the last ones are repeated."""
        steps = chain(self.logits, repeat(self.logits[-1]))
        return lambda _: next(steps)


def log_softmax(logits: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return log probabilities `[B, V]` of logits `[B, V]`.

    >>> log_softmax(np.zeros((1, 2), dtype=np.float32)).round(3).tolist()
    [[-0.693, -0.693]]
    """
    shifted = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
    result: NDArray[np.float64] = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return result


def word_error_rate(model: Recogniser, clips: Sequence[CheckClip], batch: int) -> float:
    """Return the WER of canonical texts, of at most `batch` clips side by side.

    The scale of an int8 input is computed over a batch, so a batch would change the texts of an
    int8 file: 1 is right for it.
    """
    signals, languages = [clip.signal for clip in clips], [clip.language for clip in clips]
    texts = [result.text for result in recognise(model, signals, languages, batch=batch)]
    decoded = [canonical(t, code)[0] for t, code in zip(texts, languages, strict=True)]
    return word_errors([clip.text for clip in clips], decoded, "wer").rate
