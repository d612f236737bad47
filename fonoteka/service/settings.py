"""The settings of the service."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path

from fonoteka.core.cpu_count import worker_count
from fonoteka.core.errors import UserError


@dataclass(frozen=True)
class UploadLimits:
    """What an upload may contain; each is checked before more is read.

    Attributes:
        body_mib: of a request, multipart framing included.
        audio_s: seconds of sound.
        channels: of the recording.
        rate_hz: lowest and highest sample rate.
        decode_s: wall seconds that decoding may take.
        decode_memory_mib: memory that decoding may take.
        idle_s: longest wait for the next bytes of a body or of a stream.
        stored_mib: of all stored uploads together.
    """

    body_mib: int = 128
    audio_s: float = 2 * 3600
    channels: int = 8
    rate_hz: tuple[int, int] = (4_000, 192_000)
    decode_s: float = 120
    decode_memory_mib: int = 512
    idle_s: float = 30
    stored_mib: int = 2048


@dataclass(frozen=True)
class WorkLimits:
    """How work is shared.

    Attributes:
        batch_workers: processes for recordings.
        live_workers: processes for live streams; the system runs them first.
        jobs: most jobs that are admitted at a time.
        streams: most live streams at a time.
        stream_behind_s: most seconds of a stream that may wait; beyond, it is closed.
        job_deadline_s: least seconds after which a job fails.
        job_deadline_rtf: a job may take this many times the length of its recording.
    """

    batch_workers: int = field(default_factory=worker_count)
    live_workers: int = field(default_factory=worker_count)
    jobs: int = 64
    streams: int = 64
    stream_behind_s: float = 10
    job_deadline_s: float = 60
    job_deadline_rtf: float = 4


@dataclass(frozen=True)
class ServiceSettings:
    """How the service runs.

    Attributes:
        models: folder of the packages.
        host, port: that it listens on; port 0 lets the system choose.
        keys: a file with the hashes of API keys; None admits every request.
        origins: web origins that browsers may call it from.
        uploads: folder of temporary files; None for one in the system's.
        retention_s: how long an upload stays that its client asked to be stored.
        log_text: whether logs contain recognised text.
        drain_s: how long a stopping service waits for jobs.
        require_gates: offer only models whose numbers are within the limits of section `gate`.
        preload: names of models that are loaded before they are offered; None for those of words
            and streams, and the default one for phones.
        watch_s: interval at which the folder is compared with its last state; 0 for never.
    """

    models: Path
    host: str = "127.0.0.1"
    port: int = 8080
    keys: Path | None = None
    origins: tuple[str, ...] = ()
    uploads: Path | None = None
    retention_s: float = 3600
    log_text: bool = False
    drain_s: float = 20
    require_gates: bool = True
    preload: tuple[str, ...] | None = None
    watch_s: float = 0
    limits: UploadLimits = field(default_factory=UploadLimits)
    work: WorkLimits = field(default_factory=WorkLimits)

    def __post_init__(self) -> None:
        if not self.models.is_dir():
            raise UserError(f"{self.models}: no folder of models; run make repro or dvc pull")
        if not 0 <= self.port <= 65_535:
            raise UserError(f"port {self.port}; expected 0 to 65535")
        if not 0 <= self.watch_s < math.inf:
            raise UserError(f"watch_s {self.watch_s}; expected seconds, or 0 not to watch")
