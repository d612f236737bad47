"""Clients that speak: streams that are sent at the speed of the clock, with the lag of each phone.

The lag of a phone is the time from its end to the arrival of the update that commits it. The end
is the true one, because the streams are joined from clips whose phone times are known.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import numpy as np
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from fonoteka.audio.dsp import SAMPLE_RATE_HZ, Signal
from fonoteka.bench.stream_timing import TimedStream
from fonoteka.streaming.chunked import chunks_of
from fonoteka.streaming.interfaces import StreamedPhone, StreamUpdate
from fonoteka.streaming.stream_metrics import score_stream

CHUNK_S = 0.04  # what browsers and telephones send is 20 to 60 ms
PCM_SCALE = 32_767


@dataclass(frozen=True)
class LiveResult:
    """What one client saw.

    Attributes:
        lags_s: of each right phone.
        error: why the stream failed, empty if it did not.
    """

    lags_s: list[float]
    error: str


async def speak(
    url: str, stream: TimedStream, options: dict[str, str], start_after_s: float
) -> LiveResult:
    """Send a stream at the speed of the clock and return the lags of its phones."""
    await asyncio.sleep(start_after_s)
    address = f"{url.replace('http', 'ws', 1)}/v1/stream?" + urlencode(
        {"sample_rate": SAMPLE_RATE_HZ, "encoding": "pcm_s16le", **options}
    )
    try:
        async with connect(address, max_size=None) as socket:
            await socket.recv()  # ready
            begin = time.perf_counter()
            sending = asyncio.create_task(_send(socket, stream.samples, begin))
            try:
                updates, error = await _updates(socket, begin)
            finally:
                sending.cancel()
    except (OSError, ConnectionClosed) as failure:
        return LiveResult([], str(failure) or type(failure).__name__)
    lags = [lag.after_end_s for lag in score_stream(updates, stream.reference).lags]
    return LiveResult(lags, error)


async def _send(socket: ClientConnection, samples: Signal, begin: float) -> None:
    sent = 0
    for chunk in chunks_of(samples, round(CHUNK_S * SAMPLE_RATE_HZ)):
        sent += len(chunk)
        await asyncio.sleep(max(0.0, begin + sent / SAMPLE_RATE_HZ - time.perf_counter()))
        await socket.send((np.clip(chunk, -1, 1) * PCM_SCALE).astype("<i2").tobytes())
    await socket.send(json.dumps({"type": "finish"}))


async def _updates(socket: ClientConnection, begin: float) -> tuple[list[StreamUpdate], str]:
    """Return the updates of a stream, each with its time of arrival in place of its audio."""
    updates: list[StreamUpdate] = []
    async for text in socket:
        message = json.loads(text)
        if message["type"] == "error":
            return updates, str(message["error"]["message"])
        if message["type"] == "final":
            return updates, ""
        arrived_s = time.perf_counter() - begin
        updates.append(
            StreamUpdate(arrived_s, _phones(message["committed"]), _phones(message["provisional"]))
        )
    return updates, "the service closed the stream"


def _phones(rows: Sequence[dict[str, Any]]) -> tuple[StreamedPhone, ...]:
    return tuple(
        StreamedPhone(row["phone"], row["start"], row["end"], row["confidence"]) for row in rows
    )


async def speak_together(
    url: str, streams: Sequence[TimedStream], count: int, options: dict[str, str]
) -> list[LiveResult]:
    """Let `count` clients speak at a time; they start one after another within a second."""
    return await asyncio.gather(
        *(
            speak(url, streams[index % len(streams)], options, index / count)
            for index in range(count)
        )
    )
