"""Heads that are trained with the copies of a recipe, and their errors on other speakers.

The speakers are held out in pairs: for each recipe and each pair a head on Whisper's embeddings is
trained on clips of the others with their copies, and recognises the phones of the pair. Every head
takes the same number of steps, because without a change the copies equal their clips.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from fonoteka.audio.augment import augment
from fonoteka.audio.dsp import Signal, levelled
from fonoteka.audio.recipe import NONE, AugmentRecipe, load_recipe
from fonoteka.bench.alignment.digits import DIGITS, DigitFile, digit_files
from fonoteka.bench.small_heads.ctc_step import ctc_step
from fonoteka.core.errors import UserError
from fonoteka.g2p.g2p import phones_of
from fonoteka.models.clip_encoder import ClipEncoder
from fonoteka.models.ctc import bucket_by_length, lr_at
from fonoteka.models.determinism import seed_of
from fonoteka.models.heads import TdnnShape, new_head
from fonoteka.phones import LABELS, NUMBER
from fonoteka.scoring.decoding import greedy
from fonoteka.scoring.error_rate import Errors, errors_by
from fonoteka.transcribe import load_recording

CONDITIONS = {"recorded": "none", "telephone": "telephone"}
"""What the heads are tested on: clips as they are, and copies by a recipe with another seed."""
LEVEL_DBFS = -23.0
HIDDEN, DILATIONS, DROPOUT = 64, (1, 2), 0.3
RATE, WARMUP, BATCH_FRAMES = 0.004, 0.1, 640
Embedding = NDArray[np.float32]


@dataclass(frozen=True)
class AugmentBenchParams:
    """How much is measured.

    Attributes:
        train_clips: of each speaker, to train on.
        test_clips: of each speaker, to recognise.
        copies: of each training clip.
        epochs: of each head.
        held_out: speakers that a head is not trained on.
        seeds: heads of each recipe and pair, whose errors are added.
    """

    train_clips: int = 50
    test_clips: int = 60
    copies: int = 2
    epochs: int = 6
    held_out: int = 2
    seeds: int = 2


@dataclass(frozen=True)
class DigitClip:
    """A spoken digit.

    Attributes:
        id: name of its file.
        speaker: who speaks.
        signal: at 16 kHz and one level, `[N]`.
        phones: of its word.
    """

    id: str
    speaker: str
    signal: Signal
    phones: tuple[str, ...]


@dataclass(frozen=True)
class TrainedClip:
    """An embedding `[T, D]` with the numbers of its phones."""

    frames: Tensor
    phones: Tensor


def digit_clips(folder: Path, params: AugmentBenchParams) -> dict[str, list[DigitClip]]:
    """Return clips of each speaker, takes of all digits in turns: first those to train on.

    Raises:
        UserError: the folder has too few clips or speakers.
    """
    paths: dict[str, list[DigitFile]] = defaultdict(list)
    for file in digit_files(folder):
        paths[file.speaker].append(file)
    needed = params.train_clips + params.test_clips
    least = min(map(len, paths.values()), default=0)
    if len(paths) <= params.held_out or least < needed:
        raise UserError(
            f"{folder}: {len(paths)} speakers with at least {least} digits each; give a folder of "
            f"the Free Spoken Digit Dataset with more than {params.held_out} and {needed}"
        )
    return {
        speaker: [_clip(file) for file in sorted(files, key=_by_take)[:needed]]
        for speaker, files in paths.items()
    }


def _by_take(file: DigitFile) -> tuple[int, int]:
    return file.take, file.digit


def _clip(file: DigitFile) -> DigitClip:
    signal = levelled(load_recording(file.path), LEVEL_DBFS)
    phones = phones_of(DIGITS[file.digit], "en")
    return DigitClip(file.path.stem, file.speaker, signal, phones)


def copies_of(
    encoder: ClipEncoder, clips: Sequence[DigitClip], recipe: AugmentRecipe, numbers: range
) -> list[Embedding]:
    """Return embeddings of copies of each clip; the number of a copy is part of its seed."""
    embeddings = []
    for clip in clips:
        for number in numbers:
            rng = np.random.default_rng(seed_of(1, "bench augment", clip.id, number))
            embeddings.append(encoder.embed(augment(clip.signal, recipe, rng)[0]))
    return embeddings


def trained_head(examples: Sequence[TrainedClip], epochs: int, seed: int) -> nn.Module:
    """Return a head that was trained on all examples, in the order that the seed draws."""
    torch.manual_seed(seed)
    width = examples[0].frames.shape[1]
    head = new_head(TdnnShape(width, len(LABELS), HIDDEN, DILATIONS, DROPOUT))
    optimizer = torch.optim.AdamW(head.parameters(), RATE, weight_decay=0.01)
    lengths = [len(example.frames) for example in examples]
    head.train()
    for epoch in range(epochs):
        order = bucket_by_length(lengths, BATCH_FRAMES, np.random.default_rng(seed_of(seed, epoch)))
        for number, batch in enumerate(order):
            share = (epoch + (number + 0.5) / len(order)) / epochs
            clips, rate = [examples[i] for i in batch], RATE * lr_at(share, WARMUP)
            ctc_step(head, optimizer, rate, [e.frames for e in clips], [e.phones for e in clips])
    return head.eval()


@torch.inference_mode()
def errors_of(
    head: nn.Module, clips: Sequence[DigitClip], embeddings: Sequence[Embedding]
) -> dict[str, Errors]:
    """Return the errors of a head by speaker."""
    decoded = [
        [segment.symbol for segment in greedy(head(torch.from_numpy(frames)[None])[0].numpy())]
        for frames in embeddings
    ]
    return errors_by([c.speaker for c in clips], [c.phones for c in clips], decoded)


class RecipeComparison:
    """Clips, the embeddings of those to recognise, and the errors of each recipe."""

    def __init__(self, folder: Path, encoder: ClipEncoder, params: AugmentBenchParams) -> None:
        self.encoder, self.params = encoder, params
        clips = digit_clips(folder, params)
        self.speakers = sorted(clips)
        self.train = {s: rows[: params.train_clips] for s, rows in clips.items()}
        self.test = {s: rows[params.train_clips :] for s, rows in clips.items()}
        # Number 0 belongs to no training copy, so a test copy has draws of its own.
        self.tests = {
            condition: {
                s: copies_of(encoder, rows, load_recipe(recipe, "bench augment"), range(1))
                for s, rows in self.test.items()
            }
            for condition, recipe in CONDITIONS.items()
        }
        self.plain = {s: copies_of(encoder, r, NONE, range(1, 2)) for s, r in self.train.items()}

    @property
    def pairs(self) -> list[list[str]]:
        """The speakers that are held out together."""
        size = self.params.held_out
        return [self.speakers[n : n + size] for n in range(0, len(self.speakers), size)]

    def errors_with(self, recipe: AugmentRecipe) -> dict[str, dict[str, Errors]]:
        """Return the errors on each condition by speaker, each by heads of the others."""
        examples = {s: self._examples(s, recipe) for s in self.speakers}
        result: dict[str, dict[str, Errors]] = {condition: {} for condition in self.tests}
        for pair in self.pairs:
            others = [e for s in self.speakers if s not in pair for e in examples[s]]
            for seed in range(self.params.seeds):
                head = trained_head(others, self.params.epochs, seed_of("head", seed, *pair))
                for condition, tests in self.tests.items():
                    clips = [clip for s in pair for clip in self.test[s]]
                    frames = [embedding for s in pair for embedding in tests[s]]
                    for speaker, counts in errors_of(head, clips, frames).items():
                        total = result[condition].get(speaker, Errors()) + counts
                        result[condition][speaker] = total
        return result

    def _examples(self, speaker: str, recipe: AugmentRecipe) -> list[TrainedClip]:
        """Return a speaker's clips and their copies."""
        clips, copies = self.train[speaker], self.params.copies
        changed = (
            copies_of(self.encoder, clips, recipe, range(1, copies + 1))
            if recipe.changes
            else [frames for frames in self.plain[speaker] for _ in range(copies)]
        )
        owners = [clip for clip in clips for _ in range(copies)]
        pairs = zip([*clips, *owners], [*self.plain[speaker], *changed], strict=True)
        return [
            TrainedClip(
                torch.from_numpy(frames), torch.tensor([NUMBER[phone] for phone in clip.phones])
            )
            for clip, frames in pairs
        ]
