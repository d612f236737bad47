"""`fonoteka serve` as a process: clients, faults while it serves, and its end."""

from __future__ import annotations

import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress

import httpx
import openai
import psutil
import pytest
from service_packages import models_folder, written_phones
from sound_bytes import encoded
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from fonoteka.bench.service.service_process import running_service
from fonoteka.bench.service.swaps import new_version

PATH = "/v1/audio/transcriptions"
PHONES = "d o b a r"
OPTIONS = ["--no-gates", "--workers", "1"]


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    folder = tmp_path_factory.mktemp("serve")
    with running_service(
        models_folder(folder / "models"), folder / "service.log", OPTIONS
    ) as service:
        yield service


@pytest.fixture
def own(tmp_path):
    """Return a service that the test may end or damage."""
    with running_service(
        models_folder(tmp_path / "models"), tmp_path / "service.log", OPTIONS
    ) as service:
        yield service


def wav(samples) -> bytes:
    return encoded(samples, 16_000, subtype="FLOAT")


def ask(service, model="whisper_ctc", samples=None, **fields):
    files = {"file": ("clip.wav", wav(written_phones(PHONES) if samples is None else samples))}
    return httpx.post(service.url + PATH, files=files, data={"model": model, **fields}, timeout=60)


def log_lines(service):
    return [json.loads(line) for line in service.log.read_text("utf-8").splitlines()]


def until(condition, seconds=60.0):
    limit = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < limit
        time.sleep(0.05)


def batch_worker(service) -> int:
    children = psutil.Process(service.process.pid).children(recursive=True)
    (worker,) = [each for each in children if "batch" in each.cmdline()]
    return worker.pid


def test_openais_client_gets_words_phones_and_errors(shared):
    client = openai.OpenAI(base_url=f"{shared.url}/v1", api_key="unused", max_retries=0)
    file = ("clip.wav", wav(written_phones(PHONES)))
    phones = client.audio.transcriptions.create(file=file, model="whisper_ctc")
    assert phones.text == PHONES
    events = [*client.audio.transcriptions.create(file=file, model="whisper_ctc", stream=True)]
    assert events[-1].type == "transcript.text.done"
    assert events[-1].text.strip() == PHONES
    with pytest.raises(openai.NotFoundError, match="no model"):
        client.audio.transcriptions.create(file=file, model="../whisper_ctc")
    assert {"whisper", "whisper_ctc", "streaming"} == {m.id for m in client.models.list()}


def test_a_live_stream_gets_the_phones_of_the_engine(shared):
    address = f"{shared.url.replace('http', 'ws')}/v1/stream?sample_rate=16000&encoding=pcm_f32le"
    with connect(address, additional_headers={"X-Request-ID": "stream-7"}) as socket:
        assert json.loads(socket.recv())["request_id"] == "stream-7"
        socket.send(written_phones(PHONES).astype("<f4").tobytes())
        socket.send(json.dumps({"type": "finish"}))
        messages = [json.loads(text) for text in socket]
    phones = [p["phone"] for m in messages if m["type"] == "update" for p in m["committed"]]
    assert " ".join(phones) == PHONES
    assert messages[-1]["type"] == "final"
    until(lambda: any(line.get("request_id") == "stream-7" for line in log_lines(shared)))


def test_the_log_has_a_line_per_request_and_no_text(shared):
    answer = ask(shared, samples=written_phones("ʒ ʒ ʒ"))
    request_id = answer.headers["X-Request-ID"]
    assert answer.json()["text"] == "ʒ ʒ ʒ"
    until(lambda: any(line.get("request_id") == request_id for line in log_lines(shared)))
    (line,) = [line for line in log_lines(shared) if line.get("request_id") == request_id]
    assert (line["route"], line["status"], line["model"]) == (PATH, 200, "whisper_ctc")
    assert line["audio_s"] > 0
    assert "ʒ" not in shared.log.read_text("utf-8")


