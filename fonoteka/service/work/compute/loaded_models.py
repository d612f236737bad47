"""The models that a worker has loaded, by version.

A package is verified before it is loaded, as whole and against the version that was asked for: the
folder may have been replaced since the service read it.
"""

from __future__ import annotations

import ctypes
import gc
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from fonoteka.audio.dsp import FRAMES_PER_SECOND, SAMPLE_RATE_HZ, Signal
from fonoteka.core.errors import UserError
from fonoteka.core.files import sha256_file
from fonoteka.packaging import PACKAGE, REFETCH, check_package
from fonoteka.scoring.decoding import check_posteriors
from fonoteka.service.interfaces import ModelKind, ModelVersion
from fonoteka.service.work.compute.noting_gate import NotingGate
from fonoteka.service.work.compute.shared_sessions import twin
from fonoteka.service.work.compute.stream_models import StreamModel, open_stream_model
from fonoteka.transcribe import PhoneModel, open_phone_model, posteriors
from fonoteka.whisper.onnx_session import OnnxWhisper, open_whisper

VERSION_DIGITS = 12


@dataclass(frozen=True)
class WordModel:
    """A Whisper, and a speech gate at the start of a recording, of which each job takes a twin."""

    whisper: OnnxWhisper
    gate: NotingGate


Opened = WordModel | PhoneModel | StreamModel


@dataclass
class LoadedModels:
    """What a worker has loaded.

    Attributes:
        live: whether phone recognisers are opened for streams too.
    """

    live: bool = False
    _opened: dict[ModelVersion, Opened] = field(default_factory=dict)

    def load(self, model: ModelVersion) -> None:
        """Verify, open and run a model once.

        Raises:
            UserError: the package is not that of the version, is damaged, or does not run.
        """
        if model not in self._opened:
            self._opened[model] = opened(model, live=self.live)

    def unload(self, model: ModelVersion) -> None:
        """Free a model and return its memory to the system."""
        self._opened.pop(model, None)
        gc.collect()
        if sys.platform == "linux":
            # glibc keeps freed memory for itself: after ten swaps of a model of 80 MB, some 100 MB.
            trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
            if trim is not None:
                trim(0)

    def words(self, model: ModelVersion) -> WordModel:
        """Return a loaded Whisper."""
        result = self._opened[model]
        assert isinstance(result, WordModel), model
        return result

    def phones(self, model: ModelVersion) -> PhoneModel:
        """Return a loaded phone recogniser."""
        result = self._opened[model]
        assert isinstance(result, PhoneModel), model
        return result

    def stream(self, model: ModelVersion) -> StreamModel:
        """Return a loaded recogniser for streams."""
        result = self._opened[model]
        assert isinstance(result, StreamModel), model
        return result


def opened(model: ModelVersion, *, live: bool = False) -> Opened:
    """Return a model that was verified and has run once.

    Args:
        model: a package.
        live: whether it is opened for streams.

    Raises:
        UserError: as `LoadedModels.load`.
    """
    check_version(model)
    before = _states(model.folder)
    result = _opened(model, live)
    if _states(model.folder) != before:
        raise UserError(f"{model.folder}: changed while it was loaded; load it again")
    return result


def check_version(model: ModelVersion) -> None:
    """Compare a folder with the version that was asked for, and its files with package.json.

    Raises:
        UserError: they differ.
    """
    path = model.folder / PACKAGE
    if not path.is_file():
        raise UserError(f"model {model.name}: {path} is missing; put the folder back, or reload")
    digest = sha256_file(path)[:VERSION_DIGITS]
    if digest != model.version:
        raise UserError(
            f"model {model.name}: {path} is of version {digest}, expected {model.version}; "
            "reload the models"
        )
    if problems := check_package(model.folder):
        raise UserError(problems[0])


def _states(folder: Path) -> Mapping[str, tuple[int, int, int]]:
    """Return what changes with a file: cheap, because its hash has just been verified."""
    stats = {path.name: path.stat() for path in sorted(folder.iterdir())}
    return {name: (s.st_ino, s.st_size, s.st_mtime_ns) for name, s in stats.items()}


def _opened(model: ModelVersion, live: bool) -> Opened:
    noise = _noise()
    if model.kind is ModelKind.WORDS:
        words = WordModel(open_whisper(model.folder), NotingGate())
        rules = words.whisper.rules
        step = words.whisper.start([noise], 2.0)
        step(np.array([rules.prompt(next(iter(rules.languages)))]))
        twin(words.gate).push(noise)
        return words
    if model.kind is ModelKind.STREAM or live:
        stream = open_stream_model(model.folder)
        stream.run_once(noise)
        return stream
    phones = open_phone_model(str(model.folder))
    log_probs = posteriors(phones.session, noise)
    check_posteriors(log_probs, phones.labels)
    if len(log_probs) not in (FRAMES_PER_SECOND - 1, FRAMES_PER_SECOND):
        raise UserError(
            f"model {model.name}: {len(log_probs)} frames of a second, expected "
            f"{FRAMES_PER_SECOND}; {REFETCH}"
        )
    return phones


def _noise() -> Signal:
    """Return a second of quiet noise."""
    generator = np.random.default_rng(0)
    return (0.01 * generator.standard_normal(SAMPLE_RATE_HZ)).astype(np.float32)
