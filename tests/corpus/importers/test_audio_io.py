"""Parts keep their samples; ffmpeg, if installed, converts what soundfile cannot read."""

from __future__ import annotations

import math
import shutil
import subprocess
import sys

import numpy as np
import pytest
import soundfile as sf
from command_line import run_fonoteka
from corpus_maker import tone
from layout_maker import write_audio, write_lines

from fonoteka.audiocheck.ffmpeg import FFMPEG_SUFFIXES
from fonoteka.corpus.corpus import read_clips
from fonoteka.corpus.importers.layouts.audio_io import (
    AudioHeader,
    AudioPart,
    convert,
    cut,
    sound_of,
    within,
)

RATE = 16000
NOISE = np.random.default_rng(1).normal(0, 0.1, 3 * RATE).cumsum() * 0.01

FORMATS = {
    "pcm16": ("a.wav", "PCM_16", ".flac"), "pcm24": ("a.wav", "PCM_24", ".flac"),
    "pcm8": ("a.wav", "PCM_U8", ".flac"), "ulaw": ("a.wav", "ULAW", ".flac"),
    "pcm32": ("a.wav", "PCM_32", ".wav"), "float": ("a.wav", "FLOAT", ".wav"),
    "double": ("a.wav", "DOUBLE", ".wav"), "flac": ("a.flac", "PCM_24", ".flac"),
    "aiff": ("a.aiff", "PCM_16", ".flac"), "mp3": ("a.mp3", "MPEG_LAYER_III", ".flac"),
    "vorbis": ("a.ogg", "VORBIS", ".flac"), "opus": ("a.opus", "OPUS", ".flac"),
}  # fmt: skip


@pytest.mark.parametrize("name", FORMATS)
def test_a_part_has_the_samples_of_the_whole(name, tmp_path):
    file, subtype, suffix = FORMATS[name]
    form = "OGG" if subtype == "OPUS" else None
    sf.write(tmp_path / file, np.clip(NOISE, -0.9, 0.9), RATE, subtype=subtype, format=form)
    times = [(1.0, 2.0), (0.25, 1.5), (2.5, 3.0)]  # two overlap
    parts = [AudioPart(a, b, tmp_path / f"x/{n}{suffix}") for n, (a, b) in enumerate(times)]
    cut(tmp_path / file, parts)
    whole = sf.read(tmp_path / file)[0]
    step = 0.0 if subtype.startswith(("PCM", "FLOAT", "DOUBLE", "ULAW")) else 0.5 / 32768 + 2**-24
    for part in parts:
        part_samples = sf.read(part.path)[0]
        expected = whole[round(part.start_s * RATE) : round(part.end_s * RATE)]
        np.testing.assert_allclose(part_samples, expected, rtol=0, atol=step + 1e-9)


def test_channels_are_kept(tmp_path):
    both = np.stack([tone(), -tone()], axis=1)
    sf.write(tmp_path / "a.wav", both, 8000)
    cut(tmp_path / "a.wav", [AudioPart(0.0, 0.25, tmp_path / "b.flac")])
    np.testing.assert_array_equal(
        sf.read(tmp_path / "b.flac")[0], sf.read(tmp_path / "a.wav")[0][:2000]
    )


def test_a_recording_that_ends_before_its_part_is_reported(tmp_path):
    sf.write(tmp_path / "a.wav", tone(), 8000)
    with pytest.raises(ValueError, match=r"a\.wav: ends before 1\.2 s; leave out that part"):
        cut(tmp_path / "a.wav", [AudioPart(0.0, 1.2, tmp_path / "b.flac")])


@pytest.mark.parametrize(
    ("span", "expected"),
    [((0, 2), None), ((0.05, 1.96), None), ((0.5, math.inf), (0.5, 2)), ((0.5, 2.5), (0.5, 2))],
)
def test_times_are_kept_within_the_recording(span, expected):
    assert within(span, AudioHeader(2, "PCM_16", 1)) == expected


@pytest.mark.parametrize("span", [(-1, 1), (1, 1), (2, 3), (0, 2.6), (math.nan, 1), (0, math.nan)])
def test_times_that_are_not_within_are_refused(span):
    with pytest.raises(ValueError, match=r"s is not within its 2\.000 s"):
        within(span, AudioHeader(2, "PCM_16", 1))


def test_a_header_without_a_length_is_not_used(tmp_path):
    (tmp_path / "a.wav").write_bytes(b"no sound")
    assert sound_of(tmp_path / "a.wav") is None


# Through ffmpeg.


@pytest.fixture
def foreign(tmp_path, monkeypatch):
    """A corpus with a recording that soundfile cannot read, its child, and one that it can."""
    monkeypatch.chdir(tmp_path)
    write_audio(tmp_path / "from/a.wav", 1)
    (tmp_path / "from/b.m4a").write_bytes(b"\0\0\0\x18ftypM4A ")
    rows = ["a.wav,da,ana,hr,b.m4a", "b.m4a,ne,ana,hr,"]
    write_lines(tmp_path / "from/t.csv", "path,text,speaker,language,parent", *rows)
    return tmp_path


