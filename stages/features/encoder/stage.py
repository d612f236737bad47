"""Get the frozen encoder: from a model hub at a pinned revision, or pretrained here.

Reads   train.jsonl, data/audio (nothing of them where the hub is the source)
Writes  data/models/backbone/<name>/: config.json, model.safetensors, preprocessor_config.json
Params  backbone, compute

Both ways end in the same three files and the same `from_pretrained`, so no later stage knows which
way was taken. Pretraining hears the training part alone: its sound and its phones.
"""

from __future__ import annotations

import argparse
import os
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from huggingface_hub import get_hf_file_metadata, hf_hub_url, try_to_load_from_cache

from fonoteka import manifest
from fonoteka.core.errors import UserError
from fonoteka.core.files import atomic_folder, sha256_file
from fonoteka.core.params import load
from fonoteka.models.checkpoint import Checkpoint, fingerprint
from fonoteka.models.ctc import rate_at
from fonoteka.models.determinism import ComputeParams, configure, seed_of
from fonoteka.models.encoders import MODELS, feature_extractor, load_encoder
from fonoteka.models.oversampling import repeated
from fonoteka.shards import read_clips
from stages.features.encoder.pretrain import (
    Lesson,
    PretrainParams,
    Pupil,
    batches,
    lessons_from,
    step_loss,
)

SOURCES = ("pretrain", "hub")
ANSWER_S = 10.0  # longest wait for the hub's first answer


@dataclass(frozen=True)
class HubParams:
    """Where an encoder comes from: `owner/name` or a local folder, and the commit to take."""

    name: str
    revision: str


@dataclass(frozen=True)
class EncoderParams:
    """Section `encoder`."""

    source: str
    hub: dict[str, HubParams]
    pretrain: PretrainParams


def fetch(name: str, hub: HubParams, out: Path) -> None:
    """Fetch an encoder from the hub and write it.

    Raises:
        ValueError: the hub doesn't answer, or has no such encoder at that revision.
    """
    # Else transformers asks the hub to convert what isn't safetensors, in a request of its own.
    os.environ["DISABLE_SAFETENSORS_CONVERSION"] = "1"
    options = {} if Path(hub.name).is_dir() else {"revision": hub.revision}
    try:
        if options:
            ask(hub)
        encoder = load_encoder(hub.name, name, **options)
        extractor = feature_extractor(hub.name, **options)
    except (ValueError, OSError) as error:
        raise UserError(
            f"backbone: can't get {hub.name!r} at revision {hub.revision!r}; check the network and "
            f"encoder.hub, or set encoder.source to pretrain in params.yaml ({error})"
        ) from error
    with atomic_folder(out) as part:
        encoder.save_pretrained(part)
        extractor.save_pretrained(part)


def ask(hub: HubParams) -> None:
    """Ask the hub once for the encoder: transformers itself would ask for minutes.

    Raises:
        ValueError: it doesn't answer, or says no; nothing is asked for what is here already.
    """
    if isinstance(try_to_load_from_cache(hub.name, "config.json", revision=hub.revision), str):
        return
    url = hf_hub_url(hub.name, "config.json", revision=hub.revision)
    try:
        get_hf_file_metadata(url, timeout=ANSWER_S)
    except Exception as error:  # the client's errors share no base class
        raise UserError(f"{url}: {error}") from error


def pretrain(
    name: str, train: Path, audio: Path, out: Path, checkpoint: Path, params: PretrainParams
) -> None:
    """Pretrain an encoder on the training part and write it."""
    utterances = manifest.read(train)
    if not utterances:
        raise UserError(f"{train}: no utterance to pretrain on")
    signals = dict(read_clips(audio, {u.id: u.audio for u in utterances}))
    lessons = repeated(utterances, lessons_from(utterances, signals, params), params.repeat)
    heard = {path.name: sha256_file(path) for path in [train, *sorted(audio.glob("*.tar"))]}
    mark = fingerprint(name, asdict(params), heard, torch.get_num_threads())
    pupil = teach(Pupil(name, params), lessons, params, Checkpoint(checkpoint, mark))
    with atomic_folder(out) as part:
        pupil.encoder.save_pretrained(part)
        feature_extractor().save_pretrained(part)
    Checkpoint(checkpoint, mark).clear()


def teach(
    pupil: Pupil, lessons: list[Lesson], params: PretrainParams, checkpoint: Checkpoint
) -> Pupil:
    """Train, going on from the checkpoint where there is one."""
    optimizer = torch.optim.AdamW(pupil.parameters(), lr=params.learning_rate, weight_decay=0.01)
    done = int(checkpoint.restore(pupil, optimizer) or 0)
    order = batches([len(lesson.signal) for lesson in lessons], params.batch_s, params.seed)
    for _ in range(done):
        next(order)
    pupil.train()
    for number in range(done, params.steps):
        batch = [lessons[i] for i in next(order)]
        for group in optimizer.param_groups:
            group["lr"] = params.learning_rate * rate_at(
                (number + 1) / (params.steps + 1), params.warmup_fraction
            )
        loss = step_loss(pupil, batch, params, seed_of(params.seed, "step", number))
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(pupil.parameters(), 1.0)
        optimizer.step()
        if (number + 1) % params.round_steps == 0:
            checkpoint.save(pupil, optimizer, number + 1)
            print(f"step {number + 1} of {params.steps}: loss {loss.item():.3f}", flush=True)
    return pupil


def run(
    name: str, train: Path, audio: Path, out: Path, checkpoint: Path, params: EncoderParams
) -> None:
    """Fetch or pretrain one encoder."""
    if params.source not in SOURCES:
        raise UserError(f"encoder.source must be one of {SOURCES}, found {params.source!r}")
    if params.source == "pretrain":
        pretrain(name, train, audio, out, checkpoint, params.pretrain)
        return
    if name not in params.hub:
        raise UserError(f"encoder.hub has no {name!r}; found {sorted(params.hub)}")
    fetch(name, params.hub[name], out)


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", choices=sorted(MODELS))
    parser.add_argument("train", type=Path)
    parser.add_argument("audio", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--checkpoint", type=Path, required=True)
    args = parser.parse_args()
    configure(load("compute", ComputeParams).threads)
    params = load("encoder", EncoderParams)
    run(args.name, args.train, args.audio, args.out, args.checkpoint, params)
