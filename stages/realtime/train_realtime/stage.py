"""Train one of the small models with one output per hop: speech, voicing, phone, viseme, onset.

Reads   data/realtime/streams, data/realtime/times.parquet, data/realtime/frontend.json
Writes  data/realtime/models/<name>/: model.safetensors, model.json; reports/curves/<name>/
Params  train_realtime, compute

A model reads whole streams in pieces, its state carried over as on an audio thread. Its output may
be a few hops later than the sound; that delay is in its parameters and in its report.
"""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from fonoteka.core.errors import UserError
from fonoteka.core.files import read_json, sha256_file, sha256_json
from fonoteka.core.params import load
from fonoteka.models.causal import Stack
from fonoteka.models.checkpoint import Checkpoint, fingerprint
from fonoteka.models.curves import write_curves
from fonoteka.models.determinism import ComputeParams, configure
from fonoteka.models.loop import fit
from fonoteka.models.parallel.ranks import ALONE, Ranks, one_process
from fonoteka.models.store import save_stack
from fonoteka.realtime.frame_labels import TASKS
from fonoteka.realtime.frontend import FrontEnd
from stages.realtime.train_realtime.realtime_task import (
    RealtimeTask,
    TrainRealtimeParams,
    Validator,
    read_streams,
)


def run(
    name: str, streams: Path, times: Path, frontend: Path, out: Path, curves: Path,
    checkpoint: Path, params: TrainRealtimeParams, ranks: Ranks = ALONE,
) -> None:  # fmt: skip
    """Train one model and write it with its curves."""
    if set(params.models) != set(TASKS):
        raise UserError(
            f"train_realtime.models must be {sorted(TASKS)}, found {sorted(params.models)}; "
            "change it in params.yaml"
        )
    end = FrontEnd.from_json(read_json(frontend))
    hop_s = end.hop_s
    task = RealtimeTask(read_streams(streams, times, "train"), name, params, hop_s)
    small = params.models[name]
    validator = Validator(read_streams(streams, times, "valid"), name, small.delay, hop_s)
    lineage = {
        "streams": sha256_json({p.name: sha256_file(p) for p in sorted(streams.iterdir())}),
        "times": sha256_file(times), "frontend": sha256_file(frontend),
    }  # fmt: skip
    inputs_hash = fingerprint(name, asdict(params), lineage, torch.get_num_threads(), ranks.mark)
    keep = Checkpoint(checkpoint, inputs_hash)
    model, progress = fit(task, validator.error, "error", params, keep, ranks=ranks)
    assert isinstance(model, Stack)
    model.eval()  # fit may return it in training mode, in which dropout would move the threshold
    metadata: dict[str, Any] = {
        "name": name, "labels": list(TASKS[name].names), "event": TASKS[name].event,
        "delay_hops": small.delay, "threshold": validator.threshold(model),
        "training_data_sha256": sha256_json(lineage), "best_epoch": progress.best_epoch,
        "valid_error": round(progress.best, 6),
    }  # fmt: skip
    write_curves(curves, progress.history or [])
    save_stack(out, model, task.shape, metadata)
    keep.clear()


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", choices=sorted(TASKS))
    for name in ("streams", "times", "frontend", "out", "curves"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--checkpoint", type=Path, required=True)
    args = parser.parse_args()
    compute = load("compute", ComputeParams)
    configure(compute.threads)
    # A stream's state goes from piece to piece, so its pieces stay in one process.
    ranks = one_process(compute.device, "train_realtime")
    run(**vars(args), params=load("train_realtime", TrainRealtimeParams), ranks=ranks)
