"""What has to hold for a file that a program wrote, once it is read: length and waveform."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from program_maker import ProgramFile, made
from scipy.signal import correlate, resample_poly

from fonoteka.audiocheck.decode import read_sound
from fonoteka.audiocheck.probe import Probe, probe

LIKENESS = 0.9  # correlation of two waveforms, once one is shifted by the coder's delay
LOST = 2048  # samples at the beginning that ffmpeg's decoder of WMA leaves out
FOREIGN = (".webm", ".m4a", ".mp4", ".aac", ".wma", ".amr", ".awb", "speex.ogg")


def written(folder: Path, rate: int, channels: int) -> list[ProgramFile]:
    """Return all files of a rate and number of channels that programs can write."""
    if not shutil.which("ffmpeg"):
        pytest.skip("ffmpeg is not installed: it writes most of the files, and reads some")
    return made(folder, rate, channels)


def faults(files: Iterable[ProgramFile]) -> dict[str, str]:
    """Return what is wrong with each file, if anything is, by its name."""
    found = ((one.path.name, fault_of(one)) for one in files)
    return {name: fault for name, fault in found if fault}


def fault_of(one: ProgramFile) -> str:
    """Return what is wrong with a file; empty if it is read as what it was made from."""
    found = probe(one.path)
    if found.problem or found.channels != one.channels or found.sound is None:
        return f"{found.problem}: {found.detail}"
    whole, _ = sf.read(one.whole, dtype="int16", always_2d=True)
    sound = found.sound.reshape(-1, found.channels)
    if fault := _of_length(one, found, len(whole)):
        return fault
    if not one.path.name.endswith(FOREIGN) and not _is_read(one.path, found):
        return "preprocessing reads something else"
    if one.kind.exact:
        room = 0 if one.kind.exact == 16 else 1 << 16 - one.kind.exact
        off = np.abs(sound[: len(whole)].astype(int) - whole).max()
        return f"a sample is off by {off}" if off > room else ""
    likeness = _likeness(sound, found.sample_rate_hz, whole, one.rate)
    return "" if likeness > LIKENESS else f"its correlation is {likeness:.3f}"


def _of_length(one: ProgramFile, found: Probe, frames: int) -> str:
    """Hold the length against the source's: equal, or within a frame of the codec and its delay."""
    extra = found.frames * one.rate / found.sample_rate_hz - frames
    least = -LOST if one.path.suffix == ".wma" else -1
    return "" if least <= extra <= one.kind.frame + one.kind.delay else f"has {extra} samples more"


def _is_read(path: Path, found: Probe) -> bool:
    """Tell whether preprocessing reads what the inventory has checked."""
    samples, rate = read_sound(path)
    heard = np.clip(np.rint(samples.reshape(-1) * 32768.0), -32768, 32767).astype(int)
    return rate == found.sample_rate_hz and (
        heard.size == found.sound.size and np.abs(heard - found.sound).max() <= 1
    )


def _likeness(sound: np.ndarray, rate: int, whole: np.ndarray, wanted: int) -> float:
    """Return the correlation of the first channels where they fit best."""
    ours = sound[:, 0] / 32768.0
    if rate != wanted:  # Opus is at 48 kHz, and some programs at the rate of the source
        ours = resample_poly(ours, wanted, rate)
    theirs = whole[:, 0] / 32768.0
    lag = int(correlate(ours, theirs, method="fft").argmax()) - len(theirs) + 1
    ours, theirs = ours[max(0, lag) :], theirs[max(0, -lag) :]
    size = min(len(ours), len(theirs))
    return float(np.corrcoef(ours[:size], theirs[:size])[0, 1])
