"""The messages of vosk-server: one answer per message of samples, in order.

    {"config": {"sample_rate": 16000, "words": true, "partial_words": false}}
    binary                                samples of 16 bits, one channel
    {"reset": 1}                          the last result, and continue
    {"eof": 1}                            the last result, and close

    {"partial": "d o b"}                  with "partial_result": [...] if partial_words is true
    {"result": [{"word": ..., "start": ..., "end": ..., "conf": ...}], "text": "d o b a r"}

A result is sent in place of a partial one after an endpoint. The units are phones, so that the
"words" are symbols of phones, with spaces between them.

Differences: a faulty message is answered by {"error": {...}} and a close code, because vosk-server
has no message for errors; `phrase_list`, `max_alternatives` above 0 and `model` are refused.

Source: alphacep/vosk-server, websocket/asr_server.py and test.py; vosk-api, src/recognizer.cc.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from fonoteka.core.errors import UserError
from fonoteka.service.api_errors import ApiError
from fonoteka.service.interfaces import Usage
from fonoteka.service.live.closing import wrong_data
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
from fonoteka.service.live.query import Query, written_format
from fonoteka.streaming.interfaces import StreamedPhone, StreamUpdate

PARAMETERS = ("model", "policy", "decoder", "sample_rate")
DEFAULT_RATE_HZ = 8_000  # of vosk-server
_COMMANDS = {"eof": Command.FINISH, "reset": Command.FLUSH}
_OPTIONS = ("sample_rate", "words", "partial_words", "max_alternatives")
_ROUNDING_S = 1e-6  # sums of lengths in seconds differ by less; a sample is 62 us


class VoskDialect(Dialect):
    """Answers each message of samples once they are recognised."""

    def __init__(self, query: Query) -> None:
        """Read the options of a handshake.

        Raises:
            ApiError: one cannot be read.
        """
        self._written = written_format(query, "pcm_s16le", DEFAULT_RATE_HZ)
        self._words, self._partial_words = True, False
        self._started = False
        self._committed: list[StreamedPhone] = []  # since the last result
        self._provisional: tuple[StreamedPhone, ...] = ()
        self._is_over = False  # whether the utterance ended since the last answer
        self._audio_s = 0.0
        self._waiting: deque[float] = deque()  # where messages without an answer end

    @property
    def written(self) -> LiveFormat:
        """How the samples are written."""
        return self._written

    def opened(self) -> Sequence[Outgoing]:
        """Return nothing: the client speaks first."""
        return []

    def read_text(self, text: str) -> Command:
        """Read `config`, `reset` or `eof`."""
        fields = fields_of(text)
        if "config" in fields:
            self._configure(fields["config"])
            return Command.NONE
        for name, command in _COMMANDS.items():
            if fields.get(name) == 1:
                return command
        raise wrong_data(f"the message {text[:60]!r}; expected config, or eof or reset with 1")

    def read_samples(self, _data: bytes, /) -> Command:
        """Note that the format cannot change any more."""
        self._started = True
        return Command.NONE

    def fed(self, audio_s: float, /) -> Sequence[Outgoing]:
        """Return the answer if the samples were recognised before."""
        self._waiting.append(audio_s)
        return self._answers()

    def updated(self, update: StreamUpdate) -> Sequence[Outgoing]:
        """Return the answers to the messages whose samples are recognised now."""
        self._audio_s = update.audio_s
        self._committed += update.committed
        self._provisional = update.provisional
        self._is_over |= update.endpoint is not None
        return self._answers()

    def flushed(self) -> Sequence[Outgoing]:
        """Return the last result of the samples up to now."""
        return [*self._overdue(), self._result()]

    def finished(self, _usage: Usage, /) -> Sequence[Outgoing]:
        """Return the last result."""
        return [*self._overdue(), self._result()]

    def failed(self, error: ApiError) -> Sequence[Outgoing]:
        """Return the body of an error."""
        return [{**error.body()}]

    def _configure(self, options: Any) -> None:
        if not isinstance(options, dict):
            raise wrong_data(f"config is {str(options)[:40]!r}; expected an object")
        if unknown := sorted({*options} - {*_OPTIONS}):
            raise wrong_data(
                f"config has {unknown[0][:40]!r}, which is not supported; expected "
                f"{', '.join(_OPTIONS)}, and the model in the address: /vosk?model=NAME"
            )
        if options.get("max_alternatives"):
            raise wrong_data("config has max_alternatives above 0; only the best result is sent")
        self._words = bool(options.get("words", self._words))
        self._partial_words = bool(options.get("partial_words", self._partial_words))
        if "sample_rate" in options:
            self._set_rate(options["sample_rate"])

    def _set_rate(self, rate_hz: Any) -> None:
        if isinstance(rate_hz, bool) or not isinstance(rate_hz, int | float):
            raise wrong_data(f"sample_rate is {str(rate_hz)[:40]!r}; expected a number")
        if rate_hz != rate_hz or abs(rate_hz) > 1e9 or rate_hz != int(rate_hz):
            raise wrong_data(f"sample_rate is {rate_hz}; expected a whole number of Hz")
        if self._started and rate_hz != self._written.sample_rate_hz:
            raise wrong_data("sample_rate cannot change after the first samples; connect again")
        try:
            self._written = replace(self._written, sample_rate_hz=int(rate_hz))
        except UserError as error:
            raise wrong_data(str(error)) from error

    def _answers(self) -> list[Outgoing]:
        answers = []
        while self._waiting and self._waiting[0] <= self._audio_s + _ROUNDING_S:
            self._waiting.popleft()
            answers.append(self._result() if self._is_over else self._partial())
        return answers

    def _overdue(self) -> list[Outgoing]:
        """Return the answers to all messages without one."""
        answers = [self._partial() for _ in self._waiting]
        self._waiting.clear()
        return answers

    def _partial(self) -> Outgoing:
        phones = [*self._committed, *self._provisional]
        if self._partial_words and phones:
            return {"partial_result": [*map(word_fields, phones)], "partial": text_of(phones)}
        return {"partial": text_of(phones)}

    def _result(self) -> Outgoing:
        """Return the result of the utterance, and begin another one."""
        phones, self._committed, self._is_over = self._committed, [], False
        if self._words and phones:
            return {"result": [*map(word_fields, phones)], "text": text_of(phones)}
        return {"text": text_of(phones)}


def word_fields(phone: StreamedPhone) -> Outgoing:
    """Return a phone as a word of vosk."""
    return {
        "conf": rounded_confidence(phone.confidence), "end": rounded(phone.end_s),
        "start": rounded(phone.start_s), "word": phone.symbol,
    }  # fmt: skip
