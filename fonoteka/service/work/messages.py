"""What the service and its workers send each other.

    Load, Unload, StartJob, Cancel, OpenStream, Samples, EndStream      to a worker
    Ready, Loaded, Unloaded, Began, TurnDone, Ended, StreamOutput       from a worker

A key is the number of a job or stream in the service. A worker sends one `Ended` for each key that
it got, also after `Cancel`, so the service knows what a worker still computes.
"""

from __future__ import annotations

from dataclasses import dataclass

from fonoteka.audio.dsp import Signal
from fonoteka.service.interfaces import (
    Finished,
    Job,
    JobError,
    ModelVersion,
    Segment,
    StreamClosed,
    StreamRequest,
)
from fonoteka.streaming.interfaces import StreamUpdate


@dataclass(frozen=True)
class Load:
    """Load a model, beside its other versions; the answer is `Loaded`."""

    model: ModelVersion


@dataclass(frozen=True)
class Unload:
    """Free a model, which no job or stream of this worker uses; the answer is `Unloaded`."""

    model: ModelVersion


@dataclass(frozen=True)
class StartJob:
    """Begin a job whose models are loaded.

    Attributes:
        key: of the job.
        job: what to do.
        admitted_s: of the monotonic clock, which all processes of a system share.
    """

    key: int
    job: Job
    admitted_s: float


@dataclass(frozen=True)
class Cancel:
    """Drop a job after its turn, or a stream."""

    key: int


@dataclass(frozen=True)
class OpenStream:
    """Open a stream whose model is loaded; `admitted_s` as in `StartJob`."""

    key: int
    request: StreamRequest
    admitted_s: float


@dataclass(frozen=True)
class Samples:
    """The next samples `[N]` of a stream at 16 kHz."""

    key: int
    samples: Signal


@dataclass(frozen=True)
class EndStream:
    """No samples follow; the last outputs and `Ended` will come."""

    key: int


@dataclass(frozen=True)
class Ready:
    """The worker has started."""


@dataclass(frozen=True)
class Loaded:
    """A model is loaded and was run once, or `problem` is a sentence with the reason why not."""

    model: ModelVersion
    problem: str = ""


@dataclass(frozen=True)
class Unloaded:
    """A model is freed."""

    model: ModelVersion


@dataclass(frozen=True)
class Began:
    """The first turn of a job begins."""

    key: int


@dataclass(frozen=True)
class TurnDone:
    """A turn of a job is over.

    Attributes:
        key: of the job.
        segments: that the turn computed.
        done_s: the place in the recording that the job has reached.
    """

    key: int
    segments: tuple[Segment, ...]
    done_s: float


@dataclass(frozen=True)
class StreamOutput:
    """What is known after a piece of a stream."""

    key: int
    update: StreamUpdate


@dataclass(frozen=True)
class Ended:
    """A job or stream is over; nothing follows for its key.

    Attributes:
        key: of the job or stream.
        outcome: its last event, or why it failed; None after `Cancel`.
        fault: the traceback of a fault of ours, for the log.
    """

    key: int
    outcome: Finished | StreamClosed | JobError | None
    fault: str = ""


ToWorker = Load | Unload | StartJob | Cancel | OpenStream | Samples | EndStream
FromWorker = Ready | Loaded | Unloaded | Began | TurnDone | StreamOutput | Ended
