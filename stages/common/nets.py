"""The heads on frozen encoders: `[B, T, D]` embeddings to `[B, T, V]` log posteriors.

One shape for all three models is what lets one decoder, one exporter and one scorer serve them.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from stages.common.files import atomic_file, read_json, write_json
from stages.common.params import build

WEIGHTS, CONFIG = "model.safetensors", "model.json"


@dataclass(frozen=True)
class CtcShape:
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


Shape = CtcShape | MlpShape


class CtcHead(nn.Module):
    """LayerNorm, BiLSTM, linear: a sequence model whose label 0 is the blank."""

    def __init__(self, shape: CtcShape) -> None:
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
            raise ValueError(f"mlp.window must be odd, found {shape.window}")
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


def new_head(shape: Shape) -> nn.Module:
    """Return an untrained head; torch's seed decides its weights."""
    return CtcHead(shape) if isinstance(shape, CtcShape) else MlpHead(shape)


def save_head(folder: Path, head: nn.Module, shape: Shape, facts: dict[str, Any]) -> None:
    """Write weights as safetensors and, beside them, what is needed to use them."""
    with atomic_file(folder / WEIGHTS) as part:
        save_file({k: v.contiguous() for k, v in head.state_dict().items()}, part)
    kind = "ctc" if isinstance(shape, CtcShape) else "mlp"
    write_json(folder / CONFIG, facts | {"kind": kind, "shape": asdict(shape)})


def load_head(folder: Path) -> tuple[nn.Module, dict[str, Any]]:
    """Return a head ready to use and its JSON.

    Raises:
        ValueError: a file is missing, damaged or doesn't fit the other.
    """
    facts = read_json(folder / CONFIG)
    into: Any = {"ctc": CtcShape, "mlp": MlpShape}.get(facts.get("kind"))
    if into is None:
        raise ValueError(f"{folder / CONFIG}: kind {facts.get('kind')!r} is neither ctc nor mlp")
    head = new_head(build(facts["shape"], into, f"{folder / CONFIG}: shape"))
    try:
        head.load_state_dict(load_file(folder / WEIGHTS))
    except (SafetensorError, RuntimeError, FileNotFoundError) as error:
        raise ValueError(f"{folder / WEIGHTS}: {error}") from error
    return head.eval(), facts


@torch.inference_mode()
def posteriors(head: nn.Module, embeddings: Any) -> Any:
    """Return the log posteriors `[T, V]` of one clip's embeddings `[T, D]`, both numpy arrays."""
    return head(torch.from_numpy(embeddings)[None])[0].numpy()
