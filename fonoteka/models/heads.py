"""Heads on frozen encoders: `[B, T, D]` embeddings to `[B, T, V]` log posteriors.

All heads have these shapes, so one decoder, one exporter and one scorer work for all of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch
import torch.nn.functional as F
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn

from fonoteka.core.errors import UserError
from fonoteka.core.files import atomic_file, read_json, sha256_file, write_json
from fonoteka.core.params import build
from fonoteka.models.device import device_of

WEIGHTS, CONFIG = "model.safetensors", "model.json"


@dataclass(frozen=True)
class TdnnShape:
    """A time-delay network, as wide as `hidden`.

    Attributes:
        inputs: width of an embedding.
        outputs: labels.
        hidden: width.
        dilations: one layer each, over a frame and the frames this far before and after it; in a
            causal head, over a frame and those once and twice this far before it.
        dropout: in training only.
    """

    inputs: int
    outputs: int
    hidden: int
    dilations: tuple[int, ...]
    dropout: float


@dataclass(frozen=True)
class LstmShape:
    """A bidirectional LSTM: `inputs` to 2 x `hidden`, `layers` times, to `outputs`."""

    inputs: int
    outputs: int
    hidden: int
    layers: int
    dropout: float


@dataclass(frozen=True)
class MlpShape:
    """One hidden layer over the mean of `window` frames (odd)."""

    inputs: int
    outputs: int
    hidden: int
    window: int
    dropout: float


Shape = TdnnShape | LstmShape | MlpShape


class TdnnLayer(nn.Module):
    """A residual layer over a frame and the frames `dilation` before and after it.

    It is a convolution written as a matrix product: int8 kernels exist for matrix products, and a
    convolution of three frames is not faster.
    """

    def __init__(self, hidden: int, dilation: int, dropout: float) -> None:
        super().__init__()
        self.dilation = dilation
        self.dropout = nn.Dropout(dropout)
        self.inner = nn.Linear(3 * hidden, hidden)

    def forward(self, frames: Tensor) -> Tensor:
        """Return `[B, T, H]` of `[B, T, H]`; the clip is padded with zeros."""
        count, far = frames.shape[1], self.dilation
        padded = F.pad(self.dropout(frames), (0, 0, far, far))
        # Slices and one product: the same sums as a convolution of three taps with this dilation.
        neighbours = [padded[:, start : start + count] for start in (0, far, 2 * far)]
        return frames + F.relu(self.inner(torch.cat(neighbours, -1)))


class TdnnHead(nn.Module):
    """LayerNorm, a narrow projection, time-delay layers, linear: label 0 is the blank.

    The encoder has the whole clip as context, so a few frames are enough here; a recurrent head
    takes several times as long, because its frames are computed one after another.

    Source: Waibel et al. 1989, "Phoneme recognition using time-delay neural networks".
    """

    def __init__(self, shape: TdnnShape) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(shape.inputs)
        self.dropout = nn.Dropout(shape.dropout)
        self.narrow = nn.Linear(shape.inputs, shape.hidden)
        self.layers = nn.Sequential(
            *(TdnnLayer(shape.hidden, dilation, shape.dropout) for dilation in shape.dilations)
        )
        self.output = nn.Linear(shape.hidden, shape.outputs)

    def forward(self, embeddings: Tensor) -> Tensor:
        """Return log posteriors `[B, T, V]` of embeddings `[B, T, D]`."""
        frames = self.layers(self.narrow(self.dropout(self.norm(embeddings))))
        scores: Tensor = self.output(self.dropout(frames))
        return scores.log_softmax(-1)


class LstmHead(nn.Module):
    """LayerNorm, BiLSTM, linear: the usual head, and the reference for ours."""

    def __init__(self, shape: LstmShape) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(shape.inputs)
        self.lstm = nn.LSTM(
            shape.inputs, shape.hidden, shape.layers, batch_first=True, bidirectional=True,
            # Between layers alone; with one layer torch warns that it does nothing.
            dropout=shape.dropout if shape.layers > 1 else 0.0,
        )  # fmt: skip
        self.dropout = nn.Dropout(shape.dropout)
        self.output = nn.Linear(2 * shape.hidden, shape.outputs)

    def forward(self, embeddings: Tensor) -> Tensor:
        """Return log posteriors `[B, T, V]` of embeddings `[B, T, D]`."""
        states, _ = self.lstm(self.dropout(self.norm(embeddings)))
        scores: Tensor = self.output(self.dropout(states))
        return scores.log_softmax(-1)


class MlpHead(nn.Module):
    """Mean over a window, then one hidden layer: a frame without further context.

    It is trained on segments pooled to one vector, `[B, 1, D]`, for which the window is the vector
    itself; on a clip it pools `window` frames around each frame.
    """

    def __init__(self, shape: MlpShape) -> None:
        super().__init__()
        if shape.window % 2 != 1:
            raise UserError(f"mlp.window must be odd, found {shape.window}")
        # Zeros outside of the clip do not count, or its first and last frames would be quieter than
        # the segments that the head was trained on.
        self.pool = nn.AvgPool1d(shape.window, 1, shape.window // 2, count_include_pad=False)
        self.norm = nn.LayerNorm(shape.inputs)
        self.hidden = nn.Linear(shape.inputs, shape.hidden)
        self.dropout = nn.Dropout(shape.dropout)
        self.output = nn.Linear(shape.hidden, shape.outputs)

    def forward(self, embeddings: Tensor) -> Tensor:
        """Return log posteriors `[B, T, V]` of embeddings `[B, T, D]`."""
        pooled = self.pool(embeddings.transpose(1, 2)).transpose(1, 2)
        inner = F.gelu(self.hidden(self.dropout(self.norm(pooled))))
        scores: Tensor = self.output(self.dropout(inner))
        return scores.log_softmax(-1)


KINDS: Mapping[str, tuple[type, type]] = MappingProxyType(
    {"tdnn": (TdnnShape, TdnnHead), "lstm": (LstmShape, LstmHead), "mlp": (MlpShape, MlpHead)}
)


def new_head(shape: Shape) -> nn.Module:
    """Return an untrained head; its weights depend on torch's seed."""
    head: nn.Module = KINDS[_kind(shape)][1](shape)
    return head


