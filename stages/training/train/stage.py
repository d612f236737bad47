"""Train a phone recogniser on frozen embeddings: mlp, wav2vec2_ctc, wavlm_ctc or the reference.

Reads   embeddings, train.jsonl (CTC models) or segments.parquet (mlp), valid.jsonl
Writes  data/models/<name>/: model.safetensors, model.json; reports/curves/<name>/
Params  ctc or mlp, reference, compute

All models are trained by `fonoteka.models.loop`; what differs is in `tasks`. Each epoch is judged
by the phone error rate on the validation split, and the weights of the best epoch are kept. A run
that is killed resumes at its last epoch and ends in the same bytes. torchrun starts it in several
processes, see `fonoteka.models.parallel.ranks`.
"""

from __future__ import annotations

import argparse
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from fonoteka import manifest
from fonoteka.audio.dsp import FRAMES_PER_SECOND, SAMPLE_RATE_HZ
from fonoteka.core.errors import UserError
from fonoteka.core.files import sha256_file, sha256_json
from fonoteka.core.params import load
from fonoteka.models.checkpoint import Checkpoint, fingerprint
from fonoteka.models.curves import write_curves
from fonoteka.models.determinism import ComputeParams, configure
from fonoteka.models.heads import posteriors, save_head
from fonoteka.models.loop import fit
from fonoteka.models.parallel.ranks import ALONE, Ranks, training_processes
from fonoteka.phones import LABELS
from fonoteka.scoring.decoding import greedy
from fonoteka.scoring.error_rate import errors
from fonoteka.shards import open_arrays
from stages.training.train.tasks import (
    CtcParams,
    CtcTask,
    HeadTask,
    MlpParams,
    MlpTask,
    ReferenceParams,
)

HEADS = ("ctc", "mlp", "reference")


class Validation:
    """The validation part, which heads are scored on."""

    def __init__(self, path: Path, embeddings: Path) -> None:
        self.utterances = manifest.read(path)
        if not self.utterances:
            raise UserError(f"{path}: no utterance to validate on")
        self.arrays = open_arrays(embeddings, [u.id for u in self.utterances])

    def per(self, head: nn.Module) -> float:
        """Return the phone error rate."""
        decoded = [greedy(posteriors(head, self.arrays[u.id])) for u in self.utterances]
        return errors(
            [u.phones for u in self.utterances], [[s.symbol for s in x] for x in decoded]
        ).rate


def run(
    name: str, embeddings: Path, targets: Path, valid: Path, out: Path, curves: Path,
    checkpoint: Path, params: CtcParams | MlpParams, reference: ReferenceParams | None = None,
    ranks: Ranks = ALONE,
) -> None:  # fmt: skip
    """Train one model and write it with its curves; with several ranks, the first one writes."""
    # The mlp learns from segments, one vector each; all others from whole clips.
    task: HeadTask = (
        CtcTask(embeddings, targets, params, reference)
        if isinstance(params, CtcParams)
        else MlpTask(embeddings, targets, params, checkpoint.parent)
    )
    lineage = {
        "embeddings": sha256_json(
            {p.name: sha256_file(p) for p in sorted(embeddings.glob("*.safetensors"))}
        ),
        "targets": sha256_file(targets),
        "valid": sha256_file(valid),
    }
    size = asdict(task.shape)
    threads = torch.get_num_threads()
    inputs_hash = fingerprint(name, asdict(params), size, lineage, threads, ranks.mark)
    keep = Checkpoint(checkpoint, inputs_hash)
    per = Validation(valid, embeddings).per
    head, progress = fit(task, per, "per", params, keep, ranks=ranks)
    if not ranks.first:
        return
    metadata: dict[str, Any] = {
        "name": name, "encoder": embeddings.name, "labels": list(LABELS),
        "sample_rate_hz": SAMPLE_RATE_HZ, "frames_per_second": FRAMES_PER_SECOND,
        "training_data_sha256": sha256_json(lineage), "best_epoch": progress.best_epoch,
        "valid_per": round(progress.best, 6),
        "training_clips_too_short": task.left_out,
    }  # fmt: skip
    write_curves(curves, progress.history or [])
    save_head(out, head, task.shape, metadata)
    keep.clear()


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name")
    parser.add_argument("embeddings", type=Path)
    parser.add_argument("targets", type=Path, help="train.jsonl, or segments.parquet for the mlp")
    parser.add_argument("valid", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("curves", type=Path)
    parser.add_argument("--head", choices=HEADS, required=True)
    parser.add_argument("--checkpoint", type=Path, required=True)
    args = parser.parse_args()
    compute = load("compute", ComputeParams)
    configure(compute.threads)
    params = load("mlp", MlpParams) if args.head == "mlp" else load("ctc", CtcParams)
    reference = load("reference", ReferenceParams) if args.head == "reference" else None
    if reference:
        params = replace(params, epochs=reference.epochs)
    with training_processes(compute.device) as ranks:
        run(
            args.name, args.embeddings, args.targets, args.valid, args.out, args.curves,
            args.checkpoint, params, reference, ranks,
        )  # fmt: skip
