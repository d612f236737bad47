"""Sound from a microphone, through PortAudio and the package sounddevice.

PortAudio calls `MicrophoneCallback` in a thread of its own. Blocks wait in a queue until they are
recognised; if recognition is too slow for too long, blocks are dropped and counted.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from queue import Empty, Full, Queue
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fonoteka.audio.dsp import Signal
from fonoteka.audio.resampling import blocks_at_16k, prepare_resampling
from fonoteka.core.errors import UserError
from fonoteka.streaming.sources.chunks import StopRequest, check_rate
from fonoteka.streaming.sources.pcm_input import POLL_S

HELD_S = 5.0  # of sound that waits at most; a pause of the recogniser is shorter
RATE_WINDOW_S = 10.0  # in which samples are counted to measure the rate
RATE_TOLERANCE = 0.05
"""Largest deviation of the measured rate. A device that changes from 48 to 44.1 kHz deviates by
8 %; callbacks that are late by 0.3 s at both ends of a window, by 6 % at most in 5 s and 3 % in
10 s."""
_NAME = "microphone"


@dataclass(frozen=True)
class MicrophoneParams:
    """How a microphone is opened.

    Attributes:
        sample_rate_hz: that is tried first.
        channels: whose mean is used.
        chunk_ms: length of a block, in ms.
        timeout_s: longest wait for a block, in seconds.
        device: its number, or a part of its name; None for the default of the system.
    """

    sample_rate_hz: int = 16_000
    channels: int = 1
    chunk_ms: int = 40
    timeout_s: float = 10.0
    device: str | None = None


class MicrophoneCallback:
    """Receives the blocks of an input stream, and yields them to the recogniser.

    Attributes:
        dropped: samples that were dropped because the queue was full.
        overflows: how often the driver reported that it had dropped samples; it does not count
            them.
    """

    def __init__(
        self,
        sample_rate_hz: int,
        block_samples: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Make one for a stream.

        Args:
            sample_rate_hz: of the stream.
            block_samples: per block.
            clock: returns seconds.
        """
        self.sample_rate_hz = sample_rate_hz
        self.dropped = 0
        self.overflows = 0
        self._clock = clock
        most = max(1, int(HELD_S * sample_rate_hz / block_samples))
        self._queue: Queue[Signal] = Queue(most)
        self._ended = False
        self._measured_hz: float | None = None  # once it differs from the stated rate
        self._window_s: float | None = None
        self._window_samples = 0

    def __call__(self, block: NDArray[np.float32], count: int, _times: Any, status: Any) -> None:
        """Take a block `[T, C]`, which PortAudio overwrites afterwards."""
        # With the first block, drivers report what was recorded before anyone read it.
        overflow = bool(status and status.input_overflow) and self._window_s is not None
        self.overflows += overflow
        try:
            self._queue.put_nowait(block.mean(axis=1, dtype=np.float32))
        except Full:
            self.dropped += count
        self._measure_rate(count, restart=overflow)

    def finished(self) -> None:
        """Note that the stream ended: PortAudio calls this when it stops, or loses the device."""
        self._ended = True

    def blocks(self, stop: StopRequest, timeout_s: float) -> Iterator[Signal]:
        """Yield the blocks `[T]` until a request to stop, and then those that wait.

        Raises:
            UserError: the device was lost, delivers nothing, or changed its rate.
        """
        last_s = self._clock()
        while not stop.requested:
            if self._measured_hz is not None:
                yield from self._waiting()
                raise self._failure(
                    f"delivers {self._measured_hz:.0f} samples per second instead of "
                    f"{self.sample_rate_hz}; its sample rate was changed, so start again"
                )
            try:
                yield self._queue.get(timeout=POLL_S)
                last_s = self._clock()
            except Empty:
                self._check_alive(self._clock() - last_s, timeout_s)
        yield from self._waiting()

    def check_complete(self) -> None:
        """Refuse a stream of which samples were dropped.

        Raises:
            UserError: it says how many.
        """
        if self.dropped or self.overflows:
            raise UserError(
                f"{_NAME}: {self._dropped()}; phones are missing and later times are too early, so "
                "stop other programs or use a faster model"
            )

    def _dropped(self) -> str:
        """Return what was dropped, empty if nothing was."""
        parts = []
        if self.dropped:
            seconds = self.dropped / self.sample_rate_hz
            parts.append(f"{self.dropped} samples ({seconds:.2f} s) because recognition was slow")
        if self.overflows:
            parts.append(f"an unknown number in {self.overflows} overflows of the driver")
        return "dropped " + " and ".join(parts) if parts else ""

    def _failure(self, text: str) -> UserError:
        return UserError("; ".join(filter(None, [f"{_NAME}: {text}", self._dropped()])))

    def _waiting(self) -> Iterator[Signal]:
        while not self._queue.empty():
            yield self._queue.get_nowait()

    def _check_alive(self, silent_s: float, timeout_s: float) -> None:
        if self._ended and self._queue.empty():
            raise self._failure("the device is lost; connect it and start again")
        if silent_s > timeout_s:
            raise self._failure(
                f"no samples for {timeout_s:g} s; check the device, or raise --timeout-s"
            )

    def _measure_rate(self, count: int, *, restart: bool) -> None:
        """Compare the samples of a window of time with the rate."""
        now_s = self._clock()
        if self._window_s is None or restart:
            self._window_s, self._window_samples = now_s, 0
            return
        self._window_samples += count
        elapsed_s = now_s - self._window_s
        if elapsed_s < RATE_WINDOW_S:
            return
        measured_hz = self._window_samples / elapsed_s
        if abs(measured_hz / self.sample_rate_hz - 1) > RATE_TOLERANCE:
            self._measured_hz = measured_hz
        self._window_s, self._window_samples = now_s, 0


