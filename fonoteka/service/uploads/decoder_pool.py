"""Decoder processes: one for short files, one for the others.

    file -> quick lane -> samples, or after 0.3 s: -> long lane -> samples

Neither a header nor the size of a file is a reliable measure of its length: five hours of silence
are a FLAC file of 1 MB. So each file begins in the quick lane, and is decoded again in the long one
if it exceeds its budget. A clip of 3 s waits 0.3 s for each long file before it, and not the 12 s
in which an hour is decoded. A file at which a process dies is tried once more in the long lane,
because the system may have ended the process to free memory.
"""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

from fonoteka.service.api_errors import ApiError
from fonoteka.service.settings import UploadLimits
from fonoteka.service.uploads.decode_messages import DecodeReply, DecodeRequest
from fonoteka.service.uploads.decoder_lane import DecoderLane
from fonoteka.service.uploads.decoder_process import DecoderDiedError, DecoderProcess
from fonoteka.service.uploads.refusals import disk_full

QUICK_S = 0.3
_QUICK_KILL_S = 5.0  # a file without blocks cannot stop itself: a loop in a decoder
_FILES = 2000  # per process: a start of 0.7 CPU s is then 0.4 ms of each
log = logging.getLogger("fonoteka.service")


class DecoderPool:
    """Decodes files in processes with limits."""

    def __init__(
        self, folder: Path, limits: UploadLimits, waiting: int, files: int = _FILES
    ) -> None:
        """Describe the pool; `start` starts its processes.

        Args:
            folder: of temporary files of decoders.
            limits: of each file.
            waiting: most files that wait for a process; beyond, they are refused.
            files: after which a process is replaced.
        """
        self._folder, self._limits = folder, limits
        self._quick = DecoderLane(self._begin, _QUICK_KILL_S, waiting, files)
        self._long = DecoderLane(self._begin, limits.decode_s, waiting, files)

    @property
    def pids(self) -> list[int]:
        """Numbers of the processes that run."""
        return self._quick.pids + self._long.pids

    async def start(self) -> None:
        """Start the processes.

        Raises:
            DecoderDiedError: one does not start.
        """
        await asyncio.gather(self._quick.start(), self._long.start())

    async def stop(self) -> None:
        """Kill the processes."""
        await asyncio.gather(self._quick.stop(), self._long.stop())

    async def decode(self, path: Path, target: Path) -> int:
        """Decode a file, and return the number of samples.

        Args:
            path: of the file.
            target: of the samples; it does not exist unless this succeeds.

        Raises:
            ApiError: the file is refused, the queue is full, or no decoder runs.
        """
        try:
            try:
                reply = await self._quick.decode(DecodeRequest(path, target, QUICK_S))
            except DecoderDiedError:
                reply = DecodeReply(later=True)
            if reply.later:
                reply = await self._decode_long(DecodeRequest(path, target))
            return _samples(reply)
        except BaseException:
            # A call can be cancelled after its file was decoded and before it gets the reply.
            target.unlink(missing_ok=True)
            raise

    async def _decode_long(self, request: DecodeRequest) -> DecodeReply:
        try:
            return await self._long.decode(request)
        except DecoderDiedError as error:
            message = (
                f"the file ends its decoder or needs more than {self._limits.decode_s:g} s; "
                "convert it to flac"
            )
            raise ApiError(400, message, "unreadable_audio", "file") from error

    async def _begin(self) -> DecoderProcess:
        return await DecoderProcess.begin(self._folder, self._limits)


def _samples(reply: DecodeReply) -> int:
    if reply.full:
        raise disk_full()
    if reply.fault:
        log.error("an upload caused a fault of the decoder:\n%s", reply.fault)
        message = "the file cannot be decoded; convert it to flac"
        raise ApiError(400, message, "unreadable_audio", "file")
    if reply.status:
        raise ApiError(reply.status, reply.message, reply.code, "file")
    return reply.samples
