"""Count the floating-point operations of a Wav2Vec2 encoder from its configuration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def encoder_flops(config: Any, samples: int) -> dict[str, int]:
    """Return the operations that one clip costs, by part of the encoder.

    A multiplication and the addition after it are two. Only products are counted, as is usual:
    norms, activations and softmax are a thousandth of them, though not of the time.

    Args:
        config: a `Wav2Vec2Config`.
        samples: of the clip, with what is padded; at least a receptive field.

    Returns:
        convolutions  the feature encoder: a layer of kernel k, c channels in and d out costs
                      2 k c d a frame of its output
        projection    to the width h of the transformer, 2 c h a frame
        positions     one grouped convolution, 2 k h h / groups a frame of its output, of which
                      there is one more where k is even
        projections   queries, keys, values and output, 8 h h a frame and layer
        attention     the two products of T x T, 4 T T h a layer
        feed_forward  4 h i a frame and layer, i being its width

    Of 12 samples, one convolution (kernel 4, stride 2, 3 channels: 5 frames), h = 2, one layer,
    i = 5, positions of kernel 3 in one group:

    >>> from types import SimpleNamespace
    >>> config = SimpleNamespace(
    ...     conv_kernel=(4,), conv_stride=(2,), conv_dim=(3,), hidden_size=2, num_hidden_layers=1,
    ...     intermediate_size=5, num_conv_pos_embeddings=3, num_conv_pos_embedding_groups=1)
    >>> counted = encoder_flops(config, 12)
    >>> counted["convolutions"] == 2 * 4 * 1 * 3 * 5, counted["projection"] == 2 * 3 * 2 * 5
    (True, True)
    >>> counted["positions"] == 2 * 3 * 2 * 2 * 5, counted["projections"] == 8 * 2 * 2 * 5
    (True, True)
    >>> counted["attention"] == 4 * 5 * 5 * 2, counted["feed_forward"] == 4 * 2 * 5 * 5
    (True, True)
    """
    frames, channels, convolutions = samples, 1, 0
    layers = zip(config.conv_kernel, config.conv_stride, config.conv_dim, strict=True)
    for kernel, stride, width in layers:
        frames = (frames - kernel) // stride + 1
        convolutions += 2 * kernel * channels * width * frames
        channels = width
    wide, kernel = config.hidden_size, config.num_conv_pos_embeddings
    heard = frames + (kernel % 2 == 0)  # half a kernel of zeros on both sides; one is cut off
    per_frame = 2 * kernel * wide * wide // config.num_conv_pos_embedding_groups
    layered = config.num_hidden_layers * frames
    return {
        "convolutions": convolutions,
        "projection": 2 * channels * wide * frames,
        "positions": per_frame * heard,
        "projections": 8 * wide * wide * layered,
        "attention": 4 * frames * wide * layered,
        "feed_forward": 4 * wide * config.intermediate_size * layered,
    }


def total(counted: Mapping[str, int]) -> int:
    """Return the sum of all parts.

    >>> total({"attention": 2, "projection": 3})
    5
    """
    return sum(counted.values())
