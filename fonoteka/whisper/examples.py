"""Training examples of Whisper: clip, prompt and target tokens, in batches of similar length.

The decoder's input is prompt and text, and its targets are the text and the end token. The prompt
is given, so it has no targets. Nothing is shortened: a clip or a text that is too long is an error.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor

from fonoteka.audio.dsp import SAMPLE_RATE_HZ, Signal
from fonoteka.core.errors import UserError
from fonoteka.core.files import unit_interval
from fonoteka.manifest import Utterance
from fonoteka.phones import SOUTH_SLAVIC
from fonoteka.text.transliteration import to_latin
from fonoteka.whisper.model import MARGIN_S, MAX_TOKENS, WINDOW_S, Whisper, input_length_s

SCRIPTS = ("latin", "as_written")
LONGEST_S = WINDOW_S - MARGIN_S
NO_TARGET = -100
"""Label of a position without a target: `ignore_index` of torch's cross entropy."""


@dataclass(frozen=True)
class TextClip:
    """A clip and what the decoder has to predict for it.

    Attributes:
        id: of the utterance.
        language: its code.
        count: number of samples at 16 kHz, T.
        sound: returns the samples `[T]`, which are decoded for each batch.
        prompt: start, language, task and no-timestamps token.
        tokens: of the text, without the end token.
    """

    id: str
    language: str
    count: int
    sound: Callable[[], Signal]
    prompt: tuple[int, ...]
    tokens: tuple[int, ...]

    @property
    def input_s(self) -> float:
        """The seconds of input that the clip needs alone."""
        return input_length_s(self.count)

    @property
    def samples(self) -> Signal:
        """The samples `[T]`."""
        return self.sound()


@dataclass(frozen=True)
class Targets:
    """Tokens of a batch.

    Attributes:
        inputs: of the decoder, `[B, L]`: prompt, text, then end tokens as padding.
        labels: the token that follows each input, `[B, L]`, or `NO_TARGET`.
    """

    inputs: Tensor
    labels: Tensor

    @property
    def count(self) -> int:
        """The number of positions with a target."""
        return int((self.labels != NO_TARGET).sum())


def target_text(utterance: Utterance, script: str) -> str:
    """Return the text as written, or with Serbian Cyrillic in Latin if `script` is `latin`.

    English texts are as written in any case: a Cyrillic letter there would be an error of the data.
    """
    latin = script == "latin" and utterance.language in SOUTH_SLAVIC
    return (to_latin(utterance.text) if latin else utterance.text).strip()


def make_example(
    whisper: Whisper, utterance: Utterance, sound: Callable[[], Signal], script: str
) -> TextClip:
    """Return the example of an utterance; `sound` returns its samples.

    Raises:
        UserError: the text is empty or too long, the clip is too long, or the language is unknown.
    """
    text, name = target_text(utterance, script), utterance.id
    if not text:
        raise UserError(f"{name}: its text is empty; correct the transcript or remove the clip")
    if (count := len(sound())) > LONGEST_S * SAMPLE_RATE_HZ:
        raise UserError(
            f"{name}: a clip of {count / SAMPLE_RATE_HZ:.1f} s; Whisper learns from at most "
            f"{LONGEST_S:.0f} s and {MARGIN_S:.0f} s of silence; cut it"
        )
    try:
        prompt = whisper.rules.prompt(utterance.language)
    except UserError as error:
        raise UserError(f"{name}: {error}") from error
    tokens = whisper.tokens(text)
    if (total := len(prompt) + len(tokens)) > MAX_TOKENS:
        raise UserError(
            f"{name}: its text and the prompt are {total} tokens; the most are {MAX_TOKENS}; "
            "cut the clip"
        )
    return TextClip(name, utterance.language, count, sound, tuple(prompt), tuple(tokens))


def make_examples(
    whisper: Whisper, utterances: Sequence[Utterance], clips: Mapping[str, Signal], script: str
) -> list[TextClip]:
    """Return the examples of utterances in their order; `clips` has their samples by id."""
    return [make_example(whisper, u, partial(clips.__getitem__, u.id), script) for u in utterances]


def make_targets(examples: Sequence[TextClip], end: int) -> Targets:
    """Return the decoder's inputs and labels of a batch; `end` is the end token.

    The label of the last position of the prompt is the first token of the text.
    """
    longest = max(len(e.prompt) + len(e.tokens) for e in examples)
    inputs = torch.full((len(examples), longest), end)
    labels = torch.full((len(examples), longest), NO_TARGET)
    for row, e in enumerate(examples):
        size = len(e.prompt) + len(e.tokens)
        inputs[row, :size] = torch.tensor([*e.prompt, *e.tokens])
        labels[row, len(e.prompt) - 1 : size] = torch.tensor([*e.tokens, end])
    return Targets(inputs, labels)


