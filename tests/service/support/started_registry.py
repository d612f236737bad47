"""A registry that has read a folder, without gates, and its workers."""

import asyncio
from contextlib import asynccontextmanager

from recording_workers import RecordingWorkers

from fonoteka.service.registry.registry import ModelRegistry
from fonoteka.service.settings import ServiceSettings

NAME = "whisper_ctc"


@asynccontextmanager
async def started(models, lease_s=600.0, **settings):
    """A registry without gates that has read a folder, and its workers."""
    workers = RecordingWorkers()
    settings = ServiceSettings(models, require_gates=False, **settings)
    registry = ModelRegistry(settings, workers, lease_s)
    async with asyncio.timeout(60):  # a fault must not wait for ever
        await registry.start()
        try:
            yield registry, workers
        finally:
            await registry.stop()
