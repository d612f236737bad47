"""What the small models are trained on: streams in pieces, the state carried along."""

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
from fonoteka.models.loop import LoopParams
from fonoteka.realtime.events import Counts, event_counts, hop_counts, pick_peaks
from fonoteka.realtime.frame_labels import TASKS, Row, TaskSpec, delayed
from fonoteka.shards import read_arrays

Frames = NDArray[np.float32]
THRESHOLDS = tuple(round(0.1 * n, 1) for n in range(1, 10))
TOLERANCE_S = 0.02
NOT_HEARD = -100
"""The label of what stands behind a stream's end; `cross_entropy` knows it by this number."""


@dataclass(frozen=True)
class SmallParams:
    """One model of section `realtime`.

    Attributes:
        delay: hops that the answer may come after the sound.
        convolution: channels of the causal convolution; 0 is none.
        gru: width.
    """

    delay: int
    convolution: int
    gru: int

    def __post_init__(self) -> None:
        if min(self.delay, self.convolution) < 0 or self.gru < 1:
            raise UserError(
                "realtime.models: delay and convolution must be at least 0 and gru at least 1, "
                f"found {self.delay}, {self.convolution} and {self.gru}"
            )


@dataclass(frozen=True)
class TrainRealtimeParams(LoopParams):
    """Section `train_realtime`.

    Attributes:
        kernel: taps of each convolution.
        dropout: share of values dropped.
        piece: hops through which a gradient flows.
        batch_hops: hops in a batch, padding included.
        event_weight: of a hop in which something happens, in the loss.
        models: by name.
    """

    kernel: int
    dropout: float
    piece: int
    batch_hops: int
    event_weight: float
    models: dict[str, SmallParams]

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.piece < 1 or self.kernel < 1:
            raise UserError(
                f"realtime: piece and kernel must be at least 1, found {self.piece} and "
                f"{self.kernel}"
            )


@dataclass(frozen=True)
class Heard:
    """One stream.

    Attributes:
        frames: `[T, M]`.
        rows: its phones with their times.
    """

    frames: Frames
    rows: list[Row]


def read_streams(streams: Path, times: Path, part: str) -> dict[str, Heard]:
    """Return the streams of a part.

    Raises:
        ValueError: there is none.
    """
    table = pd.read_parquet(times)
    table = table[table["part"] == part]
    if table.empty:
        raise UserError(f"{times}: no stream of the part {part}; run the stage streams")
    rows: dict[str, list[Row]] = {
        str(key): list(zip(group["phone"], group["start_s"], group["end_s"], strict=True))
        for key, group in table.groupby("stream", sort=False)
    }
    arrays = read_arrays(streams, rows)
    return {key: Heard(arrays[key], rows[key]) for key in sorted(rows)}


@dataclass
class Piece:
    """A piece of a batch of streams.

    Attributes:
        frames: `[B, T, M]`.
        labels: `[B, T]`; NOT_HEARD behind a stream's end.
        state: a box that all pieces of a batch share, for what the model remembers.
    """

    frames: Tensor
    labels: Tensor
    state: list[State] = field(default_factory=list)


class HearTask:
    """Streams and the right answer at each of their hops."""

    def __init__(
        self, streams: Mapping[str, Heard], name: str, params: TrainRealtimeParams, hop_s: float
    ) -> None:
        """Label the streams."""
        self.params, self.small, self.question = params, params.models[name], TASKS[name]
        self.items = [
            (torch.from_numpy(heard.frames), torch.from_numpy(labels_of(heard, self, hop_s)))
            for heard in streams.values()
        ]
        self.shape = shape_of(self.items[0][0].shape[1], self.question, self.small, params)

    def new(self) -> nn.Module:
        """Return a network as it is before training."""
        return build_stack(self.shape)

    def batches(self, seed: int) -> list[Piece]:
        """Return all pieces, those of a stream in order."""
        rng = np.random.default_rng(seed)
        lengths = [len(frames) for frames, _ in self.items]
        pieces = []
        for numbers in bucket_by_length(lengths, self.params.batch_hops, rng):
            frames = nn.utils.rnn.pad_sequence([self.items[n][0] for n in numbers], True)
            labels = nn.utils.rnn.pad_sequence(
                [self.items[n][1] for n in numbers], True, padding_value=NOT_HEARD
            )
            box: list[State] = []
            for at in range(0, frames.shape[1], self.params.piece):
                after = at + self.params.piece
                pieces.append(Piece(frames[:, at:after], labels[:, at:after], box))
        return pieces

    def loss(self, model: nn.Module, batch: Piece) -> Tensor:
        """Return the cross entropy a hop, and keep the state for the piece that follows."""
        assert isinstance(model, Stack)
        logits, state = model.logits(batch.frames, batch.state.pop() if batch.state else ())
        batch.state.append(detach(state))
        if len(self.question.names) > 1:
            return F.cross_entropy(logits.flatten(0, 1), batch.labels.flatten())
        heard = batch.labels != NOT_HEARD
        weight = torch.tensor(self.params.event_weight if self.question.event else 1.0)
        return F.binary_cross_entropy_with_logits(
            logits[..., 0][heard], batch.labels[heard].float(), pos_weight=weight
        )


