"""Decode one file to float32 samples of one channel at 16 kHz, within limits.

    recording of any kind -> checks of its head -> blocks -> one channel at 16 kHz -> raw file

Each limit is checked before sound is decoded, as far as the header states it, and again with
every block, because headers lie. The list of formats is closed: libsndfile accepts arbitrary bytes
for some of its others.
"""

from __future__ import annotations

import os
import shutil
import time
from typing import IO

import numpy as np

from fonoteka.audio.dsp import SAMPLE_RATE_HZ
from fonoteka.audiocheck.containers.container import CorruptFileError
from fonoteka.audiocheck.containers.mpeg_header import parse_header
from fonoteka.audiocheck.containers.sniff import layout_of
from fonoteka.audiocheck.ffmpeg import HEAD_BYTES, ffmpeg_format
from fonoteka.audiocheck.libsndfile import Decoder
from fonoteka.audiocheck.stream import SoundBlock
from fonoteka.core.errors import UserError
from fonoteka.recording_blocks import BLOCK_S, signal_blocks
from fonoteka.service.settings import UploadLimits
from fonoteka.service.uploads.decode_messages import DecodeReply, DecodeRequest
from fonoteka.service.uploads.refusals import is_full

FORMATS = "wav, flac, ogg, opus, mp3, m4a, mp4 or webm"
_WAV = (b"RIFF", b"RIFX", b"RF64")
_SIGNATURES = (*_WAV, b"fLaC", b"OggS", b"ID3")
_CODECS = ("WAV", "WAVEX", "RF64", "FLAC", "OGG", "MP3", "MPEG")  # libsndfile's containers
_FFMPEG_KINDS = ("mov", "matroska")
_LAYOUT_BYTES = 1 << 26  # a WAV file up to this size is compared with its header
_UNKNOWN_FRAMES = 2**62  # from here on a header states that the length is unknown
_BLOCK_SAMPLES = 1 << 23  # of all channels: 32 MiB, of which a decoder needs several
_SPEED = 200  # seconds of stereo at 44.1 kHz that are decoded in a second; measured: 310


