"""Greedy decoding of Whisper, the same for torch and for ONNX Runtime.

A decoder is a function from the next tokens to logits; the rules, the limit and the test for loops
are here. Without a limit the released weights repeat a phrase for ever on inputs shorter than 30 s.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from fonoteka.audio.dsp import SAMPLE_RATE_HZ, Signal
from fonoteka.whisper.rules import MAX_TOKENS, WINDOW_S, TokenRules, input_length_s

Step = Callable[[NDArray[np.int64]], NDArray[np.float32]]
"""Takes the tokens that follow those before, `[B, N]`; returns the last one's logits, `[B, V]`."""


class Recogniser(Protocol):
    """A Whisper model: `fonoteka.whisper.model.Whisper`, or an exported one."""

    @property
    def rules(self) -> TokenRules:
        """The tokens that steer decoding."""
        ...

    def start(self, signals: Sequence[Signal], input_s: float) -> Step:
        """Return the step of a decoder that starts with clips, silence added to `input_s`."""
        ...

    def text(self, tokens: Sequence[int]) -> str:
        """Return the text of tokens, without special tokens and outer spaces."""
        ...


COMPRESSION = 2.4
"""A text with more bytes per byte of zlib repeats itself; the limit of OpenAI's Whisper."""

FIRST_TOKENS, TOKENS_PER_S = 16, 16
"""Limit of a text: fast Serbian speech has 12 tokens per second, and a short clip some more."""


@dataclass(frozen=True)
class Hypothesis:
    """The decoded tokens of one clip.

    Attributes:
        tokens: of the text, without prompt and end token.
        log_prob: mean log probability of the tokens, the end token among them.
        finished: False if the limit ended the text.
    """

    tokens: tuple[int, ...]
    log_prob: float
    finished: bool


@dataclass(frozen=True)
class Recognised:
    """The text of one clip.

    Attributes:
        text: without special tokens.
        log_prob: mean log probability of its tokens.
        looped: whether the text of the short input was a loop, so that the clip was decoded again
            with 30 s of input.
        loops: whether the text is still a loop.
    """

    text: str
    log_prob: float
    looped: bool
    loops: bool


def token_limit(seconds: float) -> int:
    """Return the most tokens of the text of a clip.

    >>> token_limit(2.0), token_limit(30.0)
    (48, 440)
    """
    return min(FIRST_TOKENS + round(TOKENS_PER_S * seconds), MAX_TOKENS - 8)


def greedy(
    step: Step, prompts: Sequence[Sequence[int]], rules: TokenRules, limits: Sequence[int]
) -> list[Hypothesis]:
    """Return the most probable token after token of each clip of a batch.

    Args:
        step: of a decoder that was started with the states of the clips.
        prompts: of equal lengths.
        rules: suppressed tokens and the end token.
        limits: most tokens of each text.
    """
    count = len(prompts)
    texts: list[list[int]] = [[] for _ in range(count)]
    log_probs, finished = np.zeros(count), np.zeros(count, dtype=bool)
    stamps = range(rules.no_timestamps, rules.first_timestamp + 1501)
    suppressed = np.array([*rules.suppressed, *stamps])
    tokens = np.asarray(prompts, dtype=np.int64)
    for position in range(max(limits)):
        # In double precision, so that the sum over all tokens has no error of its own.
        logits = step(tokens).astype(np.float64)
        if not position:
            logits[:, list(rules.suppressed_first)] = -np.inf
            suppressed = suppressed[suppressed < logits.shape[1]]
        logits[:, suppressed] = -np.inf
        best = logits.argmax(axis=1)
        peak = logits.max(axis=1)
        log_prob = -np.log(np.exp(logits - peak[:, None]).sum(axis=1))
        for row in range(count):
            if finished[row] or position >= limits[row]:
                continue
            log_probs[row] += log_prob[row]
            if best[row] == rules.end:
                finished[row] = True
            else:
                texts[row].append(int(best[row]))
        if all(done or position + 1 >= limit for done, limit in zip(finished, limits, strict=True)):
            break
        tokens = best[:, None]
    return [
        Hypothesis(tuple(text), float(total / max(len(text) + done, 1)), bool(done))
        for text, total, done in zip(texts, log_probs, finished, strict=True)
    ]


def hypotheses(
    step: Step, signals: Sequence[Signal], languages: Sequence[str], rules: TokenRules
) -> list[Hypothesis]:
    """Return the hypotheses of clips `[T]` at 16 kHz with whose states a decoder was started.

    Raises:
        UserError: a language is unknown.
    """
    prompts = [rules.prompt(language) for language in languages]
    limits = [token_limit(len(signal) / SAMPLE_RATE_HZ) for signal in signals]
    return greedy(step, prompts, rules, limits)


def is_loop(text: str, finished: bool) -> bool:
    """Return whether a text repeats itself or did not end before its limit.

    >>> is_loop("a b c d", True), is_loop("no, " * 40, True)
    (False, True)
    """
    data = text.encode()
    return not finished or len(data) / len(zlib.compress(data)) > COMPRESSION


def recognise(
    whisper: Recogniser, signals: Sequence[Signal], languages: Sequence[str], *,
    short: bool = True, batch: int = 8,
) -> list[Recognised]:  # fmt: skip
    """Return the texts of clips, in their order.

    Clips of equal input length are decoded side by side; a clip whose text loops is decoded again
    with 30 s of input.

    Args:
        whisper: the model.
        signals: clips `[T]` at 16 kHz, at most 30 s each.
        languages: of each clip.
        short: False pads every clip to 30 s, as transformers does.
        batch: most clips side by side.

    Raises:
        UserError: a clip is too long, or a language is unknown.
    """
    lengths = [input_length_s(len(signal)) if short else WINDOW_S for signal in signals]
    results: dict[int, Recognised] = {}
    for length in sorted(set(lengths)):
        numbers = [i for i, own in enumerate(lengths) if own == length]
        for start in range(0, len(numbers), batch):
            some = numbers[start : start + batch]
            clips = [signals[i] for i in some]
            spoken = [languages[i] for i in some]
            results |= zip(some, _batch(whisper, clips, spoken, length), strict=True)
    if short:
        again = [i for i, result in sorted(results.items()) if result.loops]
        redone = recognise(
            whisper, [signals[i] for i in again], [languages[i] for i in again], short=False,
            batch=batch,
        ) if again else []  # fmt: skip
        for i, result in zip(again, redone, strict=True):
            results[i] = Recognised(result.text, result.log_prob, True, result.loops)
    return [results[i] for i in range(len(signals))]


def _batch(
    whisper: Recogniser, signals: Sequence[Signal], languages: Sequence[str], input_s: float
) -> list[Recognised]:
    step = whisper.start(signals, input_s)
    results = []
    for hypothesis in hypotheses(step, signals, languages, whisper.rules):
        text = whisper.text(hypothesis.tokens)
        loops = is_loop(text, hypothesis.finished)
        results.append(Recognised(text, hypothesis.log_prob, False, loops))
    return results
