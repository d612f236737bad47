"""What a dialect has to translate: the messages of a client, and the updates of a stream."""

from __future__ import annotations

import json
from collections.abc import Sequence
from enum import Enum, auto
from typing import Any, Protocol

from fonoteka.service.api_errors import ApiError
from fonoteka.service.interfaces import Usage
from fonoteka.service.live.closing import wrong_data
from fonoteka.service.live.pcm import LiveFormat
from fonoteka.streaming.interfaces import StreamedPhone, StreamUpdate

TIME_DIGITS = 3  # a sample is 0.06 ms
CONFIDENCE_DIGITS = 4
SHOWN_CHARACTERS = 60  # of a message that is not understood

Outgoing = dict[str, Any]
"""A message as JSON."""


class Command(Enum):
    """What a client asks for."""

    FINISH = auto()  # send the last text and close
    FLUSH = auto()  # send the text of all samples up to now, and continue
    NONE = auto()


class Dialect(Protocol):
    """Translates the messages of one connection; times are seconds of the whole connection."""

    @property
    def written(self) -> LiveFormat:
        """How the samples are written; it may change until the first samples arrive."""

    def opened(self) -> Sequence[Outgoing]:
        """Return what is sent first."""

    def read_text(self, text: str) -> Command:
        """Read a text message.

        Raises:
            ApiError: it is not understood, or asks for what the service cannot do.
        """

    def read_samples(self, data: bytes, /) -> Command:
        """Read a binary message, before its samples are recognised."""

    def fed(self, audio_s: float, /) -> Sequence[Outgoing]:
        """Return what is sent once the samples of a binary message are on their way.

        Args:
            audio_s: length of all samples of the connection that are.
        """

    def updated(self, update: StreamUpdate) -> Sequence[Outgoing]:
        """Return what is sent for an update."""

    def flushed(self) -> Sequence[Outgoing]:
        """Return what is sent after the last update before a flush, or before an error."""

    def finished(self, usage: Usage, /) -> Sequence[Outgoing]:
        """Return what is sent last."""

    def failed(self, error: ApiError) -> Sequence[Outgoing]:
        """Return what is sent for an error."""


def fields_of(text: str) -> dict[str, Any]:
    """Return the fields of a text message.

    Raises:
        ApiError: it is not a JSON object.
    """
    shown = text if len(text) <= SHOWN_CHARACTERS else text[:SHOWN_CHARACTERS] + "…"
    try:
        fields = json.loads(text)
    except (ValueError, RecursionError):
        raise wrong_data(f"the message {shown!r} is not JSON; send a JSON object") from None
    if not isinstance(fields, dict):
        raise wrong_data(f"the message {shown!r} is not a JSON object")
    return fields


def text_of(phones: Sequence[StreamedPhone]) -> str:
    """Return the symbols of phones with spaces between them."""
    return " ".join(phone.symbol for phone in phones)


def rounded(seconds: float) -> float:
    """Return a time as it is sent."""
    return round(float(seconds), TIME_DIGITS)


def rounded_confidence(confidence: float) -> float:
    """Return a confidence as it is sent."""
    return round(float(confidence), CONFIDENCE_DIGITS)
