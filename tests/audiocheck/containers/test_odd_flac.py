"""FLAC that states no length is read where every frame's checksum holds; damaged FLAC is found."""

from __future__ import annotations

import numpy as np
import pytest
import soundfile as sf
from program_maker import source

from fonoteka.audiocheck.containers.container import CorruptFileError
from fonoteka.audiocheck.containers.sniff import layout_of
from fonoteka.audiocheck.decode import read_sound
from fonoteka.audiocheck.probe import probe
from fonoteka.transcribe import load_recording

RATE, BLOCK = 16_000, 4096  # samples in a frame, as libFLAC cuts 16 kHz
KINDS = [("PCM_16", 1), ("PCM_16", 2), ("PCM_24", 1), ("PCM_24", 2), ("PCM_S8", 1)]
NOTE = "length not stated"


def written(path, encoding="PCM_16", channels=1):
    sf.write(path, source(RATE, channels), RATE, encoding, format="FLAC")
    return path.read_bytes()


def unstated(data):
    """Return a file as it comes out of a pipe: without the number of samples and without MD5."""
    changed = bytearray(data)
    changed[21] &= 0xF0
    changed[22:26], changed[26:42] = bytes(4), bytes(16)
    return bytes(changed)


def probe_bytes(path, data):
    path.write_bytes(data)
    return probe(path)


@pytest.mark.parametrize(("encoding", "channels"), KINDS)
def test_flac_that_states_no_length_is_read_whole(encoding, channels, tmp_path):
    data = written(tmp_path / "a.flac", encoding, channels)
    plain, (before, _) = probe(tmp_path / "a.flac"), read_sound(tmp_path / "a.flac")
    result = probe_bytes(tmp_path / "a.flac", unstated(data))
    assert (result.problem, result.detail, result.codec) == ("", NOTE, plain.codec)
    assert result.pcm_sha256 == plain.pcm_sha256
    samples, rate = read_sound(tmp_path / "a.flac")
    assert (rate, np.array_equal(samples, before)) == (RATE, True)


def test_an_md5_is_compared_with_samples_whose_number_is_not_stated(tmp_path):
    data = written(tmp_path / "a.flac")
    changed = bytearray(data)
    changed[21] &= 0xF0
    changed[22:26] = bytes(4)
    result = probe_bytes(tmp_path / "a.flac", bytes(changed))
    assert (result.problem, result.detail) == ("", NOTE)
    changed[30] ^= 1
    result = probe_bytes(tmp_path / "a.flac", bytes(changed))
    assert result.detail == "its decoded samples do not match its MD5"


def test_a_cut_is_found_unless_it_is_between_two_frames(tmp_path):
    data = unstated(written(tmp_path / "a.flac"))
    whole = probe_bytes(tmp_path / "a.flac", data)
    whole_cuts = 0
    rng = np.random.default_rng(0)
    for end in [*rng.integers(200, len(data), 100).tolist(), len(data) - 1, len(data) - 2]:
        result = probe_bytes(tmp_path / "a.flac", data[:end])
        if result.problem:
            assert result.problem in ("truncated", "unreadable")
            continue
        whole_cuts += 1
        assert result.frames % BLOCK == 0
        assert np.array_equal(result.sound, whole.sound[: result.frames])
    assert whole_cuts <= 1


def test_a_cut_between_two_frames_leaves_whole_frames(tmp_path):
    data = unstated(written(tmp_path / "a.flac"))
    whole = probe_bytes(tmp_path / "a.flac", data)
    # The second frame's head: the first one's, with the number 1, and a checksum that is right.
    second = data.index(data[data.index(b"\xff\xf8") :][:4] + b"\1")
    result = probe_bytes(tmp_path / "a.flac", data[:second])
    assert (result.problem, result.frames) == ("", BLOCK)
    assert np.array_equal(result.sound, whole.sound[:BLOCK])


