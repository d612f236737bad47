"""`/v1/listen` sends what clients of Deepgram parse: Results, events and Metadata."""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from itertools import groupby
from uuid import UUID

import numpy as np
import pytest
from live_server import EngineWorkers, level_signal, pcm16, running_live_server
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from fonoteka.service.interfaces import BusyError

SIGNAL = level_signal("d a . a d")
RAW = "encoding=linear16&sample_rate=16000"
SCHEMA = {
    "Results": {
        "channel_index": list, "duration": float, "start": float, "is_final": bool,
        "speech_final": bool, "channel": dict, "metadata": dict, "from_finalize": bool,
    },
    "Metadata": {
        "transaction_key": str, "request_id": str, "sha256": str, "created": str,
        "duration": float, "channels": int,
    },
    "UtteranceEnd": {"channel": list, "last_word_end": float},
    "SpeechStarted": {"channel": list, "timestamp": float},
}  # fmt: skip
"""The required fields of the messages in Deepgram's description of /v1/listen."""
WORD = {"word": str, "start": float, "end": float, "confidence": float, "punctuated_word": str}


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with running_live_server(folder=tmp_path_factory.mktemp("models")) as running:
        yield running


def pieces(signal, size=3200):
    return [pcm16(signal[start : start + size]) for start in range(0, len(signal), size)]


def listen(server, sent, query="", end='{"type": "CloseStream"}'):
    """Send messages and then the end; return the answers."""
    with connect(server.url(f"/v1/listen?{RAW}&{query}")) as client:
        for message in sent:
            client.send(message)
        client.send(end)
        answers = [json.loads(text) for text in client]
    for answer in answers:
        check(answer)
    return answers


def check(answer):
    for name, kind in SCHEMA[answer["type"]].items():
        assert isinstance(answer[name], kind), (name, answer)
    if answer["type"] == "Results":
        (alternative,) = answer["channel"]["alternatives"]
        assert isinstance(alternative["confidence"], float)
        words = alternative["words"]
        assert alternative["transcript"] == " ".join(word["word"] for word in words)
        assert all(isinstance(word[name], kind) for word in words for name, kind in WORD.items())
        assert {*answer["metadata"]["model_info"]} == {"name", "version", "arch"}
        assert UUID(answer["metadata"]["model_uuid"])


def text(result):
    return result["channel"]["alternatives"][0]["transcript"]


def finals(answers):
    return [answer for answer in answers if answer.get("is_final")]


def test_a_final_result_is_sent_at_an_endpoint_and_at_the_end(server):
    answers = listen(server, pieces(SIGNAL))
    assert [(text(result), result["speech_final"]) for result in finals(answers)] == [
        ("d a", True), ("a d", True),
    ]  # fmt: skip
    assert len(answers) == 3


def test_results_cover_the_stream_without_a_gap(server):
    results = finals(listen(server, pieces(SIGNAL)))
    assert results[0]["start"] == 0
    assert results[1]["start"] == results[0]["duration"]
    assert results[1]["start"] + results[1]["duration"] == len(SIGNAL) / 16_000


def test_metadata_is_the_last_message(server):
    metadata = listen(server, pieces(SIGNAL))[-1]
    assert metadata["type"] == "Metadata"
    assert metadata["sha256"] == hashlib.sha256(pcm16(SIGNAL)).hexdigest()
    assert metadata["duration"] == round(len(SIGNAL) / 16_000, 3)
    assert metadata["request_id"] == server.records[-1].request_id
    (identity,) = metadata["models"]
    assert metadata["model_info"][identity]["name"] == "streaming"


def test_interim_results_grow_until_the_final_one(server):
    answers = listen(server, pieces(SIGNAL, 640), "interim_results=true")
    shown = [(text(answer), answer["is_final"]) for answer in answers[:-1]]
    assert [key for key, _ in groupby(shown)] == [
        ("d", False), ("d a", False), ("d a", True), ("a", False), ("a d", False), ("a d", True),
    ]  # fmt: skip


def test_a_long_segment_is_final_without_an_endpoint(server):
    long = level_signal("d a " * 20)  # 5.6 s without a pause of 0.6 s
    results = finals(listen(server, pieces(long)))
    assert [result["speech_final"] for result in results] == [False, True]
    assert " ".join(map(text, results)) == " ".join(["d a"] * 20)


def test_finalize_sends_all_samples_and_the_stream_continues(server):
    sent = [pcm16(level_signal("d d")), '{"type": "Finalize"}', pcm16(level_signal("a"))]
    results = finals(listen(server, sent))
    assert [(text(result), result["from_finalize"]) for result in results] == [
        ("d d", True), ("a", False),
    ]  # fmt: skip
    assert results[1]["channel"]["alternatives"][0]["words"][0]["start"] == 0.28


def test_finalize_without_samples_is_answered_too(server):
    results = finals(listen(server, ['{"type": "Finalize"}']))
    assert [(text(result), result["from_finalize"]) for result in results] == [("", True)]


def test_an_empty_message_ends_the_stream_as_in_older_clients(server):
    answers = listen(server, pieces(SIGNAL), end=b"")
    assert [text(result) for result in finals(answers)] == ["d a", "a d"]
    assert answers[-1]["type"] == "Metadata"


def test_keep_alive_has_no_answer(server):
    assert [a["type"] for a in listen(server, ['{"type": "KeepAlive"}'])] == ["Metadata"]


