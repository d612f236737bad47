"""What the models are trained on: utterances with their phones, or segments with one phone each."""

from __future__ import annotations

import os
import tempfile
import weakref
from array import array
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from fonoteka import manifest
from fonoteka.alignment.phone_rows import read_phone_rows
from fonoteka.core.errors import UserError
from fonoteka.manifest import Utterance
from fonoteka.models.ctc import bucket_by_length, ctc_loss, min_ctc_frames
from fonoteka.models.device import device_of
from fonoteka.models.frame_targets import UNKNOWN, frame_labels, phone_loss, spoken_frames
from fonoteka.models.heads import LstmShape, MlpShape, Shape, TdnnShape, new_head
from fonoteka.models.loop import LoopParams, TrainingTask
from fonoteka.models.oversampling import oversample
from fonoteka.models.parallel.batch_parts import WHOLE, BatchPart
from fonoteka.phones import LABELS, NUMBER
from fonoteka.scoring.decoding import frame_range
from fonoteka.shards import open_arrays


@dataclass(frozen=True)
class HeadParams(LoopParams):
    """What the sections of the heads share.

    Attributes:
        hidden: width.
        dropout: share of values dropped.
    """

    hidden: int
    dropout: float


@dataclass(frozen=True)
class CtcParams(HeadParams):
    """Section `ctc`.

    Attributes:
        dilations: of the time-delay layers, in frames.
        batch_frames: frames in a batch, padding included.
        mask_fraction: share of frames zeroed in spans of `mask_frames`, as SpecAugment does.
        mask_frames: length of a span.
        frame_weight: weight of each frame's phone in the loss, for clips with phone times.
        repeat: passes over a corpus per epoch, if not 1.
    """

    dilations: tuple[int, ...]
    batch_frames: int
    mask_fraction: float
    mask_frames: int
    frame_weight: float
    repeat: dict[str, int]


@dataclass(frozen=True)
class ReferenceParams:
    """Section `reference`: the LSTM that our head is compared with; all else is in `ctc`.

    Attributes:
        epochs: at most; fewer than ours, since one of its epochs takes several times as long.
        hidden: width, each direction.
        layers: of the LSTM.
        dropout: share of values dropped.
    """

    epochs: int
    hidden: int
    layers: int
    dropout: float


@dataclass(frozen=True)
class MlpParams(HeadParams):
    """Section `mlp`.

    Attributes:
        window: frames pooled around each frame of a clip, odd.
        batch_segments: segments in a batch.
    """

    window: int
    batch_segments: int


class HeadTask(TrainingTask, Protocol):
    """A task whose model is a head on embeddings."""

    shape: Shape
    left_out: int  # clips with fewer frames than phones, which no CTC path fits


@dataclass(frozen=True)
class CtcExample:
    """A clip to train on, without its embeddings, which are read for each batch.

    Attributes:
        key: of its embeddings `[T, D]`.
        phones: their numbers in order.
        labels: of each frame `[T]`, see `fonoteka.models.frame_targets`.
    """

    key: str
    phones: Tensor
    labels: Tensor


def _example(utterance: Utterance, key: str, count: int) -> CtcExample:
    """Return the example of a clip of `count` frames, or of the changed copy that `key` names."""
    unknown = np.full(count, UNKNOWN, dtype=np.int64)
    labels = frame_labels(utterance, count) if key == utterance.id else unknown
    phones = torch.tensor([NUMBER[phone] for phone in utterance.phones])
    return CtcExample(key, phones, torch.from_numpy(labels))


class CtcTask:
    """Utterances, their phone sequences and, where the corpus has them, the phones' times.

    A changed copy of a clip has another speed, which is not stored, so its times are unknown.

    With `reference` the head is that LSTM; batches, masks and the loop around are the same.
    """

    splits = True

    def __init__(
        self, embeddings: Path, train: Path, params: CtcParams,
        reference: ReferenceParams | None = None,
    ) -> None:  # fmt: skip
        utterances = manifest.read(train)
        if not utterances:
            raise UserError(f"{train}: no utterance to train on")
        self.arrays = arrays = open_arrays(embeddings)
        missing = sorted({u.id for u in utterances} - set(arrays))
        if missing:
            raise UserError(
                f"{embeddings}: {len(missing)} embeddings are missing, first {missing[0]!r}"
            )
        views: dict[str, list[str]] = defaultdict(list)
        for key in sorted(arrays):
            views[key.split("#")[0]].append(key)
        self.params = params
        pairs = [
            _example(u, key, arrays.shape(key)[0])
            for u in oversample(utterances, utterances, params.repeat)
            for key in views[u.id]
        ]
        self.items = [
            example
            for example in pairs
            if len(example.labels) >= min_ctc_frames(example.phones.tolist())
        ]
        self.left_out = len(pairs) - len(self.items)
        self.inputs: list[Tensor] = []  # of the batch that is computed in parts
        if not self.items:
            raise UserError(f"{train}: every clip has fewer frames than phones; check its texts")
        inputs = arrays.shape(self.items[0].key)[1]
        self.shape: Shape = (
            LstmShape(inputs, len(LABELS), reference.hidden, reference.layers, reference.dropout)
            if reference
            else TdnnShape(inputs, len(LABELS), params.hidden, params.dilations, params.dropout)
        )

    def new(self) -> nn.Module:
        """Return a head as it is before training."""
        return new_head(self.shape)

    def batches(self, seed: int) -> list[list[int]]:
        """Return clip numbers in batches of like length, in random order."""
        lengths = [len(example.labels) for example in self.items]
        return bucket_by_length(lengths, self.params.batch_frames, np.random.default_rng(seed))

    def loss(self, model: nn.Module, batch: list[int], part: BatchPart = WHOLE) -> Tensor:
        """Return the CTC loss per phone, and that of the frames whose phone is known."""
        every = [self.items[i] for i in batch]
        if not part.again:  # the masks of all parts, so that they do not depend on the parts
            embeddings = (torch.from_numpy(self.arrays[example.key]) for example in every)
            self.inputs = [self._masked(frames) for frames in embeddings]
        some, frames = part.take(every), part.take(self.inputs)
        if not some:
            return torch.zeros(())
        padded = nn.utils.rnn.pad_sequence(list(frames), batch_first=True)
        with part.draws():
            log_probs = on_processor(model, padded)
        phones = [example.phones for example in some]
        loss = ctc_loss(log_probs, phones, [len(f) for f in frames])
        loss = loss * _share(phones, [example.phones for example in every])
        if self.params.frame_weight:
            labels, all_labels = ([e.labels for e in examples] for examples in (some, every))
            share = spoken_frames(labels) / max(1, spoken_frames(all_labels))
            loss = loss + self.params.frame_weight * (phone_loss(log_probs, labels) * share)
        return loss

    def _masked(self, frames: Tensor) -> Tensor:
        span = self.params.mask_frames
        starts = torch.rand(len(frames)) < self.params.mask_fraction / max(1, span)
        if not starts.any():
            return frames
        hidden = torch.zeros(len(frames), dtype=torch.bool)
        for start in starts.nonzero()[:, 0].tolist():
            hidden[start : start + span] = True
        return frames.masked_fill(hidden[:, None], 0.0)


