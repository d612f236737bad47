"""Ogg files with an index, video or a second recording are read; damage to the sound is found."""

from __future__ import annotations

import shutil
import struct

import numpy as np
import pytest
import soundfile as sf
from program_maker import source, start

from fonoteka.audiocheck.containers.checksums import crc32_ogg
from fonoteka.audiocheck.decode import read_sound
from fonoteka.audiocheck.probe import probe

RATE = 16_000
NEEDS_FFMPEG = pytest.mark.skipif(not shutil.which("ffmpeg"), reason="ffmpeg is not installed")
ONE_BESIDE = "1 stream beside the sound"


def written(path, encoding="VORBIS", rate=RATE, channels=1, scale=1.0):
    with sf.SoundFile(path, "w", rate, channels, encoding, None, "OGG") as file:
        file.write(scale * source(rate, channels))
    return path.read_bytes()


def probe_bytes(path, data):
    path.write_bytes(data)
    return probe(path)


def pages_of(data):
    """Return a file's pages: after 27 bytes there are as many sizes as the last of them says."""
    pages, offset = [], 0
    while offset < len(data):
        segments = data[offset + 26]
        size = 27 + segments + sum(data[offset + 27 : offset + 27 + segments])
        pages.append(data[offset : offset + size])
        offset += size
    return pages


def page(serial, number, flags, body, granule=0):
    assert len(body) < 255
    head = b"OggS" + struct.pack("<BBqII", 0, flags, granule, serial, number)
    tail = bytes([1, len(body)]) + body
    return head + struct.pack("<I", crc32_ogg(head + bytes(4) + tail)) + tail


def with_skeleton(data, serial=77):
    """Return a file as it is with an index: its pages lie between those of the sound."""
    first, *rest = pages_of(data)
    head = page(serial, 0, 2, b"fishead\0" + bytes(56))
    bone = page(serial, 1, 0, b"fisbone\0" + bytes(44))
    return head + first + bone + rest[0] + page(serial, 2, 4, b"") + b"".join(rest[1:])


@pytest.mark.parametrize("encoding", ["VORBIS", "OPUS"])
@pytest.mark.parametrize("channels", [1, 2])
def test_an_index_beside_the_sound_is_a_note(encoding, channels, tmp_path):
    data = written(tmp_path / "a.ogg", encoding, channels=channels)
    plain, (before, _) = probe(tmp_path / "a.ogg"), read_sound(tmp_path / "a.ogg")
    result = probe_bytes(tmp_path / "a.ogg", with_skeleton(data))
    assert (result.problem, result.detail, result.codec) == ("", ONE_BESIDE, plain.codec)
    assert result.pcm_sha256 == plain.pcm_sha256
    assert np.array_equal(read_sound(tmp_path / "a.ogg")[0], before)


@NEEDS_FFMPEG
@pytest.mark.parametrize("codec", ["libvorbis", "libopus", "flac", "libspeex"])
def test_sound_beside_video_is_read(codec, tmp_path):
    sf.write(tmp_path / "a.wav", source(RATE, 1), RATE)
    video = ["-f", "lavfi", "-i", "testsrc=size=64x48:rate=10:duration=1.1"]
    command = ["ffmpeg", "-v", "error", "-i", str(tmp_path / "a.wav"), "-c:a", codec]
    start([*command, str(tmp_path / "a.ogg")])
    plain = probe(tmp_path / "a.ogg")
    start([*command[:5], *video, "-c:a", codec, "-c:v", "libtheora", str(tmp_path / "b.ogv")])
    result = probe(tmp_path / "b.ogv")
    assert (result.problem, result.detail) == ("", ONE_BESIDE)
    assert result.frames == plain.frames
    off = np.abs(result.sound.astype(int) - plain.sound)
    assert off.max() <= (0 if codec == "flac" else 330)  # 1 %: coders that draw their noise
    lost = pages_of((tmp_path / "b.ogv").read_bytes())
    sounds = [n for n, alone in enumerate(lost) if alone[14:18] == lost[1][14:18]]
    for number in sounds[2:]:
        cut = b"".join(lost[:number] + lost[number + 1 :])
        assert probe_bytes(tmp_path / "b.ogv", cut).problem in ("unreadable", "truncated")


@pytest.mark.parametrize("encoding", ["VORBIS", "OPUS"])
@pytest.mark.parametrize("channels", [1, 2])
def test_recordings_of_one_rate_after_each_other_are_one_sound(encoding, channels, tmp_path):
    first = written(tmp_path / "a.ogg", encoding, channels=channels)
    alone = read_sound(tmp_path / "a.ogg")[0]
    second = written(tmp_path / "a.ogg", encoding, channels=channels, scale=0.5)
    two = read_sound(tmp_path / "a.ogg")[0]
    for chain, whole in ((first + second, [alone, two]), (first * 3, [alone] * 3)):
        result = probe_bytes(tmp_path / "a.ogg", chain)
        assert (result.problem, result.channels) == ("", channels)
        assert result.detail == f"{len(whole)} recordings one after the other"
        assert np.array_equal(read_sound(tmp_path / "a.ogg")[0], np.concatenate(whole))
        assert result.frames == sum(map(len, whole))


