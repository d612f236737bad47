"""Decode a sound file with libsndfile from its first sample to its last, without seeking.

`soundfile` seeks after each block that it reads. For FLAC, Ogg and MP3 this restarts the decoder,
which is slow, can fail, and in MP3 changes samples. So this module, and no other, calls the library
in the package `soundfile` directly.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from tempfile import TemporaryFile
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt
import soundfile as sf

from fonoteka.audiocheck.private_api import require
from fonoteka.core.errors import UserError

PINNED = "0.14.0"
NAMES = (
    "_ffi.NULL", "_ffi.cast", "_ffi.new", "_ffi.string", "_formats", "_snd.SFM_READ",
    "_snd.sf_close", "_snd.sf_error", "_snd.sf_error_number", "_snd.sf_open_fd",
    "_snd.sf_readf_float", "_snd.sf_readf_int", "_snd.sf_readf_short", "_subtypes",
)  # fmt: skip
require("soundfile", PINNED, sf, NAMES)

_LIBRARY: Any = sf._snd
_C: Any = sf._ffi
_CALLS = {
    "int16": ("short*", _LIBRARY.sf_readf_short),
    "int32": ("int*", _LIBRARY.sf_readf_int),
    "float32": ("float*", _LIBRARY.sf_readf_float),
}
_INTEGERS = ("PCM_24", "PCM_32")
_FLOATS = ("FLOAT", "DOUBLE", "VORBIS", "OPUS", "MPEG_LAYER_I", "MPEG_LAYER_II", "MPEG_LAYER_III",
           "ALAC_20", "ALAC_24", "ALAC_32")  # fmt: skip
_TYPE_MASK, _SUBTYPE_MASK = 0x0FFF0000, 0x0000FFFF
_FORMATS: dict[int, str] = {code: name for name, code in sf._formats.items()}
_SUBTYPES: dict[int, str] = {code: name for name, code in sf._subtypes.items()}

Block = npt.NDArray[np.int16] | npt.NDArray[np.int32] | npt.NDArray[np.float32]


class Decoder:
    """An open sound file.

    Attributes:
        frames: samples per channel, according to libsndfile.
        sample_rate_hz: samples per second and channel.
        channels: number of channels.
        codec: container and encoding, such as `FLAC PCM_16`.
        dtype: type of the samples that `read` returns, which holds the file's own depth.
    """

    def __init__(self, descriptor: int) -> None:
        """Open the file of a descriptor at its current position; the caller closes the descriptor.

        Raises:
            ValueError: libsndfile cannot read it; the message is libsndfile's.
        """
        info = _C.new("SF_INFO*")
        self._file = _LIBRARY.sf_open_fd(descriptor, _LIBRARY.SFM_READ, info, 0)
        if self._file == _C.NULL:
            raise UserError(_sentence(_LIBRARY.sf_error(_C.NULL)))
        self.frames: int = info.frames
        self.sample_rate_hz: int = info.samplerate
        self.channels: int = info.channels
        subtype = _SUBTYPES.get(info.format & _SUBTYPE_MASK, "unknown")
        self.codec = f"{_FORMATS.get(info.format & _TYPE_MASK, 'unknown')} {subtype}"
        self.dtype = (
            "int32" if subtype in _INTEGERS else "float32" if subtype in _FLOATS else "int16"
        )

    def __enter__(self) -> Decoder:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        _LIBRARY.sf_close(self._file)

    def blocks(self, frames: int, size: int) -> Iterator[Block]:
        """Yield blocks of `frames` samples per channel in all, because a tag may follow them.

        Args:
            frames: samples per channel, in all.
            size: largest number of samples of all channels in a block.
        """
        block_frames = max(1, size // self.channels)
        while frames > 0 and (block := self.read(min(block_frames, frames))).size:
            yield block
            frames -= block.size // self.channels

    def read(self, frames: int) -> Block:
        """Return the next samples, interleaved, at most `[frames * channels]`; empty at the end.

        Integers fill their type: full scale is 2**15 or 2**31.

        Raises:
            ValueError: the decoder reports an error; the message is libsndfile's.
        """
        pointer, call = _CALLS[self.dtype]
        block: Block = np.empty(frames * self.channels, self.dtype)
        count = call(self._file, _C.cast(pointer, block.ctypes.data), frames)
        if code := _LIBRARY.sf_error(self._file):
            raise UserError(_sentence(code))
        return block[: count * self.channels]


@contextmanager
def open_decoders(descriptor: int, start: int, parts: Sequence[bytes]) -> Iterator[list[Decoder]]:
    """Open a file from byte `start` on, or instead of it several parts, each from that byte on."""
    with ExitStack() as stack:
        descriptors = [descriptor]
        if parts:
            # libsndfile is faster on a file than on callbacks that return bytes.
            files = [stack.enter_context(TemporaryFile()) for _ in parts]
            for file, part in zip(files, parts, strict=True):
                file.write(part)
                file.flush()
            descriptors = [file.fileno() for file in files]
        for number in descriptors:
            os.lseek(number, start, os.SEEK_SET)
        yield [stack.enter_context(Decoder(number)) for number in descriptors]


def _sentence(code: int) -> str:
    text: str = _C.string(_LIBRARY.sf_error_number(code)).decode("utf-8", "replace")
    return " ".join(text.split()).removeprefix("Error : ")
