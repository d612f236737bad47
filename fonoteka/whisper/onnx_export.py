"""Export of a Whisper model to two ONNX files.

    encoder.onnx  samples [B, N] at 16 kHz  ->  states [B, S, D], cross_key_0, cross_value_0, ...
    decoder.onnx  tokens [B, N], cross_key_0, ..., past_key_0, past_value_0, ...
                  ->  logits [B, V] of the last token, next_past_key_0, next_past_value_0, ...

The encoder's file computes the keys and values of the cross-attention, because they are the same
for all tokens of a clip. One decoder file serves the prompt, whose past has length 0, and each
later token. The matrix of the embeddings is in it once, for the first and the last layer.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fonoteka.audio.dsp import SAMPLE_RATE_HZ
from fonoteka.models.log_mel import LogMel
from fonoteka.models.whisper_encoder import encode_mel
from fonoteka.onnx_export.trace import trace
from fonoteka.whisper.decode import COMPRESSION, FIRST_TOKENS, TOKENS_PER_S
from fonoteka.whisper.model import Whisper
from fonoteka.whisper.rules import MARGIN_S, MAX_TOKENS, STEP_S, WINDOW_S, TokenRules


class EncoderGraph(nn.Module):
    """Samples to states, and to the keys and values of each decoder layer's cross-attention.

    Keys are stored as `[B, heads, D / heads, S]`, as the product with queries needs them. The names
    of submodules are part of the exported bytes.
    """

    def __init__(self, encoder: Any, log_mel: LogMel, attentions: Sequence[Any]) -> None:
        super().__init__()
        self.encoder, self.log_mel = encoder, log_mel
        self.attentions = nn.ModuleList(attentions)
        self.heads: int = attentions[0].num_heads

    def forward(self, samples: Tensor) -> tuple[Tensor, ...]:
        """Return the states `[B, S, D]` of samples `[B, N]`, S = N / 320, and keys and values."""
        states = encode_mel(self.encoder, self.log_mel(samples))
        attentions: Sequence[Any] = [*self.attentions]
        pairs = [
            tensor
            for attention in attentions
            for tensor in (
                _by_head(attention.k_proj(states), self.heads).transpose(2, 3),
                _by_head(attention.v_proj(states), self.heads),
            )
        ]
        return states, *pairs


class DecoderGraph(nn.Module):
    """The next tokens and the attention's keys and values to the logits of the last token."""

    def __init__(self, decoder: Any) -> None:
        super().__init__()
        self.decoder = decoder
        self.heads: int = decoder.layers[0].self_attn.num_heads
        # A product with a bias is exported as Gemm, which reads the embeddings as they are; one
        # without is a MatMul of their transpose, a second copy of 101 MiB in the file.
        self.register_buffer("no_bias", torch.zeros(decoder.embed_tokens.num_embeddings))

    def forward(self, tokens: Tensor, *cache: Tensor) -> tuple[Tensor, ...]:
        """Return the logits `[B, V]` of the last of the tokens `[B, N]`, and the next past.

        Args:
            tokens: those after the tokens of the past.
            cache: cross-attention keys and values of each layer, then the past's `[B, heads, P,
                D / heads]`, P = 0 at the beginning.
        """
        layers = self.decoder.layers
        cross, past = cache[: 2 * len(layers)], cache[2 * len(layers) :]
        before, count = past[0].shape[2], tokens.shape[1]
        positions = self.decoder.embed_positions.weight[before : before + count]
        hidden = self.decoder.embed_tokens(tokens) + positions
        # A token attends to those before it and to itself.
        columns, rows = torch.arange(before + count), torch.arange(before, before + count)
        mask = (columns[None] > rows[:, None]).float() * torch.finfo(torch.float32).min
        after: list[Tensor] = []
        for number, layer in enumerate(layers):
            normed = layer.self_attn_layer_norm(hidden)
            key, value = (
                torch.cat([old, _by_head(projection(normed), self.heads)], dim=2)
                for old, projection in zip(
                    past[2 * number : 2 * number + 2],
                    (layer.self_attn.k_proj, layer.self_attn.v_proj),
                    strict=True,
                )
            )
            after += [key, value]
            hidden = hidden + self._attend(
                layer.self_attn, normed, key.transpose(2, 3), value, mask
            )
            normed = layer.encoder_attn_layer_norm(hidden)
            keys, values = cross[2 * number : 2 * number + 2]
            hidden = hidden + self._attend(layer.encoder_attn, normed, keys, values)
            normed = layer.final_layer_norm(hidden)
            hidden = hidden + layer.fc2(F.gelu(layer.fc1(normed)))
        last = self.decoder.layer_norm(hidden[:, -1])
        logits = torch.addmm(self.no_bias, last, self.decoder.embed_tokens.weight.t())  # type: ignore[arg-type]
        return logits, *after

    def _attend(
        self, attention: Any, hidden: Tensor, keys: Tensor, values: Tensor,
        mask: Tensor | None = None,
    ) -> Tensor:  # fmt: skip
        queries = _by_head(attention.q_proj(hidden) * attention.scaling, self.heads)
        scores = queries @ keys
        weights = torch.softmax(scores if mask is None else scores + mask, dim=-1)
        joined: Tensor = attention.out_proj((weights @ values).transpose(1, 2).flatten(2))
        return joined


