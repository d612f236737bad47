"""A recogniser for live streams that is loaded once and shared by all streams of a worker.

The parts are those of `fonoteka.streaming.open_engine`, whose engines load the model, the
calibration and the phone n-gram for each stream: 0.4 s and the memory of a session each.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from fonoteka.audio.dsp import Signal
from fonoteka.core.errors import UserError
from fonoteka.core.files import read_json
from fonoteka.packaging import CONFIDENCE, MODEL, NGRAM, STEP
from fonoteka.service.work.compute.shared_sessions import twin
from fonoteka.streaming.arpa import parse_arpa
from fonoteka.streaming.beam_decoder import BeamDecoder
from fonoteka.streaming.confidence import ConfidenceCalibration
from fonoteka.streaming.endpoint import VadEndpointDetector
from fonoteka.streaming.engine import StreamEngine
from fonoteka.streaming.greedy_decoder import Confidence, GreedyDecoder, peak_posterior
from fonoteka.streaming.interfaces import FrameSource, StreamDecoder
from fonoteka.streaming.ngram_table import NgramTable, table_of
from fonoteka.streaming.open_engine import BEAM, DECODERS, ENDPOINTS, EXACT
from fonoteka.streaming.step_source import StepSource
from fonoteka.streaming.vad.detector import open_vad
from fonoteka.streaming.window_source import WindowPolicy, WindowSource


@dataclass
class StreamModel:
    """The parts of an engine at the start of a stream, of which each stream takes twins.

    Attributes:
        folder: of the package.
        source: of frames.
        endpoints: of utterances.
        confidence: of phones.
    """

    folder: Path
    source: StepSource | WindowSource
    endpoints: VadEndpointDetector
    confidence: Confidence

    def engine(self, policy: str, decoder: str) -> StreamEngine:
        """Return an engine for a stream; arguments as in `fonoteka.streaming.open_engine`.

        Raises:
            UserError: the policy does not fit the model, or the decoder is unknown.
        """
        source = self._source(policy)
        return StreamEngine(source, self._decoder(decoder), twin(self.endpoints))

    def run_once(self, samples: Signal) -> None:
        """Run an engine on samples `[N]`, so that files that do not fit each other are noticed."""
        policy = EXACT if isinstance(self.source, StepSource) else self.source.policy.name
        for decoder in DECODERS:
            if decoder == "greedy" or (self.folder / NGRAM).is_file():
                engine = self.engine(policy, decoder)
                engine.feed(samples)
                engine.finish()

    def _source(self, policy: str) -> FrameSource:
        name = self.folder.name
        if isinstance(self.source, StepSource):
            if policy != EXACT:
                raise UserError(
                    f"policy {policy!r}: every final frame of {name} is exact; use {EXACT}"
                )
            return twin(self.source)
        if policy == EXACT:
            raise UserError(
                f"policy {EXACT!r}: each frame of {name} depends on the whole recording; use "
                "hold-16 or agree-2, or a model for streams"
            )
        source = twin(self.source)
        source.policy = WindowPolicy(policy)
        source.finish()  # resets the state, whose size depends on the policy
        return source

    def _decoder(self, decoder: str) -> StreamDecoder:
        labels = self.source.labels
        if decoder == "greedy":
            return GreedyDecoder(labels, self.confidence)
        if decoder != "beam":
            raise UserError(f"decoder {decoder!r} is not one of {', '.join(DECODERS)}")
        return BeamDecoder(self._table, BEAM, labels, self.confidence)

    @cached_property
    def _table(self) -> NgramTable:
        path = self.folder / NGRAM
        if not path.is_file():
            raise UserError(
                f"model {self.folder.name} has no phone n-gram, which the beam needs; use greedy"
            )
        return table_of(parse_arpa(path.read_text(encoding="utf-8"), str(path)), self.source.labels)


def open_stream_model(folder: Path) -> StreamModel:
    """Return the recogniser of a package, for streams.

    Raises:
        UserError: a file is missing or damaged.
    """
    source: StepSource | WindowSource
    if (folder / STEP).is_file():
        source = StepSource(folder / STEP)
    else:
        source = WindowSource(folder / MODEL, WindowPolicy("hold-16"))
    confidence: Confidence = peak_posterior
    if (calibration := folder / CONFIDENCE).is_file():
        confidence = ConfidenceCalibration.from_json(read_json(calibration), str(calibration))
    endpoints = VadEndpointDetector(open_vad(ENDPOINTS.vad), ENDPOINTS)
    return StreamModel(folder, source, endpoints, confidence)
