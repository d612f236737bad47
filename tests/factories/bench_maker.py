"""An encoder of toy size and its section of params.yaml, for the tests of the bench."""

from __future__ import annotations

from transformers import Wav2Vec2Config

ENCODER = {
    "seed": 0, "opset": 17, "clips": 5, "typical_s": 0.3, "sigma": 0.45, "min_s": 0.1,
    "max_s": 0.6, "batches": [2, 1], "rounds": 2, "peak_size": 64, "peak_products": 2,
    "max_error": 1e-4, "min_ratio_fp32": 0, "min_ratio_int8": 0,
}  # fmt: skip


def tiny_config(**more):
    """An encoder with all parts of a base-size one, and a frame each 320 samples."""
    return Wav2Vec2Config(
        conv_dim=(8, 12, 16), conv_kernel=(40, 16, 4), conv_stride=(20, 8, 2), hidden_size=32,
        num_feat_extract_layers=3, num_hidden_layers=2, num_attention_heads=2,
        intermediate_size=48, num_conv_pos_embeddings=16, num_conv_pos_embedding_groups=4, **more,
    )  # fmt: skip
