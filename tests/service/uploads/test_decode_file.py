"""Decoding of a file: the samples of `signal_blocks`, or a refusal with its reason."""

from __future__ import annotations

import dataclasses
import os
import shutil
import subprocess
from itertools import count

import numpy as np
import pytest
from corpus_maker import shared_corpus
from sound_bytes import encoded, silent_flac, tone, wav, wav_claiming

from fonoteka.recording_blocks import signal_blocks
from fonoteka.service.settings import UploadLimits
from fonoteka.service.uploads import decode_file as module
from fonoteka.service.uploads.decode_file import decode_file
from fonoteka.service.uploads.decode_messages import DecodeReply, DecodeRequest

LIMITS = UploadLimits()


@pytest.fixture
def decode(tmp_path):
    """Return a function that decodes bytes, and checks that a refusal leaves nothing."""

    def decoded(data, budget_s=None, **limits):
        path, target = tmp_path / "upload-x", tmp_path / "samples"
        path.write_bytes(data)
        reply = decode_file(
            DecodeRequest(path, target, budget_s), dataclasses.replace(LIMITS, **limits)
        )
        assert "upload-x" not in reply.message
        assert target.exists() == (reply.samples > 0)
        return reply, np.fromfile(target, "<f4") if reply.samples else None

    return decoded


@pytest.mark.parametrize(
    ("rate", "channels", "container", "subtype"),
    [
        (16_000, 1, "WAV", "PCM_16"), (44_100, 2, "WAV", "PCM_24"), (8_000, 1, "WAV", "FLOAT"),
        (48_000, 2, "FLAC", "PCM_24"), (22_050, 1, "OGG", "VORBIS"), (48_000, 1, "OGG", "OPUS"),
        (44_100, 2, "MP3", "MPEG_LAYER_III"), (96_000, 8, "WAV", "PCM_16"),
    ],
)  # fmt: skip
def test_the_samples_are_those_of_signal_blocks(
    decode, tmp_path, rate, channels, container, subtype
):
    reply, samples = decode(encoded(tone(2.3, rate, channels), rate, container, subtype))
    expected = np.concatenate([*signal_blocks(tmp_path / "upload-x")])
    assert reply == DecodeReply(samples=len(samples))
    assert np.array_equal(samples, expected)


def test_a_long_recording_is_decoded_in_blocks(decode):
    sound = tone(75, 16_000)
    _, samples = decode(encoded(sound, 16_000, subtype="FLOAT"))
    assert np.array_equal(samples, sound[:, 0])


def test_reversed_channels_are_not_mixed(decode):
    sine = tone(1, 16_000)
    _, samples = decode(encoded(np.hstack([sine, -sine]), 16_000, subtype="FLOAT"))
    assert np.abs(samples).max() > 0.3


@pytest.mark.parametrize(
    ("container", "codec"), [("mp4", "aac"), ("webm", "libopus"), ("ipod", "aac")]
)
def test_ffmpeg_decodes_what_libsndfile_lacks(decode, tmp_path, container, codec):
    if shutil.which("ffmpeg") is None:
        pytest.skip("ffmpeg is not installed")
    (tmp_path / "in.wav").write_bytes(wav(1, 48_000, 2))
    command = ["ffmpeg", "-v", "error", "-i", "in.wav", "-c:a", codec, "-f", container, "out"]
    subprocess.run(command, cwd=tmp_path, check=True, stdin=subprocess.DEVNULL)
    _, samples = decode((tmp_path / "out").read_bytes())
    assert len(samples) == pytest.approx(16_000, abs=2048)  # a frame of AAC and its delay
    assert np.abs(samples[2000:14_000]).max() == pytest.approx(0.3, abs=0.05)  # mean of 0.4 and 0.2


