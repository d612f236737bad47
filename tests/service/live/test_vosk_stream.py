"""`/vosk` speaks as vosk-server does: an answer per message, a result at endpoints and the end."""

from __future__ import annotations

import json
import wave

import numpy as np
import pytest
from live_server import EngineWorkers, level_signal, pcm16, running_live_server
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

SIGNAL = level_signal("d a . a d")
RATE = 16_000


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with running_live_server(folder=tmp_path_factory.mktemp("models")) as running:
        yield running


@pytest.fixture
def recording(tmp_path):
    path = tmp_path / "test.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(pcm16(SIGNAL))
    return path


def as_vosk_test_does(server, path, **config):
    """Send a recording with the messages of vosk-server's test.py; return each answer."""
    answers = []
    with connect(server.url("/vosk")) as client, wave.open(str(path), "rb") as file:
        client.send(json.dumps({"config": {"sample_rate": file.getframerate(), **config}}))
        while data := file.readframes(int(file.getframerate() * 0.2)):
            client.send(data)
            answers.append(json.loads(client.recv(10)))
        client.send('{"eof" : 1}')
        answers.append(json.loads(client.recv(10)))
        with pytest.raises(ConnectionClosed) as closed:
            client.recv(10)
    assert closed.value.rcvd.code == 1000
    return answers


def test_each_message_has_one_answer_and_results_come_at_endpoints(server, recording):
    answers = as_vosk_test_does(server, recording)
    results = [answer for answer in answers if "text" in answer]
    assert [result["text"] for result in results] == ["d a", "a d"]
    assert len(answers) == -(-len(SIGNAL) // 3200) + 1
    assert all({*answer} == {"partial"} for answer in answers if "text" not in answer)
    assert {"partial": "d a"} in answers


def test_words_have_their_places_in_the_whole_stream(server, recording):
    answers = as_vosk_test_does(server, recording)
    words = [word for answer in answers for word in answer.get("result", [])]
    assert [(word["word"], word["start"], word["end"]) for word in words] == [
        ("d", 0.0, 0.1), ("a", 0.14, 0.24), ("a", 1.28, 1.38), ("d", 1.42, 1.52),
    ]  # fmt: skip
    assert all(0 < word["conf"] <= 1 for word in words)


def test_results_have_no_words_if_the_client_does_not_want_them(server, recording):
    answers = as_vosk_test_does(server, recording, words=False)
    assert [answer["text"] for answer in answers if "text" in answer] == ["d a", "a d"]
    assert not any("result" in answer for answer in answers)


def test_partial_words_are_sent_if_the_client_wants_them(server, recording):
    answers = as_vosk_test_does(server, recording, partial_words=True)
    partial = next(answer for answer in answers if answer.get("partial"))
    assert [word["word"] for word in partial["partial_result"]] == partial["partial"].split()


def test_reset_answers_with_a_result_and_the_stream_continues(server):
    with connect(server.url("/vosk?sample_rate=16000")) as client:
        for text, expected in (("d d", "d d"), ("a", "a")):
            client.send(pcm16(level_signal(text)))
            client.recv(10)
            client.send('{"reset" : 1}')
            result = json.loads(client.recv(10))
            assert result["text"] == expected
        # Three phones of 0.14 s were sent: the times of the second stream continue.
        assert result["result"][0]["start"] == 0.28
        client.send('{"eof" : 1}')
        assert json.loads(client.recv(10)) == {"text": ""}


def test_a_client_that_does_not_wait_gets_its_answers_in_order(server):
    with connect(server.url("/vosk?sample_rate=16000")) as client:
        pieces = [pcm16(SIGNAL[start : start + 1000]) for start in range(0, len(SIGNAL), 1000)]
        for piece in pieces:
            client.send(piece)
        client.send('{"eof" : 1}')
        answers = [json.loads(text) for text in client]
    assert len(answers) == len(pieces) + 1
    assert [answer["text"] for answer in answers if answer.get("text")] == ["d a", "a d"]


def test_small_messages_are_answered_before_a_frame_is_complete(server):
    with connect(server.url("/vosk?sample_rate=16000")) as client:
        for _ in range(5):
            client.send(bytes(20))
            assert json.loads(client.recv(10)) == {"partial": ""}


def test_the_rate_is_8_khz_without_a_config_as_in_vosk_server(server):
    slow = np.repeat(level_signal("d a")[::2], 1)
    with connect(server.url("/vosk")) as client:
        client.send(pcm16(slow))
        client.recv(10)
        client.send('{"eof" : 1}')
        assert json.loads(client.recv(10))["text"] == "d a"


@pytest.mark.parametrize(
    ("message", "sentence"),
    [
        ('{"config": {"phrase_list": ["da"]}}', "'phrase_list', which is not supported"),
        ('{"config": {"max_alternatives": 3}}', "only the best result is sent"),
        ('{"config": {"model": "en"}}', "/vosk?model=NAME"),
        ('{"config": {"sample_rate": "fast"}}', "expected a number"),
        ('{"config": {"sample_rate": NaN}}', "expected a whole number"),
        ('{"config": {"sample_rate": 1e300}}', "expected a whole number"),
        ('{"config": {"sample_rate": 100}}', "a sample rate of 100 Hz"),
        ('{"config": 16000}', "expected an object"),
        ('{"end": 1}', "expected config, or eof or reset with 1"),
    ],
)
def test_a_config_that_cannot_be_honoured_is_refused_with_1003(server, message, sentence):
    with connect(server.url("/vosk")) as client:
        client.send(message)
        assert sentence in json.loads(client.recv(10))["error"]["message"]
        with pytest.raises(ConnectionClosed) as closed:
            client.recv(10)
    assert closed.value.rcvd.code == 1003


def test_the_rate_cannot_change_after_the_first_samples(server):
    with connect(server.url("/vosk?sample_rate=16000")) as client:
        client.send(bytes(640))
        client.recv(10)
        client.send('{"config": {"sample_rate": 16000}}')
        client.send('{"config": {"sample_rate": 8000}}')
        client.recv(10)  # the last result
        assert "cannot change" in json.loads(client.recv(10))["error"]["message"]


def test_the_last_result_is_sent_before_an_error(server):
    with connect(server.url("/vosk?sample_rate=16000")) as client:
        client.send(pcm16(level_signal("d a")))
        client.recv(10)
        client.send('{"end": 1}')
        assert json.loads(client.recv(10))["text"] == "d a"
        assert json.loads(client.recv(10))["error"]["code"] == "wrong_data"


def test_a_stopping_service_sends_the_last_result_and_closes_with_1012(tmp_path):
    workers = EngineWorkers()
    with (
        running_live_server(workers, folder=tmp_path) as server,
        connect(server.url("/vosk?sample_rate=16000")) as client,
    ):
        client.send(pcm16(level_signal("d a")))
        client.recv(10)
        server.call(workers.stop(10))
        assert json.loads(client.recv(10))["text"] == "d a"
        with pytest.raises(ConnectionClosed) as closed:
            client.recv(10)
    assert closed.value.rcvd.code == 1012
