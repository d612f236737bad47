"""Get the frozen encoder: from a model hub at a pinned revision, or pretrained here.

Reads   train.jsonl, data/audio (not read if the hub is the source)
Writes  data/models/encoder/<name>/: config.json, model.safetensors, preprocessor_config.json,
        provenance.json: source, and for a fetched one owner/name@revision
Params  encoder, compute, and the recipe that encoder.pretrain.augment names

Both ways give the same files for the same `from_pretrained`, so later stages do not depend on
the way. Pretraining reads the training part alone: its audio and its phones.
"""

from __future__ import annotations

import argparse
import os
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from huggingface_hub import get_hf_file_metadata, hf_hub_url, try_to_load_from_cache

from fonoteka import manifest
from fonoteka.audio.recipe import AugmentRecipe, load_recipe
from fonoteka.core.errors import UserError
from fonoteka.core.files import atomic_folder, sha256_file
from fonoteka.core.params import load
from fonoteka.core.stage_log import log_step
from fonoteka.models.checkpoint import Checkpoint, fingerprint
from fonoteka.models.ctc import lr_at
from fonoteka.models.determinism import ComputeParams, configure, seed_of
from fonoteka.models.device import half_precision
from fonoteka.models.encoders import MODELS, feature_extractor, load_encoder
from fonoteka.models.oversampling import oversample
from fonoteka.models.parallel.ranks import ALONE, Ranks, one_process
from fonoteka.models.provenance import SOURCES, write_provenance
from fonoteka.shards import open_clips
from fonoteka.whisper.conversion.hub import HubRevision
from stages.features.encoder.pretrain import (
    PretrainExample,
    PretrainModel,
    PretrainParams,
    batches,
    pretrain_examples,
    step_loss,
)

ANSWER_S = 10.0  # longest wait for the hub's first answer


@dataclass(frozen=True)
class EncoderParams:
    """Section `encoder`."""

    source: str
    pretrain: PretrainParams


def fetch(kind: str, hub: HubRevision, out: Path) -> None:
    """Fetch an encoder from the hub, or from the folder that is the name of `hub`, and write it.

    Raises:
        ValueError: the hub does not answer, or has no such encoder at that revision.
    """
    # Otherwise transformers sends a request of its own to convert other formats to safetensors.
    os.environ["DISABLE_SAFETENSORS_CONVERSION"] = "1"
    options = {} if Path(hub.name).is_dir() else {"revision": hub.revision}
    try:
        if options:
            ask(hub)
        encoder = load_encoder(hub.name, kind, **options)
        extractor = feature_extractor(hub.name, **options)
    except (ValueError, OSError) as error:
        raise UserError(
            f"encoder: cannot get {hub.name!r} at revision {hub.revision!r}; check the network and "
            f"encoders in params.yaml, or set encoder.source to pretrain ({error})"
        ) from error
    with atomic_folder(out) as part:
        encoder.save_pretrained(part)
        extractor.save_pretrained(part)
        write_provenance(part, "hub", f"{hub.name}@{hub.revision}")


def ask(hub: HubRevision) -> None:
    """Request the encoder once, because transformers itself would retry for minutes.

    Raises:
        ValueError: the hub does not answer or refuses; a cached encoder needs no request.
    """
    if isinstance(try_to_load_from_cache(hub.name, "config.json", revision=hub.revision), str):
        return
    url = hf_hub_url(hub.name, "config.json", revision=hub.revision)
    try:
        get_hf_file_metadata(url, timeout=ANSWER_S)
    except Exception as error:  # the client's errors share no base class
        raise UserError(f"{url}: {error}") from error


def pretrain(
    kind: str, train: Path, audio: Path, out: Path, checkpoint: Path, params: PretrainParams,
    recipe: AugmentRecipe, ranks: Ranks = ALONE,
) -> None:  # fmt: skip
    """Pretrain an encoder on the training part and write it."""
    utterances = manifest.read(train)
    if not utterances:
        raise UserError(f"{train}: no utterance to pretrain on")
    signals = open_clips(audio, {u.id: u.audio for u in utterances})
    examples = oversample(utterances, pretrain_examples(utterances, signals, params), params.repeat)
    hashes = {path.name: sha256_file(path) for path in [train, *sorted(audio.glob("*.tar"))]}
    inputs_hash = fingerprint(
        kind, asdict(params), asdict(recipe), hashes, torch.get_num_threads(), ranks.mark
    )
    model = PretrainModel(kind, params).to(ranks.device)
    train_model(model, examples, params, recipe, Checkpoint(checkpoint, inputs_hash))
    model.to("cpu")
    with atomic_folder(out) as part:
        model.encoder.save_pretrained(part)
        feature_extractor().save_pretrained(part)
        write_provenance(part, "pretrain")
    Checkpoint(checkpoint, inputs_hash).clear()


def train_model(
    model: PretrainModel, examples: list[PretrainExample], params: PretrainParams,
    recipe: AugmentRecipe, checkpoint: Checkpoint,
) -> PretrainModel:  # fmt: skip
    """Train a model, continuing from the checkpoint if there is one."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=params.learning_rate, weight_decay=0.01)
    done = int(checkpoint.restore(model, optimizer) or 0)
    order = batches([example.samples for example in examples], params.batch_s, params.seed)
    # The batches of finished steps are skipped, so a resumed run trains on the same ones.
    for _ in range(done):
        next(order)
    model.train()
    for number in range(done, params.steps):
        batch = [examples[i] for i in next(order)]
        for group in optimizer.param_groups:
            group["lr"] = params.learning_rate * lr_at(
                (number + 1) / (params.steps + 1), params.warmup_fraction
            )
        with half_precision(model.device):
            loss = step_loss(model, batch, params, recipe, seed_of(params.seed, "step", number))
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        log_step(step=number + 1, loss=loss.item(), learning_rate=optimizer.param_groups[0]["lr"])
        if (number + 1) % params.round_steps == 0:
            checkpoint.save(model, optimizer, number + 1)
            print(f"step {number + 1} of {params.steps}: loss {loss.item():.3f}", flush=True)
    return model


def run(
    kind: str, hub: HubRevision, train: Path, audio: Path, out: Path, checkpoint: Path,
    params: EncoderParams, recipe: AugmentRecipe, ranks: Ranks = ALONE,
) -> None:  # fmt: skip
    """Fetch or pretrain one encoder."""
    if params.source not in SOURCES:
        raise UserError(f"encoder.source must be one of {SOURCES}, found {params.source!r}")
    if params.source == "pretrain":
        pretrain(kind, train, audio, out, checkpoint, params.pretrain, recipe, ranks)
    else:
        fetch(kind, hub, out)


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kind", choices=sorted(MODELS))
    parser.add_argument("hub", help="owner/name@commit")
    parser.add_argument("train", type=Path)
    parser.add_argument("audio", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--checkpoint", type=Path, required=True)
    args = parser.parse_args()
    compute = load("compute", ComputeParams)
    configure(compute.threads)
    hub = HubRevision.parse(args.hub, "encoders: hub")
    # The masks and changes of a batch come from one generator: it is not shared out.
    ranks = one_process(compute.device, "encoder")
    params = load("encoder", EncoderParams)
    recipe = load_recipe(params.pretrain.augment, "encoder.pretrain.augment")
    run(**vars(args) | {"hub": hub}, params=params, recipe=recipe, ranks=ranks)
