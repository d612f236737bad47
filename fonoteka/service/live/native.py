"""The service's own messages.

    binary                        samples, any number of bytes
    {"type": "keepalive"}         the client is still there
    {"type": "finish"}            no samples follow

    {"type": "ready", "request_id": ..., "model": ..., "model_version": ..., "look_ahead_s": ...}
    {"type": "update", "audio_s": ..., "committed": [...], "provisional": [...], "endpoint": ...}
    {"type": "final", "audio_s": ..., "usage": {...}}
    {"type": "error", "error": {"message": ..., "type": ..., "param": ..., "code": ...}}

A phone is {"phone": ..., "start": ..., "end": ..., "confidence": ...}, with times in seconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from fonoteka.service.api_errors import ApiError
from fonoteka.service.interfaces import StreamRequest, Usage
from fonoteka.service.live.closing import wrong_data
from fonoteka.service.live.dialect import (
    Command,
    Dialect,
    Outgoing,
    fields_of,
    rounded,
    rounded_confidence,
)
from fonoteka.service.live.pcm import SAMPLE_BYTES, LiveFormat
from fonoteka.service.live.query import Query, invalid, look_ahead_s, written_format
from fonoteka.streaming.interfaces import StreamedPhone, StreamUpdate

PARAMETERS = ("model", "policy", "decoder", "sample_rate", "channels", "encoding", "interim")
_COMMANDS = {"finish": Command.FINISH, "keepalive": Command.NONE}


class NativeDialect(Dialect):
    """Sends an update if it commits a phone, ends an utterance or changes the provisional."""

    def __init__(self, query: Query, request: StreamRequest) -> None:
        """Read the options of a handshake.

        Raises:
            ApiError: one cannot be read.
        """
        encoding = query.text("encoding", "pcm_s16le")
        if encoding not in SAMPLE_BYTES:
            raise invalid("encoding", encoding, " or ".join(SAMPLE_BYTES))
        self._written = written_format(query, encoding, 16_000)
        self._interim = query.truth("interim", True)
        self._request = request
        self._provisional: list[Outgoing] = []

    @property
    def written(self) -> LiveFormat:
        """How the samples are written."""
        return self._written

    def opened(self) -> Sequence[Outgoing]:
        """Return the message `ready`."""
        model = self._request.model
        return [
            {
                "type": "ready", "request_id": self._request.request_id, "model": model.name,
                "model_version": model.version, "look_ahead_s": look_ahead_s(self._request),
            }
        ]  # fmt: skip

    def read_text(self, text: str) -> Command:
        """Read `finish` or `keepalive`."""
        kind = fields_of(text).get("type")
        if not isinstance(kind, str) or kind not in _COMMANDS:
            raise wrong_data(f"a message of type {str(kind)[:40]!r}; expected finish or keepalive")
        return _COMMANDS[kind]

    def read_samples(self, _data: bytes, /) -> Command:
        """Do nothing: all bytes are samples."""
        return Command.NONE

    def fed(self, _audio_s: float, /) -> Sequence[Outgoing]:
        """Return nothing: updates are sent when they come."""
        return []

    def updated(self, update: StreamUpdate) -> Sequence[Outgoing]:
        """Return the message `update`, if something changed."""
        committed = [phone_fields(phone) for phone in update.committed]
        provisional = [phone_fields(phone) for phone in update.provisional if self._interim]
        changed = provisional != self._provisional
        self._provisional = provisional
        if not (committed or update.endpoint or changed):
            return []
        return [
            {
                "type": "update", "audio_s": rounded(update.audio_s), "committed": committed,
                "provisional": provisional, "endpoint": update.endpoint,
            }
        ]  # fmt: skip

    def flushed(self) -> Sequence[Outgoing]:
        """Return nothing: no message of this dialect asks for it."""
        return []

    def finished(self, usage: Usage, /) -> Sequence[Outgoing]:
        """Return the message `final`."""
        return [{"type": "final", "audio_s": rounded(usage.audio_s), "usage": asdict(usage)}]

    def failed(self, error: ApiError) -> Sequence[Outgoing]:
        """Return the message `error`."""
        return [{"type": "error", **error.body()}]


def phone_fields(phone: StreamedPhone) -> Outgoing:
    """Return a phone as it is sent."""
    return {
        "phone": phone.symbol, "start": rounded(phone.start_s), "end": rounded(phone.end_s),
        "confidence": rounded_confidence(phone.confidence),
    }  # fmt: skip
