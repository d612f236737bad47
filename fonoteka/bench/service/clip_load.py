"""Clients that send recordings one after another, each waiting for its answer."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import httpx

PATH = "/v1/audio/transcriptions"
PAUSE_S = 0.05
"""Between a refusal and the next try, if the answer does not say how long to wait."""


@dataclass(frozen=True)
class ClipRequest:
    """A recording to send.

    Attributes:
        wav: bytes of the file.
        audio_s: its length.
        model: that answers.
        fields: of the form, beside `model`.
    """

    wav: bytes
    audio_s: float
    model: str
    fields: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Answers:
    """What clients got.

    Attributes:
        seconds: from request to answer, of each that succeeded.
        statuses: number of answers by HTTP status; 0 counts broken connections.
        versions: number of answers by model version.
        wall_s: from the first request to the last answer.
    """

    seconds: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    versions: Counter[str] = field(default_factory=Counter)
    wall_s: float = 0.0


async def send(client: httpx.AsyncClient, request: ClipRequest, answers: Answers) -> int:
    """Send a recording, count its answer, and return the status."""
    files = {"file": ("clip.wav", request.wav, "audio/wav")}
    begin = time.perf_counter()
    try:
        answer = await client.post(
            PATH, files=files, data={"model": request.model, **request.fields}
        )
    except httpx.TransportError:
        answers.statuses[0] += 1
        await asyncio.sleep(PAUSE_S)
        return 0
    answers.statuses[answer.status_code] += 1
    if answer.status_code == 200:
        answers.seconds.append(time.perf_counter() - begin)
        answers.versions[answer.headers.get("X-Model-Version", "")] += 1
    else:
        await asyncio.sleep(float(answer.headers.get("Retry-After", PAUSE_S)))
    return answer.status_code


async def sequential(url: str, request: ClipRequest, count: int) -> Answers:
    """Send a recording `count` times, one after another."""
    answers = Answers()
    begin = time.perf_counter()
    async with httpx.AsyncClient(base_url=url, timeout=600) as client:
        for _ in range(count):
            await send(client, request, answers)
    answers.wall_s = time.perf_counter() - begin
    return answers


async def closed_loop(url: str, request: ClipRequest, clients: int, seconds: float) -> Answers:
    """Let clients send a recording again and again for some seconds, and wait for all answers."""
    answers = Answers()
    begin = time.perf_counter()
    limits = httpx.Limits(max_connections=None)

    async def ask(client: httpx.AsyncClient) -> None:
        while time.perf_counter() < begin + seconds:
            await send(client, request, answers)

    async with httpx.AsyncClient(base_url=url, timeout=600, limits=limits) as client:
        await asyncio.gather(*(ask(client) for _ in range(clients)))
    answers.wall_s = time.perf_counter() - begin
    return answers
