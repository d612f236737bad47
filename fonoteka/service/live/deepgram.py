"""The messages of Deepgram's live transcription.

    binary                         samples; an empty message ends the stream as CloseStream does
    {"type": "KeepAlive"}          the client is still there
    {"type": "Finalize"}           send the text of all samples up to now, and continue
    {"type": "CloseStream"}        send the last text and Metadata, and close

    {"type": "Results", "is_final": ..., "speech_final": ..., "start": ..., "duration": ...,
     "channel": {"alternatives": [{"transcript": ..., "confidence": ..., "words": [...]}]}, ...}
    {"type": "SpeechStarted", ...} {"type": "UtteranceEnd", ...} {"type": "Metadata", ...}

The units are phones, so that "words" are symbols of phones. Phones have neither case nor
punctuation, so that options about them change nothing; `deepgram_query` lists all options.

An utterance ends, with `speech_final`, by the service's own endpoints, which need 0.6 s of silence;
with `endpointing=N` after N ms without a phone, and with `endpointing=false` never.

Source: Deepgram, "Live Audio" and "Streaming", https://developers.deepgram.com.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import NAMESPACE_URL, uuid5

from fonoteka.service.api_errors import ApiError
from fonoteka.service.interfaces import StreamRequest, Usage
from fonoteka.service.live.closing import wrong_data
from fonoteka.service.live.deepgram_query import DeepgramOptions
from fonoteka.service.live.dialect import (
    Command,
    Dialect,
    Outgoing,
    fields_of,
    rounded,
    rounded_confidence,
    text_of,
)
from fonoteka.service.live.pcm import LiveFormat
from fonoteka.streaming.endpoint import NOTHING_SPOKEN
from fonoteka.streaming.interfaces import StreamedPhone, StreamUpdate

LONGEST_SEGMENT_S = 5.0  # after which committed phones are sent as final without an endpoint
_COMMANDS = {"KeepAlive": Command.NONE, "Finalize": Command.FLUSH, "CloseStream": Command.FINISH}
_CHANNEL = [0, 1]  # the first of one: channels are mixed
_UNDETERMINED = "und"  # the language of a phone, as BCP 47 writes it


class DeepgramDialect(Dialect):
    """Sends results by segments: interim ones until a segment is final, then the next begins."""

    def __init__(self, options: DeepgramOptions, request: StreamRequest) -> None:
        self._options, self._request = options, request
        self._created = datetime.now(UTC)
        self._hash = hashlib.sha256()  # of the samples, for Metadata
        self._audio_s = self._segment_s = 0.0  # of the last update; the start of the segment
        self._committed: list[StreamedPhone] = []  # of the segment
        self._provisional: tuple[StreamedPhone, ...] = ()
        self._shown: list[StreamedPhone] = []  # by the last interim result
        self._is_spoken = False  # whether the utterance has a phone
        self._last_end_s: float | None = None  # of a phone after which no UtteranceEnd was sent
        self._speech_end_s = 0.0  # of the last committed phone

    @property
    def written(self) -> LiveFormat:
        """How the samples are written."""
        return self._options.written

    def opened(self) -> Sequence[Outgoing]:
        """Return nothing: Metadata is sent at the end."""
        return []

    def read_text(self, text: str) -> Command:
        """Read `KeepAlive`, `Finalize` or `CloseStream`."""
        kind = fields_of(text).get("type")
        if not isinstance(kind, str) or kind not in _COMMANDS:
            raise wrong_data(
                f"a message of type {str(kind)[:40]!r}; expected {', '.join(_COMMANDS)}"
            )
        return _COMMANDS[kind]

    def read_samples(self, data: bytes, /) -> Command:
        """Add samples to the hash of the stream."""
        self._hash.update(data)
        return Command.NONE if data else Command.FINISH

    def fed(self, _audio_s: float, /) -> Sequence[Outgoing]:
        """Return nothing: results are sent when they come."""
        return []

    def updated(self, update: StreamUpdate) -> Sequence[Outgoing]:
        """Return the results and events of an update."""
        self._audio_s, self._provisional = update.audio_s, update.provisional
        self._committed += update.committed
        if update.committed:
            self._speech_end_s = self._last_end_s = update.committed[-1].end_s
        messages = self._speech_started()
        phones = [*self._committed, *self._provisional]
        if self._is_over(update.endpoint):
            messages.append(self._final(speech_final=True))
        elif self._committed and self._audio_s - self._segment_s >= LONGEST_SEGMENT_S:
            messages.append(self._final(speech_final=False))
        elif self._options.interim and phones != self._shown:
            messages.append(self._results(phones, self._audio_s))
            self._shown = phones
        return messages + self._utterance_end()

    def flushed(self) -> Sequence[Outgoing]:
        """Return a final result, an empty one too, as the answer to `Finalize`."""
        return [self._final(speech_final=True, from_finalize=True)]

    def finished(self, usage: Usage, /) -> Sequence[Outgoing]:
        """Return the last result and `Metadata`."""
        last = [self._final(speech_final=True)] if self._committed else []
        model, identity = self._request.model, self._model_uuid()
        created = self._created.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return [
            *last,
            {
                "type": "Metadata", "transaction_key": "deprecated",
                "request_id": self._request.request_id, "sha256": self._hash.hexdigest(),
                "created": created, "duration": rounded(usage.audio_s), "channels": 1,
                "models": [identity],
                "model_info": {
                    identity: {
                        "name": model.name, "version": model.version, "arch": model.kind.value
                    }
                },
            },
        ]  # fmt: skip

    def failed(self, error: ApiError) -> Sequence[Outgoing]:
        """Return the message `Error`."""
        return [
            {
                "type": "Error", "variant": error.code, "description": error.message,
                "message": error.message,
            }
        ]  # fmt: skip

    def _speech_started(self) -> list[Outgoing]:
        """Return `SpeechStarted` with the first phone of an utterance."""
        phones = [*self._committed, *self._provisional]
        if self._is_spoken or not phones:
            return []
        self._is_spoken = True
        if not self._options.vad_events:
            return []
        start_s = rounded(phones[0].start_s)
        return [{"type": "SpeechStarted", "channel": _CHANNEL, "timestamp": start_s}]

    def _is_over(self, endpoint: str | None) -> bool:
        """Return whether an utterance ends here."""
        if not self._is_spoken:
            return False
        silence_s = self._options.endpointing_s
        if silence_s is None:
            return endpoint is not None and endpoint != NOTHING_SPOKEN
        return not self._provisional and self._audio_s - self._speech_end_s >= silence_s

    def _utterance_end(self) -> list[Outgoing]:
        gap_s, last_s = self._options.utterance_end_s, self._last_end_s
        if gap_s is None or last_s is None or self._provisional or self._audio_s - last_s < gap_s:
            return []
        self._last_end_s = None
        return [
            {"type": "UtteranceEnd", "channel": _CHANNEL, "last_word_end": rounded(last_s)}
        ]  # fmt: skip

    def _final(self, *, speech_final: bool, from_finalize: bool = False) -> Outgoing:
        """Return the final result of the segment, and begin the next one.

        Phones that are still provisional belong to the next segment.
        """
        end_s = self._audio_s
        if self._provisional:
            end_s = max(self._segment_s, self._speech_end_s)
        result = self._results(self._committed, end_s)
        result |= {
            "is_final": True, "speech_final": speech_final, "from_finalize": from_finalize
        }  # fmt: skip
        self._segment_s, self._committed, self._shown = end_s, [], []
        if speech_final:
            self._is_spoken = False
        return result

    def _results(self, phones: Sequence[StreamedPhone], end_s: float) -> Outgoing:
        """Return an interim result of the segment."""
        confidence = sum(phone.confidence for phone in phones) / max(len(phones), 1)
        alternative = {
            "transcript": text_of(phones), "confidence": rounded_confidence(confidence),
            "words": [*map(word_fields, phones)],
        }  # fmt: skip
        model = self._request.model
        return {
            "type": "Results", "channel_index": _CHANNEL,
            "start": rounded(self._segment_s), "duration": rounded(end_s - self._segment_s),
            "is_final": False, "speech_final": False, "from_finalize": False,
            "channel": {"alternatives": [alternative]},
            "metadata": {
                "request_id": self._request.request_id, "model_uuid": self._model_uuid(),
                "model_info": {
                    "name": model.name, "version": model.version, "arch": model.kind.value
                },
            },
        }  # fmt: skip

    def _model_uuid(self) -> str:
        """Return an id of the version of a model in the form that Deepgram's clients expect."""
        model = self._request.model
        return str(uuid5(NAMESPACE_URL, f"fonoteka:{model.name}:{model.version}"))


def word_fields(phone: StreamedPhone) -> Outgoing:
    """Return a phone as a word of Deepgram."""
    return {
        "word": phone.symbol, "start": rounded(phone.start_s), "end": rounded(phone.end_s),
        "confidence": rounded_confidence(phone.confidence), "punctuated_word": phone.symbol,
        "language": _UNDETERMINED,
    }  # fmt: skip