def _kind(shape: Shape) -> str:
    return next(kind for kind, (shape_class, _) in KINDS.items() if isinstance(shape, shape_class))


def save_head(folder: Path, head: nn.Module, shape: Shape, metadata: dict[str, Any]) -> None:
    """Write the weights as safetensors and the shape and metadata as JSON."""
    with atomic_file(folder / WEIGHTS) as part:
        # safetensors refuses a tensor that is not contiguous.
        part.write_bytes(save({k: v.contiguous() for k, v in head.state_dict().items()}))
        digest = sha256_file(part)
    description = {"kind": _kind(shape), "shape": asdict(shape), "weights_sha256": digest}
    write_json(folder / CONFIG, metadata | description)


def shape_of(metadata: Mapping[str, Any], path: Path) -> Shape:
    """Return the shape of a head from its JSON; `path` names the file in errors.

    Raises:
        UserError: the kind or the shape is unknown.
    """
    kind = metadata.get("kind")
    if not isinstance(kind, str) or kind not in KINDS:
        raise UserError(f"{path}: kind {kind!r} is not one of {sorted(KINDS)}")
    shape: Shape = build(metadata["shape"], KINDS[kind][0], f"{path}: shape")
    return shape


def load_head(folder: Path) -> tuple[nn.Module, dict[str, Any]]:
    """Return a head in eval mode and its JSON.

    Raises:
        UserError: a file is missing or damaged, or the two do not belong together.
    """
    metadata, weights = read_json(folder / CONFIG), folder / WEIGHTS
    head = new_head(shape_of(metadata, folder / CONFIG))
    if not weights.is_file():
        raise UserError(f"{weights}: no such file; run dvc checkout or dvc repro")
    if (digest := sha256_file(weights)) != metadata.get("weights_sha256"):
        raise UserError(
            f"{weights}: its SHA-256 is {digest[:12]}, but {CONFIG} names "
            f"{str(metadata.get('weights_sha256'))[:12]}; run dvc checkout to get the right one"
        )
    try:
        head.load_state_dict(load_file(weights))
    except (SafetensorError, RuntimeError) as error:
        raise UserError(f"{weights}: {error}") from error
    return head.eval(), metadata


@torch.inference_mode()
def posteriors(head: nn.Module, embeddings: Any) -> Any:
    """Return the log posteriors `[T, V]` of one clip's embeddings `[T, D]`, both numpy arrays."""
    frames = torch.from_numpy(embeddings)[None].to(device_of(head))
    return head(frames)[0].cpu().numpy()
