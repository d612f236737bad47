"""Short recordings while the service works on a long one."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import httpx

from fonoteka.bench.service.clip_load import PATH, Answers, ClipRequest, sequential
from fonoteka.core.errors import UserError

LONG_S = 3600.0
"""Longest wait for a part of the answer; the whole answer takes minutes."""


async def beside_long_recording(
    url: str, clip: ClipRequest, long: Path, rounds: int
) -> tuple[Answers, int]:
    """Return the answers to a short recording while a long one is transcribed, and its segments.

    The long one is streamed, so that it is certain to be at work: the short ones are sent after
    its first segment, and the number of segments that came beside them is returned. It is
    cancelled at the end, by closing its connection.

    Raises:
        UserError: the long recording is refused, or was finished before the short ones.
    """
    started, segments = asyncio.Event(), 0

    async def transcribe() -> None:
        nonlocal segments
        async with httpx.AsyncClient(base_url=url, timeout=LONG_S) as client:
            with long.open("rb") as file:
                async with client.stream(
                    "POST", PATH, files={"file": ("long.wav", file, "audio/wav")},
                    data={"model": clip.model, "stream": "true", **clip.fields},
                ) as answer:  # fmt: skip
                    if answer.status_code != 200:
                        message = json.loads(await answer.aread())["error"]["message"]
                        raise UserError(f"bench service: the long recording: {message}")
                    async for line in answer.aiter_lines():
                        if line.startswith("data:"):
                            segments += 1
                            started.set()

    task = asyncio.create_task(transcribe())
    waiting = asyncio.create_task(started.wait())
    try:
        await asyncio.wait({task, waiting}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            answers = await sequential(url, clip, rounds)
        if task.done():
            task.result()
            raise UserError(
                "bench service: the long recording ended before the short ones; raise "
                "bench_service.long_s"
            )
        return answers, segments
    finally:
        waiting.cancel()
        task.cancel()
        await asyncio.gather(task, waiting, return_exceptions=True)
