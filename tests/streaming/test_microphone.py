"""A microphone gives what its callback receives, and each fault of it is one sentence."""

from __future__ import annotations

import builtins
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
from clip_maker import noise

from fonoteka.audio.dsp import SAMPLE_RATE_HZ, to_mono_16k
from fonoteka.core.errors import UserError
from fonoteka.streaming.sources import microphone
from fonoteka.streaming.sources.chunks import StopRequest
from fonoteka.streaming.sources.microphone import (
    MicrophoneCallback,
    MicrophoneParams,
    load_sounddevice,
    microphone_chunks,
)

FINE = SimpleNamespace(input_overflow=False)
OVERFLOW = SimpleNamespace(input_overflow=True)


class SetClock:
    """A time that tests set, and that may pass between two looks at it."""

    def __init__(self, step_s=0.0):
        self.now_s, self.step_s = 0.0, step_s

    def __call__(self):
        self.now_s += self.step_s
        return self.now_s


class PortAudioError(Exception):
    """What sounddevice raises."""


class FakeSoundDevice:
    """The parts of sounddevice that are used; its device plays a file, and is then lost or stopped.

    Attributes:
        opened: the arguments of the stream.
        closed: whether the stream was closed.
    """

    PortAudioError = PortAudioError

    def __init__(self, path, *, rates=(16_000,), default_hz=16_000, stop=None, status=FINE):
        self.path, self.rates, self.default_hz, self.stop = path, rates, default_hz, stop
        self.status = status
        self.opened, self.closed = {}, False

    def query_devices(self, device, kind):
        assert kind == "input"
        if device == "none":
            raise ValueError("No input device matching 'none'")
        return {"default_samplerate": float(self.default_hz)}

    def check_input_settings(self, *, device, channels, dtype, samplerate):
        if samplerate not in self.rates:
            raise PortAudioError("Invalid sample rate [PaErrorCode -9997]")

    def InputStream(self, **options):  # noqa: N802
        if options["device"] == 7:
            raise PortAudioError("Device unavailable [PaErrorCode -9985]")
        self.opened = options
        return self

    def start(self):
        rate = self.opened["samplerate"]
        samples, _ = soundfile.read(self.path, dtype="float32", always_2d=True)
        size = self.opened["blocksize"]
        buffer = np.zeros((size, samples.shape[1]), dtype=np.float32)
        for start in range(0, len(samples) // size * size, size):
            buffer[:] = samples[start : start + size]  # PortAudio uses one buffer again and again
            self.opened["callback"](buffer, size, None, self.status)
        assert rate in self.rates
        if self.stop:
            self.stop.requested = True
        else:
            self.opened["finished_callback"]()

    def close(self):
        self.closed = True


@pytest.fixture
def recording(tmp_path):
    path = tmp_path / "a.wav"
    soundfile.write(path, noise(1.2), SAMPLE_RATE_HZ, subtype="FLOAT")
    return path


def test_the_samples_of_the_device_arrive_until_a_request_to_stop(recording):
    stop = StopRequest()
    device = FakeSoundDevice(recording, stop=stop)
    chunks = [*microphone_chunks(MicrophoneParams(), stop, device)]
    assert [*map(len, chunks)] == [640] * 30
    assert np.array_equal(np.concatenate(chunks), noise(1.2))
    assert device.closed
    assert (device.opened["channels"], device.opened["dtype"]) == (1, "float32")


@pytest.mark.parametrize(
    ("rates", "default_hz", "used_hz"),
    [((48_000, 44_100), 44_100, 48_000), ((44_100,), 44_100, 44_100), ((8_000,), 8_000, 8_000)],
)
def test_a_device_without_16_khz_is_opened_at_a_rate_it_offers(
    rates, default_hz, used_hz, recording
):
    stop = StopRequest()
    device = FakeSoundDevice(recording, rates=rates, default_hz=default_hz, stop=stop)
    joined = np.concatenate([*microphone_chunks(MicrophoneParams(), stop, device)])
    assert device.opened["samplerate"] == used_hz
    size = used_hz // 25
    samples = noise(1.2)[: len(noise(1.2)) // size * size]
    assert np.abs(joined - to_mono_16k(samples, used_hz)).max() < 1e-6


def test_the_mean_of_the_channels_is_read(tmp_path):
    path = tmp_path / "a.wav"
    both = np.stack([noise(0.4, 1), noise(0.4, 2)], axis=1)
    soundfile.write(path, both, SAMPLE_RATE_HZ, subtype="FLOAT")
    stop = StopRequest()
    params = MicrophoneParams(channels=2)
    chunks = microphone_chunks(params, stop, FakeSoundDevice(path, stop=stop))
    assert np.array_equal(np.concatenate([*chunks]), both.mean(axis=1))


def test_a_device_that_is_lost_is_one_sentence_after_its_samples(recording):
    device = FakeSoundDevice(recording)
    chunks = []
    with pytest.raises(UserError, match="microphone: the device is lost; connect it and start"):
        chunks.extend(microphone_chunks(MicrophoneParams(), StopRequest(), device))
    assert np.array_equal(np.concatenate(chunks), noise(1.2))
    assert device.closed


@pytest.mark.parametrize(
    ("device", "reason"),
    [("none", "No input device matching 'none'"), ("7", "Device unavailable")],
)
def test_a_device_that_cannot_be_opened_is_one_sentence(device, reason, recording):
    chunks = microphone_chunks(
        MicrophoneParams(device=device), StopRequest(), FakeSoundDevice(recording)
    )
    with pytest.raises(UserError, match=f"microphone: {reason}.*; list the devices"):
        next(chunks)


def test_a_device_that_delivers_nothing_is_one_sentence():
    callback = MicrophoneCallback(SAMPLE_RATE_HZ, 640, SetClock(step_s=4.0))
    blocks = callback.blocks(StopRequest(), timeout_s=10.0)
    callback(np.zeros((640, 1), np.float32), 640, None, FINE)
    assert len(next(blocks)) == 640
    with pytest.raises(UserError, match=r"microphone: no samples for 10 s; check the device"):
        next(blocks)


def test_a_rate_that_changes_is_one_sentence():
    clock, stop = SetClock(), StopRequest()
    callback = MicrophoneCallback(48_000, 1920, clock)
    blocks = callback.blocks(stop, timeout_s=60.0)
    for rate, seconds in ((48_000, 12), (44_100, 18)):
        for _ in range(round(seconds * rate / 1920)):
            clock.now_s += 1920 / rate
            callback(np.zeros((1920, 1), np.float32), 1920, None, FINE)
            if callback._measured_hz is None:
                next(blocks)
    assert len(next(blocks)) == 1920  # what waits is kept
    message = "microphone: delivers 4[4-5]... samples per second instead of 48000; its sample rate"
    with pytest.raises(UserError, match=message):
        list(blocks)


def test_late_callbacks_do_not_look_like_another_rate():
    clock, stop = SetClock(), StopRequest()
    rng = np.random.default_rng(1)
    callback = MicrophoneCallback(SAMPLE_RATE_HZ, 640, clock)
    blocks = callback.blocks(stop, timeout_s=60.0)
    for number in range(25 * 120):
        clock.now_s = number * 0.04 + rng.uniform(0, 0.2)
        callback(np.zeros((640, 1), np.float32), 640, None, FINE)
        assert len(next(blocks)) == 640


def test_blocks_that_find_no_room_are_counted_and_reported_at_the_end():
    stop = StopRequest()
    callback = MicrophoneCallback(SAMPLE_RATE_HZ, 640, SetClock())
    for number in range(150):  # 6 s, and 5 s wait at most
        callback(np.full((640, 1), number, np.float32), 640, None, FINE)
    stop.requested = True
    blocks = [*callback.blocks(stop, timeout_s=1.0)]
    assert [int(block[0]) for block in blocks] == [*range(125)]
    assert callback.dropped == 16_000
    with pytest.raises(UserError, match=r"microphone: dropped 16000 samples \(1\.00 s\) because"):
        callback.check_complete()


def test_overflows_of_the_driver_are_reported_at_the_end(recording):
    stop = StopRequest()
    device = FakeSoundDevice(recording, stop=stop, status=OVERFLOW)
    chunks = []
    message = "microphone: dropped an unknown number in 29 overflows of the driver; phones"
    with pytest.raises(UserError, match=message):
        chunks.extend(microphone_chunks(MicrophoneParams(), stop, device))
    assert len(np.concatenate(chunks)) == 19_200


def test_an_overflow_before_the_first_block_does_not_count():
    callback = MicrophoneCallback(SAMPLE_RATE_HZ, 640)
    for status in (OVERFLOW, FINE, FINE):
        callback(np.zeros((640, 1), np.float32), 640, None, status)
    callback.check_complete()
    assert callback.overflows == 0


def test_a_lost_device_reports_dropped_samples_too(recording):
    device = FakeSoundDevice(recording, status=OVERFLOW)
    with pytest.raises(UserError, match="is lost; connect it and start again; dropped an unknown"):
        [*microphone_chunks(MicrophoneParams(), StopRequest(), device)]


def test_a_stream_without_a_fault_is_complete():
    callback = MicrophoneCallback(SAMPLE_RATE_HZ, 640)
    callback(np.zeros((640, 1), np.float32), 640, None, None)
    callback.check_complete()
    assert (callback.dropped, callback.overflows) == (0, 0)


@pytest.mark.parametrize(
    ("error", "remedy"),
    [
        (OSError("PortAudio library not found"), "run apt-get install libportaudio2"),
        (ImportError("No module named 'sounddevice'"), "run pip install sounddevice"),
    ],
)
def test_a_missing_library_is_one_sentence_with_the_remedy(error, remedy, monkeypatch):
    real = builtins.__import__

    def refused(name, *args, **options):
        if name == "sounddevice":
            raise error
        return real(name, *args, **options)

    monkeypatch.setattr(builtins, "__import__", refused)
    with pytest.raises(UserError, match=remedy):
        load_sounddevice()


def test_the_backend_is_loaded_when_none_is_given(recording, monkeypatch):
    stop = StopRequest()
    device = FakeSoundDevice(recording, stop=stop)
    monkeypatch.setattr(microphone, "load_sounddevice", lambda: device)
    assert len([*microphone_chunks(MicrophoneParams(), stop)]) == 30
