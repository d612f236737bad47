"""A decoder process, as the service sees it."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from asyncio.subprocess import PIPE, Process
from dataclasses import asdict
from pathlib import Path

from fonoteka.service.settings import UploadLimits
from fonoteka.service.uploads.decode_messages import READY, DecodeReply, DecodeRequest

_PROGRAM = "fonoteka.service.uploads.decode_program"
_START_S = 60.0  # it takes 0.7 CPU seconds, of which a busy machine makes many
_TOP = Path(__file__).resolve().parents[3]  # the folder of the package `fonoteka`


class DecoderDiedError(Exception):
    """A decoder process ended, or sent what is not a reply."""


class DecoderProcess:
    """A process that decodes one file after the other.

    Attributes:
        files: that it has decoded.
    """

    def __init__(self, process: Process) -> None:
        self._process, self.files = process, 0

    @classmethod
    async def begin(cls, folder: Path, limits: UploadLimits) -> DecoderProcess:
        """Start a process, and wait until it is ready.

        Args:
            folder: of its temporary files.
            limits: that it sets for itself.

        Raises:
            DecoderDiedError: it ended before it was ready.
            OSError: the system cannot start it.
        """
        # Threads of BLAS would reserve address space that counts as memory, and have no work here.
        environment = os.environ | {
            "TMPDIR": str(folder), "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1",
        }  # fmt: skip
        # Without a preexec_fn: in a process with threads it can deadlock.
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", _PROGRAM, json.dumps(asdict(limits)), str(os.getpid()),
            stdin=PIPE, stdout=PIPE, stderr=None, cwd=_TOP, env=environment,
        )  # fmt: skip
        decoder = cls(process)
        try:
            async with asyncio.timeout(_START_S):
                line = await decoder._line()
        except BaseException:
            await decoder.end()
            raise
        if line != READY:
            await decoder.end()
            raise DecoderDiedError(f"a decoder ended before it began: {process.returncode}")
        return decoder

    @property
    def pid(self) -> int:
        """Number of the process."""
        return self._process.pid

    async def decode(self, request: DecodeRequest) -> DecodeReply:
        """Decode a file; the process does nothing else meanwhile.

        Raises:
            DecoderDiedError: the process ended; the target may exist.
        """
        assert self._process.stdin is not None
        self.files += 1
        try:
            self._process.stdin.write(request.line())
            await self._process.stdin.drain()
            return DecodeReply.parsed(await self._line())
        except (OSError, ValueError) as error:
            raise DecoderDiedError(f"a decoder ended at its file {self.files}") from error

    async def end(self) -> None:
        """Kill the process, and wait for its end."""
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()
        assert self._process.stdin is not None
        self._process.stdin.close()

    async def _line(self) -> bytes:
        assert self._process.stdout is not None
        return await self._process.stdout.readline()
