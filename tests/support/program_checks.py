"""Checks of a file that a program wrote: its length and waveform after reading."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from program_maker import ProgramFile, write_files
from scipy.signal import correlate, resample_poly

from fonoteka.audiocheck.decode import read_sound
from fonoteka.audiocheck.measure import Probe
from fonoteka.audiocheck.probe import probe

MIN_SIMILARITY = 0.9  # correlation of two waveforms, once one is shifted by the coder's delay
LOST = 2048  # samples at the beginning that ffmpeg's decoder of WMA leaves out
FOREIGN = (".webm", ".m4a", ".mp4", ".aac", ".wma", ".amr", ".awb", "speex.ogg")


def written(folder: Path, rate: int, channels: int) -> list[ProgramFile]:
    """Return all files of a rate and number of channels that programs can write."""
    if not shutil.which("ffmpeg"):
        pytest.skip("ffmpeg is not installed: it writes most of the files, and reads some")
    return write_files(folder, rate, channels)


def faults(files: Iterable[ProgramFile]) -> dict[str, str]:
    """Return the fault of each file that has one, by its name."""
    result = ((file.path.name, fault_of(file)) for file in files)
    return {name: fault for name, fault in result if fault}


def fault_of(file: ProgramFile) -> str:
    """Return the fault of a file; empty if it is read as its source."""
    result = probe(file.path)
    if result.problem or result.channels != file.channels or result.sound is None:
        return f"{result.problem}: {result.detail}"
    whole, _ = sf.read(file.whole, dtype="int16", always_2d=True)
    sound = result.sound.reshape(-1, result.channels)
    if fault := _of_length(file, result, len(whole)):
        return fault
    if not file.path.name.endswith(FOREIGN) and not _is_read(file.path, result):
        return "preprocessing reads something else"
    if file.kind.exact:
        room = 0 if file.kind.exact == 16 else 1 << 16 - file.kind.exact
        off = np.abs(sound[: len(whole)].astype(int) - whole).max()
        return f"a sample is off by {off}" if off > room else ""
    similarity = _similarity(sound, result.sample_rate_hz, whole, file.rate)
    return "" if similarity > MIN_SIMILARITY else f"its correlation is {similarity:.3f}"


def _of_length(file: ProgramFile, result: Probe, frames: int) -> str:
    """Compare the length with the source's: equal, or within a frame of the codec and its delay."""
    extra = result.frames * file.rate / result.sample_rate_hz - frames
    least = -LOST if file.path.suffix == ".wma" else -1
    return (
        "" if least <= extra <= file.kind.frame + file.kind.delay else f"has {extra} samples more"
    )


def _is_read(path: Path, result: Probe) -> bool:
    """Return whether preprocessing reads the samples that the inventory has checked."""
    samples, rate = read_sound(path)
    read = np.clip(np.rint(samples.reshape(-1) * 32768.0), -32768, 32767).astype(int)
    return rate == result.sample_rate_hz and (
        read.size == result.sound.size and np.abs(read - result.sound).max() <= 1
    )


def _similarity(sound: np.ndarray, rate: int, whole: np.ndarray, target_rate: int) -> float:
    """Return the correlation of the first channels at the best shift."""
    ours = sound[:, 0] / 32768.0
    if rate != target_rate:  # Opus is at 48 kHz, and some programs at the rate of the source
        ours = resample_poly(ours, target_rate, rate)
    theirs = whole[:, 0] / 32768.0
    lag = int(correlate(ours, theirs, method="fft").argmax()) - len(theirs) + 1
    ours, theirs = ours[max(0, lag) :], theirs[max(0, -lag) :]
    size = min(len(ours), len(theirs))
    return float(np.corrcoef(ours[:size], theirs[:size])[0, 1])
