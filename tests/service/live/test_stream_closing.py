"""A live stream that cannot continue is closed with its code and a reason, and nothing is lost."""

from __future__ import annotations

import json
import socket
import threading
import time
from contextlib import suppress

import numpy as np
import pytest
from live_server import EngineWorkers, level_signal, pcm16, running_live_server
from live_talk import committed, directly
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from fonoteka.service.interfaces import BusyError, UnanswerableError, UnavailableError
from fonoteka.service.live import transport
from fonoteka.service.live.live_socket import MESSAGE_BYTES, TEXT_BYTES
from fonoteka.streaming.interfaces import StreamedPhone

SIGNAL = level_signal("d a d")


@pytest.fixture
def workers():
    return EngineWorkers()


@pytest.fixture
def server(workers, tmp_path):
    with running_live_server(workers, folder=tmp_path) as running:
        yield running


def ended(server, pieces, query=""):
    """Send pieces; return the messages, the close code and its reason."""
    with connect(server.url(f"/v1/stream?{query}")) as client:
        for piece in pieces:
            client.send(piece)
        return rest(client)


def rest(client):
    messages = []
    with suppress(ConnectionClosed):
        while True:
            messages.append(json.loads(client.recv(10)))
    return messages, client.close_code, client.close_reason


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("model=../../etc", "no model '../../etc'"),
        ("model=whisper_tuned", "recognises the words of whole recordings"),
        ("model=whisper_ctc", "policy is 'exact'; expected hold-N or agree-N"),
        ("policy=hold-16", "expected exact, because streaming needs no other"),
        ("decoder=best", "expected greedy or beam"),
        ("decoder=beam", "has no phone n-gram"),
        ("encoding=flac", "encoding is 'flac'"),
        ("sample_rate=7999", "a sample rate of 7999 Hz; expected 8000 to 192000"),
        ("sample_rate=44101", "expected a usual one"),
        ("sample_rate=1e4", "expected an integer"),
        ("sample_rate=8000&sample_rate=16000", "expected one value"),
        ("channels=0", "0 channels; expected 1 to 8"),
        ("channels=-1", "expected an integer"),
        ("interim=perhaps", "expected true or false"),
        ("modle=streaming", "parameter 'modle' is unknown"),
        (f"modle{'x' * 5000}=1", "is unknown"),
    ],
)
def test_a_wrong_handshake_is_refused_with_1008(server, workers, query, sentence):
    messages, code, reason = ended(server, [], query)
    assert code == 1008
    assert sentence in messages[0]["error"]["message"]
    assert messages[0]["type"] == "error"
    assert messages[0]["error"]["type"] == "invalid_request_error"
    assert reason[:20] == messages[0]["error"]["message"][:20]
    assert not workers.streams
    assert server.records[-1].error == messages[0]["error"]["code"]


def test_a_full_service_closes_with_1013(server, workers):
    workers.refusal = BusyError("64 streams are open; try again later", 3)
    messages, code, reason = ended(server, [])
    assert (code, reason) == (1013, "64 streams are open; try again later")
    assert messages[0]["error"]["code"] == "busy"


def test_a_worker_that_is_too_slow_for_real_time_closes_with_1013(tmp_path):
    workers = EngineWorkers(behind_s=0.4)
    workers.stalled = True
    with running_live_server(workers, folder=tmp_path) as server:
        messages, code, _ = ended(server, [pcm16(np.zeros(16_000, np.float32))])
    assert code == 1013
    assert messages[-1]["error"]["code"] == "busy"
    assert workers.streams[0].cancelled


def test_a_stream_that_cannot_be_answered_closes_with_1008(server, workers):
    with connect(server.url("/v1/stream")) as client:
        client.recv(10)
        server.call(workers.fail(UnanswerableError("the model has no such decoder")))
        messages, code, reason = rest(client)
    assert (code, reason) == (1008, "the model has no such decoder")
    assert messages[-1]["error"]["code"] == "unanswerable"


def test_a_worker_that_dies_closes_with_1011(server, workers):
    with connect(server.url("/v1/stream")) as client:
        client.recv(10)
        server.call(workers.fail(UnavailableError("the worker ended; try again")))
        _, code, reason = rest(client)
    assert (code, reason) == (1011, "the worker ended; try again")


@pytest.mark.parametrize(
    ("bad", "sentence"),
    [
        ("{", "is not JSON"),
        ("[" * 60_000, "is not JSON"),
        ("[]", "is not a JSON object"),
        ('{"type": "stop"}', "a message of type 'stop'; expected finish or keepalive"),
        ('{"type": ["finish"]}', "expected finish or keepalive"),
        ("{}", "a message of type 'None'"),
    ],
)
def test_a_message_that_is_not_understood_closes_with_1003_after_the_text(server, bad, sentence):
    messages, code, _ = ended(server, [pcm16(SIGNAL), bad])
    assert code == 1003
    assert committed(messages) == directly(SIGNAL)
    assert sentence in messages[-1]["error"]["message"]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e30, 32767.0])