class SegmentMeans:
    """Vectors of segments, `[N, D]`, in a temporary file: those of 100,000 clips take 2.5 GB.

    The rows of a batch are read one by one: 512 rows of 1 kB take 0.5 ms from the page cache.
    """

    def __init__(self, folder: Path, width: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.file = tempfile.TemporaryFile(dir=folder, buffering=0)  # noqa: SIM115 - see below
        weakref.finalize(self, self.file.close)  # the task of a training is not a block
        self.width = width

    def add(self, vectors: NDArray[np.float32]) -> None:
        """Append vectors `[n, D]`."""
        self.file.write(vectors.astype("<f4").tobytes())

    def rows(self, numbers: Tensor) -> Tensor:
        """Return the vectors with the given numbers, `[B, D]`."""
        size, descriptor = 4 * self.width, self.file.fileno()
        parts = [os.pread(descriptor, size, number * size) for number in numbers.tolist()]
        return torch.frombuffer(bytearray(b"".join(parts)), dtype=torch.float32).view(
            len(parts), self.width
        )


class MlpTask:
    """Segments: the mean of the embeddings of one phone, or of silence, and its label."""

    splits = True

    def __init__(self, embeddings: Path, segments: Path, params: MlpParams, folder: Path) -> None:
        """Read the segments of the training part; `folder` is for a temporary file."""
        clips = read_phone_rows(segments, "train", ("phone", "silence"))
        if not clips:
            raise UserError(f"{segments}: no segment of the training part")
        arrays = open_arrays(embeddings, clips)
        width = arrays.shape(next(iter(clips)))[1]
        self.means, labels = SegmentMeans(folder, width), array("b")
        for utterance, rows in clips.items():
            frames = arrays[utterance]
            ranges = [frame_range(start_s, end_s, len(frames)) for _, start_s, end_s in rows]
            self.means.add(np.stack([frames[start:end].mean(axis=0) for start, end in ranges]))
            labels.extend(NUMBER[symbol] if symbol else 0 for symbol, _, _ in rows)
        self.params, self.left_out = params, 0
        self.labels = torch.tensor(labels, dtype=torch.int64)
        self.shape: Shape = MlpShape(
            width, len(LABELS), params.hidden, params.window, params.dropout
        )

    def new(self) -> nn.Module:
        """Return a head as it is before training."""
        return new_head(self.shape)

    def batches(self, seed: int) -> list[Tensor]:
        """Return segment numbers in random batches."""
        order = np.random.default_rng(seed).permutation(len(self.labels))
        return list(torch.split(torch.from_numpy(order), self.params.batch_segments))

    def loss(self, model: nn.Module, batch: Tensor, part: BatchPart = WHOLE) -> Tensor:
        """Return the cross entropy."""
        some = batch[part.index :: part.count]
        if not len(some):
            return torch.zeros(())
        with part.draws():
            log_probs = on_processor(model, self.means.rows(some)[:, None])[:, 0]
        return F.nll_loss(log_probs, self.labels[some]) * (len(some) / len(batch))


def on_processor(model: nn.Module, inputs: Tensor) -> Tensor:
    """Return a model's output as float32 on the processor, from any device.

    There losses are computed: torch's CTC has no deterministic gradient on a GPU, and posteriors of
    a batch have 3 MB.
    """
    outputs: Tensor = model(inputs.to(device_of(model)))
    return outputs.float().cpu()


def _share(part: list[Tensor], whole: list[Tensor]) -> float:
    """Return the share of a batch's phones that a part has."""
    return sum(map(len, part)) / sum(map(len, whole))
