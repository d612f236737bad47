"""What the recogniser with bounded context learns: phones, their frames, a teacher's posteriors.

The teacher sees the whole clip. Its posteriors state in which frame a phone is predicted, so the
pupil does not learn to wait for more sound, which CTC alone teaches a model that sees no future.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from fonoteka import manifest
from fonoteka.audio.augment import augment
from fonoteka.audio.dsp import FRAME_HOP, SAMPLE_RATE_HZ, Signal
from fonoteka.audio.recipe import AugmentRecipe
from fonoteka.audio.surroundings import Surroundings
from fonoteka.core.errors import UserError
from fonoteka.core.files import read_json
from fonoteka.manifest import Utterance
from fonoteka.models.ctc import bucket_by_length, ctc_loss, min_ctc_frames
from fonoteka.models.device import device_of
from fonoteka.models.frame_targets import frame_labels, phone_loss, spoken_frames
from fonoteka.models.heads import TdnnShape, load_head, posteriors
from fonoteka.models.loop import LoopParams
from fonoteka.models.oversampling import oversample
from fonoteka.models.parallel.batch_parts import WHOLE, BatchPart
from fonoteka.models.stream.causal_head import CausalTdnnHead
from fonoteka.models.stream.stream_encoder import StreamEncoder, StreamShape
from fonoteka.models.stream.stream_step import StreamStep
from fonoteka.models.whisper_encoder import load_short_encoder
from fonoteka.phones import LABELS, NUMBER
from fonoteka.shards import open_arrays, open_clips

Array = NDArray[np.float32]


@dataclass(frozen=True)
class TrainStreamParams(LoopParams):
    """Section `train_stream`.

    Attributes:
        shape: of the stream: layers of the encoder, and frames that a frame depends on.
        train_chunk: frames per step in training, at most a step with its look-ahead. It has the
            same last frame in view, so the look-ahead is shorter. A step of 4 frames and 1 more
            costs half of a step of 2 frames and 3 more.
        hidden: width of the head.
        dilations: of the head's time-delay layers, in frames.
        dropout: of the head.
        head_rate: learning rate of the head, as a multiple of that of the encoder.
        batches: per epoch, drawn without a clip twice.
        batch_s: seconds of sound in a batch, padding included.
        valid_clips: of the validation split, on which an epoch is judged.
        frame_weight: weight of each frame's phone in the loss, for clips with phone times.
        teacher_weight: weight of the cross entropy with the teacher's posteriors.
        augmented_fraction: share of the clips that are changed as by a new speaker or room.
        gain_db: largest change of a clip's level, up or down.
        augment: name of the recipe of the other changes.
        around: silence and noise around a clip.
        repeat: passes over a corpus per epoch, if not 1.
    """

    shape: StreamShape
    train_chunk: int
    hidden: int
    dilations: tuple[int, ...]
    dropout: float
    head_rate: float
    batches: int
    batch_s: float
    valid_clips: int
    frame_weight: float
    teacher_weight: float
    augmented_fraction: float
    gain_db: float
    augment: str
    around: Surroundings
    repeat: dict[str, int]

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.batches < 1 or self.valid_clips < 1 or not self.head_rate > 0:
            raise UserError(
                "train_stream: batches, valid_clips and head_rate must be above 0, found "
                f"{self.batches}, {self.valid_clips} and {self.head_rate}; change them in "
                "params.yaml"
            )
        visible = self.shape.chunk + self.shape.look_ahead
        if not 1 <= self.train_chunk <= visible or self.shape.history % self.train_chunk:
            raise UserError(
                f"train_stream: train_chunk must be 1 to {visible} frames, a chunk with its "
                f"look-ahead, and divide history, {self.shape.history}, found {self.train_chunk}; "
                "change it in params.yaml"
            )

    @property
    def train_shape(self) -> StreamShape:
        """The shape of the stream in training."""
        after = self.shape.chunk + self.shape.look_ahead - self.train_chunk
        return replace(self.shape, chunk=self.train_chunk, look_ahead=after)


@dataclass(frozen=True)
class StreamClip:
    """What of a clip stays in memory.

    Attributes:
        id: of the utterance.
        samples: their number.
        phones: their numbers in order.
        labels: of each frame `[T]`, see `fonoteka.models.frame_targets`.
    """

    id: str
    samples: int
    phones: Tensor
    labels: NDArray[np.int64]


@dataclass(frozen=True)
class StreamExample:
    """A clip to train on, as a batch has it.

    Attributes:
        signal: samples `[N]`.
        phones: their numbers in order.
        labels: of each frame `[T]`, see `fonoteka.models.frame_targets`.
        teacher: posteriors of each frame `[T, V]`.
    """

    signal: Signal
    phones: Tensor
    labels: NDArray[np.int64]
    teacher: Array


class StreamTask:
    """Batches and loss of the recogniser with bounded context, for `fonoteka.models.loop`."""

    splits = True

    def __init__(
        self, encoder: Path, teacher: Path, embeddings: Path, train: Path, audio: Path,
        params: TrainStreamParams, recipe: AugmentRecipe,
    ) -> None:  # fmt: skip
        utterances = manifest.read(train)
        if not utterances:
            raise UserError(f"{train}: no utterance to train on")
        self.encoder, self.params, self.recipe = encoder, params, recipe
        self.signals = open_clips(audio, {u.id: u.audio for u in utterances})
        self.embeddings = open_arrays(embeddings, self.signals)
        self.teacher, _ = load_head(teacher)
        every = [_clip(u, self.signals.samples(u.id)) for u in utterances]
        usable = {c.id for c in every if len(c.labels) >= min_ctc_frames(c.phones.tolist())}
        self.left_out = len(every) - len(usable)
        if not usable:
            raise UserError(f"{train}: every clip has fewer frames than phones; check its texts")
        repeated = oversample(utterances, every, params.repeat)
        self.items = [clip for clip in repeated if clip.id in usable]
        self.changed: list[StreamExample] = []  # of the batch that is computed in parts

    @property
    def head_shape(self) -> TdnnShape:
        """The shape of the head."""
        width = int(read_json(self.encoder / "config.json")["d_model"])
        params = self.params
        return TdnnShape(
            width, len(LABELS), params.hidden, params.dilations, params.dropout
        )  # fmt: skip

    def new(self) -> nn.Module:
        """Return Whisper's encoder with bounded context and an untrained head."""
        encoder = StreamEncoder(load_short_encoder(self.encoder).encoder, self.params.train_shape)
        # The convolutions are a filterbank, which 90 seconds of training do not improve.
        encoder.conv1.requires_grad_(requires_grad=False)
        encoder.conv2.requires_grad_(requires_grad=False)
        return StreamStep(encoder, CausalTdnnHead(self.head_shape))

    def groups(self, model: nn.Module) -> list[dict[str, Any]]:
        """Return the parameters that are trained, the head at a higher rate."""
        assert isinstance(model, StreamStep)
        encoder = [weights for weights in model.encoder.parameters() if weights.requires_grad]
        return [
            {"params": encoder, "rate": 1.0},
            {"params": list(model.head.parameters()), "rate": self.params.head_rate},
        ]

    def batches(self, seed: int) -> list[tuple[int, list[int]]]:
        """Return the batches of one epoch: a seed for its changes, and numbers of clips."""
        # On average each of the two silences of a clip has half of the longest length.
        silence = round(self.params.around.pause_max_s * SAMPLE_RATE_HZ)
        lengths = [clip.samples + silence for clip in self.items]
        limit = self.params.batch_s * SAMPLE_RATE_HZ
        buckets = bucket_by_length(lengths, limit, np.random.default_rng(seed))
        return [(seed + n, clips) for n, clips in enumerate(buckets[: self.params.batches])]

    def example(self, number: int) -> StreamExample:
        """Return a clip with its samples and the teacher's posteriors of it."""
        clip = self.items[number]
        taught = np.exp(posteriors(self.teacher, self.embeddings[clip.id]))
        assert len(taught) == len(clip.labels), clip.id
        return StreamExample(self.signals[clip.id], clip.phones, clip.labels, taught)

    def loss(
        self, model: nn.Module, batch: tuple[int, list[int]], part: BatchPart = WHOLE
    ) -> Tensor:  # fmt: skip
        """Return the CTC loss per phone, with those of the frames and of the teacher."""
        assert isinstance(model, StreamStep)
        seed, clips = batch
        if not part.again:  # all of them, because the changes come from one generator
            rng = np.random.default_rng(seed)
            self.changed = [self._changed(self.example(clip), rng) for clip in clips]
        examples = part.take(self.changed)
        if not examples:
            return torch.zeros(())
        signals = [torch.from_numpy(example.signal) for example in examples]
        # A frame depends on a bounded part of the clip, so the zeros after a clip change nothing
        # but the frames that its own end would complete with zeros too.
        samples = nn.utils.rnn.pad_sequence(signals, batch_first=True)
        with part.draws():
            log_probs = model.head(model.encoder(samples.to(device_of(model)))).float().cpu()
        return self._loss_of(log_probs, examples)

    def _loss_of(self, log_probs: Tensor, examples: Sequence[StreamExample]) -> Tensor:
        """Return what some examples of the batch contribute to its loss."""
        share = [_counts(examples), _counts(self.changed)]
        of_phones, of_spoken, of_frames = (
            own / max(1, whole) for own, whole in zip(*share, strict=True)
        )
        frames = [len(example.labels) for example in examples]
        phones = [example.phones for example in examples]
        loss = ctc_loss(log_probs, phones, frames) * of_phones
        labels = [torch.from_numpy(example.labels) for example in examples]
        loss = loss + self.params.frame_weight * (phone_loss(log_probs, labels) * of_spoken)
        of_teacher = torch.cat(
            [-(torch.from_numpy(e.teacher) * row[: len(e.teacher)]).sum(-1)
             for e, row in zip(examples, log_probs, strict=True)]
        )  # fmt: skip
        total: Tensor = loss + self.params.teacher_weight * (of_teacher.mean() * of_frames)
        return total

    def _changed(self, example: StreamExample, rng: np.random.Generator) -> StreamExample:
        """Return an example at another level and, in some draws, changed as by a new speaker.

        Silence around it has no phone, and its teacher is sure of that.
        """
        gain = 10 ** (rng.uniform(-1, 1) * self.params.gain_db / 20)
        example = replace(example, signal=(gain * example.signal).astype(np.float32))
        if rng.random() < self.params.augmented_fraction:
            example = self._augmented(example, rng)
        signal, before, after = self.params.around.add_to(example.signal, rng)
        labels = np.pad(example.labels, (before, after))
        teacher = np.pad(example.teacher, ((before, after), (0, 0)))
        teacher[:before, 0] = teacher[len(teacher) - after :, 0] = 1
        return StreamExample(signal, example.phones, labels, teacher)

    def _augmented(self, example: StreamExample, rng: np.random.Generator) -> StreamExample:
        """Return an example that the recipe has changed."""
        changed, factor = augment(example.signal, self.recipe, rng)
        frames = -(-len(changed) // FRAME_HOP)
        # The changed clip is `factor` times as fast, so its frame t is frame `factor * t` before.
        places = np.minimum((np.arange(frames) * factor).astype(int), len(example.labels) - 1)
        return StreamExample(
            changed, example.phones, example.labels[places], example.teacher[places]
        )


def _counts(examples: Sequence[StreamExample]) -> tuple[int, int, int]:
    """Return the numbers of phones, of frames with a phone, and of frames."""
    phones = sum(len(example.phones) for example in examples)
    spoken = spoken_frames([torch.from_numpy(example.labels) for example in examples])
    return phones, spoken, sum(len(example.labels) for example in examples)


def _clip(utterance: Utterance, samples: int) -> StreamClip:
    labels = frame_labels(utterance, -(-samples // FRAME_HOP))
    phones = torch.tensor([NUMBER[phone] for phone in utterance.phones])
    return StreamClip(utterance.id, samples, phones, labels)
