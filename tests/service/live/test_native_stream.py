"""`/v1/stream` returns what the engine returns, however the bytes are split."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from live_server import EngineWorkers, level_signal, pcm16, running_live_server
from live_talk import committed, directly, split, talk
from streaming_maker import FRAME
from websockets.sync.client import connect

from fonoteka.service.interfaces import ModelKind, ModelVersion, StreamRequest
from fonoteka.service.live.query import look_ahead_s

SIGNAL = level_signal("d a d . a a d")


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with running_live_server(folder=tmp_path_factory.mktemp("models")) as running:
        yield running


@settings(max_examples=25)
@given(cuts=st.lists(st.integers(0, 2 * len(SIGNAL)), max_size=30))
def test_the_text_is_that_of_the_engine_for_any_split_of_the_bytes(server, cuts):
    messages, code = talk(server, split(pcm16(SIGNAL), cuts))
    assert committed(messages) == directly(SIGNAL)
    assert code == 1000


def test_single_bytes_are_a_stream_too(server):
    signal = level_signal("d")
    data = pcm16(signal)
    messages, _ = talk(server, split(data, range(1, len(data))))
    assert committed(messages) == directly(signal)


def test_a_stream_begins_with_ready_and_ends_with_its_usage(server):
    messages, _ = talk(server, [pcm16(SIGNAL)], additional_headers={"X-Request-ID": "mine-1"})
    assert messages[0] == {
        "type": "ready", "request_id": "mine-1", "model": "streaming",
        "model_version": "0123456789ab", "look_ahead_s": None,
    }  # fmt: skip
    assert messages[-1]["type"] == "final"
    assert messages[-1]["audio_s"] == round(len(SIGNAL) / 16_000, 3)
    assert messages[-1]["usage"]["turns"] > 0
    record = server.records[-1]
    assert (record.request_id, record.error, record.model.name) == ("mine-1", None, "streaming")
    assert record.usage.audio_s == len(SIGNAL) / 16_000
    assert record.text is None


def test_updates_are_sent_only_if_something_changed(server):
    silence = np.zeros(16_000, np.float32)
    messages, _ = talk(server, split(pcm16(silence), range(640, 32_000, 640)))
    assert [message["type"] for message in messages] == ["ready", "final"]


def test_an_endpoint_is_an_update(server):
    messages, _ = talk(server, split(pcm16(SIGNAL), range(6400, len(SIGNAL) * 2, 6400)))
    ends = [m["endpoint"] for m in messages if m["type"] == "update" and m["endpoint"]]
    assert ends == ["silence"]


def test_provisional_phones_are_shown_unless_interim_is_false(tmp_path):
    def provisional(update):
        shown = update.committed or update.provisional
        return type(update)(update.audio_s, update.committed, shown, update.endpoint)

    with running_live_server(EngineWorkers(changed=provisional), folder=tmp_path) as server:
        shown, _ = talk(server, [pcm16(SIGNAL)])
        hidden, _ = talk(server, [pcm16(SIGNAL)], "interim=false")
    assert any(message.get("provisional") for message in shown)
    assert not any(message.get("provisional") for message in hidden)
    assert committed(shown) == committed(hidden)


@pytest.mark.parametrize("rate", [8_000, 44_100, 48_000, 192_000])
def test_other_rates_give_the_phones_of_16_khz(server, rate):
    # Levels that last for 100 ms survive any resampling.
    frames = SIGNAL[::FRAME]
    signal = np.repeat(frames, rate * FRAME // 16_000)
    messages, _ = talk(server, split(pcm16(signal), [1001]), f"sample_rate={rate}")
    assert [phone for phone, *_ in committed(messages)] == [p for p, *_ in directly(SIGNAL)]


def test_channels_are_mixed_and_floats_are_read(server):
    stereo = np.stack([SIGNAL * 1.5, SIGNAL * 0.5], axis=1).astype("<f4").tobytes()
    messages, _ = talk(server, split(stereo, [3, 1001]), "channels=2&encoding=pcm_f32le")
    assert committed(messages) == directly(SIGNAL)


def test_a_recording_that_is_sent_at_once_is_not_refused(server):
    long = np.tile(SIGNAL, 10)  # 21 s; 10 s may wait
    messages, code = talk(server, [pcm16(long)])
    assert committed(messages) == directly(long)
    assert code == 1000


def test_keepalive_is_answered_by_nothing(server):
    messages, code = talk(server, ['{"type": "keepalive"}', pcm16(SIGNAL)])
    assert committed(messages) == directly(SIGNAL)
    assert code == 1000


def test_a_stream_without_samples_is_empty(server):
    messages, code = talk(server, [b""])
    assert [message["type"] for message in messages] == ["ready", "final"]
    assert (messages[-1]["audio_s"], code) == (0.0, 1000)


def test_two_clients_with_one_request_id_get_their_own_text(server):
    options = {"additional_headers": {"X-Request-ID": "the-same"}}
    with connect(server.url("/v1/stream"), **options) as other:
        other.send(pcm16(level_signal("a")))
        messages, _ = talk(server, [pcm16(level_signal("d d"))], **options)
        other.send('{"type": "finish"}')
        others = [json.loads(text) for text in other]
    assert [phone for phone, *_ in committed(messages)] == ["d", "d"]
    assert [phone for phone, *_ in committed(others)] == ["a"]


def test_the_text_is_recorded_only_if_logs_may_contain_it(tmp_path):
    with running_live_server(folder=tmp_path, log_text=True) as server:
        talk(server, [pcm16(level_signal("d a"))])
    assert server.records[-1].text == "d a"


def test_a_browser_gets_the_subprotocol_that_it_sent_its_key_with(server):
    with connect(server.url("/v1/stream"), subprotocols=["token", "sk-1"]) as client:
        assert client.subprotocol == "token"


@pytest.mark.parametrize(("policy", "seconds"), [("hold-16", 0.48), ("agree-2", 0.32)])
def test_the_look_ahead_of_a_window_is_that_of_its_policy(tmp_path, policy, seconds):
    model = ModelVersion("whisper_ctc", "0", ModelKind.PHONES, tmp_path)
    assert look_ahead_s(StreamRequest("1", model, policy)) == pytest.approx(seconds)


def test_the_look_ahead_of_a_package_is_the_recorded_one(tmp_path):
    package = {"stream": {"chunk": 2, "look_ahead": 4}, "frames_per_second": 50}
    (tmp_path / "package.json").write_text(json.dumps(package))
    model = ModelVersion("streaming", "0", ModelKind.STREAM, tmp_path)
    assert look_ahead_s(StreamRequest("1", model)) == pytest.approx(0.12)
