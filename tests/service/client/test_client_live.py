"""`client --live` and `--mic` show the phones of a stream as `listen` does."""

from __future__ import annotations

import json
import socket

import numpy as np
import pytest
import soundfile
from command_line import exit_code
from live_server import EngineWorkers, level_signal, running_live_server
from live_talk import directly

from fonoteka.core.errors import UserError
from fonoteka.service.client.live_client import stream
from fonoteka.service.interfaces import BusyError
from fonoteka.streaming.sources import microphone

SIGNAL = level_signal("d a d")


@pytest.fixture
def workers():
    return EngineWorkers()


@pytest.fixture
def server(workers, tmp_path):
    with running_live_server(workers, folder=tmp_path) as running:
        yield running


@pytest.fixture
def recording(tmp_path):
    path = tmp_path / "clip.wav"
    soundfile.write(path, SIGNAL, 16_000, subtype="FLOAT")
    return path


def url(server):
    return f"http://127.0.0.1:{server.port}"


class Views:
    def __init__(self):
        self.updates = []

    def show(self, update):
        self.updates.append(update)


def test_a_recording_is_streamed_and_its_phones_are_printed(server, recording, capsys):
    assert exit_code("client", "--live", recording, "--url", url(server)) == 0
    assert capsys.readouterr().out == "d a d\n"


def test_json_lines_contain_the_phones_of_the_engine(server, recording, capsys):
    words = ("--live", recording, "--url", url(server), "--format", "json")
    assert exit_code("client", *words) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    phones = [phone for line in lines for phone in line["committed"]]
    expected = directly(SIGNAL)
    assert [(p["symbol"], p["start_s"], p["end_s"]) for p in phones] == expected


def test_the_microphone_is_streamed(server, monkeypatch, capsys):
    def recorded(params, stop, backend=None):
        for start in range(0, len(SIGNAL), 640):
            yield SIGNAL[start : start + 640]

    monkeypatch.setattr(microphone, "microphone_chunks", recorded)
    assert exit_code("client", "--mic", "--url", url(server)) == 0
    assert capsys.readouterr().out == "d a d\n"


def test_a_service_that_does_not_answer_is_one_sentence(recording, capsys):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    words = ("--live", recording, "--url", f"http://127.0.0.1:{port}")
    assert exit_code("client", *words) == 1
    assert "no service answers; start it by fonoteka serve" in capsys.readouterr().err


def test_an_unknown_model_is_one_sentence(server, recording, capsys):
    words = ("--live", recording, "--url", url(server), "--model", "other")
    assert exit_code("client", *words) == 1
    assert "no model 'other'" in capsys.readouterr().err


def test_a_busy_service_is_one_sentence(server, workers):
    workers.refusal = BusyError("64 streams are open; try again later", 1)
    with pytest.raises(UserError, match="64 streams are open; try again later"):
        stream(url(server), None, None, [SIGNAL], Views())


def test_a_restarting_service_shows_the_text_and_says_so(server, workers):
    views = Views()

    def chunks():
        yield SIGNAL[:-640]
        server.call(stopped())
        for _ in range(1000):  # until the client notices
            yield np.zeros(640, np.float32)

    async def stopped():
        while not workers.streams or workers.streams[0].samples < len(SIGNAL) - 640:
            await wait()
        await workers.stop(10)

    with pytest.raises(UserError, match="the service restarts; open another stream"):
        stream(url(server), None, None, chunks(), views)
    phones = [phone.symbol for update in views.updates for phone in update.committed]
    assert phones == ["d", "a", "d"]


async def wait():
    import asyncio

    await asyncio.sleep(0.01)


def test_an_address_of_another_program_is_one_sentence(server):
    with pytest.raises(UserError, match="status 403 for a live stream"):
        stream(f"{url(server)}/elsewhere", None, None, [SIGNAL], Views())
