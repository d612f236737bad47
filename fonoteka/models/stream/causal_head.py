"""A time-delay head without future: a frame's posteriors depend on earlier embeddings only."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fonoteka.models.heads import TdnnShape


class CausalTdnnLayer(nn.Module):
    """A residual layer over a frame and the frames `dilation` and twice `dilation` before it."""

    def __init__(self, hidden: int, dilation: int, dropout: float) -> None:
        super().__init__()
        self.dilation, self.past = dilation, 2 * dilation
        self.dropout = nn.Dropout(dropout)
        self.inner = nn.Linear(3 * hidden, hidden)

    def forward(self, frames: Tensor, before: Tensor) -> Tensor:
        """Return `[B, T, H]` of `[B, T, H]`, given the `past` frames before them."""
        padded = self.dropout(torch.cat([before, frames], 1))
        starts = (0, self.dilation, self.past)
        taps = [padded[:, start : start + frames.shape[1]] for start in starts]
        return frames + F.relu(self.inner(torch.cat(taps, -1)))


class CausalTdnnHead(nn.Module):
    """LayerNorm, a narrow projection, time-delay layers over the past, linear; label 0 is blank.

    It has no look-ahead of its own, so a frame is final as soon as its embedding is.
    """

    def __init__(self, shape: TdnnShape) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(shape.inputs)
        self.dropout = nn.Dropout(shape.dropout)
        self.narrow = nn.Linear(shape.inputs, shape.hidden)
        self.layers = nn.ModuleList(
            CausalTdnnLayer(shape.hidden, dilation, shape.dropout) for dilation in shape.dilations
        )
        self.output = nn.Linear(shape.hidden, shape.outputs)
        self.hidden = shape.hidden

    @property
    def past(self) -> int:
        """Frames that the state holds, of all layers together."""
        return sum(layer.past for layer in self.layers)  # type: ignore[misc]

    def forward(self, embeddings: Tensor) -> Tensor:
        """Return log posteriors `[B, T, V]` of embeddings `[B, T, D]`."""
        state = embeddings.new_zeros(embeddings.shape[0], self.past, self.hidden)
        return self.step(embeddings, state, 0)[0]

    def step(self, embeddings: Tensor, state: Tensor, final: int) -> tuple[Tensor, Tensor]:
        """Return the log posteriors of the next frames of a stream, and the next state.

        Args:
            embeddings: `[B, T, D]`.
            state: `[B, past, H]`: what the layers keep of earlier frames; zeros at the start.
            final: frames that the next state includes; the later ones come again.
        """
        frames = self.narrow(self.dropout(self.norm(embeddings)))
        pasts: list[int] = [layer.past for layer in self.layers]  # type: ignore[misc]
        following = []
        for layer, before in zip(self.layers, torch.split(state, pasts, 1), strict=True):
            following.append(torch.cat([before, frames[:, :final]], 1)[:, final:])
            frames = layer(frames, before)
        scores = self.output(self.dropout(frames))
        return scores.log_softmax(-1), torch.cat(following, 1)
