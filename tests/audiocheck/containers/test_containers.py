"""Valid files of every kind are read, with tags around them; files that lie are found out."""

from __future__ import annotations

import struct

import numpy as np
import pytest
import soundfile as sf
from fuzz_maker import speech

from fonoteka.audiocheck.containers.container import CorruptFileError
from fonoteka.audiocheck.containers.flac import flac
from fonoteka.audiocheck.containers.mpeg_header import parse_header
from fonoteka.audiocheck.containers.sniff import layout_of
from fonoteka.audiocheck.ffmpeg import ffmpeg_format
from fonoteka.audiocheck.measure import ProbeLimits
from fonoteka.audiocheck.probe import probe

RATE = 16000
ID3V2 = b"ID3\x03\x00\x00\x00\x00\x00\x0c" + b"=cmd|' /C x'"
ID3V1 = b"TAG" + b"=1+1".ljust(125, b"\0")
APE = b"x" * 20 + b"APETAGEX" + struct.pack("<IIIIQ", 2000, 52, 1, 0, 0)
KINDS = [
    ("a.wav", "WAV", "PCM_16"), ("a.wav", "WAV", "PCM_U8"), ("a.wav", "WAV", "PCM_24"),
    ("a.wav", "WAV", "PCM_32"), ("a.wav", "WAV", "FLOAT"), ("a.wav", "WAV", "DOUBLE"),
    ("a.wav", "WAV", "ULAW"), ("a.wav", "WAV", "ALAW"), ("a.wav", "WAV", "IMA_ADPCM"),
    ("a.wav", "WAV", "MS_ADPCM"), ("a.wav", "WAV", "GSM610"), ("a.wav", "WAVEX", "PCM_24"),
    ("a.wav", "WAVEX", "FLOAT"), ("a.wav", "RF64", "PCM_24"), ("a.w64", "W64", "FLOAT"),
    ("a.aiff", "AIFF", "PCM_16"), ("a.aiff", "AIFF", "PCM_24"), ("a.aifc", "AIFF", "FLOAT"),
    ("a.aifc", "AIFF", "ULAW"), ("a.aifc", "AIFF", "PCM_U8"), ("a.aifc", "AIFF", "IMA_ADPCM"),
    ("a.au", "AU", "PCM_24"), ("a.au", "AU", "ULAW"), ("a.caf", "CAF", "PCM_32"),
    ("a.caf", "CAF", "ALAC_16"), ("a.wav", "NIST", "PCM_16"), ("a.flac", "FLAC", "PCM_S8"),
    ("a.flac", "FLAC", "PCM_16"), ("a.flac", "FLAC", "PCM_24"), ("a.ogg", "OGG", "VORBIS"),
    ("a.opus", "OGG", "OPUS"), ("a.mp3", "MP3", "MPEG_LAYER_III"),
]  # fmt: skip


def written(folder, name="a.wav", container="WAV", encoding="PCM_16", channels=1, endian="FILE"):
    path = folder / name
    sound = speech(0.4, RATE, channels, np.random.default_rng(1))
    with sf.SoundFile(path, "w", RATE, channels, encoding, endian, container) as file:
        file.write(sound)
    return path


@pytest.mark.parametrize(("name", "container", "encoding"), KINDS)
def test_a_valid_file_is_read_whole(name, container, encoding, tmp_path):
    result = probe(written(tmp_path, name, container, encoding))
    assert (result.problem, result.detail, result.sample_rate_hz) == ("", "", RATE)
    assert result.frames == len(sf.read(tmp_path / name)[0])


