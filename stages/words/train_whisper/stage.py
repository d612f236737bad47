"""Fine-tune Whisper on the clips of the training split.

Reads   the folder of a Whisper model, train.jsonl, valid.jsonl, data/audio
Writes  data/models/whisper/<run>/: the layout of the base, training.json; reports/curves/whisper
Params  train_whisper, compute, and the recipe that train_whisper.augment names

The weights with the lowest validation loss are the result, stored in the number type of the base. A
run that is killed resumes at its last checkpoint and ends in the same bytes. Times and memory go
to log.jsonl beside the checkpoints, because no output may depend on them.
"""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor, nn

from fonoteka import manifest
from fonoteka.audio.recipe import AugmentRecipe, load_recipe
from fonoteka.core.errors import UserError
from fonoteka.core.files import (
    atomic_file,
    atomic_folder,
    sha256_file,
    sha256_json,
    split_lines,
    write_json,
)
from fonoteka.core.params import load
from fonoteka.manifest import Utterance
from fonoteka.models.checkpoint import fingerprint
from fonoteka.models.curves import write_curves
from fonoteka.models.determinism import ComputeParams, configure
from fonoteka.models.oversampling import oversample
from fonoteka.models.parallel.ranks import ALONE, Ranks, training_processes
from fonoteka.models.step_checkpoints import StepCheckpoints, write_tensors
from fonoteka.shards import open_clips
from fonoteka.whisper.encoder_states import EncoderStates
from fonoteka.whisper.examples import TextClip, evenly_drawn, make_examples
from fonoteka.whisper.finetune import (
    FineTuning,
    Losses,
    StepRecord,
    fine_tune,
)
from fonoteka.whisper.finetune_params import FineTuneParams
from fonoteka.whisper.lora import LoraLinear, merge_adapters
from fonoteka.whisper.model import Whisper, load_whisper

WEIGHTS, RECORD, ADAPTER = "model.safetensors", "training.json", "adapter.safetensors"
NOT_COPIED = {WEIGHTS, RECORD, "provenance.json"}
"""Files of the base that describe or contain its weights; all others are the tuned model's too."""


class StepLog:
    """log.jsonl and the terminal: one line per step."""

    def __init__(self, path: Path, steps: int) -> None:
        self.path, self.steps, self.begun = path, steps, False

    def write(self, record: StepRecord) -> None:
        """Add the line of a step."""
        if not self.begun:
            self._begin(record.step)
        with self.path.open("a", encoding="utf-8", newline="\n") as file:
            file.write(json.dumps(asdict(record)) + "\n")
        print(
            f"step {record.step} of {self.steps}: loss {record.loss:.4f}, rate "
            f"{record.learning_rate:.2e}, {record.seconds:.1f} s, {record.peak_mib or '?'} MiB",
            flush=True,
        )

    def _begin(self, step: int) -> None:
        """Remove the lines from a step on: those of a run that was killed after its checkpoint."""
        text = self.path.read_text(encoding="utf-8") if self.path.is_file() else ""
        whole = split_lines(text[: text.rfind("\n") + 1])  # a kill may leave half of the last line
        earlier = [line for line in whole if json.loads(line)["step"] < step]
        with atomic_file(self.path) as part:
            part.write_text("".join(f"{line}\n" for line in earlier), encoding="utf-8")
        self.begun = True


def read_examples(
    whisper: Whisper, utterances: Sequence[Utterance], audio: Path, params: FineTuneParams
) -> list[TextClip]:
    """Return the examples of utterances in their order."""
    clips = open_clips(audio, {u.id: u.audio for u in utterances})
    return make_examples(whisper, utterances, clips, params.script)


def read_split(path: Path, purpose: str) -> list[Utterance]:
    """Return the utterances of a split, which has at least one."""
    utterances = manifest.read(path)
    if not utterances:
        raise UserError(f"{path}: no utterance to {purpose} on")
    return utterances


def base_weights(base: Path) -> dict[str, torch.dtype]:
    """Return the names of the weights in a folder, with their number types."""
    with safe_open(base / WEIGHTS, framework="pt") as file:
        return {name: file.get_tensor(name).dtype for name in sorted(file.keys())}


def round_weights(model: nn.Module, types: dict[str, torch.dtype]) -> dict[str, Tensor]:
    """Round a model's weights to the number types of its base and return them as stored."""
    state = model.state_dict()
    stored = {name: state[name].cpu().to(kind).contiguous() for name, kind in types.items()}
    with torch.no_grad():
        for name, tensor in stored.items():
            state[name].copy_(tensor)
    return stored


def adapters_of(model: nn.Module) -> dict[str, Tensor]:
    """Return the factors of all adapters by the name of their layer."""
    layers = {n: m for n, m in model.named_modules() if isinstance(m, LoraLinear)}
    downs = {f"{name}.down": layer.down.data.cpu() for name, layer in layers.items()}
    return downs | {f"{name}.up": layer.up.data.cpu() for name, layer in layers.items()}


