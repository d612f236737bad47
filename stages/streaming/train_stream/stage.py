"""Fine-tune Whisper's encoder and a causal head to recognise phones with bounded context.

Reads   data/models/encoder/whisper; the teacher's head and embeddings; train.jsonl, valid.jsonl,
        data/audio
Writes  data/models/stream_ctc/, see `fonoteka.models.stream.stream_model`
        reports/curves/stream_ctc/
Params  train_stream, compute, and the recipe that train_stream.augment names

The encoder was trained with 30 s of context on both sides. With 0.1 s after a frame its embeddings
hardly tell phones apart, so its weights are trained too, and not the head's alone. Each epoch is
judged by the phone error rate on validation clips, and the weights of the best one are kept. A run
that is killed resumes at its last epoch and ends in the same bytes.
"""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path

import torch
from torch import nn
from transformers.models.whisper.modeling_whisper import WhisperConfig

from fonoteka import manifest
from fonoteka.audio.dsp import FRAMES_PER_SECOND, SAMPLE_RATE_HZ
from fonoteka.audio.recipe import AugmentRecipe, load_recipe
from fonoteka.core.errors import UserError
from fonoteka.core.files import atomic_folder, sha256_file, sha256_json
from fonoteka.core.params import load
from fonoteka.models.checkpoint import Checkpoint, fingerprint
from fonoteka.models.curves import write_curves
from fonoteka.models.determinism import ComputeParams, configure
from fonoteka.models.device import device_of
from fonoteka.models.loop import fit
from fonoteka.models.parallel.ranks import ALONE, Ranks, training_processes
from fonoteka.models.provenance import copy_provenance
from fonoteka.models.stream.stream_encoder import StreamShape
from fonoteka.models.stream.stream_model import rounded_weights, save_stream_model
from fonoteka.models.stream.stream_step import StreamStep
from fonoteka.onnx_export.export import evenly_spaced
from fonoteka.phones import LABELS
from fonoteka.scoring.decoding import greedy
from fonoteka.scoring.error_rate import errors
from fonoteka.shards import open_clips
from stages.streaming.train_stream.stream_task import StreamTask, TrainStreamParams


class ValidationClips:
    """Clips of the validation split, evenly spaced by length."""

    def __init__(self, valid: Path, audio: Path, count: int, shape: StreamShape) -> None:
        self.shape = shape
        self.utterances = evenly_spaced(manifest.read(valid), count)
        if not self.utterances:
            raise UserError(f"{valid}: no utterance to validate on")
        self.signals = open_clips(audio, {u.id: u.audio for u in self.utterances})

    @torch.inference_mode()
    def per(self, model: nn.Module) -> float:
        """Return the phone error rate with the shape of the stream, which training may change."""
        assert isinstance(model, StreamStep)
        train_shape, model.encoder.shape = model.encoder.shape, self.shape
        decoded = []
        for utterance in self.utterances:
            samples = torch.from_numpy(self.signals[utterance.id])[None].to(device_of(model))
            log_probs = model.head(model.encoder(samples))[0].cpu().numpy()
            decoded.append([segment.symbol for segment in greedy(log_probs)])
        model.encoder.shape = train_shape
        return errors([u.phones for u in self.utterances], decoded).rate


def run(
    name: str, encoder: Path, teacher: Path, embeddings: Path, train: Path, valid: Path,
    audio: Path, out: Path, curves: Path, checkpoint: Path, params: TrainStreamParams,
    recipe: AugmentRecipe, ranks: Ranks = ALONE,
) -> None:  # fmt: skip
    """Train the recogniser and write it with its curves; of several ranks, the first writes."""
    task = StreamTask(encoder, teacher, embeddings, train, audio, params, recipe)
    lineage = {
        "encoder": sha256_file(encoder / "model.safetensors"),
        "teacher": sha256_file(teacher / "model.safetensors"),
        "embeddings": sha256_json(
            {p.name: sha256_file(p) for p in sorted(embeddings.glob("*.safetensors"))}
        ),
        "audio": sha256_json({p.name: sha256_file(p) for p in sorted(audio.glob("*.tar"))}),
        "train": sha256_file(train), "valid": sha256_file(valid),
    }  # fmt: skip
    mark = fingerprint(
        name, asdict(params), asdict(recipe), lineage, torch.get_num_threads(), ranks.mark
    )
    keep = Checkpoint(checkpoint, mark)
    validation = ValidationClips(valid, audio, params.valid_clips, params.shape)
    model, progress = fit(task, validation.per, "per", params, keep, task.groups, ranks)
    if not ranks.first:
        return
    assert isinstance(model, StreamStep)
    model.eval()  # the best weights are still in training mode: dropout would be judged too
    model.encoder.shape = params.shape
    rounded_weights(model)
    metadata = {
        "name": name, "encoder": encoder.name, "labels": list(LABELS),
        "sample_rate_hz": SAMPLE_RATE_HZ, "frames_per_second": FRAMES_PER_SECOND,
        "training_data_sha256": sha256_json(lineage), "best_epoch": progress.best_epoch,
        "valid_per": round(validation.per(model), 6), "teacher": teacher.name,
        "training_clips_too_short": task.left_out,
    }  # fmt: skip
    write_curves(curves, progress.history or [])
    with atomic_folder(out) as part:
        config = WhisperConfig.from_pretrained(encoder)
        save_stream_model(part, model, task.head_shape, config, metadata)
        copy_provenance(encoder, part)
    keep.clear()


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name")
    inputs = ("encoder", "teacher", "embeddings", "train", "valid", "audio")
    for name in (*inputs, "out", "curves"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--checkpoint", type=Path, required=True)
    args = parser.parse_args()
    compute = load("compute", ComputeParams)
    configure(compute.threads)
    params = load("train_stream", TrainStreamParams)
    recipe = load_recipe(params.augment, "train_stream.augment")
    with training_processes(compute.device) as ranks:
        run(**vars(args), params=params, recipe=recipe, ranks=ranks)