def labels_of(heard: Heard, task: HearTask, hop_s: float) -> NDArray[np.int64]:
    """Return what a model should answer at each hop, as late as it may."""
    labels = task.question.labels(heard.rows, len(heard.frames), hop_s)
    return delayed(labels, task.small.delay)


def shape_of(
    inputs: int, question: TaskSpec, small: SmallParams, params: TrainRealtimeParams
) -> StackShape:
    """Return the network of a model: a convolution, a GRU and the answer."""
    convolution = LayerShape("conv", small.convolution or 1, params.kernel, 1, 1, "relu")
    answer = "softmax" if len(question.names) > 1 else "sigmoid"
    layers = (
        *([convolution] if small.convolution else []),
        LayerShape("gru", small.gru, 1, 1, 1, "none"),
        LayerShape("dense", len(question.names), 1, 1, 1, answer),
    )
    return StackShape(inputs, params.dropout, layers)


class Examined:
    """The validation streams, heard by a model and marked."""

    def __init__(self, streams: Mapping[str, Heard], name: str, delay: int, hop_s: float) -> None:
        """Take streams of voices that are not trained on."""
        self.streams, self.question = list(streams.values()), TASKS[name]
        self.delay, self.hop_s = delay, hop_s

    def error(self, model: nn.Module) -> float:
        """Return 1 less the F1 or the accuracy, at the threshold that is best here."""
        return 1 - max(self.scores(model).values())

    def threshold(self, model: nn.Module) -> float:
        """Return the threshold that is best; the lowest of equals."""
        scores = self.scores(model)
        return max(sorted(scores), key=lambda threshold: scores[threshold])

    @torch.inference_mode()
    def scores(self, model: nn.Module) -> dict[float, float]:
        """Return the score at each threshold; of a choice among many there is one, under 0."""
        said = [model(torch.from_numpy(s.frames)[None])[0][0].numpy() for s in self.streams]
        if len(self.question.names) > 1:
            return {0.0: self._accuracy(said)}
        tries = THRESHOLDS if self.question.event else (0.5,)
        return {threshold: self._f1(said, threshold) for threshold in tries}

    def _labels(self, stream: Heard) -> NDArray[np.int64]:
        labels = self.question.labels(stream.rows, len(stream.frames), self.hop_s)
        return delayed(labels, self.delay)

    def _accuracy(self, said: Sequence[Frames]) -> float:
        right = [
            int((one.argmax(axis=1) == self._labels(stream)).sum())
            for one, stream in zip(said, self.streams, strict=True)
        ]
        return sum(right) / sum(map(len, said))

    def _f1(self, said: Sequence[Frames], threshold: float) -> float:
        found = Counts()
        for one, stream in zip(said, self.streams, strict=True):
            if self.question.event:
                moments = (pick_peaks(one[:, 0], threshold) - self.delay + 0.5) * self.hop_s
                starts = sorted(start_s for _, start_s, _ in stream.rows)
                found += event_counts(moments.tolist(), starts, TOLERANCE_S)
            else:
                yes = (one[:, 0] > threshold).astype(np.int64)
                found += hop_counts(yes, self._labels(stream))
        return found.f1