def test_speech_and_its_gaps_are_events(server):
    signal = level_signal("d a . . a")
    query = "interim_results=true&utterance_end_ms=1000&vad_events=true"
    events = [
        (answer["type"], answer.get("timestamp", answer.get("last_word_end")))
        for answer in listen(server, pieces(signal, 640), query)
        if answer["type"] in {"SpeechStarted", "UtteranceEnd"}
    ]
    assert events == [("SpeechStarted", 0.0), ("UtteranceEnd", 0.24), ("SpeechStarted", 2.28)]


@pytest.mark.parametrize(
    ("endpointing", "speech_finals"),
    [("false", [True]), ("true", [True, True]), ("300", [True] * 2)],
)
def test_endpointing_is_a_silence_or_switched_off(server, endpointing, speech_finals):
    results = finals(listen(server, pieces(SIGNAL, 640), f"endpointing={endpointing}"))
    assert [result["speech_final"] for result in results] == speech_finals
    assert " ".join(map(text, results)) == "d a a d"


def test_the_silence_of_endpointing_is_the_one_asked_for(server):
    # The last phone ends at 0.24 s, so 300 ms of silence are complete at 0.54 s.
    first, _ = finals(listen(server, pieces(SIGNAL, 320), "endpointing=300"))
    assert first["duration"] == 0.54


def test_options_about_words_change_nothing(server):
    options = "language=sr&punctuate=true&smart_format=true&tag=x&diarize=false&alternatives=1"
    answers = listen(server, pieces(SIGNAL), options)
    assert [text(result) for result in finals(answers)] == ["d a", "a d"]


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("", "encoding is ''; expected linear16 or linear32"),
        ("encoding=opus&sample_rate=48000", "encoding is 'opus'"),
        ("encoding=linear16", "sample_rate is missing"),
        (f"{RAW}&diarize=true", "diarize is not supported"),
        (f"{RAW}&multichannel=true&channels=2", "multichannel is not supported"),
        (f"{RAW}&keywords=Da", "keywords is not supported"),
        (f"{RAW}&alternatives=3", "alternatives is not supported"),
        (f"{RAW}&utterance_end_ms=1000", "interim_results is 'false'; expected true"),
        (f"{RAW}&utterance_end_ms=500&interim_results=true", "expected at least 1000"),
        (f"{RAW}&endpointing=soon", "endpointing is 'soon'; expected an integer"),
        (f"{RAW}&punctuat=true", "parameter 'punctuat' is unknown"),
        (f"{RAW}&model=nova-3", "no model 'nova-3'"),
    ],
)
def test_what_cannot_be_honoured_is_refused_at_the_handshake(server, query, sentence):
    with pytest.raises(InvalidStatus) as refused, connect(server.url(f"/v1/listen?{query}")):
        pass
    response = refused.value.response
    body = json.loads(response.body)
    assert response.status_code in {400, 404}
    assert sentence in body["err_msg"]
    assert body["request_id"] == server.records[-1].request_id
    assert response.headers["dg-error"] == body["err_msg"]


def test_a_full_service_answers_429_with_retry_after(tmp_path):
    workers = EngineWorkers()
    workers.refusal = BusyError("64 streams are open", 3)
    with (
        running_live_server(workers, folder=tmp_path) as server,
        pytest.raises(InvalidStatus) as refused,
        connect(server.url(f"/v1/listen?{RAW}")),
    ):
        pass
    assert refused.value.response.status_code == 429
    assert refused.value.response.headers["Retry-After"] == "3"


def test_a_wrong_message_is_an_error_message_and_1003(server):
    with connect(server.url(f"/v1/listen?{RAW}")) as client:
        client.send('{"type": "Configure"}')
        error = json.loads(client.recv(10))
        with pytest.raises(ConnectionClosed) as closed:
            client.recv(10)
    assert (error["type"], error["variant"]) == ("Error", "wrong_data")
    assert "expected KeepAlive, Finalize, CloseStream" in error["description"]
    assert closed.value.rcvd.code == 1003


def test_the_last_text_is_sent_before_an_error(server):
    with connect(server.url(f"/v1/listen?{RAW}")) as client:
        client.send(pcm16(level_signal("d a")))
        client.send('{"type": "Configure"}')
        result, error = (json.loads(client.recv(10)) for _ in range(2))
    assert (text(result), result["is_final"]) == ("d a", True)
    assert error["type"] == "Error"


def test_a_stopping_service_sends_the_last_result_and_metadata_and_closes_with_1012(tmp_path):
    workers = EngineWorkers()
    with (
        running_live_server(workers, folder=tmp_path) as server,
        connect(server.url(f"/v1/listen?{RAW}&interim_results=true")) as client,
    ):
        client.send(pcm16(level_signal("d a")))
        client.recv(10)
        server.call(workers.stop(10))
        answers = []
        with suppress(ConnectionClosed):
            while True:
                answers.append(json.loads(client.recv(10)))
    assert client.close_code == 1012
    assert [text(result) for result in finals(answers)] == ["d a"]
    assert answers[-1]["type"] == "Metadata"


def test_floats_of_two_channels_are_mixed(server):
    stereo = np.stack([SIGNAL * 1.5, SIGNAL * 0.5], axis=1).astype("<f4").tobytes()
    with connect(server.url("/v1/listen?encoding=linear32&sample_rate=16000&channels=2")) as client:
        client.send(stereo)
        client.send('{"type": "CloseStream"}')
        answers = [json.loads(message) for message in client]
    assert " ".join(map(text, finals(answers))) == "d a a d"
