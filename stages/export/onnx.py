"""Export a model to ONNX, in fp32 and int8, and check the outputs of each file.

Reads   data/models/<name>, data/models/encoder/<encoder>, its embeddings, valid.jsonl,
        test.jsonl, data/audio
Writes  data/models/<name>/head.onnx   embeddings `[B, T, D]` to log posteriors `[B, T, V]`
        data/models/<name>/model.onnx  samples `[B, N]` at 16 kHz to log posteriors `[B, T, V]`
        data/models/<name>/head.int8.onnx, model.int8.onnx  the same, matrix products in int8
        reports/onnx/<name>.json       sizes, errors against torch, PER of int8
Params  onnx, compute

The fp32 files are checked on test clips of many lengths in batches of many sizes: each log
posterior is within a tolerance of torch's, and no decoded symbol differs. An int8 file is less
exact; for it the increase of the phone error rate on the validation part is limited. Nothing is
written unless all checks pass.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from fonoteka.audio.dsp import SAMPLE_RATE_HZ
from fonoteka.core.files import write_json
from fonoteka.core.params import load
from fonoteka.core.run_stage import stage
from fonoteka.models.clip_encoder import load_clip_encoder
from fonoteka.models.determinism import ComputeParams, configure
from fonoteka.models.heads import load_head, posteriors
from fonoteka.models.numbers import parameter_count
from fonoteka.onnx_export.export import HEAD_AXES, MODEL_AXES, EndToEndModel
from fonoteka.shards import open_arrays, open_clips
from stages.export.export_pair import ExportSpec, OnnxParams, export_all, select_clips


def run(
    model: Path, encoder_folder: Path, embeddings: Path, valid: Path, test: Path, audio: Path,
    out: Path, report: Path, params: OnnxParams,
) -> None:  # fmt: skip
    """Export and check one model."""
    head, metadata = load_head(model)
    encoder = load_clip_encoder(encoder_folder)
    end_to_end = EndToEndModel(encoder.module, head)
    parities, scored, clips = select_clips(valid, test, params)
    arrays, signals = open_arrays(embeddings, clips), open_clips(audio, clips)
    width = next(iter(arrays.values())).shape[1]
    expected = {u.id: posteriors(head, arrays[u.id]) for u in scored}
    specs = {
        # Embeddings may be padded, as in training; an encoder's output changes with padding.
        "head": ExportSpec(head, HEAD_AXES, torch.zeros(2, 60, width), arrays, True, expected),
        "model": ExportSpec(
            end_to_end.eval(), MODEL_AXES, torch.zeros(2, SAMPLE_RATE_HZ), signals, False, expected
        ),
    }
    if encoder.max_samples:
        metadata |= {"max_s": encoder.max_samples // SAMPLE_RATE_HZ}
    report_entries = export_all(out, specs, metadata, parities, scored, params)
    counts = {"head": parameter_count(head), "encoder": parameter_count(encoder.module)}
    write_json(report, report_entries | {"parameters": counts})


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    inputs = ("model", "encoder_folder", "embeddings", "valid", "test", "audio")
    for name in (*inputs, "out", "report"):
        parser.add_argument(name, type=Path)
    args = parser.parse_args()
    configure(load("compute", ComputeParams).threads)
    run(**vars(args), params=load("onnx", OnnxParams))


if __name__ == "__main__":
    stage(main)
