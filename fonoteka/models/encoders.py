"""Frozen encoders: Wav2Vec2 and WavLM of transformers, of any size.

`embed` processes one clip at a time: group norm over time changes the features of a padded clip by
half their size, so clips are not padded to a batch, and equal bytes need equal shapes.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from torch import Tensor
from transformers import (
    AutoFeatureExtractor,
    Wav2Vec2Config,
    Wav2Vec2FeatureExtractor,
    Wav2Vec2Model,
    WavLMConfig,
    WavLMModel,
)
from transformers.utils.logging import disable_progress_bar

from fonoteka.audio.dsp import FRAME_HOP, SAMPLE_RATE_HZ, Signal
from fonoteka.core.errors import UserError
from fonoteka.core.files import read_json
from fonoteka.models.device import device_of, half_precision

warnings.filterwarnings(  # caused by transformers itself, in WavLM
    "ignore", message="Support for mismatched key_padding_mask and attn_mask", category=UserWarning
)
disable_progress_bar()  # no progress bar for one local file

MODELS: Mapping[str, Any] = MappingProxyType({"wav2vec2": Wav2Vec2Model, "wavlm": WavLMModel})
CONFIGS: Mapping[str, Any] = MappingProxyType({"wav2vec2": Wav2Vec2Config, "wavlm": WavLMConfig})

VARIANCE_FLOOR = 1e-7  # that of the feature extractor, so both give equal results


@dataclass(frozen=True)
class ArchitectureParams:
    """The size of an encoder that this project pretrains.

    Attributes:
        filters: channels of the first convolution, a filterbank at the start.
        conv_channels: channels of the other two.
        hidden: width of the transformer and of the embeddings.
        layers: transformer layers.
        heads: attention heads; `hidden` is a multiple of this number.
        intermediate: width of the feed-forward part.
        dropout: in training only.
    """

    filters: int
    conv_channels: int
    hidden: int
    layers: int
    heads: int
    intermediate: int
    dropout: float


def new_encoder(kind: str, size: ArchitectureParams) -> Any:
    """Return an untrained encoder with one frame per 20 ms; its weights depend on torch's seed.

    The three convolutions have strides 20, 8 and 2: 320 samples per frame. The first one is
    initialised as a filterbank, so that an encoder this small learns in minutes.
    """
    config = CONFIGS[kind](
        conv_dim=(size.filters, size.conv_channels, size.conv_channels),
        conv_kernel=(400, 16, 4),
        conv_stride=(20, 8, 2),
        num_feat_extract_layers=3,
        feat_extract_norm="group",
        hidden_size=size.hidden,
        num_hidden_layers=size.layers,
        num_attention_heads=size.heads,
        intermediate_size=size.intermediate,
        num_conv_pos_embeddings=32,
        num_conv_pos_embedding_groups=16,
        hidden_dropout=size.dropout,
        # The masks of these two are a sixth of a training step. Without them the PER of wavlm_ctc
        # on test rose from 6.7 % to 7.6 %.
        attention_dropout=size.dropout,
        activation_dropout=size.dropout,
        feat_proj_dropout=0.0,
        layerdrop=0.0,
        mask_time_prob=0.05,  # above 0 creates the mask embedding; our code makes the masks
        apply_spec_augment=True,
    )
    encoder = MODELS[kind](config)
    first = encoder.feature_extractor.conv_layers[0].conv
    with torch.no_grad():
        first.weight.copy_(filterbank(size.filters, 400)[:, None, :])
    return encoder


def filterbank(filters: int, kernel: int) -> Tensor:
    """Return windowed cosines on a mel scale, shape `[filters, kernel]`, unit energy each.

    Half of them are shifted by a quarter period, because a cosine alone has no response to a
    signal in quadrature. Frequencies follow mel(f) = 2595 log10(1 + f / 700) from 60 Hz to 7.6 kHz.
    """
    low, high = (2595 * math.log10(1 + f / 700) for f in (60.0, 7600.0))
    mel = torch.linspace(low, high, (filters + 1) // 2).repeat_interleave(2)[:filters]
    hertz = 700 * (10 ** (mel / 2595) - 1)
    time = (torch.arange(kernel) - kernel / 2) / SAMPLE_RATE_HZ
    phase = (torch.arange(filters) % 2) * (math.pi / 2)
    # A higher band is wider, so its window is shorter: about one mel step of bandwidth.
    width = torch.clamp(1.6 / (24.7 * (4.37 * hertz / 1000 + 1)), max=kernel / SAMPLE_RATE_HZ)
    window = torch.exp(-0.5 * (time[None] / (width[:, None] / 4)) ** 2)
    waves: Tensor = torch.cos(2 * math.pi * hertz[:, None] * time[None] - phase[:, None]) * window
    scaled: Tensor = waves / waves.norm(dim=1, keepdim=True)
    return scaled


def load_encoder(folder: Path | str, kind: str = "", **options: Any) -> Any:
    """Return an encoder in eval mode, from a folder or, with `revision=`, from a model hub.

    Args:
        folder: with the encoder's files, or its name at the hub.
        kind: one of `MODELS`; of a folder, that in its config.json if it is not given.
        options: of `from_pretrained`.

    Raises:
        UserError: the encoder is missing, damaged, of another kind or without some weights, or it
            does not give one frame per 20 ms.
    """
    kind = kind or kind_of(Path(folder))
    try:
        encoder, report = MODELS[kind].from_pretrained(folder, output_loading_info=True, **options)
    except (OSError, SafetensorError, RuntimeError) as error:
        raise UserError(f"{folder}: no {kind} encoder to load: {error}") from error
    # transformers only warns about these and continues with random weights
    missing = sorted(set(report["missing_keys"]) - {"masked_spec_embed"})
    if encoder.config.model_type != kind or missing:
        fault = f"without {missing[0]!r}" if missing else f"of type {encoder.config.model_type!r}"
        raise UserError(f"{folder}: an encoder {fault}; expected a complete {kind}")
    stride = math.prod(encoder.config.conv_stride)
    if stride != FRAME_HOP:
        raise UserError(f"{folder}: one frame per {stride} samples; expected {FRAME_HOP}")
    return encoder.eval()


def kind_of(folder: Path) -> str:
    """Return the kind of the encoder in a folder, one of `MODELS`.

    Raises:
        UserError: the folder has no config.json of an encoder that is known.
    """
    path = folder / "config.json"
    if not path.is_file():
        raise UserError(f"{path}: no such file; expected the folder of an encoder")
    config = read_json(path)
    kind = str(config.get("model_type")) if isinstance(config, dict) else "none"
    if kind not in MODELS:
        raise UserError(f"{path}: model_type is {kind!r}; expected one of {sorted(MODELS)}")
    return kind


def feature_extractor(folder: Path | str | None = None, **options: Any) -> Any:
    """Return the feature extractor of an encoder; `None` gives that of our own encoders.

    `Wav2Vec2Processor` would require a tokenizer, which WavLM does not have.
    """
    if folder is None:
        return Wav2Vec2FeatureExtractor(
            feature_size=1, sampling_rate=SAMPLE_RATE_HZ, do_normalize=True
        )
    return AutoFeatureExtractor.from_pretrained(folder, **options)


def zero_mean_unit_variance(signal: Signal) -> Signal:
    """Return a clip with mean 0 and variance 1, as the encoders were trained."""
    samples = signal.astype(np.float64)
    scaled = (samples - samples.mean()) / np.sqrt(samples.var() + VARIANCE_FLOOR)
    return np.asarray(scaled, dtype=np.float32)


def receptive_field(encoder: Any) -> int:
    """Return the receptive field of a frame in samples; a shorter clip has no frame."""
    field, step = 1, 1
    for kernel, stride in zip(encoder.config.conv_kernel, encoder.config.conv_stride, strict=True):
        field += (kernel - 1) * step
        step *= stride
    return field


@torch.inference_mode()
def embed(encoder: Any, signal: Signal, normalised: bool) -> NDArray[np.float32]:
    """Return one vector per 20 ms, shape `[T, D]`, of one clip at 16 kHz.

    Frame i is centred on the middle of its receptive field; the clip is padded on both sides
    by half a field minus half a hop, so that frame i covers samples 320 i to 320 (i + 1).
    """
    samples = zero_mean_unit_variance(signal) if normalised else signal
    batch = torch.from_numpy(pad_for_frames(samples, receptive_field(encoder)))[None]
    device = device_of(encoder)
    with half_precision(device):
        hidden = encoder(batch.to(device)).last_hidden_state[0]
    return np.asarray(hidden.float().cpu().numpy(), dtype=np.float32)


def pad_for_frames(signal: Signal, field: int) -> Signal:
    """Return the clip padded with zeros so that it has `frame_count` frames aligned with time."""
    return np.pad(signal, padding(field))


def padding(field: int) -> tuple[int, int]:
    """Return the zeros before and after a clip for an encoder with that receptive field.

    They do not depend on the clip, so an exported graph can apply them: left l and right
    field - l - 1 give floor((T - 1) / 320) + 1 frames, which is T / 320 rounded up.

    >>> padding(400)
    (40, 359)
    """
    left = (field - FRAME_HOP) // 2
    return left, field - left - 1


def frame_count(samples: int) -> int:
    """Return the number of frames of a clip: one per started 20 ms, at least one.

    >>> frame_count(16000), frame_count(16001), frame_count(1)
    (50, 51, 1)
    """
    return max(1, math.ceil(samples / FRAME_HOP))
