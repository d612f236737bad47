"""Formats that only ffmpeg reads are read if it is installed; else their row states the reason.

A small program replaces ffmpeg, which is not a requirement of this project.
"""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from corpus_maker import make_corpus, tone
from inventory_maker import PARAMS, take

from fonoteka.audiocheck.decode import read_sound
from fonoteka.audiocheck.measure import ProbeLimits
from fonoteka.audiocheck.probe import probe
from stages.corpus.preprocess import PreprocessParams, prepare

M4A = b"\0\0\0\x20ftypM4A " + bytes(500)
SOUND = np.rint(tone(1.0) * 32767).astype(">i2")
FAKE = f"""#!{sys.executable}
import os, sys, struct, time
kind = sys.argv[sys.argv.index("-f") + 1]
path = sys.argv[sys.argv.index("-i") + 1]
what = open(path.removeprefix("file:"), "rb").read()[-8:].strip(bytes(1))
if what == b"fault":
    sys.exit("moov atom not found in " + path)
if what == b"hang":
    open(path.removeprefix("file:") + ".pid", "w").write(str(os.getpid()))
    time.sleep(60)
sound = {SOUND.tobytes()!r}
sys.stdout.buffer.write(struct.pack(">4s5I", b".snd", 24, 0xFFFFFFFF, 3, 8000, 1) + sound)
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A corpus of an m4a file, on a machine without ffmpeg."""
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    folder = make_corpus(tmp_path / "raw", ["a.wav,da,ana,hr"])
    (folder / "a.m4a").write_bytes(M4A)
    (folder / "a.wav").unlink()
    (folder / "metadata.csv").write_text("path,text,speaker,language\na.m4a,da,ana,hr\n")
    return folder


@pytest.fixture
def ffmpeg(folder):
    program = folder.parents[1] / "bin" / "ffmpeg"
    program.write_text(FAKE)
    program.chmod(0o755)


def ended(process):
    """Wait for a process to end; one whose parent has not read its status is a zombie."""
    for _ in range(100):
        path = Path(f"/proc/{process}/cmdline")
        if not path.exists() or not path.read_bytes():
            return True
        time.sleep(0.02)
    return False


def test_without_ffmpeg_the_row_names_the_program_that_is_missing(folder):
    row = take(folder.parent)["mine/a.m4a"]
    assert row["problem"] == "unreadable"
    assert row["detail"] == "is mov, which ffmpeg would read, but ffmpeg is not installed"


@pytest.mark.usefixtures("ffmpeg")
def test_with_ffmpeg_the_sound_is_read_and_preprocessed(folder):
    row = take(folder.parent)["mine/a.m4a"]
    assert (row["problem"], row["detail"], row["codec"]) == ("", "", "ffmpeg mov")
    assert (row["duration_s"], row["sample_rate_hz"], row["channels"]) == ("1.000000", "8000", "1")
    samples, rate = read_sound(folder / "a.m4a")
    assert rate == 8000
    assert np.array_equal(np.rint(samples * 32768), SOUND)
    params = PreprocessParams(-23.0, 40.0, 0.05, 0.15, 1)
    assert prepare(("a", "a.m4a"), folder, params).duration_s == pytest.approx(1.0, abs=0.02)


@pytest.mark.usefixtures("ffmpeg")
def test_a_fault_that_ffmpeg_finds_is_reported_without_the_folder(folder):
    (folder / "a.m4a").write_bytes(M4A + b"fault")
    row = take(folder.parent)["mine/a.m4a"]
    assert row["problem"] == "unreadable"
    assert row["detail"] == "ffmpeg found a fault: 'moov atom not found in file:a.m4a'"


@pytest.mark.usefixtures("ffmpeg")
def test_ffmpeg_is_ended_with_its_worker_when_it_hangs(folder):
    (folder / "a.m4a").write_bytes(M4A + b"hang")
    # The stand-in is a Python program: with all cores busy it took over 1 s to start.
    row = take(folder.parent, replace(PARAMS, max_decode_s=3.0))["mine/a.m4a"]
    assert (row["problem"], row["detail"]) == ("unreadable", "took more than 3 s to decode")
    process = int((folder / "a.m4a.pid").read_text())
    assert not Path(f"/proc/{process}/cmdline").exists() or ended(process)


@pytest.mark.usefixtures("ffmpeg")
def test_a_limit_holds_for_what_ffmpeg_reads(folder):
    result = probe(folder / "a.m4a", ProbeLimits(max_s=0.5))
    assert (result.problem, result.detail) == ("too long", "more than 0.5 s")
