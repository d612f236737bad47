"""Requests while the model that answers them is replaced again and again."""

from __future__ import annotations

import asyncio
import shutil
import time
from pathlib import Path

import httpx

from fonoteka.bench.service.clip_load import Answers, ClipRequest, send
from fonoteka.bench.service.service_process import running_service
from fonoteka.core.errors import UserError
from fonoteka.core.files import read_json, write_json
from fonoteka.packaging import CARD, PACKAGE, record, recorded

CLIENTS = 4
POLL_S = 0.01


def requests_over_swaps(
    package: Path, folder: Path, clip: ClipRequest, swaps: int, requests: int
) -> Answers:
    """Return the answers to requests, during which a package is replaced `swaps` times.

    Args:
        package: the model; a copy of it is served, because its card is changed for each swap.
        folder: for the copy, and for the log.
        clip: the recording to send.
        swaps: replacements, spread over the requests.
        requests: in all.
    """
    models = folder / "models"
    shutil.copytree(package, models / clip.model)
    with running_service(models, folder / "swaps.log", ["--no-gates"]) as service:
        return asyncio.run(_over_swaps(service.url, models / clip.model, clip, swaps, requests))


async def _over_swaps(
    url: str, package: Path, clip: ClipRequest, swaps: int, requests: int
) -> Answers:
    answers, left = Answers(), requests
    begin = time.perf_counter()

    async def ask(client: httpx.AsyncClient) -> None:
        nonlocal left
        while left > 0:
            left -= 1
            await send(client, clip, answers)

    async with httpx.AsyncClient(base_url=url, timeout=600) as client:
        clients = [asyncio.create_task(ask(client)) for _ in range(CLIENTS)]
        for swap in range(swaps):
            while requests - left < (swap + 1) * requests // (swaps + 1):
                await asyncio.sleep(POLL_S)
            new_version(package, swap)
            answer = await client.post("/v1/models/refresh")
            if answer.status_code != 200:
                raise UserError(f"bench service: swap {swap}: {answer.text}")
        await asyncio.gather(*clients)
    answers.wall_s = time.perf_counter() - begin
    return answers


def new_version(package: Path, number: int) -> None:
    """Change the card of a package, and record its files again; the model stays the same."""
    card = package / CARD
    card.write_text(f"{card.read_text(encoding='utf-8')}\nSwap {number}.\n", encoding="utf-8")
    files = record(package, recorded(package))
    write_json(package / PACKAGE, {**read_json(package / PACKAGE), "files": files})
