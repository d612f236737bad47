"""The JSON of answers, from which the OpenAPI page is made.

Source: "Create transcription" and "List models" of OpenAI's API reference; fields that it does not
have are described as additions.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue


def _optional(description: str) -> Any:
    """Return a field that an answer leaves out if it has no value."""
    return Field(None, description=description, exclude_if=lambda value: value is None)


class ErrorDetail(BaseModel):
    """Why a request failed."""

    message: str = Field(description="a sentence with the value and the way out")
    type: str
    param: str | None = Field(description="the field at fault")
    code: str = Field(description="a word for programs")


class ErrorBody(BaseModel):
    """The body of all answers of 4xx and 5xx."""

    error: ErrorDetail


class DurationUsage(BaseModel):
    """What was computed."""

    type: Literal["duration"] = "duration"
    seconds: float = Field(description="length of the recording")


class TimedSegment(BaseModel):
    """A part of a recording with its text."""

    id: int
    start: float = Field(description="seconds")
    end: float = Field(description="seconds")
    text: str


class VerboseSegment(TimedSegment):
    """A segment as Whisper's own program describes it."""

    seek: int = Field(description="start in frames of 10 ms")
    tokens: list[int] = Field(description="of Whisper; empty for a phone recogniser")
    temperature: float = Field(description="always 0: decoding is greedy")
    avg_logprob: float = Field(description="mean over the tokens; 0 for a phone recogniser")
    compression_ratio: float = Field(description="of the text by zlib; loops have a high one")
    no_speech_prob: float | None = Field(
        description="1 less the mean of the speech gate; null for a model without a gate"
    )
    loops: bool = Field(description="addition: the text repeats itself and may be wrong")


class PlacedWord(BaseModel):
    """A word, or a phone of a phone recogniser."""

    word: str
    start: float = Field(description="seconds")
    end: float = Field(description="seconds")


class TranscriptionText(BaseModel):
    """The answer in the format `json`."""

    text: str
    usage: DurationUsage
    file_id: str | None = _optional("addition: of the recording, if it was stored")


class VerboseAnswer(TranscriptionText):
    """The answer in the format `verbose_json`."""

    task: Literal["transcribe"] = "transcribe"
    language: str = Field(description="code; empty for a phone recogniser")
    duration: float = Field(description="seconds")
    segments: list[VerboseSegment] | None = _optional("absent if only words were requested")
    words: list[PlacedWord] | None = _optional(
        "absent unless timestamp_granularities[] contains word"
    )
    model: str = Field(description="addition: the model that computed the answer")
    model_version: str = Field(description="addition: hash of its package")
    doubt: str | None = _optional("addition: why the result is doubtful, if it is")


class ProcessedFile(BaseModel):
    """The words of a stored recording."""

    file_id: str
    text: str
    language: str
    duration: float = Field(description="seconds")
    segments: list[TimedSegment]
    model: str
    version: str


class ModelEntry(BaseModel):
    """A model; `version`, `kind` and what else its card contains are additions.

    The card states metrics, gates, languages, labels and the files with sizes and hashes.
    """

    model_config = ConfigDict(extra="allow")

    id: str
    object: Literal["model"] = "model"
    created: int = Field(description="seconds since 1970")
    owned_by: str
    version: str = Field(description="hash of its package")
    kind: str = Field(description="words, phones or stream")
    metrics: JsonValue = Field(None, description="of the evaluation of the package")
    gates: JsonValue = Field(None, description="whether the package passed its gates")


class ModelEntries(BaseModel):
    """The models that are offered."""

    object: Literal["list"] = "list"
    data: list[ModelEntry]


class TrainedModel(BaseModel):
    """A model in a short list."""

    name: str
    kind: str
    version: str


class TrainedModels(BaseModel):
    """The models that are offered, without their metrics, and why others are not.

    Attributes:
        models: that requests can choose.
        refused: the reason of each package that is not offered, by name.
    """

    models: list[TrainedModel]
    refused: dict[str, str]


class RefreshedModels(BaseModel):
    """What reading the packages again did."""

    packages: dict[str, str] = Field(
        description="per package: unchanged, loaded, removed, or why it was refused"
    )
