"""Many small things lie in few files, and a new one changes one of them."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import numpy as np
import pytest
import soundfile
from clip_maker import noise, save_clips
from safetensors.numpy import save

from fonoteka.audio.dsp import flac_bytes
from fonoteka.core.errors import UserError
from fonoteka.shards import (
    ScratchArrays,
    add_to_tar,
    array_parts,
    array_shard,
    clip_parts,
    clip_signal,
    open_arrays,
    open_clips,
    read_clips,
    shard_of,
    stream_arrays,
    write_arrays,
)


def vectors(*keys, frames=3):
    return {k: np.full((frames, 2), shard_of(k, 97), dtype=np.float32) for k in keys}


def test_keys_spread_over_all_shards():
    counts = np.bincount([shard_of(f"clip-{n}", 16) for n in range(1600)], minlength=16)
    # 100 each with a deviation below 10; four of them
    assert len(counts) == 16
    assert np.abs(counts - 100).max() <= 40


def test_a_tar_header_holds_a_name_and_a_size_and_nothing_of_the_machine(tmp_path):
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        add_to_tar(tar, "a.flac", b"1234")
    with tarfile.open(tmp_path / "a.tar") as tar:
        (member,) = tar.getmembers()
    assert (member.name, member.size, member.mtime, member.mode) == ("a.flac", 4, 0, 0o644)
    assert (member.uid, member.gid, member.uname, member.gname) == (0, 0, "", "")


def test_clips_come_back_under_their_ids(tmp_path):
    clips = {"b": noise(0.2, 1), "a": noise(0.1, 2), "unused": noise(0.1, 3)}
    save_clips(tmp_path, clips)
    result = open_clips(tmp_path, {k: f"shard-00.tar/{k}.flac" for k in ("a", "b")})
    assert {k: len(v) for k, v in result.items()} == {"a": 1600, "b": 3200}
    assert np.abs(result["b"] - clips["b"]).max() < 1 / 16384  # 16 bits


def test_a_missing_shard_and_a_missing_clip_are_named(tmp_path):
    save_clips(tmp_path, {"a": noise(0.1)})
    with pytest.raises(ValueError, match=r"shard-07\.tar: no such shard; run the stage preproc"):
        list(read_clips(tmp_path, {"a": "shard-07.tar/a.flac"}))
    with pytest.raises(ValueError, match=r"shard-00\.tar: 1 of 2 clips are missing"):
        list(read_clips(tmp_path, {k: f"shard-00.tar/{k}.flac" for k in "ab"}))


@pytest.mark.parametrize(("rate", "shape"), [(8000, (800,)), (16_000, (800, 2))])
def test_a_clip_of_another_rate_or_in_stereo_is_refused(rate, shape, tmp_path):
    buffer = io.BytesIO()
    soundfile.write(buffer, np.zeros(shape), rate, format="FLAC")
    with tarfile.open(tmp_path / "shard-00.tar", "w") as tar:
        add_to_tar(tar, "a.flac", buffer.getvalue())
    with pytest.raises(ValueError, match=r"a\.flac is not mono at 16000 Hz"):
        list(read_clips(tmp_path, {"a": "shard-00.tar/a.flac"}))


def test_arrays_come_back_all_or_those_asked_for(tmp_path):
    write_arrays(tmp_path, vectors("a", "b", "c"), 4)
    assert set(open_arrays(tmp_path)) == {"a", "b", "c"}
    result = open_arrays(tmp_path, ["c", "a"])
    assert set(result) == {"a", "c"}
    assert np.array_equal(result["c"], vectors("c")["c"])


def test_an_array_is_read_when_it_is_asked_for_and_can_be_written_to(tmp_path):
    write_arrays(tmp_path, vectors("a", "b"), 1)
    arrays = open_arrays(tmp_path)
    assert (len(arrays), arrays.shape("a"), "c" in arrays) == (2, vectors("a")["a"].shape, False)
    first, again = arrays["a"], arrays["a"]
    first[:] = 0  # torch shares the memory of an array, and warns of one that is read-only
    assert np.array_equal(again, vectors("a")["a"])
    (tmp_path / "shard-00.safetensors").unlink()
    assert "a" in arrays
    with pytest.raises(FileNotFoundError):
        arrays["a"]


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_shard_that_is_cut_off_is_an_error_before_and_after_it_was_opened(when, tmp_path):
    write_arrays(tmp_path, vectors("a"), 1)
    path = tmp_path / "shard-00.safetensors"
    whole, arrays = path.read_bytes(), open_arrays(tmp_path)
    path.write_bytes(whole[:-1])
    with pytest.raises(UserError, match=r"shard-00\.safetensors: damaged; run dvc checkout"):
        open_arrays(tmp_path) if when == "before" else arrays["a"]


def test_scratch_arrays_are_read_in_any_order_while_more_are_added(tmp_path):
    with ScratchArrays(tmp_path) as scratch:
        scratch.add("a", vectors("a")["a"])
        assert np.array_equal(scratch["a"], vectors("a")["a"])
        scratch.add("b", np.zeros((0, 3), np.float32))
        scratch.add("c", vectors("c")["c"])
        assert [*scratch] == ["a", "b", "c"]
        assert scratch["b"].shape == scratch.shape("b") == (0, 3)
        assert np.array_equal(scratch["c"], vectors("c")["c"])
        assert np.array_equal(scratch["a"], vectors("a")["a"])
    assert [*tmp_path.iterdir()] == []


def test_clips_are_decoded_when_they_are_asked_for(tmp_path):
    save_clips(tmp_path, {"a": noise(0.1), "b": noise(0.2, 1)})
    references = {key: f"shard-00.tar/{key}.flac" for key in "ab"}
    clips, read = open_clips(tmp_path, references), dict(read_clips(tmp_path, references))
    assert (len(clips), {*clips}, "c" in clips) == (2, {"a", "b"}, False)
    for key in "ab":
        assert np.array_equal(clips[key], read[key])
        assert clips.samples(key) == len(read[key])
    (tmp_path / "shard-00.tar").unlink()
    with pytest.raises(FileNotFoundError):
        clips["a"]


def test_views_lie_beside_their_clip(tmp_path):
    write_arrays(tmp_path, vectors(*(f"clip{n}{v}" for n in range(9) for v in ("", "#1"))), 4)
    for path in tmp_path.glob("*.safetensors"):
        data = path.read_bytes()
        assert [data.count(f'"clip{n}"'.encode()) for n in range(9)] == [
            data.count(f'"clip{n}#1"'.encode()) for n in range(9)
        ]


def test_one_more_array_changes_one_file(tmp_path):
    for name, keys in (("before", "abcdefgh"), ("after", "abcdefghi")):
        (tmp_path / name).mkdir()
        write_arrays(tmp_path / name, vectors(*keys), 4)
    files = [
        [p.read_bytes() for p in sorted((tmp_path / name).iterdir())]
        for name in ("before", "after")
    ]
    differ = [number for number, (a, b) in enumerate(zip(*files, strict=True)) if a != b]
    assert differ == [shard_of("i", 4)]


def test_missing_arrays_are_counted_and_the_first_is_named(tmp_path):
    with pytest.raises(ValueError, match="no shards; run dvc repro"):
        open_arrays(tmp_path)
    write_arrays(tmp_path, vectors("a"), 2)
    with pytest.raises(ValueError, match="2 arrays are missing, first 'b'"):
        open_arrays(tmp_path, ["a", "c", "b"])


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_full_disk_is_an_error_of_the_system(tmp_path):
    for number in range(2):
        (tmp_path / f"shard-{number:02d}.safetensors").symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left"):
        write_arrays(tmp_path, vectors("a"), 2)


def test_flac_in_a_tar_is_the_clip_byte_for_byte(tmp_path):
    save_clips(tmp_path, {"a": noise(0.1)})
    with tarfile.open(tmp_path / "shard-00.tar") as tar:
        assert tar.extractfile("a.flac").read() == flac_bytes(noise(0.1))


def test_streamed_arrays_have_the_bytes_that_safetensors_writes(tmp_path):
    rng = np.random.default_rng(1)
    arrays = {
        f"{name}{end}": rng.standard_normal((size, 3)).astype(np.float32)
        for size, name in enumerate(("b", "a", 'x "\u0161\\', "c-1"))
        for end in ("#segments", "", "#1")  # not in the order of the file
    }
    by_shard = sorted(arrays.items(), key=lambda pair: array_shard(pair[0], 3))
    stream_arrays(tmp_path, iter(by_shard), 3)
    for number in range(3):
        shard = {key: array for key, array in by_shard if array_shard(key, 3) == number}
        assert (tmp_path / f"shard-{number:02d}.safetensors").read_bytes() == save(shard)
    assert sorted(path.name for path in tmp_path.iterdir())[-1] == "shard-02.safetensors"


def test_a_shard_that_comes_twice_is_a_fault(tmp_path):
    first, other = (next(k for k in "abcdefgh" if shard_of(k, 2) == n) for n in (0, 1))
    pairs = [(key, np.zeros((1, 1), np.float32)) for key in (first, other, first)]
    with pytest.raises(ValueError, match="shard 0 is written already; sort the arrays by shard"):
        stream_arrays(tmp_path, pairs, 2)


def test_a_part_of_a_shard_is_read_without_the_rest(tmp_path):
    arrays = vectors("a", "b", "c") | {"empty": np.zeros((0, 2), dtype=np.float32)}
    write_arrays(tmp_path, arrays, 2)
    parts = array_parts(tmp_path, ["c", "a", "empty"])
    assert set(parts) == {"a", "c", "empty"}
    for key, part in parts.items():
        assert np.array_equal(part.read(), arrays[key])
    with pytest.raises(ValueError, match="1 arrays are missing, first 'd'"):
        array_parts(tmp_path, ["a", "d"])
    (tmp_path / "shard-00.safetensors").write_bytes(b"1234")
    with pytest.raises(ValueError, match=r"shard-00\.safetensors: damaged; run dvc checkout"):
        array_parts(tmp_path, ["a"])


def test_the_bytes_of_a_clip_are_its_file(tmp_path):
    save_clips(tmp_path, {"a": noise(0.1), "b": noise(0.2)})
    parts = clip_parts(tmp_path, {"b": "shard-00.tar/b.flac"})
    assert parts["b"].read()[:4] == b"fLaC"
    assert np.array_equal(clip_signal(parts["b"]), open_clips(
        tmp_path, {"b": "shard-00.tar/b.flac"})["b"])  # fmt: skip