def add(foreign, monkeypatch):
    options = ["--name", "mine", "--licence", "CC0", "--no-dvc"]
    run_fonoteka("corpus", "add", str(foreign / "from"), *options)
    return foreign / "data/raw/mine"


def put_ffmpeg(folder, monkeypatch, *lines):
    """Put a program on the path that stands for ffmpeg."""
    program = write_lines(folder / "bin/ffmpeg", f"#!{sys.executable}", "import sys", *lines)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent))


def test_without_ffmpeg_the_recording_is_added_and_the_consequence_is_printed(
    foreign, monkeypatch, capsys
):
    monkeypatch.setenv("PATH", str(foreign))
    out = add(foreign, monkeypatch)
    assert (
        "ffmpeg     1 (.m4a 1): ffmpeg is not installed, so inventory will quarantine them"
        in capsys.readouterr().out
    )
    assert [(c.path, c.parent) for c in read_clips(out)] == [("a.wav", "b.m4a"), ("b.m4a", "")]


def test_with_ffmpeg_it_is_written_as_flac(foreign, monkeypatch, capsys):
    sf.write(foreign / "decoded.flac", tone(), 8000)
    put_ffmpeg(
        foreign, monkeypatch, "import shutil",
        f"shutil.copy({str(foreign / 'decoded.flac')!r}, sys.argv[-1].removeprefix('file:'))",
    )  # fmt: skip
    out = add(foreign, monkeypatch)
    assert "1 (.m4a 1): will be written as FLAC by ffmpeg" in capsys.readouterr().out
    expected = [("a.wav", "b.m4a.flac"), ("b.m4a.flac", "")]
    assert [(c.path, c.parent) for c in read_clips(out)] == expected
    assert sorted(p.name for p in out.iterdir() if p.suffix == ".m4a") == []


def test_when_ffmpeg_fails_the_recording_is_added_as_it_is(foreign, monkeypatch, capsys):
    put_ffmpeg(foreign, monkeypatch, "sys.exit('moov atom not found')")
    out = add(foreign, monkeypatch)
    assert "b.m4a: moov atom not found; copied as it is, inventory" in capsys.readouterr().out
    assert [(c.path, c.parent) for c in read_clips(out)] == [("a.wav", "b.m4a"), ("b.m4a", "")]


@pytest.mark.parametrize("suffix", sorted(FFMPEG_SUFFIXES))
def test_ffmpeg_is_given_the_format_and_reads_one_file(suffix, tmp_path, monkeypatch):
    put_ffmpeg(tmp_path, monkeypatch, "sys.exit(' '.join(sys.argv[1:]))")
    output = convert(tmp_path / f"a{suffix}", tmp_path / "b.flac")
    assert output.endswith(f"-f flac file:{tmp_path}/b.flac")
    calls = []
    monkeypatch.setattr(subprocess, "run", lambda command, **more: calls.append(command) or _Done)
    convert(tmp_path / f"a{suffix}", tmp_path / "b.flac")
    ((*command,),) = calls
    assert command[command.index("-i") - 1] == FFMPEG_SUFFIXES[suffix]
    assert command[command.index("-protocol_whitelist") + 1] == "file"
    assert "-nostdin" in command


def test_ffmpeg_is_not_waited_for_without_end(tmp_path, monkeypatch):
    put_ffmpeg(tmp_path, monkeypatch, "import time", "time.sleep(60)")
    monkeypatch.setattr("fonoteka.corpus.importers.layouts.audio_io.CONVERT_TIMEOUT_S", 0.05)
    output = convert(tmp_path / "a.m4a", tmp_path / "b.flac")
    assert output == "ffmpeg took longer than 0.05 s"


class _Done:
    returncode, stderr = 1, ""


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed")
def test_ffmpeg_itself_converts(tmp_path):
    sf.write(tmp_path / "a.wav", tone(), 8000)
    command = ["ffmpeg", "-v", "error", "-i", tmp_path / "a.wav", "-c:a", "aac", tmp_path / "a.m4a"]
    subprocess.run(command, check=True)
    assert convert(tmp_path / "a.m4a", tmp_path / "b.flac") == ""
    assert sf.info(tmp_path / "b.flac").duration == pytest.approx(0.5, abs=0.2)  # AAC pads
    (tmp_path / "list.m4a").write_text("#EXTM3U\n#EXTINF:1,\na.wav\n")
    assert convert(tmp_path / "list.m4a", tmp_path / "c.flac") != ""


def test_the_length_of_flac_from_a_pipe_is_counted(tmp_path):
    sf.write(tmp_path / "a.flac", np.clip(NOISE, -0.9, 0.9), RATE)
    whole = sound_of(tmp_path / "a.flac")
    data = bytearray((tmp_path / "a.flac").read_bytes())
    data[21] &= 0xF0  # no number of samples, no MD5
    data[22:26], data[26:42] = bytes(4), bytes(16)
    (tmp_path / "a.flac").write_bytes(data)
    assert sound_of(tmp_path / "a.flac") == whole == AudioHeader(3.0, "PCM_16", 1)
    (tmp_path / "a.flac").write_bytes(data[:-1])
    assert sound_of(tmp_path / "a.flac") is None
