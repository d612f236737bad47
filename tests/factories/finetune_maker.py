"""A fine-tuning of a few steps on clips with one tone per text, as a process that can be killed."""

from __future__ import annotations

import os
import signal
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import yaml
from clip_maker import save_clips, write_recipes
from toy import become, forked
from whisper_maker import tiny_whisper

from fonoteka import manifest
from fonoteka.audio.dsp import SAMPLE_RATE_HZ
from fonoteka.audio.recipe import NONE
from fonoteka.manifest import Utterance
from fonoteka.models import step_checkpoints
from fonoteka.whisper.examples import MaskParams
from fonoteka.whisper.finetune_params import FineTuneParams
from fonoteka.whisper.lora import LoraParams
from stages.words.train_whisper.stage import run

NO_MASKS = MaskParams(time_masks=0, time_frames=0, band_masks=0, bands=0)
PARAMS = FineTuneParams(
    seed=1, trainable="all", frozen=(), frozen_layers=0, script="latin", batch=4,
    accumulate=1, steps=6, learning_rate=0.01, warmup_fraction=0.1, beta2=0.98, weight_decay=0.01,
    max_grad_norm=1.0, label_smoothing=0.0, valid_every=2, valid_clips=4, patience=9,
    checkpoint_every=2, augment="none", masks=NO_MASKS,
    lora=LoraParams(rank=2, alpha=4.0, targets=("q_proj", "v_proj")), repeat={}, language_share={},
)  # fmt: skip
MASKED = replace(
    PARAMS, masks=MaskParams(time_masks=1, time_frames=20, band_masks=1, bands=10), valid_every=3
)
OUT = ("model", "curves", "checkpoint")
TEXTS = {"hr": "da", "sr": "не", "en": "the"}


def tone(hertz: float, seconds: float) -> np.ndarray:
    times = np.arange(round(seconds * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    return (0.3 * np.sin(2 * np.pi * hertz * times)).astype(np.float32)


def toy_split(folder: Path, count: int, first: int = 0) -> list[Utterance]:
    """Write clips into `folder` and return their utterances: three languages, one tone each."""
    languages = list(TEXTS)
    clips = {
        f"c{n:02d}": tone(300 * (1 + n % 3), 0.3 + 0.1 * (n % 5))
        for n in range(first, first + count)
    }
    utterances = save_clips(folder, clips)
    return [
        Utterance(**vars(u) | {"language": languages[n % 3], "text": TEXTS[languages[n % 3]]})
        for n, u in enumerate(utterances, start=first)
    ]


def toy_run(folder: Path, train: int = 10, valid: int = 4, base: Path | None = None) -> list[Path]:
    """Write two splits, their audio and, without `base`, a tiny model.

    Returns the paths in the stage's order.
    """
    base = base or tiny_whisper(folder / "base")
    utterances = toy_split(folder / "audio", train + valid)
    manifest.write(folder / "train.jsonl", utterances[:train])
    manifest.write(folder / "valid.jsonl", utterances[train:])
    return [base, folder / "train.jsonl", folder / "valid.jsonl", folder / "audio"]


def write_params(folder: Path, params: FineTuneParams) -> None:
    """Write the params.yaml of a run of the stage."""
    sections = {"compute": {"threads": 1, "device": "cpu"}, "train_whisper": plain(asdict(params))}
    (folder / "params.yaml").write_text(yaml.safe_dump(sections))
    write_recipes(folder)


def plain(value):
    """Return tuples as lists, as YAML has them."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, tuple) else value


def trained(toy, folder, params=PARAMS, recipe=NONE):
    """Run the stage into `folder` and return the folder of the model."""
    run("toy", *toy, *(folder / name for name in OUT), params, recipe)
    return folder / "model"


def outputs(folder):
    """Return the bytes of everything that DVC tracks."""
    paths = [p for name in OUT[:2] for p in sorted((folder / name).rglob("*")) if p.is_file()]
    return {str(p.relative_to(folder)): p.read_bytes() for p in paths}


def checkpoint_files(folder):
    """Return the names of the files beside the checkpoints."""
    return sorted(p.name for p in (folder / "checkpoint").iterdir())


class RunProcess:
    """A run of the stage in a fork of this process, whose output is read while it runs.

    A new interpreter would spend 8 CPU seconds on imports of torch and transformers.
    """

    def __init__(self, toy, folder, params=MASKED, prepare=None):
        self.code, self.path = None, folder / "out.txt"
        sys.stdout.flush()
        with self.path.open("w") as out:
            self.pid = os.fork()
            if self.pid == 0:

                def main():
                    if prepare:
                        prepare()
                    trained(toy, folder, params)

                become(main, folder, None, out.fileno(), out.fileno())

    def wait_for(self, text):
        """Wait until the process has printed a text or has ended."""
        deadline = time.monotonic() + 300
        while text not in self.path.read_text() and not self.ended():
            assert time.monotonic() < deadline, self.path.read_text()
            time.sleep(0.01)

    def ended(self):
        if self.code is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.code = os.waitstatus_to_exitcode(status)
        return self.code is not None

    def kill(self):
        os.kill(self.pid, signal.SIGKILL)
        self.code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def resumed(toy, folder, params=MASKED):
    """Run the stage again in a fork and return its exit code and output."""
    return forked(lambda: trained(toy, folder, params) and None)


def killed_in_checkpoint(number):
    """Return a function that lets its process kill itself in the middle of a checkpoint."""

    def prepare():
        write, to_bytes, writes = step_checkpoints.write_tensors, step_checkpoints._bytes, []

        def written(path, tensors, metadata):
            writes.append(path)
            calls = iter(range(len(tensors)))

            def counted(tensor):
                if len(writes) == number and next(calls) == len(tensors) // 2:
                    os.kill(os.getpid(), signal.SIGKILL)
                return to_bytes(tensor)

            step_checkpoints._bytes = counted
            write(path, tensors, metadata)

        step_checkpoints.write_tensors = written

    return prepare
