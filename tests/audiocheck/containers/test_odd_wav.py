"""WAV and its kin with text behind them, from a pipe, or in blocks are read; cut ones are not."""

from __future__ import annotations

import struct

import numpy as np
import pytest
import soundfile as sf
from program_maker import source

from fonoteka.audiocheck.decode import read_sound
from fonoteka.audiocheck.probe import probe

RATE = 16_000
STREAMED = "length not stated"
KINDS = [
    ("WAV", "PCM_16"), ("WAV", "PCM_24"), ("WAV", "PCM_32"), ("WAV", "PCM_U8"), ("WAV", "FLOAT"),
    ("WAV", "DOUBLE"), ("WAV", "ULAW"), ("WAV", "ALAW"), ("WAVEX", "PCM_16"), ("WAVEX", "FLOAT"),
]  # fmt: skip
BLOCKS = [("WAV", "IMA_ADPCM"), ("WAV", "MS_ADPCM"), ("WAV", "GSM610")]
OTHERS = [("AIFF", "PCM_16"), ("AIFF", "PCM_24"), ("CAF", "PCM_16"), ("AU", "PCM_24"),
          ("W64", "PCM_16"), ("RF64", "PCM_16")]  # fmt: skip
TEXTS = (
    b"<xml>meta</xml>", b'<?xml version="1.0"?>\n<BWFXML/>\n', b'{"speaker": "ana"}', b"[1, 2]",
    b"\n", b"\r\n", b"  \r\n\0\0", b"recorded by Ana, 2026-05-12\n",
    "snimila Željka Đurić, soba 12".encode(), b"<html><body>504 Gateway Time-out</body></html>",
)  # fmt: skip


def written(path, container="WAV", encoding="PCM_16", channels=1, rate=RATE):
    with sf.SoundFile(path, "w", rate, channels, encoding, None, container) as file:
        file.write(source(rate, channels))
    return path.read_bytes()


def probe_bytes(path, data):
    path.write_bytes(data)
    return probe(path)


@pytest.mark.parametrize("text", TEXTS)
def test_text_behind_a_whole_file_is_a_note(text, tmp_path):
    for kind in (*KINDS, *BLOCKS, *OTHERS):
        data = written(tmp_path / "a", *kind)
        plain = probe(tmp_path / "a")
        result = probe_bytes(tmp_path / "a", data + text)
        assert (result.problem, result.pcm_sha256) == ("", plain.pcm_sha256), kind
        assert result.detail == f"{len(text)} byte{'s' * (len(text) > 1)} after the sound", kind
        assert len(read_sound(tmp_path / "a")[0]) == plain.frames


@pytest.mark.parametrize(
    "more", [b"more", b"\1\2", bytes(range(1, 200)), b"ABCDEFGHIJKLMNOPQRSTUVW"]
)
def test_bytes_behind_a_file_that_may_be_sound_are_refused(more, tmp_path):
    for kind in (*KINDS, *OTHERS):
        result = probe_bytes(tmp_path / "a", written(tmp_path / "a", *kind) + more)
        assert result.problem in ("unreadable", "truncated"), kind


def test_a_piece_put_into_the_sound_is_found_by_what_is_behind_its_end(tmp_path):
    rng = np.random.default_rng(0)
    for kind in KINDS:
        data = written(tmp_path / "a", *kind)
        for size in range(1, 60, 3):
            offset = int(rng.integers(100, len(data) - 1000))
            result = probe_bytes(
                tmp_path / "a", data[:offset] + data[offset : offset + size] + data[offset:]
            )
            assert result.problem or data[-size:].strip(b"\0 ") == b"", (kind, offset, size)


def test_text_behind_a_cut_file_does_not_complete_it(tmp_path):
    for kind in (*KINDS, *BLOCKS, *OTHERS):
        data = written(tmp_path / "a", *kind)
        result = probe_bytes(tmp_path / "a", data[:-200] + TEXTS[0])
        assert result.problem in ("truncated", "unreadable"), kind