def write_model(
    out: Path, base: Path, stored: dict[str, Tensor], adapters: dict[str, Tensor],
    record: dict[str, Any], params: FineTuneParams,
) -> None:  # fmt: skip
    """Write the tuned weights with the other files of the base and the record of the training."""
    with atomic_folder(out) as part:
        for path in sorted(base.iterdir()):
            if path.is_file() and path.name not in NOT_COPIED:
                shutil.copyfile(path, part / path.name)
        write_tensors(part / WEIGHTS, stored, {"format": "pt"})
        if adapters:
            scale = {"rank": str(params.lora.rank), "alpha": str(params.lora.alpha)}
            write_tensors(part / ADAPTER, adapters, scale)
        write_json(part / RECORD, record | {"weights_sha256": sha256_file(part / WEIGHTS)})


def hashes(base: Path, train: Path, valid: Path, audio: Path) -> dict[str, str]:
    """Return a hash of each input."""
    return {
        "base": sha256_json({p.name: sha256_file(p) for p in sorted(base.iterdir())}),
        "train": sha256_file(train),
        "valid": sha256_file(valid),
        "audio": sha256_json({p.name: sha256_file(p) for p in sorted(audio.glob("*.tar"))}),
    }


def run(
    name: str, base: Path, train: Path, valid: Path, audio: Path, out: Path, curves: Path,
    checkpoint: Path, params: FineTuneParams, recipe: AugmentRecipe, ranks: Ranks = ALONE,
) -> None:  # fmt: skip
    """Train one model and write it with its curves; of several ranks, the first writes."""
    whisper = load_whisper(base)
    whisper.model.to(ranks.device)
    whisper.log_mel.to(ranks.device)
    utterances = read_split(train, "train")
    chosen = evenly_drawn(read_split(valid, "validate"), params.valid_clips)
    examples = read_examples(whisper, utterances, audio, params)
    checked = read_examples(whisper, chosen, audio, params)
    lineage = hashes(base, train, valid, audio)
    mark = fingerprint(
        name, asdict(params), asdict(recipe), lineage, torch.get_num_threads(), ranks.mark
    )
    stored = None
    if params.trainable == "decoder":
        states = stored = EncoderStates(checkpoint / "states", mark)
        ranks.in_turn(lambda: states.prepare(whisper, [*examples, *checked]))
    keep = StepCheckpoints(checkpoint, mark)
    done = fine_tune(
        whisper, oversample(utterances, examples, params.repeat), checked, params, keep, stored,
        StepLog(checkpoint / "log.jsonl", params.steps).write, recipe, ranks,
    )  # fmt: skip
    if not ranks.first:
        return
    adapters = adapters_of(whisper.model)
    merge_adapters(whisper.model)
    weights = round_weights(whisper.model, base_weights(base))
    after = Losses(whisper, params, stored).valid(checked)
    record = training_record(name, params, recipe, done, after, lineage, ranks)
    counts = {"train": len(examples), "valid": len(checked)}
    write_curves(curves, done.progress.history)
    write_model(out, base, weights, adapters, record | {"clips": counts}, params)
    keep.clear()
    if stored is not None:
        stored.clear()


def training_record(
    name: str, params: FineTuneParams, recipe: AugmentRecipe, done: FineTuning, after: float,
    lineage: dict[str, str], ranks: Ranks = ALONE,
) -> dict[str, Any]:  # fmt: skip
    """Return what is known of a training, without times."""
    progress = done.progress
    used = asdict(params) | {"device": ranks.device.type}
    if not recipe.changes:
        # The record of a run without augmentation is as before recipes existed.
        del used["augment"]
    return {
        "name": name, "params": used, "training_data_sha256": sha256_json(lineage),
        "steps": progress.step, "best_step": progress.best_step,
        "trained_parameters": sum(weight.numel() for weight in done.weights.values()),
        "valid_loss": {
            "before": progress.history[0]["valid_loss"], "after": round(after, 6),
        },
    }  # fmt: skip


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name")
    parser.add_argument("base", type=Path, help="the folder of a Whisper model")
    parser.add_argument("train", type=Path)
    parser.add_argument("valid", type=Path)
    parser.add_argument("audio", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("curves", type=Path)
    parser.add_argument("--checkpoint", type=Path, required=True)
    args = parser.parse_args()
    compute = load("compute", ComputeParams)
    configure(compute.threads)
    params = load("train_whisper", FineTuneParams)
    recipe = load_recipe(params.augment, "train_whisper.augment")
    with training_processes(compute.device) as ranks:
        run(
            args.name, args.base, args.train, args.valid, args.audio, args.out, args.curves,
            args.checkpoint, params, recipe, ranks,
        )  # fmt: skip