@pytest.mark.parametrize("endian", ["LITTLE", "BIG"])
@pytest.mark.parametrize("container", ["WAV", "AIFF", "CAF"])
def test_samples_are_compared_in_either_order_of_bytes(container, endian, tmp_path):
    path = written(tmp_path, "a.wav", container, "PCM_24", 2, endian)
    assert (probe(path).problem, probe(path).channels) == ("", 2)


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.mp3", "a.aiff"])
@pytest.mark.parametrize(
    ("before", "after"), [(ID3V2, b""), (b"", ID3V1), (b"", APE), (b"", bytes(9))]
)
def test_tags_around_a_file_are_ignored(name, before, after, tmp_path):
    encoding = "MPEG_LAYER_III" if name == "a.mp3" else "PCM_16"
    path = written(tmp_path, name, name[2:].upper(), encoding)
    plain = probe(path)
    path.write_bytes(before + path.read_bytes() + after)
    tagged = probe(path)
    assert (tagged.problem, tagged.detail) == ("", "")
    assert tagged.pcm_sha256 == plain.pcm_sha256


def chunk(name, body):
    return name + struct.pack("<I", len(body)) + body + bytes(len(body) % 2)


def wav(fmt, sound, *more, before=b""):
    body = b"WAVE" + before + chunk(b"fmt ", fmt) + chunk(b"data", sound) + b"".join(more)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def fmt(tag=1, channels=1, rate=RATE, byte_rate=None, block=2, bits=16, more=b""):
    byte_rate = rate * block if byte_rate is None else byte_rate
    return struct.pack("<HHIIHH", tag, channels, rate, byte_rate, block, bits) + more


NOISE = np.random.default_rng(0).integers(-9000, 9000, RATE, dtype=np.int16).tobytes()


@pytest.mark.parametrize(
    "data",
    [
        wav(fmt(), NOISE, chunk(b"LIST", b"INFOINAM\x04\0\0\0=1+1")),
        wav(fmt(), NOISE, before=chunk(b"bext", bytes(602))),
        wav(fmt(), NOISE, before=chunk(b"JUNK", bytes(27))),
        wav(fmt(more=b"\0\0"), NOISE),
        wav(fmt(rate=39_000), NOISE),
        wav(fmt(), NOISE).replace(struct.pack("<I", len(NOISE) + 36), bytes(4), 1),
        wav(fmt(), NOISE).replace(struct.pack("<I", len(NOISE) + 36), b"\xff" * 4, 1),
        wav(fmt(block=1, bits=8), NOISE[:9999])[:-1] + chunk(b"LIST", b"INFO"),
    ],
    ids=["LIST", "bext", "JUNK", "long fmt", "39 kHz", "RIFF 0", "RIFF open", "no pad"],
)
def test_a_wav_file_may_be_odd(data, tmp_path):
    (tmp_path / "a.wav").write_bytes(data)
    assert (probe(tmp_path / "a.wav").problem, probe(tmp_path / "a.wav").detail) == ("", "")


FLOATS = (np.frombuffer(NOISE, np.int16) / 32768).astype("<f4").tobytes()


@pytest.mark.parametrize(
    ("data", "problem", "detail"),
    [
        (wav(fmt(byte_rate=16000), NOISE), "unreadable", "Hz and 16000 bytes per second"),
        (wav(fmt(channels=2), NOISE), "unreadable", "16 bits per sample and 2 bytes for 2 of them"),
        (wav(fmt(bits=24, block=4), NOISE), "unreadable", "24 bits per sample and 4 bytes for 1"),
        (wav(fmt(bits=32, block=4), FLOATS), "unreadable", "decodes to other samples"),
        (wav(fmt(tag=0x55), NOISE), "unreadable", "in format 0x0055, which is not checked"),
        (wav(fmt(), NOISE) + b"more", "unreadable", "the last 4 bytes, from byte 32044"),
        (wav(fmt(), NOISE) * 2, "unreadable", "another file begins inside it, at byte 32044"),
        (wav(fmt(), NOISE, chunk(b"data", NOISE)), "unreadable", "has two chunks 'data'"),
        (wav(fmt(), NOISE)[:20000], "truncated", "ends after 19956 of 32000 bytes of sound"),
        (wav(fmt(), NOISE, chunk(b"LIST", b"INFO"))[:-2], "truncated", "'LIST' ends after 2 of 4"),
        (b"RIFF" + wav(fmt(), NOISE)[4:8] + b"AVI " + bytes(99), "unreadable", "not 'WAVE'"),
        (wav(fmt(), b""), "", ""),
        (wav(fmt(), NOISE[:99]), "unreadable", "99 bytes of sound are not a multiple of 2"),
        (b".snd" + bytes(20) + NOISE, "unreadable", "header of 0 bytes and encoding 0"),
        (b"8SVX" + NOISE, "unreadable", "begins with 0x38535658, which is not WAV"),
        (b"caff\0\1\0\0" * 9000, "truncated", "its chunk 'caff'"),
    ],
)  # fmt: skip
def test_a_file_that_contradicts_itself_is_not_taken(data, problem, detail, tmp_path):
    (tmp_path / "a.wav").write_bytes(data)
    result = probe(tmp_path / "a.wav")
    assert (result.problem, detail in result.detail) == (problem, True), result.detail