def sound_size_at(data):
    """Return where a WAV file states the size of its sound."""
    return data.index(b"data") + 4


def streamed(data, riff=0xFFFFFFFF, sound=0xFFFFFFFF):
    offset = sound_size_at(data)
    return (
        data[:4]
        + struct.pack("<I", riff)
        + data[8:offset]
        + struct.pack("<I", sound)
        + data[offset + 4 :]
    )


SIZES = [
    (0xFFFFFFFF, 0xFFFFFFFF), (0x7FFFF024, 0x7FFFF000), (0x80000024, 0x80000000),
    (0x7FFFFFFF, 0x7FFFFFFF), (0xFFFFFFFF, 0xFFFFFFFF - 44), (0x7FFFEFFF + 36, 0x7FFFEFFF),
]  # fmt: skip


@pytest.mark.parametrize("sizes", SIZES)
def test_a_file_from_a_pipe_is_read_to_its_end(sizes, tmp_path):
    for kind in (*KINDS, *BLOCKS):
        data = written(tmp_path / "a", *kind, channels=1)
        plain, (decoded, _) = probe(tmp_path / "a"), read_sound(tmp_path / "a")
        result = probe_bytes(tmp_path / "a", streamed(data, *sizes))
        assert (result.problem, result.detail, result.codec) == ("", STREAMED, plain.codec), kind
        again, rate = read_sound(tmp_path / "a")
        assert rate == RATE
        # The last block is filled up, and only a stated length tells where it ends.
        assert np.array_equal(again[: len(decoded)], decoded), kind
        assert len(again) - len(decoded) < (2048 if kind in BLOCKS else 1)
        assert result.frames == len(again)


@pytest.mark.parametrize("channels", [1, 2])
def test_a_file_from_a_pipe_that_ends_inside_a_sample_or_block_is_truncated(channels, tmp_path):
    for kind in (*KINDS, *BLOCKS[:2]):
        if channels == 1 and kind[1].endswith(("LAW", "U8")):
            continue  # of one byte per sample any end is a whole one
        data = streamed(written(tmp_path / "a", *kind, channels=channels))
        result = probe_bytes(tmp_path / "a", data[:-1])
        assert (result.problem, result.sound is None) == ("truncated", True), kind


@pytest.mark.parametrize(
    ("riff", "sound"),
    [(None, 0xFFFFFFFF), (0xFFFFFFFF, 0), (None, 0), (3_000_000_036, 3_000_000_000)],
)
def test_a_file_whose_sizes_are_not_both_open_is_not_taken_for_one_from_a_pipe(
    riff, sound, tmp_path
):
    data = written(tmp_path / "a")
    result = probe_bytes(
        tmp_path / "a", streamed(data, len(data) - 8 if riff is None else riff, sound)
    )
    assert result.problem in ("unknown length", "truncated")


def test_caf_au_and_w64_from_a_pipe_are_read_to_their_end_and_not_inside_a_sample(tmp_path):
    for container, size, fields in (
        ("CAF", 8, {b"data": b"\xff" * 8}), ("AU", 4, {b".snd\0\0\0\x18": b"\xff" * 4}),
    ):  # fmt: skip
        data = written(tmp_path / "a", container)
        plain = probe(tmp_path / "a")
        [(mark, value)] = fields.items()
        offset = data.index(mark) + len(mark)
        opened = data[:offset] + value + data[offset + size :]
        result = probe_bytes(tmp_path / "a", opened)
        assert (result.problem, result.detail) == ("", STREAMED)
        assert result.pcm_sha256 == plain.pcm_sha256
        assert len(read_sound(tmp_path / "a")[0]) == plain.frames
        assert probe_bytes(tmp_path / "a", opened[:-1]).problem == "truncated"


