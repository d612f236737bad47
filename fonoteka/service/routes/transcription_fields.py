"""The fields of a transcription request, as OpenAI names them, and ours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from starlette.requests import Request

from fonoteka.service.context import UploadForm, context_of
from fonoteka.service.formats.transcription_answers import (
    FORMATS,
    JSON,
    SEGMENT,
    SRT,
    VERBOSE,
    VTT,
    WORD,
)
from fonoteka.service.forms import AUTO, FormFields, invalid
from fonoteka.service.interfaces import ModelKind, ModelVersion
from fonoteka.service.recordings import recogniser
from fonoteka.service.routes.openapi import FILE, LANGUAGE, SCRIPT

GRANULARITIES = "timestamp_granularities[]"
_FLAG = {"type": "string", "enum": ["true", "false", "1", "0"], "default": "false"}
PROPERTIES: dict[str, Any] = {
    "file": FILE,
    "model": {
        "type": "string", "minLength": 1, "pattern": r"\S",
        "description": "a model of /v1/models of the kind words or phones; whisper-1 is Whisper",
    },
    "language": LANGUAGE,
    "script": SCRIPT,
    "response_format": {"type": "string", "enum": [*FORMATS], "default": JSON},
    GRANULARITIES: {
        "type": "array", "items": {"type": "string", "enum": [SEGMENT, WORD]},
        "description": "of verbose_json alone; word times need a phone recogniser",
    },
    "stream": _FLAG | {"description": "send each segment as an event; with the format json alone"},
    "store": _FLAG | {"description": "store the recording for /v1/files and /process/whisper"},
    "temperature": {
        "type": "number", "enum": [0], "default": 0,
        "description": "0 alone, because decoding is greedy",
    },
    "prompt": {
        "type": "string", "maxLength": 0,
        "description": "empty alone, because the models take no prompt",
    },
    "chunking_strategy": {
        "type": "string", "enum": [AUTO], "default": AUTO,
        "description": "auto alone: speech is found by a gate",
    },
}  # fmt: skip


@dataclass(frozen=True)
class TranscriptionRequest:
    """The checked fields of a request.

    Attributes:
        model: of the kind words or phones.
        language: code, or `auto`.
        script: of the words; None for the one that the model writes.
        response_format: one of `FORMATS`.
        granularities: of `verbose_json`.
        stream: whether segments are sent as events.
        store: whether the recording is stored.
    """

    model: ModelVersion
    language: str
    script: str | None
    response_format: str
    granularities: tuple[str, ...]
    stream: bool
    store: bool

    @property
    def needs_word_times(self) -> bool:
        """Whether words are placed in time: if requested, and to break subtitles into lines."""
        return WORD in self.granularities or self.response_format in (SRT, VTT)


def checked(request: Request, form: UploadForm) -> TranscriptionRequest:
    """Return the fields of a form.

    A value that could have no effect is refused, so that no client relies on it.

    Raises:
        ApiError: a field is missing, unknown, or has a value that cannot be used.
        UnknownModelError: no recogniser has this name.
    """
    fields = FormFields(form.fields, [name for name in PROPERTIES if name != "file"])
    model = recogniser(context_of(request).models, fields.required("model", "names a model"))
    language = fields.language()
    options = TranscriptionRequest(
        model,
        language,
        fields.script(language),
        fields.choice("response_format", FORMATS, JSON),
        fields.many(GRANULARITIES, (SEGMENT, WORD)),
        fields.flag("stream"),
        fields.flag("store"),
    )
    if fields.number("temperature"):
        raise invalid("temperature", "temperature must be 0, because decoding is greedy")
    if fields.text("prompt"):
        raise invalid("prompt", "the models take no prompt; leave it out")
    fields.choice("chunking_strategy", (AUTO,), AUTO)
    if options.granularities and options.response_format != VERBOSE:
        raise invalid(GRANULARITIES, f"{GRANULARITIES} needs response_format verbose_json")
    if options.stream and options.response_format != JSON:
        raise invalid("response_format", "events are JSON; leave out response_format or stream")
    if model.kind is ModelKind.PHONES:
        _check_phones(model, fields)
    return options


def _check_phones(model: ModelVersion, fields: FormFields) -> None:
    for name in ("language", "script"):
        if fields.text(name) is not None:
            raise invalid(
                name, f"{model.name} recognises phones, which have no {name}; leave {name} out"
            )
