"""Updates of a stream as JSON lines, for programs.

    {"audio_s": 0.32, "committed": [], "endpoint": null, "provisional": [{"confidence": 0.93, ...}]}

A line is written for each update that changes something, in UTF-8 with sorted keys: equal updates
give equal bytes.
"""

from __future__ import annotations

import json
from typing import Any, TextIO

from fonoteka.streaming.interfaces import StreamedPhone, StreamUpdate

TIME_DIGITS = 3  # a sample is 0.06 ms
CONFIDENCE_DIGITS = 4


def json_line(update: StreamUpdate) -> str:
    """Return an update as JSON, without a newline.

    >>> json_line(StreamUpdate(0.5, (StreamedPhone("a", 0.1, 0.2, 0.98765),), (), "silence"))[:72]
    '{"audio_s": 0.5, "committed": [{"confidence": 0.9877, "end_s": 0.2, "sta'
    """
    return json.dumps(_fields(update), ensure_ascii=False, allow_nan=False, sort_keys=True)


def read_json_line(line: str) -> StreamUpdate:
    """Return the update of a line that `json_line` made.

    Raises:
        ValueError: the line is not JSON, or `KeyError` or `TypeError`: it lacks or adds a field.
    """
    fields = json.loads(line)
    phones = {
        key: tuple(StreamedPhone(**phone) for phone in fields[key])
        for key in ("committed", "provisional")
    }
    return StreamUpdate(fields["audio_s"], endpoint=fields["endpoint"], **phones)


class JsonLinesView:
    """Writes the updates of a stream, and leaves out those that change nothing."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._provisional: list[dict[str, Any]] = []

    def show(self, update: StreamUpdate) -> None:
        """Write an update if it commits a phone, ends an utterance or changes the provisional."""
        provisional = [_phone(phone) for phone in update.provisional]
        if update.committed or update.endpoint or provisional != self._provisional:
            self._file.write(json_line(update) + "\n")
            self._file.flush()
        self._provisional = provisional

    def close(self) -> None:
        """Do nothing: each line is complete."""


def _fields(update: StreamUpdate) -> dict[str, Any]:
    return {
        "audio_s": round(update.audio_s, TIME_DIGITS),
        "committed": [_phone(phone) for phone in update.committed],
        "provisional": [_phone(phone) for phone in update.provisional],
        "endpoint": update.endpoint,
    }


def _phone(phone: StreamedPhone) -> dict[str, Any]:
    return {
        "symbol": phone.symbol,
        "start_s": round(float(phone.start_s), TIME_DIGITS),
        "end_s": round(float(phone.end_s), TIME_DIGITS),
        "confidence": round(float(phone.confidence), CONFIDENCE_DIGITS),
    }
