"""The part of the service that receives, decodes, stores and deletes what clients send."""

from __future__ import annotations

import asyncio
from pathlib import Path

from starlette.requests import ClientDisconnect, Request

from fonoteka.audio.dsp import SAMPLE_RATE_HZ
from fonoteka.service.context import JobAudio, StoredFile, UploadedFile, UploadForm
from fonoteka.service.failures import client_left
from fonoteka.service.settings import ServiceSettings
from fonoteka.service.uploads.body_guard import GUARDED
from fonoteka.service.uploads.decoder_pool import DecoderPool
from fonoteka.service.uploads.folder import SpoolFile, UploadFolder
from fonoteka.service.uploads.multipart_form import MultipartReader, boundary_of
from fonoteka.service.uploads.refusals import not_written
from fonoteka.service.uploads.stored_files import StoredFiles

_WRITE_BYTES = 1 << 18  # at once: a thread per 256 KiB costs 0.2 ms
_PAUSE_S = 1.0  # between two searches for expired files; a search of 1000 files takes 0.1 ms


class UploadService:
    """Implements `Uploads`; the application needs `BodyGuard` too."""

    def __init__(self, settings: ServiceSettings) -> None:
        self._settings = settings
        self._folder: UploadFolder
        self._pool: DecoderPool
        self._stored: StoredFiles
        self._cleaner: asyncio.Task[None] | None = None

    @property
    def folder(self) -> UploadFolder:
        """Where the files are."""
        return self._folder

    @property
    def decoders(self) -> list[int]:
        """Numbers of the decoder processes, for metrics."""
        return self._pool.pids

    async def start(self) -> None:
        """Make the folder, delete what an earlier run left, start the decoders.

        Raises:
            UserError: the folder cannot be used.
        """
        limits = self._settings.limits
        self._folder = UploadFolder(self._settings.uploads)
        self._stored = StoredFiles(
            self._folder.delete, self._settings.retention_s, limits.stored_mib << 20
        )
        self._pool = DecoderPool(self._folder.path, limits, self._settings.work.jobs)
        try:
            await self._pool.start()
        except BaseException:
            self._folder.close()
            raise
        self._cleaner = asyncio.create_task(self._delete_expired())

    async def stop(self) -> None:
        """Stop the decoders, and delete all files."""
        if self._cleaner:
            self._cleaner.cancel()
            await asyncio.gather(self._cleaner, return_exceptions=True)
        await self._pool.stop()
        self._folder.close()

    async def receive(self, request: Request) -> UploadForm:
        """Read a multipart body; see `Uploads.receive`."""
        assert request.scope.get("state", {}).get(GUARDED), "BodyGuard is not in the application"
        reader = MultipartReader(boundary_of(request.headers))
        path = self._folder.new_path()
        spool = SpoolFile(path)
        try:
            async for data in request.stream():
                reader.feed(data)
                if len(reader.pending) >= _WRITE_BYTES:
                    await spool.write(reader.take())
            reader.finish()
            if reader.file_name is None:
                return UploadForm(reader.fields, None)
            await spool.write(reader.take(), last=True)
        except BaseException as error:
            spool.discard()
            if isinstance(error, ClientDisconnect):
                raise client_left() from error
            if isinstance(error, OSError):
                raise not_written(error) from error
            raise
        return UploadForm(reader.fields, UploadedFile(path, reader.file_name, spool.size))

    async def decode(self, upload: UploadedFile) -> JobAudio:
        """Decode a file in a process with limits; see `Uploads.decode`."""
        target = self._folder.new_path()
        samples = await self._pool.decode(upload.path, target)
        return JobAudio(target, samples / SAMPLE_RATE_HZ)

    def delete(self, *paths: Path) -> None:
        """Delete temporary files; a missing one is not an error, and stored ones stay."""
        for path in paths:
            if not self._stored.has(path):
                self._folder.delete(path)

    def store(
        self, upload: UploadedFile, purpose: str = "user_data", seconds: float | None = None
    ) -> StoredFile:
        """Store a file under a random id; see `Uploads.store`."""
        return self._stored.add(upload, purpose, seconds)

    def stored(self, file_id: str) -> StoredFile:
        """Return a stored file; raises `ApiError` 404 if the id is unknown."""
        return self._stored.get(file_id)

    def stored_files(self) -> list[StoredFile]:
        """Return the stored files, oldest first."""
        return self._stored.all()

    def discard(self, file_id: str) -> None:
        """Delete a stored file; raises as `stored` does."""
        self._stored.discard(file_id)

    async def _delete_expired(self) -> None:
        while True:
            await asyncio.sleep(_PAUSE_S)
            self._stored.expire()
