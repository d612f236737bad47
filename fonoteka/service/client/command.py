"""Send recordings or a live stream to the service.

    fonoteka client clip.wav talks/ --format srt --out subtitles
    fonoteka client clip.wav --align clip.txt
    fonoteka client --mic

Reads   recordings, folders of recordings, or the microphone
Writes  a result per recording, beside it or in a folder; a stream is printed

A recording that fails is reported, and the next one is sent. An error that concerns all of them,
as a wrong address or key, ends the command.
"""

from __future__ import annotations

import os
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

from fonoteka.core.errors import UserError
from fonoteka.core.files import atomic_file
from fonoteka.core.run_stage import DONE, FAILED
from fonoteka.service.client.client_request import (
    SUFFIXES,
    ClientRequest,
    check_request,
    read_key,
)

TRANSCRIPTIONS, ALIGN = "/v1/audio/transcriptions", "/v1/align"
DEFAULT_MODEL, DEFAULT_FORMAT = "whisper-1", "json"
CHUNK_MS = 40


def run(request: ClientRequest) -> int:
    """Send what is asked for, and return the exit code: 1 if a recording failed.

    Raises:
        UserError: nothing can be sent.
    """
    check_request(request)
    return _stream(request) if request.is_live else _send_all(request)


def _send_all(request: ClientRequest) -> int:
    from fonoteka.service.client.recordings import find_recordings
    from fonoteka.service.client.rest_client import AllFailError, RestClient

    suffix = SUFFIXES[request.format or DEFAULT_FORMAT]
    content = find_recordings(request.paths, suffix, request.out)
    route, fields = _form(request)
    failed = 0
    with RestClient(request.url, read_key(request.key_file), request.timeout_s) as client:
        for recording in content.recordings:
            try:
                body = client.send(route, recording.path, fields)
                _write(recording.result, body)
            except AllFailError:
                raise
            except (UserError, OSError) as error:
                failed += 1
                print(f"error: {error}", file=sys.stderr)
            else:
                print(recording.result)
    _report(len(content.recordings), failed, content.others)
    return FAILED if failed else DONE


def _form(request: ClientRequest) -> tuple[str, dict[str, str]]:
    """Return the route and the fields of a form.

    Raises:
        UserError: the text to be aligned cannot be read.
    """
    format_name = request.format or DEFAULT_FORMAT
    optional = {
        name: value
        for name, value in (("language", request.language), ("script", request.script))
        if value
    }
    if request.align is None:
        model = request.model or DEFAULT_MODEL
        return TRANSCRIPTIONS, {"model": model, "response_format": format_name, **optional}
    if request.model:
        optional["model"] = request.model
    try:
        text = request.align.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise UserError(f"{request.align}: not UTF-8; convert it") from error
    return ALIGN, {"text": text, "format": format_name, **optional}


def _write(path: Path, body: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_file(path) as temporary:
        temporary.write_bytes(body)


def _report(sent: int, failed: int, others: int) -> None:
    """Print the counts, unless one recording succeeded."""
    parts = [f"{sent - failed} of {sent} recordings have a result", f"{failed} failed"]
    if others:
        parts.append(f"{others} other files were not sent")
    if sent > 1 or failed or others:
        print("; ".join(parts), file=sys.stderr)


def _stream(request: ClientRequest) -> int:
    from fonoteka.service.client.live_client import stream
    from fonoteka.streaming.listen import INTERRUPTED, ListenRequest, open_source, open_view
    from fonoteka.streaming.sources.chunks import stop_on_interrupt

    key = read_key(request.key_file)
    source = ListenRequest(
        wav=request.live, microphone=request.microphone, chunk_ms=CHUNK_MS, device=request.device
    )
    with stop_on_interrupt() as stop:
        chunks: Any = open_source(source, stop)
        jsonl = request.format == DEFAULT_FORMAT
        try:
            with closing(chunks), closing(open_view(jsonl, sys.stdout)) as view:
                stream(request.url, key, request.model, chunks, view)
        except BrokenPipeError as error:
            # What is left in the buffer must not fail again when the program ends.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise UserError("standard output: the program that reads it has ended") from error
    return INTERRUPTED if stop.requested and request.live else DONE