def test_no_flipped_bit_is_taken_for_sound(tmp_path):
    data = unstated(written(tmp_path / "a.flac"))
    whole = probe_bytes(tmp_path / "a.flac", data)
    rng = np.random.default_rng(1)
    first = data.index(b"\xff\xf8")
    for bit in rng.integers(8 * first, 8 * len(data), 150).tolist():
        changed = bytearray(data)
        changed[bit // 8] ^= 1 << bit % 8
        result = probe_bytes(tmp_path / "a.flac", bytes(changed))
        assert result.problem in ("truncated", "unreadable"), bit
    for bit in range(8 * 8, 8 * 42):  # of what describes the stream
        changed = bytearray(data)
        changed[bit // 8] ^= 1 << bit % 8
        result = probe_bytes(tmp_path / "a.flac", bytes(changed))
        assert result.problem or result.pcm_sha256 == whole.pcm_sha256, bit


@pytest.mark.parametrize("change", ["lost", "twice", "swapped", "more"])
def test_frames_that_are_lost_doubled_or_moved_are_found(change, tmp_path):
    data = unstated(written(tmp_path / "a.flac"))
    start = data.index(b"\xff\xf8")
    mark = data[start : start + 4]
    offsets = [start, *(data.index(mark + bytes([n])) for n in (1, 2, 3)), len(data)]
    frame_1, frame_2, frame_3 = (data[offsets[n] : offsets[n + 1]] for n in (1, 2, 3))
    first = data[: offsets[1]]
    changed = {
        "lost": first + frame_2 + frame_3, "twice": first + frame_1 + frame_1 + frame_2 + frame_3,
        "swapped": first + frame_2 + frame_1 + frame_3, "more": data + data[start : start + 500],
    }[change]  # fmt: skip
    assert probe_bytes(tmp_path / "a.flac", changed).problem in ("unreadable", "truncated")


def test_tags_after_a_file_that_states_no_length_are_not_frames(tmp_path):
    data = unstated(written(tmp_path / "a.flac"))
    whole = probe_bytes(tmp_path / "a.flac", data)
    result = probe_bytes(tmp_path / "a.flac", data + b"TAG" + bytes(125))
    assert (result.problem, result.pcm_sha256) == ("", whole.pcm_sha256)


def test_a_recording_that_states_no_length_is_transcribed_and_a_cut_one_is_refused(tmp_path):
    data = written(tmp_path / "a.flac")
    whole = load_recording(tmp_path / "a.flac")
    (tmp_path / "a.flac").write_bytes(unstated(data))
    assert np.array_equal(load_recording(tmp_path / "a.flac"), whole)
    (tmp_path / "a.flac").write_bytes(unstated(data)[:-10])
    with pytest.raises(ValueError, match=r"states no length \(frame .* is cut .*\); convert it"):
        load_recording(tmp_path / "a.flac")


def test_what_its_md5_proves_is_preprocessed_where_libsndfile_refuses_the_comments(tmp_path):
    """The inventory took such a file, and preprocessing could not open it."""
    data = bytearray(written(tmp_path / "a.flac"))
    before, plain = read_sound(tmp_path / "a.flac")[0], probe(tmp_path / "a.flac")
    data[46] ^= 1  # the length of the encoder's name: after STREAMINFO and the comments' own head
    result = probe_bytes(tmp_path / "a.flac", bytes(data))
    assert (result.problem, result.pcm_sha256) == ("", plain.pcm_sha256)
    with pytest.raises(sf.LibsndfileError):
        sf.read(tmp_path / "a.flac")
    assert np.array_equal(read_sound(tmp_path / "a.flac")[0], before)


def test_a_file_that_ends_after_its_description_is_not_taken(tmp_path):
    data = unstated(written(tmp_path / "a.flac"))
    result = probe_bytes(tmp_path / "a.flac", data[: data.index(b"\xff\xf8")])
    assert (result.problem, result.frames) == ("unknown length", 0)
    with pytest.raises(CorruptFileError, match="has no first frame"):
        layout_of(data[: data.index(b"\xff\xf8")] + b"no frame")


def test_a_frame_of_another_size_than_the_description_says_is_found(tmp_path):
    """Libsndfile decodes it to other samples, and without an MD5 nothing else tells."""
    data = unstated(written(tmp_path / "a.flac"))
    for least, most in ((1152, 1152), (4608, 4608), (16, 1024)):
        sizes = least.to_bytes(2, "big") + most.to_bytes(2, "big")
        result = probe_bytes(tmp_path / "a.flac", data[:8] + sizes + data[12:])
        assert result.problem == "unreadable"
        assert result.detail.endswith(f"samples, STREAMINFO states {most}")