def load_sounddevice() -> Any:
    """Return the package sounddevice.

    Raises:
        UserError: it or the library PortAudio is missing.
    """
    try:
        import sounddevice
    except ImportError as error:
        raise UserError(
            f"{_NAME}: the package sounddevice is not installed; run pip install sounddevice"
        ) from error
    except OSError as error:  # what sounddevice raises without the library
        raise UserError(
            f"{_NAME}: the library PortAudio is not installed; run apt-get install libportaudio2, "
            "or pipe samples into --stdin"
        ) from error
    return sounddevice


def microphone_chunks(
    params: MicrophoneParams, stop: StopRequest, backend: Any = None
) -> Iterator[Signal]:
    """Yield what a microphone records, as one channel at 16 kHz, until a request to stop.

    If the device does not offer the rate, 48 kHz and its default rate are tried.

    Args:
        params: how it is opened.
        stop: ends it.
        backend: the package sounddevice, or one with its interface.

    Raises:
        UserError: there is no such device, the device was lost or changed its rate, or samples were
            dropped; the last is raised at the end.
    """
    check_rate(params.sample_rate_hz)
    callback, stream = _started(backend or load_sounddevice(), params)
    with closing(stream):
        blocks = callback.blocks(stop, params.timeout_s)
        yield from blocks_at_16k(blocks, callback.sample_rate_hz, shortest=1)
    callback.check_complete()


def _started(backend: Any, params: MicrophoneParams) -> tuple[MicrophoneCallback, Any]:
    """Return a running stream and what it calls."""
    device = int(params.device) if params.device and params.device.isdecimal() else params.device
    try:
        rate_hz = _usable_rate(backend, device, params)
        prepare_resampling(rate_hz)
        size = max(1, rate_hz * params.chunk_ms // 1000)
        callback = MicrophoneCallback(rate_hz, size)
        stream = backend.InputStream(
            samplerate=rate_hz, blocksize=size, device=device, channels=params.channels,
            dtype="float32", callback=callback, finished_callback=callback.finished,
        )  # fmt: skip
        stream.start()
    except (backend.PortAudioError, ValueError) as error:  # ValueError: no device of that name
        raise UserError(
            f"{_NAME}: {' '.join(str(error).split())}; list the devices by python -m sounddevice "
            "and name one with --device"
        ) from error
    return callback, stream


def _usable_rate(backend: Any, device: int | str | None, params: MicrophoneParams) -> int:
    """Return the first rate that the device offers: the one of `params`, 48 kHz, its default."""
    default_hz: int = round(backend.query_devices(device, "input")["default_samplerate"])
    for rate_hz in (params.sample_rate_hz, 48_000):
        try:
            backend.check_input_settings(
                device=device, channels=params.channels, dtype="float32", samplerate=rate_hz
            )
        except backend.PortAudioError:
            continue
        return rate_hz
    check_rate(default_hz)
    return default_hz
