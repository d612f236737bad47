"""Training of the small models: streams in pieces, with the state carried from piece to piece."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from fonoteka.alignment.phone_rows import Row, StoredPhones, read_table
from fonoteka.core.errors import UserError
from fonoteka.models.causal import LayerShape, Stack, StackShape, State, build_stack, detach
from fonoteka.models.ctc import bucket_by_length
from fonoteka.models.device import device_of
from fonoteka.models.loop import LoopParams
from fonoteka.models.parallel.batch_parts import WHOLE, BatchPart
from fonoteka.realtime.events import Counts, event_counts, hop_counts, pick_peaks
from fonoteka.realtime.frame_labels import TASKS, TaskSpec, delayed
from fonoteka.shards import StoredArrays, open_arrays

Frames = NDArray[np.float32]
THRESHOLDS = tuple(round(0.1 * n, 1) for n in range(1, 10))
TOLERANCE_S = 0.02
STREAMS_AT_ONCE = 32  # of 30 s each: 0.1 GiB of states for 128 units
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


class StoredStreams(Mapping[str, TrainingStream]):
    """Streams by name; the frames of each are read when it is asked for."""

    def __init__(self, arrays: StoredArrays, rows: StoredPhones) -> None:
        self.arrays, self.rows = arrays, rows

    def __getitem__(self, key: str) -> TrainingStream:
        return TrainingStream(self.arrays[key], self.rows[key])

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self.rows))

    def __len__(self) -> int:
        return len(self.rows)


def read_streams(streams: Path, times: Path, part: str) -> StoredStreams:
    """Return the streams of a part.

    Raises:
        ValueError: the part has no stream.
    """
    columns = ["stream", "phone", "start_s", "end_s"]
    table = read_table(times, columns, [[("part", "==", part)]])
    if table.empty:
        raise UserError(f"{times}: no stream of the part {part}; run the stage realtime_features")
    rows = StoredPhones(table, "stream", "phone")
    return StoredStreams(open_arrays(streams, rows), rows)


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


class PieceBatches(Sequence[Piece]):
    """All pieces of an epoch, those of a stream in order; the frames of one batch are in memory."""

    def __init__(self, task: RealtimeTask, batches: Sequence[Sequence[int]]) -> None:
        self.task, self.padded = task, (-1, torch.empty(0), torch.empty(0))
        self.batches, self.places = batches, list[tuple[int, int, list[State]]]()
        for batch, numbers in enumerate(batches):
            longest = max(task.lengths[number] for number in numbers)
            shared_state: list[State] = []
            for start in range(0, longest, task.params.bptt_hops):
                self.places.append((batch, start, shared_state))

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, index: Any) -> Any:
        batch, start, state = self.places[index]
        if self.padded[0] != batch:
            self.padded = (batch, *self.task.padded(self.batches[batch]))
        end = start + self.task.params.bptt_hops
        return Piece(self.padded[1][:, start:end], self.padded[2][:, start:end], state)


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
        """Take the streams of the training part."""
        self.params, self.small, self.spec = params, params.models[name], TASKS[name]
        self.streams, self.names, self.hop_s = streams, list(streams), hop_s
        self.lengths = [len(streams[key].frames) for key in self.names]
        bands = streams[self.names[0]].frames.shape[1]
        self.shape = shape_of(bands, self.spec, self.small, params)

    def new(self) -> nn.Module:
        """Return an untrained network."""
        return build_stack(self.shape)

    def batches(self, seed: int) -> PieceBatches:
        """Return all pieces, those of a stream in order."""
        rng = np.random.default_rng(seed)
        return PieceBatches(self, bucket_by_length(self.lengths, self.params.batch_hops, rng))

    def padded(self, numbers: Sequence[int]) -> tuple[Tensor, Tensor]:
        """Return the frames `[B, T, M]` and labels `[B, T]` of streams."""
        some = [self.streams[self.names[number]] for number in numbers]
        frames = [torch.from_numpy(stream.frames) for stream in some]
        labels = [torch.from_numpy(labels_of(stream, self)) for stream in some]
        pad = nn.utils.rnn.pad_sequence
        return pad(frames, True), pad(labels, True, padding_value=PADDING)

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


def labels_of(stream: TrainingStream, task: RealtimeTask) -> NDArray[np.int64]:
    """Return the expected output at each hop, later by the model's delay."""
    labels = task.spec.labels(stream.rows, len(stream.frames), task.hop_s)
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
        self.streams, self.names, self.spec = streams, list(streams), TASKS[name]
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
        if len(self.spec.names) > 1:
            return {0.0: self._accuracy(self._outputs(model))}
        # One value per hop: those of all streams fit into memory, and serve all thresholds.
        outputs = list(self._outputs(model))
        tries = THRESHOLDS if self.spec.event else (0.5,)
        return {threshold: self._f1(outputs, threshold) for threshold in tries}

    def _outputs(self, model: nn.Module) -> Iterator[tuple[list[Row], Frames]]:
        """Yield the phones of each stream with its outputs.

        Streams run side by side: one at a time, the steps of a GRU took a quarter of a training.
        The model is causal, so what follows the end of a shorter stream does not change it.
        """
        for first in range(0, len(self.names), STREAMS_AT_ONCE):
            names = self.names[first : first + STREAMS_AT_ONCE]
            group = [self.streams[name] for name in names]
            padded = nn.utils.rnn.pad_sequence([torch.from_numpy(s.frames) for s in group], True)
            results = model(padded.to(device_of(model)))[0].cpu().numpy()
            for row, stream in zip(results, group, strict=True):
                yield stream.rows, row[: len(stream.frames)]

    def _labels(self, rows: Sequence[Row], hops: int) -> NDArray[np.int64]:
        return delayed(self.spec.labels(rows, hops, self.hop_s), self.delay)

    def _accuracy(self, outputs: Iterable[tuple[list[Row], Frames]]) -> float:
        correct = total = 0
        for rows, output in outputs:
            correct += int((output.argmax(axis=1) == self._labels(rows, len(output))).sum())
            total += len(output)
        return correct / total

    def _f1(self, outputs: Iterable[tuple[list[Row], Frames]], threshold: float) -> float:
        total = Counts()
        for rows, output in outputs:
            if self.spec.event:
                moments = (pick_peaks(output[:, 0], threshold) - self.delay + 0.5) * self.hop_s
                starts = sorted(start_s for _, start_s, _ in rows)
                total += event_counts(moments.tolist(), starts, TOLERANCE_S)
            else:
                positive = (output[:, 0] > threshold).astype(np.int64)
                total += hop_counts(positive, self._labels(rows, len(output)))
        return total.f1