def batches_of(
    lengths: Sequence[float], size: int, rng: np.random.Generator, equal: bool = False
) -> list[list[int]]:
    """Return all clip numbers in batches of similar input length, in random order.

    Clips of equal length are in random order too, so batches differ between epochs.

    Args:
        lengths: seconds of input of each clip.
        size: most clips in a batch.
        rng: generator of the order.
        equal: whether a batch has one input length; some batches are then smaller.

    >>> sorted(batches_of([2.0, 3.0, 2.0], 2, np.random.default_rng(0), equal=True), key=len)[0]
    [1]
    """
    shuffled = rng.permutation(len(lengths)).tolist()
    order = sorted(shuffled, key=lambda i: lengths[i])
    groups: dict[float, list[int]] = defaultdict(list)
    for i in order:
        groups[lengths[i] if equal else 0.0].append(i)
    batches = [
        group[start : start + size]
        for _, group in sorted(groups.items())
        for start in range(0, len(group), size)
    ]
    return [batches[i] for i in rng.permutation(len(batches)).tolist()]


def drawn_share(
    languages: Sequence[str], shares: Mapping[str, float], rng: np.random.Generator
) -> list[int]:
    """Return the numbers of the clips of an epoch: a random share of each language, at least one.

    Args:
        languages: of each clip.
        shares: above 0, at most 1; 1 for languages that are not named.
        rng: generator of the draw.

    Raises:
        UserError: a share is out of range, or no clip has its language.

    >>> drawn_share(["en", "hr", "en"], {"en": 0.5}, np.random.default_rng(0))
    [0, 1]
    """
    for language, share in shares.items():
        if language not in languages or not 0 < share <= 1:
            raise UserError(
                f"language_share: {{{language}: {share}}} is not valid for the languages "
                f"{sorted({*languages})}; name one of them and a number above 0, at most 1, in "
                "params.yaml"
            )
    numbers: list[int] = []
    for language in sorted({*languages}):
        own = [i for i, other in enumerate(languages) if other == language]
        size = max(1, round(shares.get(language, 1.0) * len(own)))
        numbers += sorted(own[i] for i in rng.permutation(len(own))[:size].tolist())
    return sorted(numbers)


def evenly_drawn(utterances: Sequence[Utterance], count: int) -> list[Utterance]:
    """Return `count` utterances, as many per speaker and language as possible, sorted by id.

    The draw depends on ids alone. If there are fewer utterances, all are returned.
    """
    groups: dict[tuple[str, str], list[Utterance]] = defaultdict(list)
    for u in sorted(utterances, key=lambda u: unit_interval("evenly drawn", u.id)):
        groups[u.language, u.speaker].append(u)
    ranked = [
        (rank, unit_interval(*key), u)
        for key, group in sorted(groups.items())
        for rank, u in enumerate(group)
    ]
    ranked.sort(key=lambda item: item[:2])
    return sorted((u for _, _, u in ranked[:count]), key=lambda u: u.id)


def mask_spectrogram(
    mel: Tensor, masks: MaskParams, seeds: Sequence[int], frames: Sequence[int]
) -> Tensor:
    """Return log-mel bands `[B, bands, F]` with random spans of frames and of bands at 0.

    Args:
        mel: of a batch.
        masks: number and size of the spans.
        seeds: of each clip.
        frames: of each clip without its silence; only these are masked.

    Source: Park et al. 2019, "SpecAugment", arXiv:1904.08779.
    """
    masked = mel.clone()
    for row, seed, length in zip(masked, seeds, frames, strict=True):
        rng = np.random.default_rng(seed)
        for _ in range(masks.time_masks):
            row[:, _span(rng, masks.time_frames, length)] = 0.0
        for _ in range(masks.band_masks):
            row[_span(rng, masks.bands, len(row))] = 0.0
    return masked


@dataclass(frozen=True)
class MaskParams:
    """Random masks on the log-mel input, in training only.

    Attributes:
        time_masks: number of spans of frames per clip; 0 is off.
        time_frames: the longest span, in frames of 10 ms.
        band_masks: number of spans of bands per clip; 0 is off.
        bands: the widest span.
    """

    time_masks: int
    time_frames: int
    band_masks: int
    bands: int

    @property
    def on(self) -> bool:
        """Whether anything is masked."""
        return bool(self.time_masks * self.time_frames or self.band_masks * self.bands)


def _span(rng: np.random.Generator, longest: int, length: int) -> slice:
    size = int(rng.integers(0, min(longest, length) + 1))
    start = int(rng.integers(0, length - size + 1))
    return slice(start, start + size)
