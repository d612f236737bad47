"""What the parts of the service exchange.

    route -> Job -> Workers -> JobEvent ... Finished        a recording
    socket -> StreamRequest -> Workers -> LiveStream -> StreamUpdate ...    a live stream

A route never computes: it hands a job to `Workers` and reads the events of its ticket. All values
here can be pickled, because workers are processes.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from fonoteka.audio.dsp import Signal
from fonoteka.streaming.interfaces import StreamUpdate


class ModelKind(StrEnum):
    """What a model recognises."""

    WORDS = "words"
    PHONES = "phones"
    STREAM = "stream"


@dataclass(frozen=True)
class ModelVersion:
    """A package that passed its checks; a new package of the same name is another version.

    Attributes:
        name: by which requests choose it, for example `whisper_ctc`.
        version: the first 12 hex digits of the SHA-256 of its package.json.
        kind: what it recognises.
        folder: of its files.
    """

    name: str
    version: str
    kind: ModelKind
    folder: Path


@dataclass(frozen=True)
class Job:
    """A recording to be processed.

    Attributes:
        request_id: of the request, for logs.
        audio: a file of raw samples: float32, little-endian, one channel, 16 kHz. The job does not
            delete it.
        model: that computes the answer.
    """

    request_id: str
    audio: Path
    model: ModelVersion


@dataclass(frozen=True)
class WordsJob(Job):
    """Recognise words.

    Attributes:
        language: code, or `auto`.
        script: `latin`, `cyrillic`, or None for the script that the model writes.
        aligner: a phone recogniser that places the words in time; None for times of windows alone.
    """

    language: str = "auto"
    script: str | None = None
    aligner: ModelVersion | None = None


@dataclass(frozen=True)
class PhonesJob(Job):
    """Recognise phones."""


@dataclass(frozen=True)
class AlignJob(Job):
    """Place the words of a text in time.

    Attributes:
        text: the words that are spoken; lines stay lines.
        language: code, or `auto`: guessed from the text.
        script: of the words in the answer; None keeps that of the text.
    """

    text: str = ""
    language: str = "auto"
    script: str | None = None


@dataclass(frozen=True)
class Unit:
    """A word or a phone with its place.

    Attributes:
        text: the word as it is written, or the symbol of the phone.
        start_s, end_s: in the recording.
        confidence: 0 to 1; None if the model has none.
    """

    text: str
    start_s: float
    end_s: float
    confidence: float | None = None


@dataclass(frozen=True)
class Segment:
    """A part of an answer, sent as soon as it is computed.

    Attributes:
        text: of the segment.
        start_s, end_s: in the recording.
        units: its words or phones, empty if they were not asked for.
        phones: the phones of an alignment, empty otherwise.
        tokens: of Whisper, empty for other models.
        log_prob: mean log probability of the tokens; 0 for other models.
        speech: mean probability of speech by the speech gate; None without a gate.
        loops: whether the text repeats itself and may be wrong.
        is_doubtful: whether an alignment fits badly.
    """

    text: str
    start_s: float
    end_s: float
    units: tuple[Unit, ...] = ()
    phones: tuple[Unit, ...] = ()
    tokens: tuple[int, ...] = ()
    log_prob: float = 0.0
    speech: float | None = None
    loops: bool = False
    is_doubtful: bool = False


@dataclass(frozen=True)
class Usage:
    """What an answer cost.

    Attributes:
        audio_s: length of the recording or stream.
        queued_s: from admission to the first turn.
        compute_s: processor seconds of its turns.
        turns: number of turns.
    """

    audio_s: float
    queued_s: float
    compute_s: float
    turns: int


@dataclass(frozen=True)
class Finished:
    """The last event of a job that succeeded.

    Attributes:
        language: of the speech; empty for phones.
        usage: what it cost.
        doubt: a sentence if the result is doubtful, else empty.
    """

    language: str
    usage: Usage
    doubt: str = ""


JobEvent = Segment | Finished


class JobError(Exception):
    """Base of the reasons why a job or stream has no answer; its text is written for the client."""


class BusyError(JobError):
    """The queue is full; `retry_after_s` says when to try again."""

    def __init__(self, message: str, retry_after_s: int) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class UnanswerableError(JobError):
    """The request cannot be answered as it is: its text, language or samples do not fit."""


class DeadlineError(JobError):
    """The job took longer than it may."""


class UnavailableError(JobError):
    """A worker died or a model cannot be loaded; another try may succeed."""


class Ticket(Protocol):
    """A job that was admitted."""

    def events(self) -> AsyncIterator[JobEvent]:
        """Yield segments in order, then `Finished`.

        Raises:
            JobError: the job failed; no event follows.
        """

    def cancel(self) -> None:
        """Stop the job after its current turn; `events` ends. A second call does nothing."""


@dataclass(frozen=True)
class StreamRequest:
    """A live stream to be opened.

    Attributes:
        request_id: of the connection, for logs.
        model: of the kind `stream`, or a phone recogniser with a window policy.
        policy: see `fonoteka.streaming.open_engine.frame_source`.
        decoder: `greedy` or `beam`.
    """

    request_id: str
    model: ModelVersion
    policy: str = "exact"
    decoder: str = "greedy"


@dataclass(frozen=True)
class StreamClosed:
    """The last event of a stream.

    Attributes:
        usage: what it cost.
    """

    usage: Usage


class LiveStream(Protocol):
    """A live stream in a worker."""

    def feed(self, samples: Signal) -> None:
        """Queue samples `[N]` at 16 kHz.

        Raises:
            BusyError: more seconds wait than the limit allows, so the worker is too slow.
        """

    def finish(self) -> None:
        """Say that no samples follow; the last updates and `StreamClosed` will come."""

    def updates(self) -> AsyncIterator[StreamUpdate | StreamClosed]:
        """Yield updates in order, then `StreamClosed`.

        Raises:
            JobError: the stream failed; no update follows.
        """

    def cancel(self) -> None:
        """Drop the stream."""


@dataclass(frozen=True)
class WorkerState:
    """A worker, for `/metrics` and logs.

    Attributes:
        name: for example `batch-0`.
        process: its id; None while it is started.
        jobs, streams: that it works on.
        memory_mib: resident memory.
        restarts: since the service began.
    """

    name: str
    process: int | None
    jobs: int
    streams: int
    memory_mib: float
    restarts: int


class Workers(Protocol):
    """The worker processes and their queues."""

    async def start(self) -> None:
        """Start the processes."""

    async def stop(self, drain_s: float) -> None:
        """Admit nothing more, finish streams, wait up to `drain_s` for jobs, end the processes."""

    async def load(self, model: ModelVersion) -> None:
        """Load a model in the workers that need it and run it once, beside older versions.

        Raises:
            UnavailableError: it cannot be loaded; older versions stay.
        """

    async def unload(self, model: ModelVersion) -> None:
        """Free a version as soon as no job or stream uses it."""

    def submit(self, job: Job) -> Ticket:
        """Admit a job.

        Raises:
            BusyError: the queue is full.
            UnavailableError: the service stops, or no worker lives.
        """

    def open_stream(self, request: StreamRequest) -> LiveStream:
        """Open a stream.

        Raises:
            BusyError: as many streams are open as the limit allows.
            UnavailableError: as for `submit`.
        """

    def state(self) -> list[WorkerState]:
        """Return the state of each worker."""

    def queued(self) -> int:
        """Return how many jobs wait for their first turn."""


class Models(Protocol):
    """The packages that the service offers."""

    @property
    def is_loading(self) -> bool:
        """Whether `start` has not ended, so that models may be missing."""

    async def start(self) -> None:
        """Load the models; the workers run."""

    async def stop(self) -> None:
        """End what runs in the background; the workers run."""

    def listed(self) -> list[ModelVersion]:
        """Return the versions that new requests get, sorted by name."""

    def get(self, name: str, kind: ModelKind | None = None) -> ModelVersion:
        """Return the current version of a name or of one of its aliases.

        Raises:
            UnknownModelError: no such model is listed, or it is of another kind.
        """

    def refused(self) -> dict[str, str]:
        """Return why packages are not listed, by name."""

    def card(self, name: str) -> dict[str, object]:
        """Return manifest, metrics and gates of a listed model, as JSON values."""

    async def refresh(self) -> dict[str, str]:
        """Read the packages again, load what is new, swap it in, drain and free what it replaces.

        Returns:
            What happened to each package: `unchanged`, `loaded`, `removed`, or why it was refused.
        """


class UnknownModelError(JobError):
    """No model of that name is offered."""
