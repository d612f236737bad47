"""Train a phone recogniser on frozen embeddings: mlp, wav2vec2_ctc, wavlm_ctc or the reference.

Reads   embeddings, train.jsonl (CTC models) or segments.parquet (mlp), valid.jsonl
Writes  data/models/<name>/: model.safetensors, model.json; reports/curves/<name>/
Params  ctc or mlp, reference, compute

One loop for all of them. What differs is in `tasks`: what a batch is and what its loss is. All are
judged alike while they train, by the phone error rate on the validation voices, and the weights of
the best epoch are kept. A run that is killed goes on from its last epoch and ends in the same
bytes.
"""

from __future__ import annotations

import argparse
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from stages.common import manifest
from stages.common.audio import FRAMES_PER_SECOND, SAMPLE_RATE_HZ
from stages.common.checkpoint import Checkpoint, fingerprint
from stages.common.cli import stage
from stages.common.compute import ComputeParams, configure, seed_of
from stages.common.curves import write_curves
from stages.common.decoding import greedy
from stages.common.files import sha256_file, sha256_json
from stages.common.learning import rate_at
from stages.common.nets import new_head, posteriors, save_head
from stages.common.params import load
from stages.common.phones import LABELS
from stages.common.scoring import errors
from stages.common.shards import read_arrays
from stages.training.tasks import (
    CtcParams,
    CtcTask,
    LoopParams,
    MlpParams,
    MlpTask,
    ReferenceParams,
    Task,
)

MODELS = ("mlp", "wav2vec2_ctc", "wavlm_ctc", "reference")


@dataclass
class Progress:
    """How far a run is: JSON beside the weights in a checkpoint."""

    epoch: int = 0
    best_epoch: int = 0
    best_per: float = float("inf")
    history: list[dict[str, float]] | None = None


class Keeper(nn.Module):
    """The head in training beside its best state so far, so that a checkpoint holds both."""

    def __init__(self, head: nn.Module, best: nn.Module) -> None:
        super().__init__()
        self.head, self.best = head, best
        self.best.requires_grad_(False)


class Validation:
    """The validation part, heard by a head and scored."""

    def __init__(self, path: Path, embeddings: Path) -> None:
        self.utterances = manifest.read(path)
        if not self.utterances:
            raise ValueError(f"{path}: no utterance to validate on")
        self.arrays = read_arrays(embeddings, [u.id for u in self.utterances])

    def per(self, head: nn.Module) -> float:
        """Return the phone error rate."""
        head.eval()
        said = [greedy(posteriors(head, self.arrays[u.id])) for u in self.utterances]
        head.train()
        return errors(
            [u.phones for u in self.utterances], [[s.symbol for s in x] for x in said]
        ).rate


def fit(
    task: Task, validation: Validation, params: LoopParams, checkpoint: Checkpoint
) -> tuple[nn.Module, Progress]:
    """Return the best head and the story of its training."""
    torch.manual_seed(seed_of(params.seed, "weights"))
    keeper = Keeper(new_head(task.shape), new_head(task.shape))
    optimizer = torch.optim.AdamW(
        keeper.head.parameters(), params.learning_rate, weight_decay=params.weight_decay
    )
    notes = checkpoint.restore(keeper, optimizer)
    progress = Progress(**notes) if notes else Progress(history=[])
    assert progress.history is not None
    while progress.epoch < params.epochs:
        if progress.epoch - progress.best_epoch >= params.patience:
            break
        loss = run_epoch(task, keeper.head, optimizer, progress.epoch, params)
        progress.epoch += 1
        per = validation.per(keeper.head)
        if per < progress.best_per:
            progress.best_per, progress.best_epoch = per, progress.epoch
            keeper.best.load_state_dict(keeper.head.state_dict())
        progress.history.append({"train_loss": round(loss, 6), "valid_per": round(per, 6)})
        checkpoint.save(keeper, optimizer, asdict(progress))
        print(f"epoch {progress.epoch}: loss {loss:.3f}, valid PER {per:.4f}", flush=True)
    return keeper.best, progress


def run_epoch(
    task: Task, head: nn.Module, optimizer: torch.optim.Optimizer, epoch: int, params: LoopParams
) -> float:
    """Go once through the training part and return the mean loss."""
    seed = seed_of(params.seed, "epoch", epoch)
    torch.manual_seed(seed)
    batches = task.batches(seed)
    head.train()
    total = 0.0
    for number, batch in enumerate(batches):
        share = (epoch + number / len(batches)) / params.epochs
        for group in optimizer.param_groups:
            group["lr"] = params.learning_rate * rate_at(share, params.warmup_fraction)
        loss: Tensor = task.loss(head, batch)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(head.parameters(), params.clip_norm)
        optimizer.step()
        total += loss.item()
    return total / len(batches)


def run(
    name: str, embeddings: Path, targets: Path, valid: Path, out: Path, curves: Path,
    checkpoint: Path, params: CtcParams | MlpParams, reference: ReferenceParams | None = None,
) -> None:  # fmt: skip
    """Train one model and write it with its curves."""
    task: Task = (
        CtcTask(embeddings, targets, params, reference)
        if isinstance(params, CtcParams)
        else MlpTask(embeddings, targets, params)
    )
    lineage = {
        "embeddings": sha256_json(
            {p.name: sha256_file(p) for p in sorted(embeddings.glob("*.safetensors"))}
        ),
        "targets": sha256_file(targets),
        "valid": sha256_file(valid),
    }
    size = asdict(task.shape)
    mark = fingerprint(name, asdict(params), size, lineage, torch.get_num_threads())
    keep = Checkpoint(checkpoint, mark)
    head, progress = fit(task, Validation(valid, embeddings), params, keep)
    facts: dict[str, Any] = {
        "name": name, "backbone": embeddings.name, "labels": list(LABELS),
        "sample_rate_hz": SAMPLE_RATE_HZ, "frames_per_second": FRAMES_PER_SECOND,
        "training_data_sha256": sha256_json(lineage), "best_epoch": progress.best_epoch,
        "valid_per": round(progress.best_per, 6),
        "training_clips_too_short": task.left_out,
    }  # fmt: skip
    write_curves(curves, progress.history or [])
    save_head(out, head, task.shape, facts)
    keep.clear()


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", choices=MODELS)
    parser.add_argument("embeddings", type=Path)
    parser.add_argument("targets", type=Path, help="train.jsonl, or segments.parquet for the mlp")
    parser.add_argument("valid", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("curves", type=Path)
    parser.add_argument("--checkpoint", type=Path, required=True)
    args = parser.parse_args()
    configure(load("compute", ComputeParams).threads)
    params = load("mlp", MlpParams) if args.name == "mlp" else load("ctc", CtcParams)
    reference = load("reference", ReferenceParams) if args.name == "reference" else None
    if reference:
        params = replace(params, epochs=reference.epochs)
    run(
        args.name, args.embeddings, args.targets, args.valid, args.out, args.curves,
        args.checkpoint, params, reference,
    )  # fmt: skip


if __name__ == "__main__":
    stage(main)
