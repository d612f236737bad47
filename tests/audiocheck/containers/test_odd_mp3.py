"""MP3 files with tags anywhere, wrong tags and no tags are read; damaged frames are still found."""

from __future__ import annotations

import struct
from itertools import pairwise

import numpy as np
import pytest
import soundfile as sf
from program_maker import source

from fonoteka.audiocheck.containers.mpeg import TAG_DOUBTED
from fonoteka.audiocheck.containers.mpeg_header import parse_header
from fonoteka.audiocheck.containers.sniff import layout_of
from fonoteka.audiocheck.decode import read_sound
from fonoteka.audiocheck.probe import probe

RATE = 16_000
ID3V1 = b"TAG" + b"naslov".ljust(125, b"\0")
ID3V1_MORE = b"TAG+" + b"naslov".ljust(223, b"\0")
LYRICS = b"LYRICSBEGININD0000200LYR00012" + b"[00:01]da ne"
LYRICS3_V1 = b"LYRICSBEGIN" + b"[00:01]da" + b"LYRICSEND"
LYRICS3_V2 = LYRICS + f"{len(LYRICS):06d}".encode() + b"LYRICS200"


def id3v2(body: bytes, version: int = 4, footer: bool = False) -> bytes:
    """Return a tag; its size has seven bits a byte and does not count head and footer."""
    size = bytes(len(body) >> shift & 127 for shift in (21, 14, 7, 0))
    head = bytes([version, 0, 16 if footer else 0]) + size
    return b"ID3" + head + body + (b"3DI" + head if footer else b"")


def ape(version: int) -> bytes:
    """Return a tag of one item; only version 2 has a head, and its size never counts it."""
    item = struct.pack("<II", 2, 0) + b"Title\0" + b"da"
    flags = 1 << 31 if version == 2 else 0

    def end(more):
        sizes = struct.pack("<IIII", 1000 * version, len(item) + 32, 1, flags | more)
        return b"APETAGEX" + sizes + bytes(8)

    return (end(1 << 29) if version == 2 else b"") + item + end(0)


FRAME = b"TIT2\0\0\0\x05\0\0\x03naslov"
AFTER = {
    "ID3v2.4": id3v2(FRAME), "ID3v2.4 with a footer": id3v2(FRAME, footer=True),
    "ID3v2.4 and ID3v1": id3v2(FRAME, footer=True) + ID3V1, "APE 1": ape(1), "APE 2": ape(2),
    "APE 2 and ID3v1": ape(2) + ID3V1, "Lyrics3 1": LYRICS3_V1 + ID3V1,
    "Lyrics3 2": LYRICS3_V2 + ID3V1, "Lyrics3 2 alone": LYRICS3_V2,
    "APE 2, Lyrics3 2, ID3v1": ape(2) + LYRICS3_V2 + ID3V1,
    "Lyrics3 2, APE 2, ID3v1": LYRICS3_V2 + ape(2) + ID3V1, "extended ID3v1": ID3V1_MORE + ID3V1,
    "zeros and APE 2": bytes(100) + ape(2), "APE 2, zeros, ID3v1": ape(2) + bytes(7) + ID3V1,
    "zeros": bytes(4096),
}  # fmt: skip
BEFORE = {
    "ID3v2.3": id3v2(FRAME, 3), "padded": id3v2(FRAME + bytes(2000), 3),
    "ID3v2.4 with a footer": id3v2(FRAME, footer=True),
    "two": id3v2(FRAME, 3) + id3v2(FRAME, footer=True),
    "zeros behind": id3v2(FRAME) + bytes(300),
}  # fmt: skip


@pytest.fixture(scope="module", params=["tagged", "bare", "variable", "variable and bare"])
def sound(request, tmp_path_factory):
    """Return an MP3 file's bytes: of constant or variable rate, with or without LAME's tag."""
    path = tmp_path_factory.mktemp("mp3") / "a.mp3"
    mode = "VARIABLE" if "variable" in request.param else "CONSTANT"
    with sf.SoundFile(path, "w", RATE, 1, bitrate_mode=mode, compression_level=0.5) as file:
        file.write(source(RATE, 1))
    data = path.read_bytes()
    return data[parse_header(data[:4]).size :] if "bare" in request.param else data


@pytest.fixture(scope="module")
def tagged(tmp_path_factory):
    path = tmp_path_factory.mktemp("mp3") / "a.mp3"
    with sf.SoundFile(path, "w", RATE, 1, bitrate_mode="CONSTANT", compression_level=0.5) as file:
        file.write(source(RATE, 1))
    return path.read_bytes()


def probe_bytes(path, data):
    path.write_bytes(data)
    return probe(path)


@pytest.mark.parametrize("after", AFTER.values(), ids=AFTER)
def test_tags_after_the_last_frame_are_not_decoded(after, sound, tmp_path):
    plain = probe_bytes(tmp_path / "a.mp3", sound)
    result = probe_bytes(tmp_path / "a.mp3", sound + after)
    assert (result.problem, result.detail, result.pcm_sha256) == ("", "", plain.pcm_sha256)


@pytest.mark.parametrize("before", BEFORE.values(), ids=BEFORE)
def test_tags_before_the_first_frame_are_not_decoded(before, sound, tmp_path):
    plain = probe_bytes(tmp_path / "a.mp3", sound)
    result = probe_bytes(tmp_path / "a.mp3", before + sound + ape(2) + ID3V1)
    assert (result.problem, result.detail, result.pcm_sha256) == ("", "", plain.pcm_sha256)
    assert len(read_sound(tmp_path / "a.mp3")[0]) == result.frames


