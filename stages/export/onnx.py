"""Export a model to ONNX, in fp32 and int8, and prove what each file says.

Reads   data/models/<name>, data/models/backbone/<backbone>, its embeddings, valid.jsonl,
        test.jsonl, data/audio
Writes  data/models/<name>/head.onnx   embeddings `[B, T, D]` to log posteriors `[B, T, V]`
        data/models/<name>/model.onnx  samples `[B, N]` at 16 kHz to log posteriors `[B, T, V]`
        data/models/<name>/head.int8.onnx, model.int8.onnx  the same, matrix products in int8
        reports/onnx/<name>.json       sizes, parameters, errors against torch, PER of int8
Params  onnx, compute

The fp32 files are proven on real clips of many lengths in batches of many sizes: every log
posterior within a tolerance of torch's and not one decoded symbol changed. An int8 file can't be
that exact; its phone error rate on the validation part may hardly rise. Nothing is written unless
all of it holds.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from stages.common import manifest
from stages.common.audio import SAMPLE_RATE_HZ
from stages.common.cli import stage
from stages.common.compute import ComputeParams, configure
from stages.common.decoding import greedy
from stages.common.encoder import feature_extractor, load_encoder
from stages.common.exporting import (
    HEAD_AXES,
    MODEL_AXES,
    Array,
    Axes,
    Listener,
    WholePath,
    ceiling,
    export,
    in_batches,
    prove,
    spread,
)
from stages.common.files import atomic_file, write_json
from stages.common.int8 import Int8Params, quantize
from stages.common.manifest import Utterance
from stages.common.nets import load_head
from stages.common.params import load
from stages.common.runtime import open_model, session_posteriors
from stages.common.scoring import errors
from stages.common.shards import read_arrays, read_clips


@dataclass(frozen=True)
class OnnxParams:
    """Section `onnx`.

    Attributes:
        opset: of the files.
        max_error: largest difference of a log posterior from torch's.
        check_clips: test clips that parity is proven on.
        batch_sizes: in which they are heard.
        int8: what the int8 files have to be.
    """

    opset: int
    max_error: float
    check_clips: int
    batch_sizes: tuple[int, ...]
    int8: Int8Params


@dataclass(frozen=True)
class Kind:
    """Head or whole path: what it is exported from and what it hears.

    Attributes:
        module: in evaluation mode.
        axes: of the file.
        example: an input to trace.
        inputs: by utterance, without the batch axis.
        padded: a batch is filled with zeros to its longest clip, not cut to its shortest.
    """

    module: nn.Module
    axes: Axes
    example: Tensor
    inputs: Mapping[str, Array]
    padded: bool


def per(session: Any, utterances: Sequence[Utterance], inputs: Mapping[str, Array]) -> float:
    """Return the phone error rate of a file, each clip heard alone."""
    said = [greedy(session_posteriors(session, inputs[u.id][None])[0]) for u in utterances]
    return errors([u.phones for u in utterances], [[s.symbol for s in one] for one in said]).rate


def check_int8(
    files: Mapping[str, Path], path: Path, utterances: Sequence[Utterance],
    inputs: Mapping[str, Array], max_loss: float,
) -> dict[str, float]:  # fmt: skip
    """Return the phone error rates of both files of a kind.

    Args:
        files: the `fp32` and the `int8` file.
        path: where the int8 file will lie; it is only named in errors.
        utterances: the validation part: what is decided here must not be decided by the test part.
        inputs: of each utterance, without the batch axis.
        max_loss: what is allowed.

    Raises:
        ValueError: int8 is worse by more than that.
    """
    rates = {kind: per(open_model(file), utterances, inputs) for kind, file in files.items()}
    if rates["int8"] - rates["fp32"] > max_loss:
        raise ValueError(
            f"{path}: PER {rates['int8']:.4f}, in fp32 {rates['fp32']:.4f}; at most {max_loss} "
            "worse is allowed (onnx.int8.max_per_loss in params.yaml)"
        )
    return {f"valid_per_{kind}": round(rate, 4) for kind, rate in rates.items()}


def ship(
    paths: Mapping[str, Path], parts: Mapping[str, Path], kind: Kind, facts: Mapping[str, Any],
    parities: Sequence[Utterance], heard: Sequence[Utterance], params: OnnxParams,
) -> dict[str, Any]:  # fmt: skip
    """Write the fp32 and the int8 file of one kind, prove them, and return what was found.

    Args:
        paths: where the `fp32` and the `int8` file will lie; named in errors.
        parts: where they are written.
        kind: head or whole path.
        facts: model.json.
        parities: clips on which the fp32 file has to say what torch says.
        heard: the validation part, for int8.
        params: what is allowed.
    """
    export(kind.module, kind.example, kind.axes, facts, parts["fp32"], params.opset)
    clips = {u.id: kind.inputs[u.id] for u in parities}
    batches = in_batches(clips, params.batch_sizes, kind.padded)
    session = open_model(parts["fp32"])
    worst = prove(paths["fp32"], session, kind.module, batches, params.max_error)
    ratio = quantize(parts["fp32"], parts["int8"], params.int8.max_size_ratio, paths["int8"])
    rates = check_int8(parts, paths["int8"], heard, kind.inputs, params.int8.max_per_loss)
    return {
        "error": ceiling(worst), "int8": {"size_ratio": round(ratio, 3)} | rates,
        "bytes": {name: part.stat().st_size for name, part in parts.items()},
    }  # fmt: skip


def run(
    model: Path, backbone: Path, embeddings: Path, valid: Path, test: Path, audio: Path, out: Path,
    report: Path, params: OnnxParams,
) -> None:  # fmt: skip
    """Export and prove one model. The files are put in place when all of them are proven."""
    head, facts = load_head(model)
    encoder = load_encoder(backbone, "wavlm" if facts["backbone"] == "wavlm" else "wav2vec2")
    whole = WholePath(Listener(encoder, bool(feature_extractor(backbone).do_normalize)), head)
    parities = spread(manifest.read(test), params.check_clips)
    heard = [u for u in manifest.read(valid) if u.phones]
    if not parities or not heard:
        raise ValueError(f"{valid if parities else test}: no utterance to prove the export on")
    everyone = {u.id: u.audio for u in [*parities, *heard]}
    arrays, signals = read_arrays(embeddings, everyone), dict(read_clips(audio, everyone))
    width = next(iter(arrays.values())).shape[1]
    kinds = {
        # Embeddings may be padded, as in training; to an encoder a padded clip is another clip.
        "head": Kind(head, HEAD_AXES, torch.zeros(2, 60, width), arrays, padded=True),
        "model": Kind(
            whole.eval(), MODEL_AXES, torch.zeros(2, SAMPLE_RATE_HZ), signals, padded=False
        ),
    }
    found = {}
    with ExitStack() as stack:
        for name, kind in kinds.items():
            paths = {"fp32": out / f"{name}.onnx", "int8": out / f"{name}.int8.onnx"}
            parts = {k: stack.enter_context(atomic_file(path)) for k, path in paths.items()}
            found[name] = ship(paths, parts, kind, facts, parities, heard, params)
    sizes = {name: about["bytes"] for name, about in found.items()}
    write_json(
        report,
        {
            "bytes": {k: size["fp32"] for k, size in sizes.items()}
            | {f"{k}_int8": size["int8"] for k, size in sizes.items()},
            "clips": len(parities), "batch_sizes": list(params.batch_sizes),
            "max_error_below": {k: about["error"] for k, about in found.items()},
            "int8": {k: about["int8"] for k, about in found.items()},
            "parameters": {
                "head": sum(p.numel() for p in head.parameters()),
                "encoder": sum(p.numel() for p in encoder.parameters()),
            },
        },
    )  # fmt: skip


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("model", "backbone", "embeddings", "valid", "test", "audio", "out", "report"):
        parser.add_argument(name, type=Path)
    args = parser.parse_args()
    configure(load("compute", ComputeParams).threads)
    run(**vars(args), params=load("onnx", OnnxParams))


if __name__ == "__main__":
    stage(main)
