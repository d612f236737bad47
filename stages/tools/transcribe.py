"""Name the phones of recordings with a packaged model, after its hash was checked.

    make transcribe WAV=clip.wav [MODEL=ensemble]
    python -m stages.tools.transcribe data/models/ensemble clip.wav ... [--times] [--int8]

Reads   a model's folder with package.json, and recordings of any rate and number of channels
Writes  nothing; prints a line a recording, or with --times a line a phone: start, end, phone

A file that isn't the one that was packaged is refused: a damaged model still answers, and nobody
would notice. README.md shows the same in a dozen lines that need nothing of this repository.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from stages.common.audio import FRAMES_PER_SECOND, SAMPLE_RATE_HZ, Signal, to_mono_16k
from stages.common.cli import stage
from stages.common.decoding import Spoken, greedy
from stages.common.downmix import uncancelled
from stages.common.package import verified
from stages.common.probe import UNREADABLE
from stages.common.runtime import labels_of, open_model, session_posteriors


def heard(path: Path) -> Signal:
    """Return a recording as one channel at 16 kHz.

    Raises:
        ValueError: it can't be read, or holds nothing, or a sample that is no number.
    """
    if not path.is_file():
        raise ValueError(f"{path}: no such file")
    try:
        samples, rate_hz = soundfile.read(path, dtype="float32")
    except UNREADABLE as error:
        raise ValueError(f"{path}: not a recording that can be read: {error}") from error
    if not len(samples) or not np.isfinite(samples).all():
        what = "a sample that is no number" if len(samples) else "no sample"
        raise ValueError(f"{path}: holds {what}; record it again")
    return to_mono_16k(uncancelled(samples, rate_hz), rate_hz)


def transcribe(session: Any, labels: list[str], signal: Signal) -> list[Spoken]:
    """Return the phones of a clip `[T]` at 16 kHz with the frames in which they are heard."""
    return greedy(session_posteriors(session, signal[None])[0], labels)


def lines(spoken: list[Spoken], times: bool) -> Iterator[str]:
    r"""Yield what is printed of a clip.

    >>> list(lines([Spoken("a", 0, 5), Spoken("d", 9, 12)], times=False))
    ['a d']
    >>> list(lines([Spoken("a", 0, 5)], times=True))
    ['0.00\t0.10\ta']
    """
    if not times:
        yield " ".join(s.symbol for s in spoken)
        return
    for s in spoken:
        yield f"{s.start / FRAMES_PER_SECOND:.2f}\t{s.end / FRAMES_PER_SECOND:.2f}\t{s.symbol}"


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path, help="a folder such as data/models/ensemble")
    parser.add_argument("recordings", type=Path, nargs="+")
    parser.add_argument("--times", action="store_true", help="a line a phone, with seconds")
    parser.add_argument("--int8", action="store_true", help="the smaller file")
    args = parser.parse_args()
    path = verified(args.model, "model.int8.onnx" if args.int8 else "model.onnx")
    session = open_model(path)
    labels = labels_of(session, path)
    rate = session.get_modelmeta().custom_metadata_map.get("sample_rate_hz")
    if rate != str(SAMPLE_RATE_HZ):
        raise ValueError(f"{path}: hears {rate} Hz, expected {SAMPLE_RATE_HZ}; export it anew")
    for recording in args.recordings:
        spoken = transcribe(session, labels, heard(recording))
        start = f"{recording}:" if len(args.recordings) > 1 else ""
        for line in lines(spoken, args.times):
            print(f"{start}{line}")


if __name__ == "__main__":
    stage(main)