class RefusedFileError(UserError):
    """A file is beyond a limit or has a format that is not accepted."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code = status, code


class BudgetError(UserError):
    """A file takes longer than its budget."""


def decode_file(request: DecodeRequest, limits: UploadLimits) -> DecodeReply:
    """Decode a file; unless that succeeds, the target does not exist afterwards."""
    try:
        samples = _decode(request, limits)
    except BudgetError:
        reply = DecodeReply(later=True)
    except RefusedFileError as error:
        reply = DecodeReply(status=error.status, code=error.code, message=str(error))
    except MemoryError:
        reply = DecodeReply(
            status=413, code="needs_memory",
            message=f"decoding needs more than {limits.decode_memory_mib} MiB; convert the file",
        )  # fmt: skip
    except FileNotFoundError:
        reply = DecodeReply(
            status=404, code="file_not_found", message="the file was deleted meanwhile; send it"
        )
    except (UserError, OSError) as error:
        message = str(error).replace(str(request.path), "the file")
        message = message.replace(request.path.name, "the file")
        reply = (
            DecodeReply(full=True)
            if is_full(error)
            else DecodeReply(status=400, code="unreadable_audio", message=message)
        )
    else:
        return DecodeReply(samples=samples)
    request.target.unlink(missing_ok=True)
    return reply


def _decode(request: DecodeRequest, limits: UploadLimits) -> int:
    checks = _BlockChecks(limits, request.budget_s)
    with request.path.open("rb") as file:
        block_s = _check_head(file, checks)
    count = 0
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    # Finite samples near the end of the range of float32 can add up to infinity.
    with (
        os.fdopen(os.open(request.target, flags, 0o600), "wb", buffering=0) as target,
        np.errstate(over="ignore", invalid="ignore"),
    ):
        for block in signal_blocks(request.path, block_s, checks.check):
            if not np.isfinite(block).all():
                raise RefusedFileError(400, "unreadable_audio", "the samples are too large")
            rest = memoryview(block.astype("<f4").tobytes())
            while rest:
                rest = rest[target.write(rest) :]
            count += len(block)
    if not count:
        raise RefusedFileError(400, "unreadable_audio", "the file contains no samples")
    return count


def _check_head(file: IO[bytes], checks: _BlockChecks) -> float:
    """Check what the head of a file states, and return the length of blocks in seconds."""
    head = file.read(HEAD_BYTES)
    kind = ffmpeg_format(head)
    if kind in _FFMPEG_KINDS:
        if shutil.which("ffmpeg") is None:
            message = f"the file is {kind}, for which this service lacks ffmpeg; convert it to flac"
            raise RefusedFileError(415, "unsupported_format", message)
        return BLOCK_S
    if not head:
        raise RefusedFileError(400, "unreadable_audio", "the file has no bytes")
    if kind or not (head.startswith(_SIGNATURES) or parse_header(head[:4])):
        message = f"the file begins with 0x{head[:4].hex()}; expected {FORMATS}"
        raise RefusedFileError(415, "unsupported_format", message)
    if head.startswith(_WAV):
        _check_wav(file, head)
    return _check_stated(file, checks)


def _check_wav(file: IO[bytes], head: bytes) -> None:
    """Refuse a WAV file that contradicts its header, which libsndfile would decode to other sound.

    Other formats are left to their decoders, which detect this themselves.
    """
    if os.fstat(file.fileno()).st_size > _LAYOUT_BYTES:
        return
    try:
        layout_of(head + file.read())
    except CorruptFileError as error:
        raise RefusedFileError(400, "unreadable_audio", f"the file {error}") from error


def _check_stated(file: IO[bytes], checks: _BlockChecks) -> float:
    os.lseek(file.fileno(), 0, os.SEEK_SET)
    try:
        with Decoder(file.fileno()) as decoder:
            codec, frames = decoder.codec, decoder.frames
            rate_hz, channels = decoder.sample_rate_hz, decoder.channels
    except UserError:
        return BLOCK_S  # `signal_blocks` reads some of these, and explains the others
    if codec.split()[0] not in _CODECS:
        message = f"the file is {codec.split()[0]}; expected {FORMATS}"
        raise RefusedFileError(415, "unsupported_format", message)
    checks.check_form(rate_hz, channels)
    if frames < _UNKNOWN_FRAMES:
        checks.check_stated(frames / rate_hz, is_costly=rate_hz != SAMPLE_RATE_HZ)
    return min(BLOCK_S, _BLOCK_SAMPLES / (rate_hz * channels))


class _BlockChecks:
    """The limits of a recording, for its header and for each of its blocks."""

    def __init__(self, limits: UploadLimits, budget_s: float | None) -> None:
        self._limits, self._budget_s, self._seconds = limits, budget_s, 0.0
        self._end = None if budget_s is None else time.monotonic() + budget_s

    def check(self, block: SoundBlock) -> None:
        """Check a decoded block.

        Raises:
            RefusedFileError: a limit is exceeded.
            BudgetError: the budget is exceeded.
        """
        frames, channels = block.samples.shape
        self.check_form(block.sample_rate_hz, channels)
        self._seconds += frames / block.sample_rate_hz
        self._check_length(self._seconds)
        if self._end is not None and time.monotonic() > self._end:
            raise BudgetError

    def check_form(self, rate_hz: int, channels: int) -> None:
        """Check the rate and the channels."""
        lowest, highest = self._limits.rate_hz
        if not lowest <= rate_hz <= highest:
            message = f"the file has {rate_hz} Hz; expected {lowest} to {highest} Hz"
            raise RefusedFileError(400, "sample_rate", message)
        if not 1 <= channels <= self._limits.channels:
            message = f"the file has {channels} channels; expected 1 to {self._limits.channels}"
            raise RefusedFileError(400, "channels", message)

    def check_stated(self, seconds: float, is_costly: bool) -> None:
        """Check the length that a header states, and whether its decoding fits the budget."""
        self._check_length(seconds)
        if self._budget_s is not None and is_costly and seconds > _SPEED * self._budget_s:
            raise BudgetError

    def _check_length(self, seconds: float) -> None:
        if seconds > self._limits.audio_s:
            message = f"the file has more than {self._limits.audio_s:g} s of sound; cut it"
            raise RefusedFileError(413, "audio_too_long", message)