def _by_head(vectors: Tensor, heads: int) -> Tensor:
    """Return `[B, heads, N, D / heads]` of `[B, N, D]`."""
    batch, count, width = vectors.shape
    return vectors.view(batch, count, heads, int(width) // heads).transpose(1, 2)


def layer_names(prefix: str, layers: int) -> list[str]:
    """Return the names of the keys and values of all layers.

    >>> layer_names("past", 2)
    ['past_key_0', 'past_value_0', 'past_key_1', 'past_value_1']
    """
    return [f"{prefix}_{kind}_{n}" for n in range(layers) for kind in ("key", "value")]


def export_whisper(
    whisper: Whisper, name: str, folder: Path, opset: int, files: Mapping[str, Path] | None = None
) -> None:
    """Write encoder.onnx and decoder.onnx; their bytes depend on the model only.

    Args:
        whisper: in evaluation mode.
        name: of the model, for the metadata.
        folder: the folder of the files.
        opset: opset version of the files.
        files: other paths of `encoder` and `decoder`.
    """
    paths = files or {part: folder / f"{part}.onnx" for part in ("encoder", "decoder")}
    properties = dict(sorted(metadata(name, whisper.rules).items()))
    export_encoder(whisper, paths["encoder"], opset, properties)
    export_decoder(whisper, paths["decoder"], opset, properties)


def export_encoder(whisper: Whisper, path: Path, opset: int, properties: Mapping[str, str]) -> None:
    """Write the file from samples to states, keys and values."""
    model = whisper.model.model
    attentions = [layer.encoder_attn for layer in model.decoder.layers]
    names = layer_names("cross", len(attentions))
    # The longest axis of keys is the last one, that of values and states the one before.
    axes: dict[str, dict[int, str]] = {
        "samples": {0: "batch", 1: "samples"}, "states": {0: "batch", 1: "frames"},
    } | {name: {0: "batch", _frames_axis(name): "frames"} for name in names}  # fmt: skip
    module = EncoderGraph(model.encoder, whisper.log_mel, attentions).eval()
    example = (torch.zeros(2, SAMPLE_RATE_HZ),)
    trace(module, example, ["samples"], ["states", *names], axes, properties, path, opset)


def export_decoder(whisper: Whisper, path: Path, opset: int, properties: Mapping[str, str]) -> None:
    """Write the file from tokens, keys and values to logits."""
    decoder, config = whisper.model.model.decoder, whisper.model.config
    layers, heads = config.decoder_layers, config.decoder_attention_heads
    width = config.d_model // heads
    cross, past = layer_names("cross", layers), layer_names("past", layers)
    after = [f"next_{name}" for name in past]
    axes: dict[str, dict[int, str]] = {
        "tokens": {0: "batch", 1: "tokens"}, "logits": {0: "batch"},
    } | {
        **{name: {0: "batch", _frames_axis(name): "frames"} for name in cross},
        **{name: {0: "batch", 2: "past"} for name in past},
        **{name: {0: "batch", 2: "past_and_tokens"} for name in after},
    }  # fmt: skip
    frames = torch.zeros(2, heads, width, 7)
    example = (
        torch.zeros(2, 3, dtype=torch.int64),
        *(frames if "key" in name else frames.transpose(2, 3) for name in cross),
        *(torch.zeros(2, heads, 5, width) for _ in past),
    )
    inputs, outputs = ["tokens", *cross, *past], ["logits", *after]
    module = DecoderGraph(decoder).eval()
    trace(module, example, inputs, outputs, axes, properties, path, opset)


def _frames_axis(name: str) -> int:
    return 3 if "key" in name else 2


def metadata(name: str, rules: TokenRules) -> dict[str, str]:
    """Return what a program needs beside the graphs; every value but the name is JSON.

    The numbers are those of `fonoteka.whisper.rules` and `fonoteka.whisper.decode`: the input of a
    clip is the clip and `margin_s` of silence up to a multiple of `step_s`, at most `window_s`; a
    text has at most `first_tokens` and `tokens_per_s` per second of the clip.
    """
    values = {
        "sample_rate_hz": SAMPLE_RATE_HZ, "margin_s": MARGIN_S, "step_s": STEP_S,
        "window_s": WINDOW_S, "max_tokens": MAX_TOKENS, "first_tokens": FIRST_TOKENS,
        "tokens_per_s": TOKENS_PER_S, "compression": COMPRESSION, **asdict(rules),
    }  # fmt: skip
    return {"name": name} | {key: json.dumps(value) for key, value in values.items()}
