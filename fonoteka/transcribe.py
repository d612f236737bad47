"""Transcribe recordings to phones with a packaged model whose hash is verified.

    python -m fonoteka transcribe clip.wav ... [--model ensemble] [--times] [--int8]

Reads   a model's folder with package.json, and recordings of any rate and number of channels
Writes  nothing; prints one line per recording, or with --times one line per phone: start, end,
        phone

A file that differs from the packaged one is refused, because a damaged model may still return
phones. README.md contains the same in a dozen lines that do not depend on this repository.

A recording of up to 60 s is one input, or of 30 s if the model's metadata has that as its longest
input (`max_s`, because Whisper's encoder has no more positions). The memory of the encoders'
attention grows with the square of the length, so a longer recording is cut into windows of 30 s
that overlap by 4 s or more. Posteriors of two windows are joined in the middle half of the
overlap, at the frame with the highest sum of log posteriors of the blank, so that no phone is cut
or doubled. Then all frames are decoded at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fonoteka.audio.dsp import (
    FRAME_HOP,
    FRAMES_PER_SECOND,
    SAMPLE_RATE_HZ,
    Signal,
    to_mono_16k,
)
from fonoteka.audiocheck.downmix import select_channel
from fonoteka.audiocheck.read_recording import read_recording
from fonoteka.core.errors import UserError
from fonoteka.git import project
from fonoteka.onnx_export.session import labels_of, open_model, session_posteriors
from fonoteka.packaging import verified
from fonoteka.scoring.decoding import DecodedSegment, greedy

Posteriors = NDArray[np.float32]
WHOLE_S, WINDOW_S, SHARED_S = 60, 30, 4


def load_recording(path: Path) -> Signal:
    """Return a recording as one channel at 16 kHz.

    Raises:
        ValueError: it cannot be read, is empty, or has a sample that is not finite.
    """
    samples, rate_hz = read_recording(path)
    if not len(samples) or not np.isfinite(samples).all():
        problem = "a sample that is not finite" if len(samples) else "no samples"
        raise UserError(f"{path}: contains {problem}; record it again")
    return to_mono_16k(select_channel(samples, rate_hz), rate_hz)


def transcribe(session: Any, labels: list[str], signal: Signal) -> list[DecodedSegment]:
    """Return the phones of a clip `[T]` at 16 kHz with their first and last frames."""
    return greedy(posteriors(session, signal, longest_input_s(session)), labels)


def posteriors(session: Any, signal: Signal, longest_s: int = WHOLE_S) -> Posteriors:
    """Return the log posteriors `[F, V]` of a clip `[T]`, joined from windows if it is long.

    Args:
        session: of the model.
        signal: at 16 kHz.
        longest_s: the longest input of the model, 30 or 60 s.

    Raises:
        ValueError: ONNX Runtime fails, for example without memory for a window.
    """
    starts, size = windows(len(signal), longest_s)
    ends = [*(start + size for start in starts[:-1]), len(signal)]
    pieces = [_window_posteriors(session, signal[a:b]) for a, b in zip(starts, ends, strict=True)]
    joined, begin = [], 0
    for number, (current, following) in enumerate(pairwise(pieces)):
        shared = len(current) - (starts[number + 1] - starts[number]) // FRAME_HOP
        cut = seam(current[-shared:], following[:shared])
        joined.append(current[begin : len(current) - shared + cut])
        begin = cut
    return np.concatenate([*joined, pieces[-1][begin:]])


def _window_posteriors(session: Any, signal: Signal) -> Posteriors:
    try:
        result: Posteriors = session_posteriors(session, signal[None])[0]
    except Exception as error:  # ONNX Runtime's errors share no base class
        raise UserError(
            f"the model fails on {len(signal) / SAMPLE_RATE_HZ:.1f} s of sound: "
            f"{str(error).splitlines()[0]}; give it more memory or cut the recording"
        ) from error
    return result


def longest_input_s(session: Any) -> int:
    """Return the longest input of a model in seconds: 60, or less if its metadata states less."""
    return min(WHOLE_S, int(session.get_modelmeta().custom_metadata_map.get("max_s", WHOLE_S)))


def windows(samples: int, whole_s: int = WHOLE_S) -> tuple[list[int], int]:
    """Return the starts of the windows, evenly spaced at whole frames, and their length in samples.

    Args:
        samples: of the recording.
        whole_s: a recording of up to this length is one window.

    >>> windows(60 * 16_000)
    ([0], 960000)
    >>> [start / 16_000 for start in windows(61 * 16_000)[0]]
    [0.0, 15.5, 31.0]
    """
    if samples <= whole_s * SAMPLE_RATE_HZ:
        return [0], samples
    # The last window also has the samples of the frame that is not whole, up to 319; with them it
    # must not exceed the longest input.
    size = min(WINDOW_S * SAMPLE_RATE_HZ, whole_s * SAMPLE_RATE_HZ - FRAME_HOP)
    step = size - SHARED_S * SAMPLE_RATE_HZ
    last = (samples - size) // FRAME_HOP  # in frames
    count = -(-last * FRAME_HOP // step)
    return [number * last // count * FRAME_HOP for number in range(count + 1)], size


def seam(earlier: Posteriors, later: Posteriors) -> int:
    """Return the first frame of the overlap that is taken from the later window.

    Args:
        earlier: log posteriors of the overlap from the earlier window, `[S, V]`; column 0 is the
            blank.
        later: the same from the later window.
    """
    edge = len(earlier) // 4
    inner = slice(edge, len(earlier) - edge)
    return edge + int((earlier[inner, 0] + later[inner, 0]).argmax())


def lines(spoken: list[DecodedSegment], times: bool) -> Iterator[str]:
    r"""Yield the lines to print for a clip.

    >>> list(lines([DecodedSegment("a", 0, 5), DecodedSegment("d", 9, 12)], times=False))
    ['a d']
    >>> list(lines([DecodedSegment("a", 0, 5)], times=True))
    ['0.00\t0.10\ta']
    """
    if not times:
        yield " ".join(s.symbol for s in spoken)
        return
    for s in spoken:
        yield f"{s.start / FRAMES_PER_SECOND:.2f}\t{s.end / FRAMES_PER_SECOND:.2f}\t{s.symbol}"


def model_folder(model: str) -> Path:
    """Return the folder of a model: `model` if it is one, else that name below data/models.

    >>> model_folder("none").as_posix().endswith("/data/models/none")
    True
    """
    return Path(model) if Path(model).is_dir() else project() / "data" / "models" / model


@dataclass(frozen=True)
class PhoneModel:
    """A phone recogniser whose file was verified.

    Attributes:
        name: of its folder.
        session: of ONNX Runtime.
        labels: names of the columns of its posteriors.
    """

    name: str
    session: Any
    labels: list[str]


def open_phone_model(model: str, *, int8: bool = False) -> PhoneModel:
    """Return a packaged phone recogniser.

    Args:
        model: the name of a model in data/models, or a folder.
        int8: whether to use the quantized file.

    Raises:
        ValueError: the file is missing or changed, or has another sample rate.
    """
    folder = model_folder(model)
    path = verified(folder, "model.int8.onnx" if int8 else "model.onnx")
    session = open_model(path)
    labels = labels_of(session, path)
    rate = session.get_modelmeta().custom_metadata_map.get("sample_rate_hz")
    if rate != str(SAMPLE_RATE_HZ):
        raise UserError(
            f"{path}: its sample rate is {rate} Hz, expected {SAMPLE_RATE_HZ}; export it again"
        )
    return PhoneModel(folder.name, session, labels)


def run(recordings: Sequence[Path], model: str, *, times: bool, int8: bool) -> None:
    """Print the phones of recordings.

    Args:
        recordings: files of any rate and number of channels.
        model: the name of a model in data/models, or a folder.
        times: whether to print a line per phone, with seconds.
        int8: whether to use the quantized file.

    Raises:
        ValueError: a recording or the model cannot be used.
    """
    phone_model = open_phone_model(model, int8=int8)
    for recording in recordings:
        spoken = transcribe(phone_model.session, phone_model.labels, load_recording(recording))
        start = f"{recording}:" if len(recordings) > 1 else ""
        for line in lines(spoken, times):
            print(f"{start}{line}")
