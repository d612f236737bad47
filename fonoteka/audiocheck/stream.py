"""Read the samples of a recording of any length in blocks.

`read_sound` returns a whole file: two hours of stereo at 44.1 kHz are 2.5 GB. Here the memory is
that of a block, and for files of up to 64 MiB that of the file, whose structure is checked as
`probe` does. Files above that are left to the decoder.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, NamedTuple

import numpy as np
import numpy.typing as npt

from fonoteka.audiocheck.containers.container import CorruptFileError, Layout
from fonoteka.audiocheck.containers.sniff import layout_of
from fonoteka.audiocheck.ffmpeg import AU_HEAD, HEAD_BYTES, decode_command, ffmpeg_format
from fonoteka.audiocheck.libsndfile import Block, Decoder, open_decoders
from fonoteka.core.errors import UserError
from fonoteka.core.run_stage import child_preexec

_CHECKED_BYTES = 1 << 26
_UNKNOWN_FRAMES = 2**62  # from here on a header states that the length is unknown
_SCALES = {"int16": 2.0**-15, "int32": 2.0**-31, "float32": 1.0}


class SoundBlock(NamedTuple):
    """Some samples of a recording.

    Attributes:
        samples: in [-1, 1], shape `[frames, channels]`.
        sample_rate_hz: samples per second and channel.
    """

    samples: npt.NDArray[np.float32]
    sample_rate_hz: int


def sound_blocks(path: Path, seconds: float) -> Iterator[SoundBlock]:
    """Yield the samples of a file in blocks of `seconds`; the last block may be shorter.

    Raises:
        UserError: the file has no format that is known, ffmpeg is needed and is not installed, a
            decoder reports an error, or the file ends before the length that it states. Blocks may
            have been yielded by then.
    """
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
        if kind := ffmpeg_format(head):
            yield from _from_ffmpeg(path, kind, seconds)
            return
        layout = _layout(file, head)
        if layout.ffmpeg_format:
            yield from _from_ffmpeg(path, layout.ffmpeg_format, seconds)
            return
        with open_decoders(file.fileno(), layout.start, layout.parts) as decoders:
            for decoder in decoders:
                yield from _from_decoder(decoder, layout, seconds)


def _layout(file: IO[bytes], head: bytes) -> Layout:
    """Return the layout of a small file, or an empty one if the decoder has to decide."""
    if os.fstat(file.fileno()).st_size > _CHECKED_BYTES:
        return Layout()
    try:
        return layout_of(head + file.read())
    except CorruptFileError:
        return Layout()  # the decoder may read it nevertheless, as it does in `read_sound`


def _from_decoder(decoder: Decoder, layout: Layout, seconds: float) -> Iterator[SoundBlock]:
    stated = min(layout.sound_frames or decoder.frames, decoder.frames)
    count, size = 0, max(1, round(seconds * decoder.sample_rate_hz))
    while count < stated and len(block := decoder.read(min(size, stated - count))):
        samples = _scaled(block).reshape(-1, decoder.channels)
        count += len(samples)
        yield SoundBlock(samples, decoder.sample_rate_hz)
    # The length of an MPEG file without a table of its frames is an estimate.
    exact = not layout.spare and "MPEG" not in decoder.codec
    if exact and count < stated < _UNKNOWN_FRAMES:
        raise UserError(f"ends after {count} of {stated} samples; it was cut, so copy it again")


def _scaled(block: Block) -> npt.NDArray[np.float32]:
    scaled: npt.NDArray[np.float32] = block.astype(np.float32)
    return scaled * np.float32(_SCALES[block.dtype.name])


def _from_ffmpeg(path: Path, kind: str, seconds: float) -> Iterator[SoundBlock]:
    program = shutil.which("ffmpeg")
    if not program:
        raise UserError(f"is {kind}, which ffmpeg would read, but ffmpeg is not installed")
    # Messages go to a file: a full pipe of messages would stop ffmpeg, and this process with it.
    with TemporaryFile() as messages, subprocess.Popen(
        decode_command(program, path, kind, None),
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=messages,
        preexec_fn=child_preexec(),  # ffmpeg ends with this process
    ) as process:  # fmt: skip
        assert process.stdout is not None
        try:
            yield from _au_blocks(process.stdout, seconds)
            status = process.wait()
        finally:
            process.kill()  # without an effect on a process that has ended
        messages.seek(0)
        message = messages.read().decode("utf-8", "replace").replace(str(path), path.name)
        if status or message.strip():
            raise UserError(f"ffmpeg found a fault: {' '.join(message.split())[-200:]!a}")


def _au_blocks(pipe: IO[bytes], seconds: float) -> Iterator[SoundBlock]:
    """Yield the samples of ffmpeg's output: AU with 16 bits, big-endian; none if it is empty."""
    header = pipe.read(AU_HEAD)
    if len(header) < AU_HEAD:
        return
    offset, rate, channels = (
        int.from_bytes(header[position : position + 4], "big") for position in (4, 16, 20)
    )
    pipe.read(offset - AU_HEAD)
    size = 2 * channels * max(1, round(seconds * rate))
    while data := pipe.read(size):
        whole = len(data) // (2 * channels) * (2 * channels)
        samples = np.frombuffer(data[:whole], ">i2").astype(np.int16)
        yield SoundBlock(_scaled(samples).reshape(-1, channels), rate)
