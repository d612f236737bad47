"""A transcription as server-sent events, one per segment as soon as it is computed.

Source: "transcript.text.delta" and "transcript.text.done" of OpenAI's API reference.
"""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from typing import Any

from starlette.requests import Request
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from fonoteka.service.api_errors import ApiError, api_error
from fonoteka.service.client_presence import while_connected
from fonoteka.service.context import record_of
from fonoteka.service.failures import internal_error
from fonoteka.service.interfaces import Finished, JobError, JobEvent, ModelVersion, Segment
from fonoteka.service.recordings import RecordingResult, note_result

MEDIA_TYPE = "text/event-stream"
_UNBUFFERED = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}  # the latter for nginx
log = logging.getLogger("fonoteka.service")


class EventStreamResponse(StreamingResponse):
    """Events of a job; they end, and its files are deleted, when its client leaves."""

    def __init__(
        self, content: AsyncIterator[str], headers: Mapping[str, str], files: AsyncExitStack
    ) -> None:
        """Prepare a response.

        Args:
            content: the events as text.
            headers: that name the model.
            files: closed after the last event; stops the job and deletes its files.
        """
        super().__init__(content, headers={**headers, **_UNBUFFERED}, media_type=MEDIA_TYPE)
        self._files = files

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        """Send the events."""
        async with self._files:
            await while_connected(receive, self.stream_response(send))


async def server_sent(
    request: Request, first: JobEvent, events: AsyncIterator[JobEvent], model: ModelVersion
) -> AsyncIterator[str]:
    """Yield the events of a job as text.

    The status of the answer was sent by now, so a failure is an event with an error body, which
    OpenAI's clients raise as `APIError`.

    Args:
        request: for its log line.
        first: an event that was read before the answer began.
        events: the others.
        model: that computes them.
    """
    segments: list[Segment] = []
    event = first
    try:
        while isinstance(event, Segment):
            if event.text.strip():
                space = " " if any(segment.text.strip() for segment in segments) else ""
                yield _event("transcript.text.delta", delta=space + event.text.strip())
            segments.append(event)
            event = await anext(events)
        yield _done(request, RecordingResult(tuple(segments), event), model)
    except JobError as refusal:
        yield _failed(request, api_error(refusal))
    except Exception:
        log.exception("request %s failed", record_of(request).request_id)
        yield _failed(request, internal_error(record_of(request)))


def _done(request: Request, result: RecordingResult, model: ModelVersion) -> str:
    note_result(request, result)
    finished: Finished = result.finished
    return _event(
        "transcript.text.done", text=result.text, language=finished.language,
        duration=finished.usage.audio_s, model=model.name, model_version=model.version,
        doubt=finished.doubt or None,
    )  # fmt: skip


def _failed(request: Request, error: ApiError) -> str:
    record_of(request).error = error.code
    return _data(error.body())


def _event(kind: str, **values: Any) -> str:
    return _data({"type": kind, **values})


def _data(value: dict[str, Any]) -> str:
    return f"data: {json.dumps(value, ensure_ascii=False)}\n\n"