def test_recordings_of_two_rates_or_widths_are_refused_by_name(tmp_path):
    first = written(tmp_path / "a.ogg")
    for more in ({"rate": 8000}, {"channels": 2}):
        result = probe_bytes(tmp_path / "a.ogg", first + written(tmp_path / "a.ogg", **more))
        assert result.problem == "unreadable"
        assert result.detail.startswith("its recordings differ in rate or channels: ")


def test_a_chain_with_a_cut_link_is_not_taken(tmp_path):
    data = written(tmp_path / "a.ogg")
    pages = pages_of(data)
    cut = b"".join(pages[:-1])
    assert probe_bytes(tmp_path / "a.ogg", cut + data).detail.startswith(
        "another stream begins on page"
    )
    assert probe_bytes(tmp_path / "a.ogg", data + cut).problem == "truncated"
    assert probe_bytes(tmp_path / "a.ogg", data + data[:-9]).problem == "truncated"
    assert probe_bytes(tmp_path / "a.ogg", data + pages[1] + pages[2]).problem == "unreadable"


def test_two_sounds_at_once_are_refused(tmp_path):
    first, *rest = pages_of(written(tmp_path / "a.ogg"))
    other, *more = pages_of(written(tmp_path / "a.ogg", scale=0.5))
    assert first[14:18] != other[14:18]  # libsndfile draws the number of a stream
    result = probe_bytes(tmp_path / "a.ogg", b"".join([first, other, *rest, *more]))
    assert result.detail == "contains 2 streams of sound at once; extract one"


@pytest.mark.parametrize("more", [b"x", b"<xml/>", bytes(range(256)), b"Ogg", b"TAG and more"])
def test_bytes_behind_the_last_page_are_a_note(more, tmp_path):
    data = written(tmp_path / "a.ogg")
    plain = probe(tmp_path / "a.ogg")
    result = probe_bytes(tmp_path / "a.ogg", data + more)
    assert (result.problem, result.pcm_sha256) == ("", plain.pcm_sha256)
    assert result.detail == f"{len(more)} byte{'s' * (len(more) > 1)} after the sound"


def test_damage_beside_or_in_the_sound_is_found(tmp_path):
    data = with_skeleton(written(tmp_path / "a.ogg"))
    rng = np.random.default_rng(0)
    for offset in rng.integers(0, len(data), 200).tolist():
        changed = data[:offset] + bytes([data[offset] ^ 1 << offset % 8]) + data[offset + 1 :]
        assert probe_bytes(tmp_path / "a.ogg", changed).problem in ("unreadable", "truncated"), (
            offset
        )
    for end in rng.integers(0, len(data), 50).tolist():
        assert probe_bytes(tmp_path / "a.ogg", data[:end]).problem in ("unreadable", "truncated"), (
            end
        )


@NEEDS_FFMPEG
@pytest.mark.parametrize(("codec", "channels"), [("flac", 1), ("flac", 2), ("libspeex", 1)])
def test_flac_and_speex_in_ogg_are_refused_once_a_page_or_a_bit_is_lost(codec, channels, tmp_path):
    sf.write(tmp_path / "a.wav", np.tile(source(RATE, channels), (3, 1)), RATE)
    command = ["ffmpeg", "-v", "error", "-i", str(tmp_path / "a.wav"), "-c:a", codec]
    start([*command, "-page_duration", "300000", str(tmp_path / "a.ogg")])
    data = (tmp_path / "a.ogg").read_bytes()
    assert probe(tmp_path / "a.ogg").problem == ""
    pages = pages_of(data)
    for number in range(2, len(pages)):
        result = probe_bytes(tmp_path / "a.ogg", b"".join(pages[:number] + pages[number + 1 :]))
        assert result.problem in ("unreadable", "truncated"), number
    rng = np.random.default_rng(0)
    for offset in rng.integers(0, len(data), 60).tolist():
        changed = data[:offset] + bytes([data[offset] ^ 1 << offset % 8]) + data[offset + 1 :]
        assert probe_bytes(tmp_path / "a.ogg", changed).problem in ("unreadable", "truncated"), (
            offset
        )
        assert probe_bytes(tmp_path / "a.ogg", data[:offset]).problem in (
            "unreadable",
            "truncated",
        ), offset


@NEEDS_FFMPEG
def test_flac_in_ogg_needs_no_ffmpeg_and_speex_says_that_it_does(tmp_path, monkeypatch):
    sf.write(tmp_path / "a.wav", source(RATE, 1), RATE)
    for codec in ("flac", "libspeex"):
        path = tmp_path / f"{codec}.ogg"
        start(["ffmpeg", "-v", "error", "-i", str(tmp_path / "a.wav"), "-c:a", codec, str(path)])
    monkeypatch.setenv("PATH", "")
    assert probe(tmp_path / "flac.ogg").pcm_sha256 == probe(tmp_path / "a.wav").pcm_sha256
    result = probe(tmp_path / "libspeex.ogg")
    assert result.detail == "is ogg, which ffmpeg would read, but ffmpeg is not installed"
