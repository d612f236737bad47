"""Training of the small models: streams in pieces, with the state carried from piece to piece."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from fonoteka.core.errors import UserError
from fonoteka.models.causal import LayerShape, Stack, StackShape, State, build_stack, detach
from fonoteka.models.ctc import bucket_by_length
from fonoteka.models.device import device_of
from fonoteka.models.loop import LoopParams
from fonoteka.models.parallel.batch_parts import WHOLE, BatchPart
from fonoteka.realtime.events import Counts, event_counts, hop_counts, pick_peaks
from fonoteka.realtime.frame_labels import TASKS, Row, TaskSpec, delayed
from fonoteka.shards import read_arrays

Frames = NDArray[np.float32]
THRESHOLDS = tuple(round(0.1 * n, 1) for n in range(1, 10))
TOLERANCE_S = 0.02
STREAMS_AT_ONCE = 64  # of 30 s each: 0.2 GiB of states for 128 units
PADDING = -100
"""The label of hops after a stream's end: the value that `cross_entropy` ignores."""


@dataclass(frozen=True)
class SmallParams:
    """One model of section `train_realtime`.

    Attributes:
        delay: hops from a sound to the output for it.
        convolution: channels of the causal convolution; 0 leaves it out.
        gru: width of the GRU.
    """

    delay: int
    convolution: int
    gru: int

    def __post_init__(self) -> None:
        if min(self.delay, self.convolution) < 0 or self.gru < 1:
            raise UserError(
                "train_realtime.models: delay and convolution must be at least 0 and gru at "
                f"least 1, found {self.delay}, {self.convolution} and {self.gru}"
            )


@dataclass(frozen=True)
class TrainRealtimeParams(LoopParams):
    """Section `train_realtime`.

    Attributes:
        kernel: taps of each convolution.
        dropout: share of values dropped.
        bptt_hops: hops through which a gradient flows.
        batch_hops: hops in a batch, padding included.
        pos_weight: of a hop in which something happens, in the loss.
        models: by name.
    """

    kernel: int
    dropout: float
    bptt_hops: int
    batch_hops: int
    pos_weight: float
    models: dict[str, SmallParams]

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.bptt_hops < 1 or self.kernel < 1:
            raise UserError(
                "train_realtime: bptt_hops and kernel must be at least 1, found "
                f"{self.bptt_hops} and {self.kernel}"
            )


@dataclass(frozen=True)
class TrainingStream:
    """One stream of the training or validation part.

    Attributes:
        frames: `[T, M]`.
        rows: its phones with their times.
    """

    frames: Frames
    rows: list[Row]


def read_streams(streams: Path, times: Path, part: str) -> dict[str, TrainingStream]:
    """Return the streams of a part.

    Raises:
        ValueError: the part has no stream.
    """
    table = pd.read_parquet(times)
    table = table[table["part"] == part]
    if table.empty:
        raise UserError(f"{times}: no stream of the part {part}; run the stage realtime_features")
    rows: dict[str, list[Row]] = {
        str(key): list(zip(group["phone"], group["start_s"], group["end_s"], strict=True))
        for key, group in table.groupby("stream", sort=False)
    }
    arrays = read_arrays(streams, rows)
    return {key: TrainingStream(arrays[key], rows[key]) for key in sorted(rows)}


@dataclass
class Piece:
    """A piece of a batch of streams.

    Attributes:
        frames: `[B, T, M]`.
        labels: `[B, T]`; PADDING after a stream's end.
        state: a list that all pieces of a batch share; it contains the model's state.
    """

    frames: Tensor
    labels: Tensor
    state: list[State] = field(default_factory=list)


class RealtimeTask:
    """Streams with the label of each hop."""

    splits = False  # the state of a piece is that of all its streams

    def __init__(
        self,
        streams: Mapping[str, TrainingStream],
        name: str,
        params: TrainRealtimeParams,
        hop_s: float,
    ) -> None:
        """Label the streams."""
        self.params, self.small, self.spec = params, params.models[name], TASKS[name]
        self.items = [
            (torch.from_numpy(stream.frames), torch.from_numpy(labels_of(stream, self, hop_s)))
            for stream in streams.values()
        ]
        self.shape = shape_of(self.items[0][0].shape[1], self.spec, self.small, params)

    def new(self) -> nn.Module:
        """Return an untrained network."""
        return build_stack(self.shape)

    def batches(self, seed: int) -> list[Piece]:
        """Return all pieces, those of a stream in order."""
        rng = np.random.default_rng(seed)
        lengths = [len(frames) for frames, _ in self.items]
        pieces = []
        for numbers in bucket_by_length(lengths, self.params.batch_hops, rng):
            frames = nn.utils.rnn.pad_sequence([self.items[n][0] for n in numbers], True)
            labels = nn.utils.rnn.pad_sequence(
                [self.items[n][1] for n in numbers], True, padding_value=PADDING
            )
            shared_state: list[State] = []
            for start in range(0, frames.shape[1], self.params.bptt_hops):
                end = start + self.params.bptt_hops
                pieces.append(Piece(frames[:, start:end], labels[:, start:end], shared_state))
        return pieces

    def loss(self, model: nn.Module, batch: Piece, part: BatchPart = WHOLE) -> Tensor:
        """Return the cross entropy per hop, and keep the state for the next piece."""
        assert isinstance(model, Stack)
        assert part.count == 1
        frames = batch.frames.to(device_of(model))
        logits, state = model.logits(frames, batch.state.pop() if batch.state else ())
        logits = logits.float().cpu()
        batch.state.append(detach(state))
        if len(self.spec.names) > 1:
            return F.cross_entropy(logits.flatten(0, 1), batch.labels.flatten())
        labelled = batch.labels != PADDING
        weight = torch.tensor(self.params.pos_weight if self.spec.event else 1.0)
        return F.binary_cross_entropy_with_logits(
            logits[..., 0][labelled], batch.labels[labelled].float(), pos_weight=weight
        )