def test_a_wrong_sample_closes_with_1003_after_the_text_before_it(server, value):
    data = np.append(SIGNAL, np.float32([value])).astype("<f4").tobytes()
    messages, code, reason = ended(server, [data], "encoding=pcm_f32le")
    assert code == 1003
    assert committed(messages) == directly(SIGNAL)
    assert reason.startswith(f"sample {len(SIGNAL)} of the stream is ")


def test_the_end_within_a_sample_closes_with_1003_after_the_text(server):
    messages, code, reason = ended(server, [pcm16(SIGNAL) + b"\x01", '{"type": "finish"}'])
    assert code == 1003
    assert committed(messages) == directly(SIGNAL)
    assert "ends after 1 of 2 bytes of a sample" in reason


@pytest.mark.parametrize("message", [b"x" * (MESSAGE_BYTES + 1), "x" * (TEXT_BYTES + 1)])
def test_a_message_that_is_too_big_closes_with_1009(server, message):
    messages, code, reason = ended(server, [message])
    assert code == 1009
    assert reason.startswith(f"a message of {len(message)} bytes; send at most")
    assert messages[-1]["error"]["code"] == "message_too_big"


def test_a_silent_client_gets_the_text_and_1008(workers, tmp_path):
    with running_live_server(workers, folder=tmp_path, idle_s=0.2) as server:
        messages, code, reason = ended(server, [pcm16(SIGNAL)])
    assert code == 1008
    assert committed(messages) == directly(SIGNAL)
    assert reason.startswith("no message for 0.2 s")


def test_a_stopping_service_sends_the_final_text_and_closes_with_1012(server, workers):
    with connect(server.url("/v1/stream")) as client:
        client.send(pcm16(SIGNAL[:-640]))
        first = [json.loads(client.recv(10)) for _ in range(2)]
        server.call(workers.stop(10))
        messages, code, reason = rest(client)
    assert code == 1012
    assert committed(first + messages) == directly(SIGNAL[:-640])
    assert messages[-1]["type"] == "final"
    assert reason == "the service restarts; open another stream"


def test_a_service_that_stops_while_samples_come_sends_the_final_text_too(server, workers):
    with connect(server.url("/v1/stream")) as client:
        sender = threading.Thread(target=send_until_closed, args=(client,))
        sender.start()
        client.recv(10)
        server.call(workers.stop(10))
        messages, code, _ = rest(client)
        sender.join(20)
    assert (messages[-1]["type"], code) == ("final", 1012)


def test_a_fault_of_the_service_closes_with_1011_and_stays_private(tmp_path):
    def broken(update):
        raise ZeroDivisionError("private details")

    with running_live_server(EngineWorkers(changed=broken), folder=tmp_path) as server:
        messages, code, reason = ended(server, [pcm16(SIGNAL)])
    assert code == 1011
    assert messages[-1]["error"]["type"] == "server_error"
    assert "private" not in json.dumps(messages) + reason


def test_a_client_that_vanishes_frees_its_stream(server, workers):
    with connect(server.url("/v1/stream")) as client:
        client.send(pcm16(SIGNAL))
        client.recv(10)
        client.socket.shutdown(socket.SHUT_RDWR)
        assert workers.changed_state.wait(10)
    assert workers.streams[0].cancelled


def test_a_client_that_vanishes_before_the_last_update_frees_its_stream(server, workers):
    with connect(server.url("/v1/stream")) as client:
        client.recv(10)
        workers.streams[0].finish = lambda: None  # the worker never answers
        client.send('{"type": "finish"}')
        client.socket.shutdown(socket.SHUT_RDWR)
        assert workers.changed_state.wait(10)


def wide(update):
    """Return an update with 2,000 phones, 100 KB as JSON, that differs from the one before."""
    phones = tuple(StreamedPhone("a", update.audio_s, n + update.audio_s, 0.9) for n in range(2000))
    return type(update)(update.audio_s, (), phones, None)


def test_a_client_that_never_reads_is_cut_off(tmp_path, monkeypatch):
    monkeypatch.setattr(transport, "ABORT_S", 0.1)
    workers = EngineWorkers(changed=wide)
    with running_live_server(workers, folder=tmp_path, idle_s=0.5) as server:
        plain = socket.socket()
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        plain.connect(("127.0.0.1", server.port))
        options = {"sock": plain, "max_queue": 1, "compression": None, "close_timeout": 0.1}
        with connect(server.url("/v1/stream"), **options) as client:
            client.recv(10)
            sender = threading.Thread(target=send_until_closed, args=(client,))
            sender.start()
            assert workers.changed_state.wait(20)
            assert workers.streams[0].cancelled
            assert workers.streams[0].events.qsize() < 1000
            sender.join(20)
        assert server.records[-1].error == "client_left"


def send_until_closed(client):
    try:
        for _ in range(1000):
            client.send(bytes(640))
            time.sleep(0.005)
    except (ConnectionClosed, OSError):
        return
