"""A model as the stage needs it: engines for chunks, and the offline result of whole streams."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from fonoteka.audio.dsp import Signal
from fonoteka.onnx_export.session import labels_of, open_model
from fonoteka.packaging import MODEL, STEP
from fonoteka.realtime.joined_streams import Stream
from fonoteka.scoring.decoding import greedy
from fonoteka.scoring.error_rate import Errors, aligned, count_errors
from fonoteka.streaming.chunked import FedEngine, whole_stream
from fonoteka.streaming.engine import StreamEngine
from fonoteka.streaming.interfaces import Posteriors
from fonoteka.streaming.open_engine import EXACT, frame_source, stream_decoder
from fonoteka.streaming.stream_metrics import ReferencePhone
from fonoteka.transcribe import longest_input_s, posteriors


@dataclass(frozen=True)
class StreamedModel:
    """A model that recognises streams.

    Attributes:
        name: of the model.
        open: returns an engine for the name of a policy.
        offline: returns the log posteriors `[T, V]` of a whole stream `[N]`.
        labels: names of the V columns.
    """

    name: str
    open: Callable[[str], FedEngine]
    offline: Callable[[Signal], Posteriors]
    labels: tuple[str, ...]


@dataclass(frozen=True)
class OfflineStream:
    """The offline result of a stream: log posteriors `[T, V]`, phones and their errors."""

    log_probs: Posteriors
    phones: list[str]
    errors: Errors


def model_in(folder: Path, decoder: str) -> StreamedModel:
    """Return the model in a folder: a step file, or the whole path of a recogniser.

    Raises:
        UserError: the folder has neither, or a file is damaged.
    """
    offline, labels = _whole_streams(folder)

    def engine(policy: str) -> FedEngine:
        source = frame_source(folder, policy)
        return StreamEngine(source, stream_decoder(folder, source.labels, decoder))

    return StreamedModel(folder.name, engine, offline, labels)


def _whole_streams(folder: Path) -> tuple[Callable[[Signal], Posteriors], tuple[str, ...]]:
    """Return a function from a whole stream to its posteriors, and the labels of its columns."""
    if (folder / STEP).is_file():
        source = frame_source(folder, EXACT)
        return lambda signal: whole_stream(source, signal), source.labels
    session = open_model(folder / MODEL)
    labels = tuple(labels_of(session, folder / MODEL))
    longest_s = longest_input_s(session)
    return lambda signal: posteriors(session, signal, longest_s), labels


def offline_stream(model: StreamedModel, stream: Stream) -> OfflineStream:
    """Return the best path of a whole stream."""
    log_probs = model.offline(stream.samples)
    phones = [segment.symbol for segment in greedy(log_probs, model.labels)]
    truth = [symbol for symbol, *_ in reference_of(stream)]
    return OfflineStream(log_probs, phones, count_errors(aligned(truth, phones)))


def reference_of(stream: Stream) -> list[ReferencePhone]:
    """Return the true phones of a stream with their times."""
    return [(row[-3], row[-2], row[-1]) for row in stream.rows]


def speaker_of(stream: Stream) -> str:
    """Return the speaker of a stream."""
    return str(stream.rows[0][2])


def source_of(stream: Stream) -> str:
    """Return the corpus of a stream, marked if its speech is synthetic."""
    _, _, _, source, synthetic, *_ = stream.rows[0]
    return f"{source} (synthetic)" if synthetic else str(source)