@pytest.mark.parametrize("after", AFTER.values(), ids=AFTER)
def test_a_cut_frame_before_a_tag_is_found(after, sound, tmp_path):
    # Zeros in place of a frame's last bytes are that frame, where nothing counts the frames.
    filled = after[:40] == bytes(40) and b"Xing" not in sound and b"Info" not in sound
    problem = probe_bytes(tmp_path / "a.mp3", sound[:-40] + after).problem
    assert filled or problem in ("truncated", "unreadable")


def test_other_bytes_behind_are_a_note_where_the_frames_are_counted(tagged, tmp_path):
    plain = probe_bytes(tmp_path / "a.mp3", tagged)
    for more in (b"x", b"more", bytes(range(256)), tagged[100:150], b"\xff\xfb"):
        result = probe_bytes(tmp_path / "a.mp3", tagged + more)
        assert (result.problem, result.pcm_sha256) == ("", plain.pcm_sha256)
        assert result.detail == f"{len(more)} byte{'s' * (len(more) > 1)} after the sound"
        bare = tagged[parse_header(tagged[:4]).size :]
        assert probe_bytes(tmp_path / "a.mp3", bare + more).problem == "unreadable"


@pytest.mark.parametrize(
    ("changed", "difference"),
    [
        ({1: 0xFF, 2: 0x90}, "MPEG version 1 instead of 2, layer 1 instead of 3, sample rate"),
        ({3: 0x00}, "number of channels 2 instead of 1"),
        ({2: 0x08}, "states no size, unlike the first"),
        ({0: 0x00}, "which is not a frame header"),
    ],
)
def test_a_frame_of_another_kind_is_described(changed, difference, tagged, tmp_path):
    size = parse_header(tagged[:4]).size
    bare = tagged[size:]
    frame = bytes(changed.get(index, byte) for index, byte in enumerate(bare[:size]))
    result = probe_bytes(tmp_path / "a.mp3", bare + frame)
    assert result.problem == "unreadable"
    assert f" at byte {len(bare)} " in result.detail
    assert difference in result.detail, result.detail


def slow_crc16(data: bytes) -> int:
    value = 0
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ (0xA001 if value & 1 else 0)
    return value


def lame_at(data):
    """Return where LAME's part of the tag begins: Xing with its four fields is before it."""
    return data.index(b"LAME")


def test_the_checksum_of_ffmpegs_tag_is_right(tagged, tmp_path):
    """It is of the frame's first 190 bytes, with two zeros in its own place."""
    offset = lame_at(tagged) + 34
    changed = tagged[:offset] + bytes(2) + tagged[offset + 2 :]
    frame = changed[: parse_header(tagged[:4]).size][:190].ljust(190, b"\0")
    changed = changed[:offset] + slow_crc16(frame).to_bytes(2, "big") + changed[offset + 2 :]
    assert changed != tagged
    result = probe_bytes(tmp_path / "a.mp3", changed)
    assert (result.problem, result.detail) == ("", "")
    assert result.pcm_sha256 == probe_bytes(tmp_path / "a.mp3", tagged).pcm_sha256


# Bytes of LAME's part: name, VBR method, peak, delay, the tag's own checksum.
@pytest.mark.parametrize("place", [0, 9, 12, 21, 22, 34, 35])
def test_a_wrong_tag_is_a_note_and_its_delay_is_not_cut(place, tagged, tmp_path):
    plain = probe_bytes(tmp_path / "a.mp3", tagged)
    offset = lame_at(tagged) + place
    changed = tagged[:offset] + bytes([tagged[offset] ^ 8]) + tagged[offset + 1 :]
    result = probe_bytes(tmp_path / "a.mp3", changed)
    assert (result.problem, result.detail) == ("", TAG_DOUBTED)
    # All frames but the tag's, less the 529 samples that every decoder is late.
    frames = layout_of(tagged[parse_header(tagged[:4]).size :])
    assert result.frames == frames.frames + frames.spare - 529
    starts = range(result.frames - plain.frames + 1)
    assert min(np.abs(result.sound[n:][: plain.frames] - plain.sound).max() for n in starts) <= 1
    assert probe_bytes(tmp_path / "a.mp3", changed[:-1]).problem == "truncated"
    assert probe_bytes(tmp_path / "a.mp3", changed[:1000] + b"\xff" + changed[1001:]).problem != ""


def test_a_wrong_tag_that_would_excuse_wrong_frames_is_refused(tagged, tmp_path):
    offset = lame_at(tagged) + 25  # mp3gain says there that it changed the frames
    result = probe_bytes(tmp_path / "a.mp3", tagged[:offset] + b"\3" + tagged[offset + 1 :])
    assert result.detail == "its encoder's tag is damaged: the checksum is wrong"


def test_a_lost_frame_is_found_wherever_the_tag_counts_them(tagged, tmp_path):
    starts, position = [], 0
    while position < len(tagged):
        starts.append(position)
        position += parse_header(tagged[position : position + 4]).size
    for first, second in list(pairwise(starts))[1:20:3]:
        assert (
            probe_bytes(tmp_path / "a.mp3", tagged[:first] + tagged[second:]).problem == "truncated"
        )


def test_a_variable_rate_without_a_count_holds_all_its_frames(sound, tmp_path):
    result = probe_bytes(tmp_path / "a.mp3", sound)
    samples, rate = read_sound(tmp_path / "a.mp3")
    assert (rate, len(samples)) == (RATE, result.frames)
    assert result.frames >= len(source(RATE, 1))
