"""A job is cancelled, and its files are deleted, when its client leaves."""

import asyncio
import socket
from urllib.parse import urlsplit

import httpx
import pytest
from recording_service import recording_service
from scripted_parts import FIRST, answers, wav_bytes

from fonoteka.service.api_errors import ApiError
from fonoteka.service.client_presence import while_connected

LIMIT_S = 30  # of a wait that a fault would make endless; it normally takes milliseconds


def send_without_reading(url: str, **fields: str) -> socket.socket:
    """Send a request, and return its socket before an answer is read."""
    request = httpx.Request(
        "POST", f"{url}/v1/audio/transcriptions",
        data={"model": "tuned", **fields}, files={"file": ("clip.wav", wav_bytes())},
    )  # fmt: skip
    body = request.read()
    head = [f"{request.method} {request.url.path} HTTP/1.1"]
    head += [f"{name}: {value}" for name, value in request.headers.items()]
    address = urlsplit(url)
    connection = socket.create_connection((address.hostname, address.port))
    connection.sendall("\r\n".join([*head, "", ""]).encode() + body)
    return connection


@pytest.mark.parametrize("fields", [{}, {"stream": "true"}])
@pytest.mark.parametrize("script", [answers(), answers(FIRST)])
def test_a_job_is_cancelled_when_its_client_leaves(tmp_path, script, fields):
    with recording_service(tmp_path, script, holds=True) as service:
        with send_without_reading(service.url, **fields):
            assert service.workers.submitted.wait(LIMIT_S)
        assert service.workers.tickets[0].is_cancelled.wait(LIMIT_S)
    assert service.uploads.temporary() == []


def test_a_stream_is_cancelled_when_its_reader_closes_it(tmp_path):
    with recording_service(tmp_path, answers(FIRST), holds=True) as service:
        stream = service.transcribe(stream=True)
        assert next(stream).delta == "Dobar dan."
        assert not service.workers.tickets[0].is_cancelled.is_set()
        stream.close()
        assert service.workers.tickets[0].is_cancelled.wait(LIMIT_S)
    assert service.uploads.temporary() == []


async def never() -> dict[str, str]:
    return await asyncio.get_running_loop().create_future()


async def disconnect() -> dict[str, str]:
    return {"type": "http.disconnect"}


def test_a_result_is_returned_while_the_client_stays():
    async def work() -> int:
        return 7

    assert asyncio.run(while_connected(never, work())) == 7


def test_work_cleans_up_before_the_error_is_raised():
    events = []

    async def work() -> None:
        try:
            await never()
        finally:
            await asyncio.sleep(0)  # cleaning up may wait too
            events.append("cleaned")

    with pytest.raises(ApiError, match="the client left") as caught:
        asyncio.run(while_connected(disconnect, work()))
    assert (events, caught.value.status) == (["cleaned"], 499)


def test_an_error_of_work_is_raised():
    async def work() -> None:
        raise ApiError(400, "no speech", "unanswerable")

    with pytest.raises(ApiError, match="no speech"):
        asyncio.run(while_connected(never, work()))
