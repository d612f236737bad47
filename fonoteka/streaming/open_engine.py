"""Open a streaming recogniser by the name of its model, from packaged files alone.

The package of a streaming recogniser has its step file, the calibration of its confidence and the
phone n-gram of the beam. Any other recogniser is streamed by recomputing windows.
"""

from __future__ import annotations

from pathlib import Path

from fonoteka.core.errors import UserError
from fonoteka.core.files import read_json
from fonoteka.packaging import CONFIDENCE, MODEL, NGRAM, PACKAGE, STEP, check_package
from fonoteka.streaming.arpa import parse_arpa
from fonoteka.streaming.beam_decoder import BeamDecoder
from fonoteka.streaming.confidence import ConfidenceCalibration
from fonoteka.streaming.endpoint import EndpointParams, VadEndpointDetector
from fonoteka.streaming.engine import StreamEngine
from fonoteka.streaming.greedy_decoder import Confidence, GreedyDecoder, peak_posterior
from fonoteka.streaming.interfaces import FrameSource, StreamDecoder
from fonoteka.streaming.ngram_table import table_of
from fonoteka.streaming.prefix_beam import BeamOptions
from fonoteka.streaming.step_source import StepSource
from fonoteka.streaming.vad.detector import open_vad
from fonoteka.streaming.window_source import WindowPolicy, WindowSource
from fonoteka.transcribe import model_folder

EXACT = "exact"
DECODERS = ("greedy", "beam")

ENDPOINTS = EndpointParams()

BEAM = BeamOptions(width=16, lm_weight=0.5, insertion=2.0, threshold=10.0, hold_frames=6)
"""How a stream is searched: a phone is committed at most 120 ms after another one could follow."""


def frame_source(folder: Path, policy: str) -> FrameSource:
    """Return the model of a folder as a source of frames.

    Args:
        folder: with a step file, or with the whole path of a recogniser with unbounded context.
        policy: `exact` for a step file; `hold-N` or `agree-N` for the others.

    Raises:
        UserError: the folder has neither file, or the policy does not fit the model.
    """
    if (folder / STEP).is_file():
        if policy != EXACT:
            raise UserError(
                f"policy {policy!r}: every final frame of {folder.name} is exact; "
                f"use --policy {EXACT}"
            )
        return StepSource(folder / STEP)
    if policy == EXACT:
        raise UserError(
            f"policy {EXACT!r}: each frame of {folder.name} depends on the whole recording; "
            "use --policy hold-16 or agree-2, or --model streaming"
        )
    return WindowSource(folder / MODEL, WindowPolicy(policy))


def stream_decoder(folder: Path, labels: tuple[str, ...], decoder: str) -> StreamDecoder:
    """Return a decoder for the frames of the model of a folder.

    The confidence of phones is calibrated if the folder has a calibration; else it is the highest
    posterior.

    Raises:
        UserError: there is no such decoder, or the folder has no n-gram model for the beam.
    """
    confidence: Confidence = peak_posterior
    if (calibration := folder / CONFIDENCE).is_file():
        confidence = ConfidenceCalibration.from_json(read_json(calibration), str(calibration))
    if decoder == "greedy":
        return GreedyDecoder(labels, confidence)
    if decoder != "beam":
        raise UserError(f"decoder {decoder!r} is not one of {', '.join(DECODERS)}")
    if not (ngram := folder / NGRAM).is_file():
        raise UserError(
            f"{ngram}: missing, and the beam needs a phone n-gram; use --decoder greedy, or "
            "--model streaming"
        )
    table = table_of(parse_arpa(ngram.read_text(encoding="utf-8"), str(ngram)), labels)
    return BeamDecoder(table, BEAM, labels, confidence)


def open_engine(model: str, policy: str = EXACT, decoder: str = "greedy") -> StreamEngine:
    """Return an engine at the start of a stream, with endpoints by silero's speech detector.

    Args:
        model: the name of a model in data/models, or a folder; all files of a package are verified.
        policy: when frames are final, see `frame_source`.
        decoder: greedy or beam.

    Raises:
        UserError: there is no model of that name, policy or decoder, or a file was changed.
    """
    folder = model_folder(model)
    if not folder.is_dir():
        raise UserError(f"no model {model!r}: {folder} is not a folder; run make repro")
    if (folder / PACKAGE).is_file() and (problems := check_package(folder)):
        raise UserError(problems[0])
    source = frame_source(folder, policy)
    return StreamEngine(
        source, stream_decoder(folder, source.labels, decoder),
        VadEndpointDetector(open_vad(ENDPOINTS.vad), ENDPOINTS),
    )  # fmt: skip