def test_a_killed_worker_is_replaced_and_counted(own):
    before = batch_worker(own)
    os.kill(before, signal.SIGKILL)
    assert ask(own).json()["text"] == PHONES
    assert batch_worker(own) != before
    restarts = re.search(
        r'restarts\S*worker="batch-0"\S* (\S+)', httpx.get(f"{own.url}/metrics").text
    )
    assert float(restarts[1]) == 1


def test_a_full_disk_is_an_answer_and_the_next_upload_succeeds(own):
    process = psutil.Process(own.process.pid)
    _, most = process.rlimit(psutil.RLIMIT_FSIZE)
    process.rlimit(psutil.RLIMIT_FSIZE, (4096, most))
    answer = ask(own)
    assert answer.status_code in (503, 507)
    assert "uploads cannot be written" in answer.json()["error"]["message"]
    process.rlimit(psutil.RLIMIT_FSIZE, (resource.RLIM_INFINITY, most))
    assert ask(own).json()["text"] == PHONES


def test_a_removed_model_is_served_until_a_refresh_and_returns_with_its_folder(own, tmp_path):
    folder = tmp_path / "models/whisper_ctc"
    shutil.move(folder, tmp_path / "away")
    assert ask(own).json()["text"] == PHONES
    refreshed = httpx.post(f"{own.url}/v1/models/refresh", timeout=60)
    assert "removed" in refreshed.text
    answer = ask(own)
    assert answer.status_code == 404
    assert "whisper_ctc" in answer.json()["error"]["message"]
    shutil.move(tmp_path / "away", folder)
    httpx.post(f"{own.url}/v1/models/refresh", timeout=60)
    assert ask(own).json()["text"] == PHONES


def test_a_new_version_replaces_the_old_one_and_a_spoilt_one_does_not(own, tmp_path):
    folder = tmp_path / "models/whisper_ctc"
    first = ask(own).headers["X-Model-Version"]
    new_version(folder, 1)
    httpx.post(f"{own.url}/v1/models/refresh", timeout=60)
    second = ask(own).headers["X-Model-Version"]
    assert second != first
    with (folder / "model.onnx").open("ab") as file:
        file.write(b"x")
    assert "SHA-256" in httpx.post(f"{own.url}/v1/models/refresh", timeout=60).text
    assert ask(own).headers["X-Model-Version"] == second


def test_a_stopped_service_sends_streams_their_final_text(own):
    address = f"{own.url.replace('http', 'ws')}/v1/stream?sample_rate=16000&encoding=pcm_f32le"
    with connect(address) as socket:
        socket.recv()
        socket.send(written_phones(PHONES).astype("<f4").tobytes())
        messages = [json.loads(socket.recv())]  # at work
        own.process.send_signal(signal.SIGTERM)
        with suppress(ConnectionClosed):
            while True:
                messages.append(json.loads(socket.recv()))
        assert socket.close_code == 1012
    phones = [p["phone"] for m in messages if m["type"] == "update" for p in m["committed"]]
    assert " ".join(phones) == PHONES
    assert messages[-1]["type"] == "final"
    assert own.process.wait(60) == 0


def test_jobs_that_run_when_the_service_stops_are_answered(own):
    answers = []
    long = written_phones(" ".join(["d o b a r"] * 200))
    thread = threading.Thread(target=lambda: answers.append(ask(own, samples=long)))
    thread.start()
    until(lambda: 'running{kind="http"' in httpx.get(f"{own.url}/metrics").text or answers)
    own.process.send_signal(signal.SIGTERM)
    thread.join(60)
    assert answers[0].status_code in (200, 503)
    assert own.process.wait(60) == 0


def test_a_taken_port_is_one_sentence(shared, tmp_path, capfd):
    port = shared.url.rpartition(":")[2]
    command = [sys.executable, "-m", "fonoteka", "serve", "--port", port, "--models"]
    done = subprocess.run(
        [*command, str(models_folder(tmp_path / "models"))],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1
    assert f"error: 127.0.0.1:{port} cannot be listened on" in done.stderr.splitlines()[-1]