def labels_of(stream: TrainingStream, task: RealtimeTask, hop_s: float) -> NDArray[np.int64]:
    """Return the expected output at each hop, later by the model's delay."""
    labels = task.spec.labels(stream.rows, len(stream.frames), hop_s)
    return delayed(labels, task.small.delay)


def shape_of(
    inputs: int, spec: TaskSpec, small: SmallParams, params: TrainRealtimeParams
) -> StackShape:
    """Return the network of a model: a convolution, a GRU and the output layer."""
    convolution = LayerShape("conv", small.convolution or 1, params.kernel, 1, 1, "relu")
    activation = "softmax" if len(spec.names) > 1 else "sigmoid"
    layers = (
        *([convolution] if small.convolution else []),
        LayerShape("gru", small.gru, 1, 1, 1, "none"),
        LayerShape("dense", len(spec.names), 1, 1, 1, activation),
    )
    return StackShape(inputs, params.dropout, layers)


class Validator:
    """The validation streams, which models are scored on."""

    def __init__(
        self, streams: Mapping[str, TrainingStream], name: str, delay: int, hop_s: float
    ) -> None:
        """Take the streams of the validation part."""
        self.streams, self.spec = list(streams.values()), TASKS[name]
        self.delay, self.hop_s = delay, hop_s

    def error(self, model: nn.Module) -> float:
        """Return 1 less the F1 or the accuracy, at the best threshold."""
        return 1 - max(self.scores(model).values())

    def threshold(self, model: nn.Module) -> float:
        """Return the best threshold; the lowest of equally good ones."""
        scores = self.scores(model)
        return max(sorted(scores), key=lambda threshold: scores[threshold])

    @torch.inference_mode()
    def scores(self, model: nn.Module) -> dict[float, float]:
        """Return the score at each threshold; a model of several classes has one, under 0."""
        outputs = self._outputs(model)
        if len(self.spec.names) > 1:
            return {0.0: self._accuracy(outputs)}
        tries = THRESHOLDS if self.spec.event else (0.5,)
        return {threshold: self._f1(outputs, threshold) for threshold in tries}

    def _outputs(self, model: nn.Module) -> list[Frames]:
        """Return the outputs for each stream.

        Streams run side by side: one at a time, the steps of a GRU took a quarter of a training.
        The model is causal, so what follows the end of a shorter stream does not change it.
        """
        outputs: list[Frames] = []
        for first in range(0, len(self.streams), STREAMS_AT_ONCE):
            group = self.streams[first : first + STREAMS_AT_ONCE]
            padded = nn.utils.rnn.pad_sequence([torch.from_numpy(s.frames) for s in group], True)
            results = model(padded.to(device_of(model)))[0].cpu().numpy()
            outputs += [row[: len(s.frames)] for row, s in zip(results, group, strict=True)]
        return outputs

    def _labels(self, stream: TrainingStream) -> NDArray[np.int64]:
        labels = self.spec.labels(stream.rows, len(stream.frames), self.hop_s)
        return delayed(labels, self.delay)

    def _accuracy(self, outputs: Sequence[Frames]) -> float:
        correct = [
            int((output.argmax(axis=1) == self._labels(stream)).sum())
            for output, stream in zip(outputs, self.streams, strict=True)
        ]
        return sum(correct) / sum(map(len, outputs))

    def _f1(self, outputs: Sequence[Frames], threshold: float) -> float:
        total = Counts()
        for output, stream in zip(outputs, self.streams, strict=True):
            if self.spec.event:
                moments = (pick_peaks(output[:, 0], threshold) - self.delay + 0.5) * self.hop_s
                starts = sorted(start_s for _, start_s, _ in stream.rows)
                total += event_counts(moments.tolist(), starts, TOLERANCE_S)
            else:
                positive = (output[:, 0] > threshold).astype(np.int64)
                total += hop_counts(positive, self._labels(stream))
        return total.f1
