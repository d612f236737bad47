"""Run a packaged model on recordings, each once: results are kept in the cache of clips.

What is kept of a recording is independent of the calibration, so a new calibration needs no new
pass. After a kill the next run continues where the last one ended.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from fonoteka.audio.dsp import SAMPLE_RATE_HZ, Signal
from fonoteka.compute.clip_cache import ClipCache, entry_key, open_cache
from fonoteka.core.errors import UserError
from fonoteka.core.files import read_json, sha256_file, unit_interval
from fonoteka.manifest import read
from fonoteka.packaging import CONFIDENCE, MODEL
from fonoteka.scoring.decoding import greedy
from fonoteka.scoring.error_rate import aligned
from fonoteka.selection.pool import PoolClip
from fonoteka.selection.uncertainty import MEASURE, expected_error, measures_of, phone_profile
from fonoteka.shards import read_clips
from fonoteka.streaming.confidence import ConfidenceCalibration, fit_calibration
from fonoteka.transcribe import (
    load_recording,
    longest_input_s,
    model_folder,
    open_phone_model,
    posteriors,
)

VALID, AUDIO = Path("data/splits/valid.jsonl"), Path("data/audio")
CALIBRATION_CLIPS = 200
"""Clips of the validation split that a calibration is fitted to, some thousand phones."""
DIGITS = 6
PROGRESS = 200


@dataclass(frozen=True)
class DecodedRecording:
    """What a model made of a recording.

    Attributes:
        sha256: of the recording's bytes.
        seconds: of the recording.
        phones: decoded.
        measures: of their confidence, before calibration.
        profile: see `phone_profile`.
    """

    sha256: str
    seconds: float
    phones: tuple[str, ...]
    measures: tuple[float, ...]
    profile: tuple[float, ...]


class PhonePredictor:
    """A packaged phone recogniser and the calibration of its confidence."""

    def __init__(self, model: str) -> None:
        """Open a model, and its calibration if the package has one.

        Raises:
            UserError: the package is missing or damaged.
        """
        self.model = open_phone_model(model)
        folder = model_folder(model)
        self.calibration: ConfidenceCalibration | None = None
        self.calibrated_by = "nothing; clips keep their order, but shares are not exact"
        if (path := folder / CONFIDENCE).is_file():
            self.calibration = ConfidenceCalibration.from_json(read_json(path), str(path))
            self.calibrated_by = str(path)
        self.measure = self.calibration.measure if self.calibration else MEASURE
        self.fingerprint = f"select 1 {sha256_file(folder / MODEL)} {self.measure}"

    def predict(
        self, clips: Iterable[PoolClip]
    ) -> tuple[dict[str, DecodedRecording], dict[str, str]]:
        """Return the results of recordings by id, and the reasons of those without one."""
        results: dict[str, DecodedRecording] = {}
        problems: dict[str, str] = {}
        with open_cache("select") as cache:
            for number, clip in enumerate(clips, start=1):
                try:
                    results[clip.id] = self._cached(cache, clip)
                except UserError as error:
                    problems[clip.id] = str(error)
                if number % PROGRESS == 0:
                    print(f"decoded    {number} recordings", flush=True)
        return results, problems

    def _cached(self, cache: ClipCache, clip: PoolClip) -> DecodedRecording:
        digest = sha256_file(clip.file)
        key = entry_key(self.fingerprint, clip.id, digest)
        if (data := cache.get(key)) is None:
            data = json.dumps(asdict(self.decode(load_recording(clip.file), digest))).encode()
            cache.put(key, clip.id, data)
        record = json.loads(data)
        return DecodedRecording(
            record["sha256"], record["seconds"],
            *(tuple(record[name]) for name in ("phones", "measures", "profile")),
        )  # fmt: skip

    def decode(self, signal: Signal, digest: str = "") -> DecodedRecording:
        """Return what the model makes of a signal `[T]` at 16 kHz."""
        session, labels = self.model.session, self.model.labels
        log_probs = posteriors(session, signal, longest_input_s(session))
        segments = greedy(log_probs, labels)
        return DecodedRecording(
            digest,
            len(signal) / SAMPLE_RATE_HZ,
            tuple(s.symbol for s in segments),
            tuple(round(m, DIGITS) for m in measures_of(log_probs, segments, self.measure)),
            tuple(round(v, DIGITS) for v in phone_profile(log_probs).tolist()),
        )

    def uncertainty(self, recording: DecodedRecording) -> float:
        """Return the expected share of wrong phones of a recording; NaN without a phone."""
        return expected_error(recording.measures, self.calibration)

    def calibrate(self, manifest: Path = VALID, audio: Path = AUDIO) -> None:
        """Fit a calibration to the validation split, if it exists and the package has none.

        Its voices were not trained on, so the model's confidence in them is that in new voices; a
        phone is right if the alignment with the transcript pairs it with itself.

        Raises:
            UserError: the split or its audio is damaged.
        """
        if self.calibration is not None or not manifest.is_file() or not audio.is_dir():
            return
        rows = sorted(read(manifest), key=lambda u: unit_interval("calibration", u.id))
        spoken = {u.id: u for u in rows[:CALIBRATION_CLIPS]}
        values: list[float] = []
        right: list[bool] = []
        references: Mapping[str, str] = {key: u.audio for key, u in spoken.items()}
        for key, signal in read_clips(audio, references):
            decoded = self.decode(signal)
            pairs = aligned(spoken[key].phones, decoded.phones)
            right += [a == b for a, b in pairs if b is not None]
            values += decoded.measures
        if not values:
            return
        self.calibration = fit_calibration(values, right, self.measure, "logistic")
        self.calibrated_by = f"{len(values)} phones of {manifest}"