def test_junk_under_a_name_that_libsndfile_plays_raw_is_not_taken(tmp_path):
    (tmp_path / "a.au").write_bytes(NOISE)
    assert len(sf.read(tmp_path / "a.au")[0]) == len(NOISE)  # as 8-bit mu-law at 8 kHz
    assert probe(tmp_path / "a.au").problem == "unreadable"


def test_a_flac_file_whose_md5_is_of_other_samples_is_not_taken(tmp_path):
    path = written(tmp_path, "a.flac", "FLAC")
    data = bytearray(path.read_bytes())
    md5 = slice(26, 42)  # after the mark, the block's head and 18 bytes of STREAMINFO
    data[md5] = bytes(16)
    path.write_bytes(data)
    assert probe(path).problem == ""  # none was kept
    data[md5] = b"x" * 16
    path.write_bytes(data)
    assert probe(path).detail == "its decoded samples do not match its MD5"


@pytest.mark.parametrize(("rate", "channels"), [(16001, 1), (8000, 1), (16000, 2)])
def test_a_flac_file_whose_head_lies_about_rate_or_channels_is_not_taken(rate, channels, tmp_path):
    data = bytearray(written(tmp_path, "a.flac", "FLAC").read_bytes())
    packed = int.from_bytes(data[18:26], "big") & ~(0xFFFFFE << 40)
    data[18:26] = (packed | rate << 44 | (channels - 1) << 41).to_bytes(8, "big")
    with pytest.raises(
        CorruptFileError, match=rf"frame 0 .* STREAMINFO states \({rate}, {channels}, 16\)"
    ):
        flac(bytes(data), 0)


def test_an_ogg_file_that_lacks_a_page_or_its_end_is_not_taken(tmp_path):
    path = tmp_path / "a.ogg"
    sf.write(path, speech(3.0, RATE, 1, np.random.default_rng(0)), RATE)
    data = path.read_bytes()
    starts = [n for n in range(len(data)) if data[n : n + 4] == b"OggS"]
    assert len(starts) > 3
    cases = {
        "page 2 is missing": data[: starts[2]] + data[starts[3] :],
        "no page after": data[: starts[-1]],
        "another stream begins": data[: starts[-1]] + data,
        "is damaged: its checksum": data[: starts[2] + 200] + b"\0\0" + data[starts[2] + 202 :],
    }
    for detail, changed in cases.items():
        path.write_bytes(changed)
        result = probe(path)
        assert result.problem in ("unreadable", "truncated")
        assert detail in result.detail, result.detail


def mp3(folder, mode="CONSTANT"):
    path = folder / "a.mp3"
    with sf.SoundFile(path, "w", RATE, 1, bitrate_mode=mode, compression_level=0.5) as file:
        file.write(speech(1.0, RATE, 1, np.random.default_rng(0)))
    return path, path.read_bytes()


def test_an_mp3_file_is_compared_with_its_encoders_tag(tmp_path):
    path, data = mp3(tmp_path)
    path.write_bytes(data[:-1])
    assert probe(path).problem == "truncated"
    path.write_bytes(data[:1000] + bytes([data[1000] ^ 1]) + data[1001:])
    assert probe(path).detail == "a frame is damaged: its encoder's checksum is wrong"


