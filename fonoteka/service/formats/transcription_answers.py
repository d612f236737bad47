"""The answers to a transcription in OpenAI's formats."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import BaseModel
from starlette.responses import Response

from fonoteka.service.formats.aligned import subtitles
from fonoteka.service.formats.bodies import (
    DurationUsage,
    PlacedWord,
    TranscriptionText,
    VerboseAnswer,
    VerboseSegment,
)
from fonoteka.service.interfaces import ModelVersion, Segment
from fonoteka.service.recordings import RecordingResult, file_headers, version_headers

JSON, TEXT, SRT, VTT, VERBOSE = "json", "text", "srt", "vtt", "verbose_json"
FORMATS = (JSON, TEXT, SRT, VTT, VERBOSE)
SEGMENT, WORD = "segment", "word"
MEDIA_TYPES = {TEXT: "text/plain", SRT: "application/x-subrip", VTT: "text/vtt"}
_FRAME_S = 0.01  # of Whisper's spectrogram
_DECIMALS = 3  # times are rounded to 1 ms


@dataclass(frozen=True)
class TranscriptionContent:
    """A result and the choices that decide how it is answered.

    Attributes:
        result: segments and cost.
        model: that computed it.
        granularities: `segment`, `word` or both; of `verbose_json` alone.
        file_id: of the stored recording, if it was stored.
    """

    result: RecordingResult
    model: ModelVersion
    granularities: tuple[str, ...] = ()
    file_id: str | None = None


def transcription_response(content: TranscriptionContent, format_name: str) -> Response:
    """Return the response in one of `FORMATS`; its headers name the model and the stored file."""
    doubt = content.result.finished.doubt
    headers = version_headers(content.model, doubt) | file_headers(content.file_id)
    if format_name in MEDIA_TYPES:
        text = _plain(content.result, format_name)
        return Response(text, headers=headers, media_type=MEDIA_TYPES[format_name])
    body = verbose_answer(content) if format_name == VERBOSE else _short_answer(content)
    return json_response(body, headers)


def json_response(body: BaseModel, headers: dict[str, str] | None = None) -> Response:
    """Return a body as JSON."""
    return Response(body.model_dump_json(), headers=headers, media_type="application/json")


def _plain(result: RecordingResult, format_name: str) -> str:
    if format_name == TEXT:
        return result.text + "\n"
    finished = result.finished
    return subtitles(result.segments, format_name, finished.language, finished.usage.audio_s)


def _short_answer(content: TranscriptionContent) -> TranscriptionText:
    return TranscriptionText(
        text=content.result.text, usage=_usage(content.result), file_id=content.file_id
    )


def verbose_answer(content: TranscriptionContent) -> VerboseAnswer:
    """Return the body of `verbose_json`."""
    result, finished = content.result, content.result.finished
    wants_words = WORD in content.granularities
    wants_segments = SEGMENT in content.granularities or not wants_words
    return VerboseAnswer(
        text=result.text,
        usage=_usage(result),
        file_id=content.file_id,
        language=finished.language,
        duration=_seconds(finished.usage.audio_s),
        segments=verbose_segments(result.segments) if wants_segments else None,
        words=timed_words(result.segments) if wants_words else None,
        model=content.model.name,
        model_version=content.model.version,
        doubt=finished.doubt or None,
    )


def verbose_segments(segments: Sequence[Segment]) -> list[VerboseSegment]:
    """Return segments with all fields of OpenAI's."""
    return [
        VerboseSegment(
            id=index,
            seek=round(segment.start_s / _FRAME_S),
            start=_seconds(segment.start_s),
            end=_seconds(segment.end_s),
            text=segment.text,
            tokens=list(segment.tokens),
            temperature=0.0,
            avg_logprob=segment.log_prob,
            compression_ratio=compression_ratio(segment.text),
            no_speech_prob=None if segment.speech is None else 1 - segment.speech,
            loops=segment.loops,
        )
        for index, segment in enumerate(segments)
    ]


def timed_words(segments: Sequence[Segment]) -> list[PlacedWord]:
    """Return the words or phones of segments with their times."""
    return [
        PlacedWord(word=unit.text, start=_seconds(unit.start_s), end=_seconds(unit.end_s))
        for segment in segments
        for unit in segment.units
    ]


def compression_ratio(text: str) -> float:
    """Return how many times zlib shortens a text; 0 for an empty one.

    Source: `compression_ratio` in openai-whisper's utils.py; above 2.4 it takes a text for a loop.

    >>> compression_ratio("da " * 50) > 2.4 > compression_ratio("dobar dan")
    True
    """
    encoded = text.encode("utf-8", "surrogatepass")
    return len(encoded) / len(zlib.compress(encoded)) if encoded else 0.0


def _usage(result: RecordingResult) -> DurationUsage:
    return DurationUsage(seconds=_seconds(result.finished.usage.audio_s))


def _seconds(time_s: float) -> float:
    return round(time_s, _DECIMALS)
