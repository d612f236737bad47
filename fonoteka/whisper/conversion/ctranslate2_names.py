"""Names and layout of Whisper's weights in CTranslate2 and in transformers.

CTranslate2 stores the projections of an attention as one matrix, one below the other, and gives a
bias to the keys, which Whisper does not have: it is zero.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from fonoteka.core.errors import UserError
from fonoteka.whisper.conversion.ctranslate2_format import Arrays
from fonoteka.whisper.conversion.weights import EMBEDDINGS

ZERO = ""  # the name of the keys' bias, which transformers does not store
NORM = {"gamma": "weight", "beta": "bias"}
PARTS = ("weight", "bias")
ALIASES = MappingProxyType({"decoder/projection/weight": "decoder/embeddings/weight"})
# For each attention: the linear layers of CTranslate2 with the projections that they contain.
ATTENTIONS = {
    "self_attention": {"linear_0": ("q", "k", "v"), "linear_1": ("out",)},
    "attention": {"linear_0": ("q",), "linear_1": ("k", "v"), "linear_2": ("out",)},
}
HF_ATTENTIONS = {"self_attention": "self_attn", "attention": "encoder_attn"}
# Numbers that describe the network; each Whisper has these values.
FLAGS: Mapping[str, NDArray[np.int8]] = MappingProxyType(
    {
        "decoder/activation": np.array(3, dtype=np.int8),  # GELU by the error function
        "decoder/alibi": np.array(0, dtype=np.int8),
        "decoder/pre_norm": np.array(1, dtype=np.int8),
        "decoder/scale_embeddings": np.array(0, dtype=np.int8),
        "decoder/start_from_zero_embedding": np.array(0, dtype=np.int8),
    }
)
# Which attention a decoder returns besides its output: the mean over the heads of the last layer.
# No weight depends on it, so a model with other values converts too.
ALIGNMENT: Mapping[str, NDArray[np.int16]] = MappingProxyType(
    {
        "decoder/alignment_heads": np.array(1, dtype=np.int16),
        "decoder/alignment_layer": np.array(-1, dtype=np.int16),
    }
)
HEADS = ("encoder/num_heads", "decoder/num_heads")
NUMBERS = {*FLAGS, *ALIGNMENT, *HEADS}


def layout(encoder_layers: int, decoder_layers: int) -> dict[str, tuple[str, ...]]:
    """Return the names that transformers has for the parts of each variable of CTranslate2.

    The parts are stacked along the first axis in this order and are equally large.

    >>> layout(1, 1)["decoder/layer_0/attention/linear_1/bias"]
    ('', 'model.decoder.layers.0.encoder_attn.v_proj.bias')
    """
    names: dict[str, tuple[str, ...]] = {"decoder/embeddings/weight": (EMBEDDINGS,)}
    for conv in ("conv1", "conv2"):
        names |= {f"encoder/{conv}/{part}": (f"model.encoder.{conv}.{part}",) for part in PARTS}
    for side, layers in (("encoder", encoder_layers), ("decoder", decoder_layers)):
        positions = f"model.{side}.embed_positions.weight"
        names[f"{side}/position_encodings/encodings"] = (positions,)
        names |= _norm(side, f"model.{side}.layer_norm")
        for number in range(layers):
            names |= _layer(f"{side}/layer_{number}", f"model.{side}.layers.{number}")
    return names


def _layer(ct2: str, hf: str) -> dict[str, tuple[str, ...]]:
    names = _norm(f"{ct2}/ffn", f"{hf}.final_layer_norm")
    for part in PARTS:
        names[f"{ct2}/ffn/linear_0/{part}"] = (f"{hf}.fc1.{part}",)
        names[f"{ct2}/ffn/linear_1/{part}"] = (f"{hf}.fc2.{part}",)
    for kind in ATTENTIONS if ct2.startswith("decoder") else ("self_attention",):
        names |= _norm(f"{ct2}/{kind}", f"{hf}.{HF_ATTENTIONS[kind]}_layer_norm")
        names |= dict(_attention(ct2, hf, kind))
    return names


def _attention(ct2: str, hf: str, kind: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    for linear, projections in ATTENTIONS[kind].items():
        for part in PARTS:
            yield f"{ct2}/{kind}/{linear}/{part}", tuple(
                ZERO if (projection, part) == ("k", "bias")
                else f"{hf}.{HF_ATTENTIONS[kind]}.{projection}_proj.{part}"
                for projection in projections
            )  # fmt: skip


def _norm(ct2: str, hf: str) -> dict[str, tuple[str, ...]]:
    return {f"{ct2}/layer_norm/{a}": (f"{hf}.{b}",) for a, b in NORM.items()}


def layer_count(variables: Arrays, side: str) -> int:
    """Return the number of layers of `encoder` or `decoder` that the names of variables contain.

    >>> layer_count(dict.fromkeys(["encoder/layer_0/x", "encoder/layer_norm/y"]), "encoder")
    1
    """
    return len({match[0] for name in variables if (match := re.match(rf"{side}/layer_\d+/", name))})


def require_names(expected: set[str], actual: set[str], place: object) -> None:
    """Compare the names of weights.

    Raises:
        UserError: some are missing or unknown; the message has one of each and their number.
    """
    faults = [
        f"{len(names)} {kind}, for example {min(names)!r}"
        for kind, names in (("missing", expected - actual), ("unknown", actual - expected))
        if names
    ]
    if faults:
        raise UserError(f"{place}: weights that are not Whisper's: {'; '.join(faults)}")
