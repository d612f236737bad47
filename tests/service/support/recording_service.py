"""A running service with scripted results, and OpenAI's client for it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import openai
from running_service import running
from scripted_parts import (
    FolderUploads,
    Script,
    ScriptedWorkers,
    record_maker,
    scripted_context,
    wav_bytes,
)
from starlette.middleware import Middleware

from fonoteka.service.app import create_app
from fonoteka.service.context import RequestRecord
from fonoteka.service.telemetry.middleware import Telemetry, TelemetryMiddleware

RECORDING = ("clip.wav", wav_bytes())


@dataclass
class RecordingService:
    """A running service.

    Attributes:
        url: its address.
        workers, uploads: its parts.
        records: of its requests, in order.
        client: of OpenAI; it does not try again, so that errors are seen.
    """

    url: str
    workers: ScriptedWorkers
    uploads: FolderUploads
    records: list[RequestRecord]
    client: openai.OpenAI

    def transcribe(self, **options):
        """Transcribe two seconds by OpenAI's client."""
        return self.client.audio.transcriptions.create(
            **{"file": RECORDING, "model": "whisper-1", **options}
        )


@contextmanager
def recording_service(
    folder: Path, script: Script, key="unused", **options
) -> Iterator[RecordingService]:
    """Run a service whose results are scripted."""
    records: list[RequestRecord] = []
    context = scripted_context(folder, script, **options)
    telemetry = Middleware(TelemetryMiddleware, telemetry=Telemetry(context))
    app = create_app(context, outermost=[telemetry, record_maker(records)])
    with (
        running(app) as url,
        openai.OpenAI(base_url=f"{url}/v1", api_key=key, max_retries=0) as client,
    ):
        yield RecordingService(url, context.workers, context.uploads, records, client)
