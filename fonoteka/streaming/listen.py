"""Print the phones of a stream while it is spoken.

    fonoteka listen --wav clip.wav                  as if it were spoken now
    fonoteka listen --mic
    arecord -f S16_LE -r 16000 -t raw | fonoteka listen --stdin --jsonl

Reads   a recording, standard input or the microphone, and a packaged model
Writes  nothing; prints a live line on a terminal, plain text elsewhere, or JSON lines

Ctrl+C ends the stream as its end does: the last phones are printed. If reading fails, the phones of
what was read are printed before the message.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TextIO

from fonoteka.audio.dsp import Signal
from fonoteka.core.errors import UserError
from fonoteka.core.run_stage import DONE
from fonoteka.streaming.engine import StreamEngine
from fonoteka.streaming.interfaces import StreamUpdate
from fonoteka.streaming.sources.chunks import StopRequest, stop_on_interrupt

INTERRUPTED = 130  # what a shell reports after Ctrl+C: 128 and the number of the signal


@dataclass(frozen=True)
class ListenRequest:
    """What is recognised, and how it is shown.

    Attributes:
        wav: a recording; None for another source.
        microphone: whether the microphone is the source; if neither, standard input is.
        jsonl: whether JSON lines are printed.
        model: the name of a model in data/models, or a folder.
        policy: when phones are committed.
        decoder: greedy or beam.
        realtime: whether a recording is read as if it were spoken now.
        sample_rate_hz: of standard input, and the one that the microphone is tried with.
        channels: of the same.
        chunk_ms: length of a chunk, in ms.
        timeout_s: longest wait for the next samples, in seconds.
        device: of the microphone; None for the default of the system.
    """

    wav: Path | None = None
    microphone: bool = False
    jsonl: bool = False
    model: str = "streaming"
    policy: str = "exact"
    decoder: str = "greedy"
    realtime: bool = True
    sample_rate_hz: int = 16_000
    channels: int = 1
    chunk_ms: int = 20
    timeout_s: float = 10.0
    device: str | None = None


class View(Protocol):
    """What shows updates to a user or a program."""

    def show(self, update: StreamUpdate) -> None:
        """Show an update."""

    def close(self) -> None:
        """Complete what is shown."""


def updates(engine: StreamEngine, chunks: Iterable[Signal]) -> Iterator[StreamUpdate]:
    """Yield the updates of a stream, that of its end last.

    If reading fails or a chunk is refused, the last phones are yielded before the error is raised.

    Args:
        engine: at the start of a stream.
        chunks: `[N]` at 16 kHz.
    """
    try:
        for chunk in chunks:
            yield engine.feed(chunk)
    except (UserError, OSError):
        yield engine.finish()
        raise
    yield engine.finish()


def open_source(request: ListenRequest, stop: StopRequest) -> Iterator[Signal]:
    """Return the chunks of the source that is requested."""
    if request.wav:
        from fonoteka.streaming.sources.recording import recording_chunks

        return recording_chunks(request.wav, request.chunk_ms, stop, realtime=request.realtime)
    if request.microphone:
        from fonoteka.streaming.sources.microphone import MicrophoneParams, microphone_chunks

        params = MicrophoneParams(
            request.sample_rate_hz, request.channels, request.chunk_ms, request.timeout_s,
            request.device,
        )  # fmt: skip
        return microphone_chunks(params, stop)
    from fonoteka.streaming.sources.pcm_input import PcmFormat, pcm_chunks

    pcm = PcmFormat(request.sample_rate_hz, request.channels)
    return pcm_chunks(sys.stdin.fileno(), pcm, request.chunk_ms, stop, request.timeout_s)


def open_view(jsonl: bool, file: TextIO) -> View:
    """Return a view on a file: JSON lines, or a live line if it is a terminal, or plain text."""
    if jsonl:
        from fonoteka.streaming.display.json_lines import JsonLinesView

        # JSON is UTF-8 in any locale, and equal bytes need equal newlines.
        if isinstance(file, io.TextIOWrapper):
            file.reconfigure(encoding="utf-8", newline="\n")
        return JsonLinesView(file)
    from rich.console import Console

    from fonoteka.streaming.display.terminal_view import PlainView, TerminalView

    console = Console(file=file, highlight=False)
    return TerminalView(console) if console.is_terminal else PlainView(file)


def run(request: ListenRequest) -> int:
    """Print the phones of a stream, and return the exit code.

    A recording that was interrupted gives 130. Other sources have no end but the user's, so Ctrl+C
    gives 0.

    Raises:
        UserError: the source, the model or an option cannot be used, samples were dropped, or the
            reader of standard output ended.
    """
    from fonoteka.streaming.open_engine import open_engine

    engine = open_engine(request.model, request.policy, request.decoder)
    with stop_on_interrupt() as stop:
        chunks: Any = open_source(request, stop)
        try:
            # Closing the chunks closes the microphone, whatever ends the loop.
            with closing(chunks), closing(open_view(request.jsonl, sys.stdout)) as view:
                for update in updates(engine, chunks):
                    view.show(update)
        except BrokenPipeError as error:
            # What is left in the buffer must not fail again when the program ends.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise UserError("standard output: the program that reads it has ended") from error
    return INTERRUPTED if stop.requested and request.wav else DONE