def test_a_format_of_ffmpeg_is_refused_if_ffmpeg_is_not_installed(decode, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    reply, _ = decode(b"\x00\x00\x00\x20ftypM4A " + bytes(100))
    assert (reply.status, reply.code) == (415, "unsupported_format")
    assert "lacks ffmpeg" in reply.message


@pytest.mark.parametrize(
    ("data", "status", "message"),
    [
        (b"", 400, "no bytes"),
        (b"not sound at all", 415, "begins with 0x6e6f7420"),
        (b"#!AMR\n" + bytes(50), 415, "begins with"),
        (b"FORM" + bytes(50), 415, "begins with"),
        (b"#EXTM3U\nfile:///etc/passwd\n", 415, "begins with"),
        (b"RIFF", 400, "file"),
        (wav()[:4000], 400, "ends after"),
        (wav(0), 400, "no samples"),
        (wav_claiming(16_000, 0, 3200), 400, "channels"),
        (wav_claiming(0, 1, 3200), 400, "0 Hz"),
        (wav_claiming(16_000, 1, 10 << 30, b"RF64"), 400, "ends after"),
        (wav_claiming(16_000, 1, 4_000_000_000), 400, "ends after"),
        (wav_claiming(3_999, 1, 3200), 400, "3999 Hz; expected 4000 to 192000"),
        (wav_claiming(192_001, 1, 3200), 400, "192001 Hz"),
        (wav(0.1, 16_000, 9), 400, "9 channels; expected 1 to 8"),
        (encoded(np.array([0.1, np.nan]), 16_000, subtype="FLOAT"), 400, "not finite"),
        (encoded(np.full((9, 2), 3e38), 16_000, subtype="FLOAT"), 400, "too large"),
    ],
    # Not the bytes: libsndfile writes the second into a PEAK chunk, so that two workers of pytest
    # that collect in two seconds would have two names for one test.
    ids=count(),
)  # fmt: skip
def test_a_file_that_is_not_a_recording_within_the_limits_is_refused(decode, data, status, message):
    reply, _ = decode(data)
    assert reply.status == status, reply
    assert message in reply.message


def test_hours_of_silence_in_a_small_file_are_refused_by_its_header(decode, monkeypatch):
    monkeypatch.setattr(module, "signal_blocks", None)  # nothing may be decoded
    data = silent_flac(300)
    assert len(data) < 50_000
    reply, _ = decode(data, audio_s=299)
    assert (reply.status, reply.code) == (413, "audio_too_long")


def test_a_length_that_the_header_hides_is_found_while_decoding(decode):
    data = bytearray(silent_flac(120))
    data[21:26] = bytes([data[21] & 0xF0, 0, 0, 0, 0])  # the number of samples of STREAMINFO
    reply, _ = decode(bytes(data), audio_s=60)
    assert 400 <= reply.status < 500, reply


def test_limits_that_only_ffmpeg_can_tell_are_checked_with_its_first_block(decode, tmp_path):
    if shutil.which("ffmpeg") is None:
        pytest.skip("ffmpeg is not installed")
    (tmp_path / "in.wav").write_bytes(wav(3, 16_000))
    command = ["ffmpeg", "-v", "error", "-i", "in.wav", "-f", "mp4", "-c:a", "aac", "out"]
    subprocess.run(command, cwd=tmp_path, check=True, stdin=subprocess.DEVNULL)
    reply, _ = decode((tmp_path / "out").read_bytes(), audio_s=2)
    assert (reply.status, reply.code) == (413, "audio_too_long")


def test_a_file_beyond_its_budget_is_left_for_later(decode):
    assert decode(silent_flac(60), budget_s=0)[0] == DecodeReply(later=True)
    # 44.1 kHz: not begun, because its header states more than fits.
    assert decode(wav(30, 44_100), budget_s=0.1)[0] == DecodeReply(later=True)


def test_memory_that_runs_out_is_a_refusal(decode, monkeypatch):
    def greedy(*arguments):
        raise MemoryError

    monkeypatch.setattr(module, "signal_blocks", greedy)
    assert decode(wav())[0].status == 413


def test_a_full_disk_is_reported_and_nothing_stays(decode, monkeypatch):
    real = os.open
    monkeypatch.setattr(module.os, "open", lambda path, flags, mode: real("/dev/full", os.O_WRONLY))
    assert decode(wav())[0] == DecodeReply(full=True)


def test_a_file_that_was_deleted_meanwhile_is_not_found(tmp_path):
    reply = decode_file(DecodeRequest(tmp_path / "gone", tmp_path / "samples"), LIMITS)
    assert reply.status == 404


def test_every_malformed_file_is_decoded_or_refused(tmp_path):
    names = [path for path in shared_corpus("malformed").rglob("*") if path.is_file()]
    statuses = set()
    for path in names:
        reply = decode_file(DecodeRequest(path, tmp_path / "samples"), LIMITS)
        (tmp_path / "samples").unlink(missing_ok=reply.samples == 0)
        assert not reply.fault
        assert (reply.samples > 0) == (reply.status == 0)
        statuses.add(reply.status)
    assert statuses <= {0, 400, 413, 415}
    assert {0, 400} <= statuses


def test_messages_survive_the_pipe(tmp_path):
    request = DecodeRequest(tmp_path / "a", tmp_path / "b", 0.5)
    reply = DecodeReply(status=400, code="x", message="š\n")
    assert DecodeRequest.parsed(request.line()) == request
    assert DecodeReply.parsed(reply.line()) == reply
    for line in (b"", b"{", b'{"other": 1}', b"[1]"):
        with pytest.raises(ValueError, match=r".+"):
            DecodeReply.parsed(line)