def test_an_mp3_file_without_an_encoders_tag_is_read_by_its_frames(tmp_path):
    path, data = mp3(tmp_path)
    first = layout_of(data)
    frames = data[parse_header(data[:4]).size :]  # without the frame that holds the tag
    path.write_bytes(frames)
    assert probe(path).problem == ""
    assert probe(path).frames >= first.frames
    path.write_bytes(frames[:-5])
    assert probe(path).problem == "truncated"
    path.write_bytes(frames + b"more")
    assert probe(path).problem == "unreadable"


def test_an_mp3_file_of_variable_rate_without_a_count_of_its_frames_is_read_whole(tmp_path):
    """Libsndfile guesses its length from the first frame and decodes no more."""
    path, data = mp3(tmp_path, "VARIABLE")
    whole = probe(path)
    path.write_bytes(data[parse_header(data[:4]).size :])
    bare = probe(path)
    assert (whole.problem, bare.problem, bare.detail) == ("", "", "")
    assert len(sf.read(path)[0]) != bare.frames
    # 1105 samples are of the coders' delay, and the last frame of 576 is filled up.
    assert whole.frames <= bare.frames <= whole.frames + 1105 + 2 * 576
    path.write_bytes(path.read_bytes()[:-5])
    assert probe(path).problem == "truncated"


def test_equal_sound_at_every_depth_has_one_hash(tmp_path):
    """At 8 bits, so that each encoding can hold it."""
    sound = np.round(speech(0.3, RATE, 1, np.random.default_rng(0)) * 128) / 128
    kinds = "WAV PCM_U8", "FLAC PCM_S8", "AIFF PCM_24", "W64 PCM_32", "CAF FLOAT", "WAV DOUBLE"
    hashes = set()
    for container, encoding in map(str.split, kinds):
        with sf.SoundFile(tmp_path / "a", "w", RATE, 1, encoding, None, container) as file:
            file.write(sound)
        hashes.add(probe(tmp_path / "a").pcm_sha256)
    assert len(hashes) == 1


def test_sound_beyond_full_scale_is_measured_and_its_hash_is_that_of_the_clipped(tmp_path):
    sound = 4 * speech(0.3, RATE, 1, np.random.default_rng(0))
    sf.write(tmp_path / "a.wav", sound, RATE, subtype="FLOAT")
    sf.write(tmp_path / "b.wav", np.clip(sound, -1, 1), RATE, subtype="FLOAT")
    result = probe(tmp_path / "a.wav")
    assert result.peak_dbfs == pytest.approx(20 * np.log10(np.abs(sound).max()), abs=1e-4)
    assert result.pcm_sha256 == probe(tmp_path / "b.wav").pcm_sha256
    assert result.clipped > 0.01


def test_a_head_that_states_years_of_sound_costs_nothing(tmp_path):
    """FLAC counts samples with 36 bits; a compressed silence is real and is left at the limit."""
    path = written(tmp_path, "a.flac", "FLAC")
    sf.write(path, np.zeros(60 * RATE), RATE)
    result = probe(path, ProbeLimits(max_s=20.0))
    assert (result.problem, result.detail) == ("too long", "more than 20 s")
    assert result.frames <= 20 * RATE + (1 << 18)  # one block beyond


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"\0\0\0\x20ftypM4A ", "mov"), (b"\x1a\x45\xdf\xa3\x01", "matroska"),
        (b"#!AMR\n", "amr"), (b"#!AMR-WB\n", "amr"),
        (bytes.fromhex("3026b2758e66cf11a6d9"), "asf"),
        (bytes.fromhex("fff14c800100fffc") + b"\xff\xf1", "aac"),
        (bytes.fromhex("fff14c800100fffc") + b"\xff\xf8", ""),
        (b"fLaC", ""), (b"", ""),
    ],
)  # fmt: skip
def test_formats_that_only_ffmpeg_reads_are_known_by_their_first_bytes(head, kind):
    assert ffmpeg_format(head) == kind
