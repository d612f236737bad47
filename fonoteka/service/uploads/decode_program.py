"""Decode files until the service closes the pipe: the program of a decoder process.

    python -m fonoteka.service.uploads.decode_program '{"audio_s": 7200, ...}' PARENT

It reads requests from stdin and writes replies to stdout, see `decode_messages`. It imports what
decoding needs once, 0.7 CPU seconds, and then limits its own memory, files and priority. It ends
with the service, also if that is killed.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from pathlib import Path

from fonoteka.audio.resampling import prepare_resampling
from fonoteka.audiocheck.process_limits import limit_cpu_time, limit_process
from fonoteka.core.run_stage import die_with_parent
from fonoteka.service.settings import UploadLimits
from fonoteka.service.uploads.decode_file import decode_file
from fonoteka.service.uploads.decode_messages import READY, DecodeReply, DecodeRequest

_NICE = 5  # recognition and live streams run first; a decoder still gets a third of their share
_FAULT_CHARACTERS = 8000  # of a traceback; a line of the pipe may have 64 KiB
_SLACK = 1 << 20
_COMMON_RATE_HZ = 44_100


def serve(limits: UploadLimits, requests: int, replies: int) -> None:
    """Decode the files of requests, one after the other, until there are no more.

    Args:
        limits: of each file.
        requests: descriptor of the pipe that they come from.
        replies: descriptor of the pipe to the service.
    """
    with os.fdopen(requests, "rb") as lines:
        for line in lines:
            request = DecodeRequest.parsed(line)
            limit_cpu_time(limits.decode_s)
            try:
                reply = decode_file(request, limits)
            except Exception:
                # A fault of ours that a file may cause again: the service logs it and answers 400.
                request.target.unlink(missing_ok=True)
                reply = DecodeReply(fault=traceback.format_exc()[-_FAULT_CHARACTERS:])
            _send(replies, reply.line())


def main(settings: str, parent: str) -> None:
    """Prepare this process, and serve."""
    die_with_parent(int(parent))
    values = json.loads(settings)
    limits = UploadLimits(**{**values, "rate_hz": tuple(values["rate_hz"])})
    prepare_resampling(_COMMON_RATE_HZ)
    # Decoders print to both streams; stdout is the pipe of the replies.
    replies = os.dup(1)
    with Path(os.devnull).open("wb") as nothing:
        os.dup2(nothing.fileno(), 1)
        os.dup2(nothing.fileno(), 2)
    # The largest file is that of the samples: 64 kB per second, and one block.
    file_bytes = round(4 * 16_000 * (limits.audio_s + 60)) + _SLACK
    limit_process(limits.decode_memory_mib, file_bytes, _NICE)
    _send(replies, READY)
    serve(limits, 0, replies)


def _send(replies: int, line: bytes) -> None:
    while line:
        line = line[os.write(replies, line) :]


if __name__ == "__main__":
    main(*sys.argv[1:])
