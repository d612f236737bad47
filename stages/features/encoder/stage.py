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
from fonoteka.models.ctc import lr_at
from fonoteka.models.determinism import ComputeParams, configure, seed_of
from fonoteka.models.encoders import MODELS, feature_extractor, load_encoder
from fonoteka.models.oversampling import oversample
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
class HubEncoder:
    """Where an encoder comes from: `owner/name` or a local folder, and the commit to take."""

    name: str
    revision: str

    @classmethod
    def parse(cls, text: str) -> HubEncoder:
        """Return what `owner/name@revision` names.

        Raises:
            UserError: the name or the revision is missing.
        """
        name, _, revision = text.rpartition("@")
        if not name or not revision:
            raise UserError(f"encoders: hub must be owner/name@revision, found {text!r}")
        return cls(name, revision)


@dataclass(frozen=True)
class EncoderParams:
    """Section `encoder`."""

    source: str
    pretrain: PretrainParams


def fetch(kind: str, hub: HubEncoder, out: Path) -> None:
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


def ask(hub: HubEncoder) -> None:
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
    kind: str, train: Path, audio: Path, out: Path, checkpoint: Path, params: PretrainParams
) -> None:
    """Pretrain an encoder on the training part and write it."""
    utterances = manifest.read(train)
    if not utterances:
        raise UserError(f"{train}: no utterance to pretrain on")
    signals = dict(read_clips(audio, {u.id: u.audio for u in utterances}))
    lessons = oversample(utterances, lessons_from(utterances, signals, params), params.repeat)
    heard = {path.name: sha256_file(path) for path in [train, *sorted(audio.glob("*.tar"))]}
    mark = fingerprint(kind, asdict(params), heard, torch.get_num_threads())
    pupil = teach(Pupil(kind, params), lessons, params, Checkpoint(checkpoint, mark))
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
            group["lr"] = params.learning_rate * lr_at(
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
    kind: str, hub: HubEncoder, train: Path, audio: Path, out: Path, checkpoint: Path,
    params: EncoderParams,
) -> None:  # fmt: skip
    """Fetch or pretrain one encoder."""
    if params.source not in SOURCES:
        raise UserError(f"encoder.source must be one of {SOURCES}, found {params.source!r}")
    if params.source == "pretrain":
        pretrain(kind, train, audio, out, checkpoint, params.pretrain)
    else:
        fetch(kind, hub, out)


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kind", choices=sorted(MODELS))
    parser.add_argument("hub", type=HubEncoder.parse, help="owner/name@revision")
    parser.add_argument("train", type=Path)
    parser.add_argument("audio", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--checkpoint", type=Path, required=True)
    args = parser.parse_args()
    configure(load("compute", ComputeParams).threads)
    run(**vars(args), params=load("encoder", EncoderParams))
