"""The heads on frozen encoders: `[B, T, D]` embeddings to `[B, T, V]` log posteriors.

One shape for all three models is what lets one decoder, one exporter and one scorer serve them.
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

WEIGHTS, CONFIG = "model.safetensors", "model.json"


@dataclass(frozen=True)
class TdnnShape:
    """A time-delay network, as wide as `hidden`.

    Attributes:
        inputs: width of an embedding.
        outputs: labels.
        hidden: width.
        dilations: a layer each, which hears a frame and those so many frames before and after it.
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
    """A frame and two others, `dilation` before and after it, through one matrix, added to it.

    It is a convolution, written as a matrix product: that is what int8 kernels exist for, and a
    convolution of so few frames is no faster.
    """

    def __init__(self, hidden: int, dilation: int, dropout: float) -> None:
        super().__init__()
        self.dilation = dilation
        self.dropout = nn.Dropout(dropout)
        self.inner = nn.Linear(3 * hidden, hidden)

    def forward(self, frames: Tensor) -> Tensor:
        """Return `[B, T, H]` of `[B, T, H]`; around the clip are zeros."""
        count, far = frames.shape[1], self.dilation
        padded = F.pad(self.dropout(frames), (0, 0, far, far))
        heard = [padded[:, at : at + count] for at in (0, far, 2 * far)]
        return frames + F.relu(self.inner(torch.cat(heard, -1)))


class TdnnHead(nn.Module):
    """LayerNorm, a narrow projection, time-delay layers, linear: label 0 is the blank.

    The encoder below has heard the whole clip already, so a few frames of context are enough; a
    recurrent head costs several times as much, since its frames have to wait for each other.

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
    """LayerNorm, BiLSTM, linear: what such heads usually are, and the yardstick for ours."""

    def __init__(self, shape: LstmShape) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(shape.inputs)
        self.lstm = nn.LSTM(
            shape.inputs, shape.hidden, shape.layers, batch_first=True, bidirectional=True,
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
    """Mean of a window, one hidden layer: what a frame sounds like, without its neighbours' help.

    It is trained on whole segments pooled to one vector, `[B, 1, D]`, whose window is the vector
    itself; on a clip it pools `window` frames around each.
    """

    def __init__(self, shape: MlpShape) -> None:
        super().__init__()
        if shape.window % 2 != 1:
            raise UserError(f"mlp.window must be odd, found {shape.window}")
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
    """Return an untrained head; torch's seed decides its weights."""
    head: nn.Module = KINDS[_kind(shape)][1](shape)
    return head


def _kind(shape: Shape) -> str:
    return next(kind for kind, (into, _) in KINDS.items() if isinstance(shape, into))


def save_head(folder: Path, head: nn.Module, shape: Shape, facts: dict[str, Any]) -> None:
    """Write weights as safetensors and, beside them, what is needed to use them."""
    with atomic_file(folder / WEIGHTS) as part:
        part.write_bytes(save({k: v.contiguous() for k, v in head.state_dict().items()}))
        digest = sha256_file(part)
    about = {"kind": _kind(shape), "shape": asdict(shape), "weights_sha256": digest}
    write_json(folder / CONFIG, facts | about)


def shape_of(facts: Mapping[str, Any], where: Path) -> Shape:
    """Return the shape of a head as its JSON has it; `where` names that in errors.

    Raises:
        ValueError: its kind or its shape is not one of this code.
    """
    kind = facts.get("kind")
    if not isinstance(kind, str) or kind not in KINDS:
        raise UserError(f"{where}: kind {kind!r} is none of {sorted(KINDS)}")
    shape: Shape = build(facts["shape"], KINDS[kind][0], f"{where}: shape")
    return shape


def load_head(folder: Path) -> tuple[nn.Module, dict[str, Any]]:
    """Return a head ready to use and its JSON.

    Raises:
        ValueError: a file is missing, damaged or not the one that belongs to the other.
    """
    facts, weights = read_json(folder / CONFIG), folder / WEIGHTS
    head = new_head(shape_of(facts, folder / CONFIG))
    if not weights.is_file():
        raise UserError(f"{weights}: no such file; run dvc checkout or dvc repro")
    if (found := sha256_file(weights)) != facts.get("weights_sha256"):
        raise UserError(
            f"{weights}: its SHA-256 is {found[:12]}, but {CONFIG} names "
            f"{str(facts.get('weights_sha256'))[:12]}; run dvc checkout to get the right one"
        )
    try:
        head.load_state_dict(load_file(weights))
    except (SafetensorError, RuntimeError) as error:
        raise UserError(f"{weights}: {error}") from error
    return head.eval(), facts


@torch.inference_mode()
def posteriors(head: nn.Module, embeddings: Any) -> Any:
    """Return the log posteriors `[T, V]` of one clip's embeddings `[T, D]`, both numpy arrays."""
    return head(torch.from_numpy(embeddings)[None])[0].numpy()