def test_the_zero_that_makes_a_size_even_is_not_a_sample(tmp_path):
    for encoding in ("PCM_24", "PCM_U8"):
        sf.write(tmp_path / "a.wav", source(RATE, 1)[:9999], RATE, subtype=encoding)
        data, plain = (tmp_path / "a.wav").read_bytes(), probe(tmp_path / "a.wav")
        sound = data[: sound_size_at(data) + 4 + 9999 * (3 if encoding == "PCM_24" else 1)]
        result = probe_bytes(tmp_path / "a.wav", streamed(sound + b"\0"))
        assert (result.problem, result.frames) == ("", 9999)
        assert result.pcm_sha256 == plain.pcm_sha256


def with_byte_rate(data, byte_rate):
    offset = data.index(b"fmt ") + 16
    return data[:offset] + struct.pack("<I", byte_rate) + data[offset + 4 :]


@pytest.mark.parametrize("kind", BLOCKS[:2])
@pytest.mark.parametrize("byte_rate", [0, 8000, 16_000, 32_000, 0xFFFFFFFF])
def test_a_wrong_number_of_bytes_a_second_is_a_note_on_sound_in_blocks(kind, byte_rate, tmp_path):
    data = written(tmp_path / "a", *kind)
    plain = probe(tmp_path / "a")
    result = probe_bytes(tmp_path / "a", with_byte_rate(data, byte_rate))
    assert (result.problem, result.pcm_sha256) == ("", plain.pcm_sha256)
    assert result.detail == f"states {byte_rate} bytes per second, which does not match its blocks"


@pytest.mark.parametrize("kind", BLOCKS)
def test_sound_in_blocks_whose_head_is_damaged_is_not_taken(kind, tmp_path):
    """The number of bytes per second is wrong already, as ffmpeg writes it."""
    data = with_byte_rate(written(tmp_path / "a", *kind), 16_000)
    whole = probe_bytes(tmp_path / "a", data)
    head = data.index(b"fmt ") + 8
    for bit in range(8 * 20):
        place = head + bit // 8
        if 8 <= bit // 8 < 12 or bit // 8 in (14, 15):
            continue  # the bytes per second; the bits of a sample, which the kind says
        changed = data[:place] + bytes([data[place] ^ 1 << bit % 8]) + data[place + 1 :]
        result = probe_bytes(tmp_path / "a", changed)
        assert result.problem or result.pcm_sha256 == whole.pcm_sha256, bit


@pytest.mark.parametrize("kind", BLOCKS[:2])
def test_a_piece_lost_from_sound_in_blocks_from_a_pipe_is_found_by_the_heads_of_blocks(
    kind, tmp_path
):
    data = streamed(written(tmp_path / "a", *kind))
    start = sound_size_at(data) + 4
    block = struct.unpack_from("<H", data, data.index(b"fmt ") + 20)[0]
    for offset in range(start + block // 2, len(data) - 3 * block, 3 * block):
        result = probe_bytes(tmp_path / "a", data[:offset] + data[offset + 77 :])
        assert result.problem == "truncated"  # no whole blocks
        moved = (
            data[:offset] + data[offset + 77 : start + block * ((len(data) - start) // block - 2)]
        )
        moved += bytes(-(len(moved) - start) % block)
        assert probe_bytes(tmp_path / "a", moved).problem == "unreadable"


@pytest.mark.parametrize("frames", [8000, 8001, 8320, 8640, 8960])
def test_gsm_of_an_odd_number_of_blocks_has_no_block_more(frames, tmp_path):
    """Libsndfile takes the byte that fills up 65 bytes per block for one more block."""
    sf.write(tmp_path / "a.wav", source(8000, 1)[:frames], 8000, subtype="GSM610")
    result = probe(tmp_path / "a.wav")
    assert (result.problem, result.detail) == ("", "")
    assert result.frames == -(-frames // 320) * 320
    assert len(read_sound(tmp_path / "a.wav")[0]) == result.frames
