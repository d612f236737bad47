"""One step of a streaming recogniser: samples and state in, posteriors and the next state out."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from fonoteka.models.stream.causal_head import CausalTdnnHead
from fonoteka.models.stream.stream_encoder import StreamEncoder


class StreamStep(nn.Module):
    """Encoder and head, one chunk at a time.

    The names of submodules are part of the exported bytes.
    """

    def __init__(self, encoder: StreamEncoder, head: CausalTdnnHead) -> None:
        super().__init__()
        self.encoder, self.head = encoder, head

    def initial(self) -> tuple[Tensor, Tensor]:
        """Return the state at the start of a stream: keys and values, and the head's frames."""
        shape = self.encoder.shape
        cached = torch.zeros(shape.layers, 2, shape.history, self.encoder.width)
        return cached, torch.zeros(1, self.head.past, self.head.hidden)

    def forward(
        self, samples: Tensor, frame: Tensor, cached: Tensor, past: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Compute the next chunk.

        Args:
            samples: `[1, step_samples]`, see `StreamEncoder.step`.
            frame: number of the chunk's first frame in the stream, a scalar.
            cached: the encoder's state.
            past: the head's state.

        Returns:
            Log posteriors of the chunk `[1, chunk, V]` and of the frames after it, which are not
            final, `[1, look_ahead, V]`; the next `cached` and `past`.
        """
        embeddings, ahead, cached = self.encoder.step(samples, frame, cached)
        chunk = embeddings.shape[1]
        log_probs, past = self.head.step(torch.cat([embeddings, ahead], 1), past, chunk)
        return log_probs[:, :chunk], log_probs[:, chunk:], cached, past
